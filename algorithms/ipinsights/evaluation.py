"""How well observed pairs are told from negatives.    n rows"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms import contract
from algoport.algorithms.contract import kinds
from algoport.algorithms.contract.group import total
from algoport.algorithms.contract.records.table import Table
from algoport.algorithms.ipinsights import entities
from algoport.algorithms.ipinsights.descent import JUDGING, places
from algoport.algorithms.ipinsights.model import addresses_of
from algoport.algorithms.ipinsights.network import Network
from algoport.algorithms.shared.randomness import draws, seed_of

Singles = NDArray[np.float32]


def judge(job: contract.Job[Any, Any], network: Network, epoch: int, over: contract.Deadline) -> None:
    """Report the area under the ROC curve of the validation channel, each row against one random address, which is the
    same after every epoch. Nothing where there is no such channel, and a note where a stop left no time. Exchanges:
    sizes of batches, scores."""
    channel = job.channels.get("validation")
    if channel is None:
        return
    tables, seed = network.tables(), seed_of(job.seed, JUDGING)
    sides: tuple[list[Singles], list[Singles]] = [np.empty(0, np.float32)], [np.empty(0, np.float32)]
    batches, empty, first = channel.batches(job.batch), kinds.find("table").empty(2), 0
    while True:
        table = next(batches, None)
        more, cuts = total(job.group, table is not None, over())
        if cuts:
            job.reporter.note("The validation channel is not scored, as a stop was asked for.")
            return
        if not more:
            break
        table = empty if table is None else table
        lengths = np.array([len(part) for part in job.group.gather(np.zeros(len(table), np.bool_))])
        numbers = places(lengths, job.group.rank) + first
        first += int(lengths.sum())
        random = (draws(seed, numbers) >> np.uint64(32)).astype(np.uint32)
        for side, scores in zip(sides, _scores(network, tables, table, random), strict=True):
            side.append(scores)
    observed, negative = (np.concatenate(job.group.gather(np.concatenate(side))) for side in sides)
    if len(observed):
        job.reporter.report({"validation:discriminator_auc": area(observed, negative)}, epoch=epoch)


def _scores(network: Network, tables: Singles, table: Table, random: NDArray[np.uint32]) -> tuple[Singles, Singles]:
    """Of the rows, and of their entities with random addresses."""
    rows = entities.rows(entities.hashed(table.texts(0)), network.shape.entities)
    vectors = network.vectors(np.concatenate([addresses_of(table), random]), tables)
    return network.scores(rows, vectors[: len(rows)]), network.scores(rows, vectors[len(rows) :])


def area(observed: Singles, negative: Singles) -> float:
    """The area under the ROC curve: the share of all pairs in which the observed one scores higher, a tie counting
    half."""
    negative = np.sort(negative)
    below = np.searchsorted(negative, observed, "left").sum(dtype=np.float64)
    level = np.searchsorted(negative, observed, "right").sum(dtype=np.float64)
    return float((below + level) / 2 / (len(observed) * len(negative)))
