"""IP Insights beside the same network in plain torch, and beside a table that looks addresses up.

The addresses are those of the npm package @ip-location-db/asn, in the folder that NODE_MODULES names.
`python -m benchmarks.ipinsights --picture` draws the picture of the algorithm's page.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from algoport.algorithms.shared import compiled
from benchmarks import memory
from benchmarks.ipinsights_logins import Pairs, Split, logins, networks
from benchmarks.measure import US, Case, Laps, Row, main, race

NOTEBOOK: dict[str, Any] = {  # the settings of the original's notebook
    "num_entity_vectors": 20_000,
    "vector_dim": 128,
    "epochs": 5,
    "learning_rate": 0.01,
    "mini_batch_size": 1000,
    "random_negative_sampling_rate": 5,
    "shuffled_negative_sampling_rate": 1,
    "weight_decay": 1e-5,
}
LARGE: dict[str, Any] = {
    **NOTEBOOK,
    "epochs": 1,
    "mini_batch_size": 10_000,
    "random_negative_sampling_rate": 4,
    "shuffled_negative_sampling_rate": 1,
}
SETS: dict[str, Callable[[], Pairs]] = {"logins": logins, "networks": networks}
SEEDS = 3
PICTURE = Path(__file__).parents[1] / "algorithms/ipinsights/threshold.png"


@cache
def split(name: str) -> Split:
    """A set, to train on and to judge by."""
    return Split.of(SETS[name]())


def table(pairs: Pairs) -> Any:
    """The pairs as a job reads them: texts."""
    from algoport.algorithms.contract.ragged import Ragged
    from algoport.algorithms.contract.records.table import Table

    who = Ragged.texts(f"user-{number}" for number in pairs[:, 0].tolist())
    where = Ragged.texts(f"{a >> 24}.{a >> 16 & 255}.{a >> 8 & 255}.{a & 255}" for a in pairs[:, 1].tolist())
    return Table(columns=(who, where))


def fit(rows: Any, settings: dict[str, Any], seed: int = 0) -> Any:
    """The model that a job leaves."""
    from algoport import algorithms
    from algoport.algorithms.contract import Job, Memory

    read = algorithms.part("ipinsights", "hyperparameters").Hyperparameters.read
    job: Any = Job(hyperparameters=read(settings), channels={"train": Memory(rows)}, seed=seed)
    return algorithms.part("ipinsights", "train").fit(job)


class Twin:
    """The same network and negatives in plain torch: SparseAdam for entities, Adam for the encoder. It is handed
    numbers where ours reads texts, the same rows of the table that ours hashes to, and encodes an address once, also
    where it is another row's negative."""

    def __init__(self, settings: dict[str, Any], seed: int = 0) -> None:
        import torch

        self.torch, self.settings = torch, settings
        torch.manual_seed(seed)
        d = settings["vector_dim"]
        self.entities = torch.nn.Embedding(settings["num_entity_vectors"], d, sparse=True)
        torch.nn.init.zeros_(self.entities.weight)
        self.first, self.last = torch.nn.Linear(32, d), torch.nn.Linear(d, d)
        torch.nn.init.normal_(self.first.weight, 0, (2 / 32) ** 0.5)
        torch.nn.init.uniform_(self.first.bias, -1, 1)
        torch.nn.init.normal_(self.last.weight, 0, d**-0.5)
        torch.nn.init.zeros_(self.last.bias)
        self.shifts = torch.arange(31, -1, -1)

    def encode(self, addresses: Any) -> Any:
        """Their vectors."""
        bits = (addresses[:, None] >> self.shifts & 1).float() * 2 - 1
        return self.last(self.first(bits).relu())

    def fit(self, pairs: Pairs) -> Twin:
        """Train on pairs as `hashed` gives them, in a random order for each epoch."""
        torch, settings = self.torch, self.settings
        rate = settings["learning_rate"]
        sparse = torch.optim.SparseAdam(self.entities.parameters(), rate)
        encoder = [*self.first.parameters(), *self.last.parameters()]
        dense = torch.optim.Adam(encoder, rate, weight_decay=settings["weight_decay"])
        whole, size = torch.from_numpy(pairs), settings["mini_batch_size"]
        for _ in range(settings["epochs"]):
            order = torch.randperm(len(whole))
            for first in range(0, len(whole), size):
                batch = whole[order[first : first + size]]
                loss = self.loss(batch[:, 0], batch[:, 1])
                sparse.zero_grad()
                dense.zero_grad()
                loss.backward()
                sparse.step()
                dense.step()
        return self

    def loss(self, who: Any, where: Any) -> Any:
        """The mean cross entropy of a batch's pairs."""
        torch, settings = self.torch, self.settings
        random, shuffled = (settings[f"{kind}_negative_sampling_rate"] for kind in ("random", "shuffled"))
        n = len(who)
        own = self.encode(torch.cat([where, torch.randint(0, 1 << 32, (n * random,))]))
        entities = self.entities(who)
        vectors = torch.cat([own, *(own[:n][torch.randperm(n)] for _ in range(shuffled))]).view(-1, n, own.shape[1])
        scores = (vectors * entities).sum(dim=2)
        labels = torch.zeros_like(scores)
        labels[0] = 1
        return torch.nn.functional.binary_cross_entropy_with_logits(scores, labels)

    def scores(self, pairs: Pairs) -> Any:
        """Of each pair."""
        with self.torch.no_grad():
            who, where = self.torch.from_numpy(np.ascontiguousarray(pairs.T))
            return (self.entities(who) * self.encode(where)).sum(dim=1).numpy()


