"""Who was seen where: pairs for the benchmark of IP Insights, on real ranges of addresses.

The ranges of networks are those of the npm package @ip-location-db/asn (CC BY 4.0, from RouteViews and DB-IP), in the
folder that NODE_MODULES names: 411,961 ranges of IPv4 of 84,159 networks.
"""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import data

Pairs = NDArray[np.int64]  # (n, 2): the number of an entity, and an address


@dataclass(frozen=True)
class Split:
    """Pairs to train on, and pairs of later whose addresses were never seen for their entity, with negatives."""

    train: Pairs
    later: Pairs
    random: Pairs  # the entities of `later`, each with an address of four random octets
    others: Pairs  # the same, each with the address of another row of `later`

    @classmethod
    def of(cls, pairs: Pairs, seed: int = 1) -> Split:
        """Four fifths to train on."""
        random = np.random.default_rng(seed)
        order = random.permutation(len(pairs))
        train, rest = pairs[order[len(pairs) // 5 :]], pairs[order[: len(pairs) // 5]]
        later = rest[~np.isin(_keys(rest), _keys(train))]
        numbers = random.integers(0, 1 << 32, len(later))
        mixed = later[random.permutation(len(later)), 1]
        negatives = (np.stack([later[:, 0], addresses], axis=1) for addresses in (numbers, mixed))
        return cls(train, later, *negatives)


def _keys(pairs: Pairs) -> NDArray[np.int64]:
    return np.asarray(pairs[:, 0] << 32 | pairs[:, 1])


@cache
def ranges() -> list[tuple[int, int, int]]:
    """First and last address, and the number of the network, of each range."""
    package = "@ip-location-db/asn"
    path = Path(os.environ.get("NODE_MODULES", "node_modules")) / package / "asn-ipv4-num.csv"
    if not path.is_file():
        raise data.Missing(
            f"There is no {path}: npm install --ignore-scripts {package}, and name its folder in NODE_MODULES."
        )
    with path.open(newline="", encoding="utf-8") as lines:
        return [(int(first), int(last), int(number)) for first, last, number, _ in csv.reader(lines)]


def _by_network() -> dict[int, list[tuple[int, int]]]:
    networks = defaultdict(list)
    for first, last, number in ranges():
        networks[number].append((first, last))
    return networks


@cache
def logins(users: int = 2000, seed: int = 0) -> Pairs:
    """Users with an address at home and one at work, others of the network at home, and any of a mobile provider's:
    about 45 pairs a user. All networks, and with them all addresses, are real; the users are not."""
    return np.array(list(_logins(users, seed)), np.int64)


def _logins(users: int, seed: int) -> Iterator[tuple[int, int]]:
    random, networks = np.random.default_rng(seed), _by_network()
    names = list(networks)
    sizes = {name: np.array([last - first + 1 for first, last in networks[name]], float) for name in names}
    weight = np.array([sizes[name].sum() for name in names]) ** 0.5
    weight /= weight.sum()

    def drawn(name: int) -> int:
        size = sizes[name]
        first, last = networks[name][random.choice(len(size), p=size / size.sum())]
        return int(random.integers(first, last + 1))

    for user in range(users):
        home, work, mobile = (names[number] for number in random.choice(len(names), 3, p=weight))
        at_home, at_work = drawn(home), drawn(work)
        for _ in range(random.poisson(40) + 5):
            share = random.random()
            if share < 0.45:
                yield user, at_home
            elif share < 0.6:
                yield user, (at_home & ~255) + int(random.integers(256))
            elif share < 0.8:
                yield user, at_work
            else:
                yield user, drawn(mobile)


@cache
def networks(count: int = 2000, each: int = 40, seed: int = 0) -> Pairs:
    """The networks with the most ranges as entities, and addresses of their ranges, drawn uniformly from all of them:
    nothing but what the registries say."""
    random, whole = np.random.default_rng(seed), _by_network()
    largest = sorted(whole, key=lambda name: -len(whole[name]))[:count]
    pairs = []
    for entity, name in enumerate(largest):
        bounds = np.array(whole[name])
        size = bounds[:, 1] - bounds[:, 0] + 1
        chosen = random.choice(len(size), each, p=size / size.sum())
        addresses = bounds[chosen, 0] + (random.random(each) * size[chosen]).astype(np.int64)
        pairs.append(np.stack([np.full(each, entity), addresses], axis=1))
    return np.concatenate(pairs)