def hashed(pairs: Pairs) -> Pairs:
    """The pairs with the row of the table that ours has for each entity: what the twin is handed."""
    from algoport.algorithms.ipinsights import entities

    rows = entities.rows(entities.hashed(table(pairs).texts(0)), NOTEBOOK["num_entity_vectors"])
    return np.stack([rows, pairs[:, 1]], axis=1)


class Lookup:
    """What many do instead: was the user seen at this address, in its /24, in its /16?"""

    def __init__(self, pairs: Pairs) -> None:
        self.known = [np.unique(pairs[:, 0] << 32 | pairs[:, 1] >> bits) for bits in (0, 8, 16)]

    def scores(self, pairs: Pairs) -> Any:
        """How many of the three are so."""
        keys = (pairs[:, 0] << 32 | pairs[:, 1] >> bits for bits in (0, 8, 16))
        return np.sum([np.isin(key, known) for key, known in zip(keys, self.known, strict=True)], axis=0, dtype=float)


def ours(model: Any) -> Callable[[Pairs], Any]:
    """The scores that a model answers."""
    return lambda pairs: model.predict(table(pairs))["dot_product"]


def theirs(twin: Twin) -> Callable[[Pairs], Any]:
    """The scores that a twin answers."""
    return lambda pairs: twin.scores(hashed(pairs))


def areas(scores: Callable[[Pairs], Any], name: str) -> tuple[float, float]:
    """The area under the ROC curve of later pairs, against random addresses and against those of others."""
    from algoport.algorithms.ipinsights.evaluation import area

    sides = split(name)
    later = scores(sides.later)
    return area(later, scores(sides.random)), area(later, scores(sides.others))


def training_race(name: str) -> list[Row]:
    """Five epochs in the notebook's settings, and the mean quality over a few seeds."""
    train = split(name).train
    rows, numbers = table(train), hashed(train)
    laps = race(
        {
            US: lambda: fit(rows, NOTEBOOK),
            "twin": lambda: Twin(NOTEBOOK).fit(numbers),
            "lookup": lambda: Lookup(train),
        },
        laps=3 if name == "logins" else 1,
    )
    twins = [laps["twin"].result, *(Twin(NOTEBOOK, seed).fit(numbers) for seed in range(1, SEEDS))]
    models = [laps[US].result, *(fit(rows, NOTEBOOK, seed) for seed in range(1, SEEDS))]
    figures = {
        US: np.mean([areas(ours(model), name) for model in models], axis=0),
        "twin": np.mean([areas(theirs(twin), name) for twin in twins], axis=0),
        "lookup": areas(laps["lookup"].result.scores, name),
    }
    result = []
    for number, against in enumerate(("random addresses", "others' addresses")):
        for peer, goal, slack in (("twin", 10.0, 0.005), ("lookup", None, 0.0)):
            quality, peers = float(figures[US][number]), float(figures[peer][number])
            result.append(
                Row(
                    case=f"training, {name}, {len(train):,} rows, 5 epochs; unseen addresses against {against}",
                    peer=peer,
                    ours=laps[US],
                    peers=laps[peer],
                    goal=goal,
                    metric=f"AUC, mean of {SEEDS} seeds" if peer == "twin" else "AUC",
                    better="higher",
                    quality=quality,
                    peer_quality=peers,
                    quality_goal=(peers - slack) / peers,
                )
            )
    return result


def throughput_race() -> list[Row]:
    """A million rows in batches of 10,000, vectors of 128 and five negatives a row (four random, one shuffled)."""
    from benchmarks.peak import peak

    train = np.tile(split("logins").train, (14, 1))
    rows = table(train)
    few = hashed(train[:100_000])
    laps = race({US: lambda: fit(rows, LARGE), "twin": lambda: Twin(LARGE).fit(few)}, laps=3)
    scaled = Laps([seconds * len(train) / len(few) for seconds in laps["twin"].seconds], None)
    seconds = min(laps[US].seconds)
    flops = len(train) * (3 * 2 * 128 * 128 * 0.2 + 6 * 128 * 14)
    note = (
        f"{len(train) / laps[US].median / 1e6:.2f} million rows a second, read as texts (the twin: "
        f"{len(few) / laps['twin'].median / 1e6:.3f}, measured on {len(few):,} rows and scaled); about "
        f"{flops / seconds / peak():.0%} of the processor's float32 peak."
    )
    case = f"one epoch, {len(train):,} rows of logins, batches of 10,000"
    return [Row(case=case, peer="twin", ours=laps[US], peers=scaled, goal=10, note=note)]


def answers_race() -> list[Row]:
    """Scores of 100,000 pairs."""
    train = split("logins").train
    some = train[:70_000]
    rows, numbers = table(some), hashed(some)
    model, twin = fit(rows, NOTEBOOK), Twin(NOTEBOOK).fit(numbers[:10_000])
    laps = race({US: lambda: model.predict(rows), "twin": lambda: twin.scores(numbers)})
    note = f"{len(some) / laps[US].median / 1e6:.2f} million pairs a second."
    return [Row(case=f"answers, {len(some):,} pairs", peer="twin", ours=laps[US], peers=laps["twin"], note=note)]


def memory_of_a_stream(gigabytes: float = 4.0) -> list[Row]:
    """The most that a job takes that reads so many bytes of CSV through a pipe, parent and child together."""
    piece = csv(np.concatenate([logins()] * 20))
    count = max(1, round(gigabytes * 1e9 / len(piece)))
    given = {"num_entity_vectors": "20000", "vector_dim": "16", "epochs": "1", "shuffled_negative_sampling_rate": "0"}
    with tempfile.TemporaryDirectory() as place:
        base = Path(place)
        for folder in ("config", "data"):
            (base / "input" / folder).mkdir(parents=True)
        channel = {"TrainingInputMode": "Pipe", "ContentType": "text/csv"}
        (base / "input/config/hyperparameters.json").write_text(json.dumps(given))
        (base / "input/config/inputdataconfig.json").write_text(json.dumps({"train": channel}))
        os.mkfifo(base / "input/data/train_0")
        feeder = (base / "input/data/train_0", piece, count)
        threading.Thread(target=memory.feed, args=feeder, daemon=True).start()
        start = time.perf_counter()
        environment = os.environ | {"ALGORITHM": "ipinsights", "SAGEMAKER_BASE_DIR": str(base)}
        command = [sys.executable, "-m", "algoport.training"]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        peak = max(memory.resident(process))
        if process.returncode:
            raise SystemExit((base / "output/failure").read_text())
        rows = json.loads((base / "output/data/metrics.json").read_text())["rows"]["train"]
    lap = Laps([time.perf_counter() - start], None)
    whole = count * len(piece)
    return [
        Row(
            case=f"memory of a stream of {gigabytes:g} GB, vectors of 16, a negative a row",
            peer="1 GiB",
            ours=lap,
            peers=lap,
            metric="MiB at the most",
            better="lower",
            quality=peak / 2**20,
            peer_quality=memory.LIMIT / 2**20,
            quality_goal=1.0,
            note=f"{rows:,} rows, {rows / lap.median / 1e6:.2f} million a second, {whole / lap.median / 1e6:.0f} MB/s.",
        )
    ]


def csv(pairs: Pairs) -> bytes:
    """The pairs as a file has them."""
    who, where = (column.strings() for column in table(pairs).columns)
    return "".join(f"{one},{other}\n" for one, other in zip(who, where, strict=True)).encode()


def draw() -> None:
    """Which shares of later logins, and of logins with others' addresses, lie below each threshold."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    sides = split("logins")
    scores = ours(fit(table(sides.train), NOTEBOOK))
    figure, axis = plt.subplots(figsize=(7, 3.6), layout="constrained")
    for pairs, label in (
        (sides.later, "the user's own, from addresses never seen for them"),
        (sides.others, "with another user's address"),
        (sides.random, "with a random address"),
    ):
        values = np.sort(scores(pairs))
        axis.plot(values, np.arange(1, len(values) + 1) / len(values), label=label)
    axis.axvline(0, color="gray", linewidth=0.8)
    axis.set(xlabel="threshold (dot_product)", ylabel="share of logins below it", ylim=(0, 1))
    axis.legend(fontsize=8)
    figure.savefig(PICTURE, dpi=110)
    plt.close(figure)


CASES = [
    Case("training, logins", partial(training_race, "logins")),
    Case("training, networks", partial(training_race, "networks")),
    Case("throughput", throughput_race),
    Case("answers", answers_race, promised=False),
    Case("memory", memory_of_a_stream, promised=False),
]

if __name__ == "__main__":
    compiled.prepare()
    if sys.argv[1:] == ["--picture"]:
        draw()
    else:
        sys.exit(main("ipinsights", CASES))
