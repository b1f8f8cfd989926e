"""A sample of labeled rows: the same on any number of hosts.    n rows   d features"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import LabelError, UserError
from algoport.algorithms.contract.group import Group
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.shared.features import check_width
from algoport.algorithms.shared.sampling.reservoir import Sample, uniforms

Arrays = dict[str, NDArray[Any]]
# Beyond this float32 no longer holds every whole number.
LARGEST = 1 << 24


class LabeledSample:
    """At most `capacity` rows and their labels. A row's priority depends on its number alone, so that two samples of
    one seed, of rows and of labels, have the same members."""

    def __init__(self, capacity: int, d: int, seed: int) -> None:
        self._rows, self._labels = Sample(capacity, d, seed), Sample(capacity, 1, seed)
        self._seed = seed

    @property
    def seen(self) -> int:
        """Rows of all members that came by."""
        return self._rows.seen

    def add(self, rows: NDArray[np.float32], labels: NDArray[np.float32], group: Group) -> None:
        """Let this member's (n, d) rows and (n,) labels of a batch come by; two exchanges of a number."""
        self._rows.add(rows, group)
        self._labels.add(labels[:, None], group)

    def merged(self, group: Group) -> Arrays:
        """The sample of all members in the order of the rows: rows, labels (n,), numbers (n,); exchanges of it."""
        merged = self._rows.merged(group)
        return {**merged, "labels": self._labels.merged(group)["rows"][:, 0]}

    def snapshot(self, group: Group) -> Arrays:
        """The same for a checkpoint."""
        return {f"sample.{name}": array for name, array in self.merged(group).items()}

    def reload(self, snapshot: Mapping[str, NDArray[Any]], seen: int, group: Group) -> None:
        """Take this member's share of what `snapshot` returned."""
        self._restore({name.partition(".")[2]: array for name, array in snapshot.items()}, seen, group)

    def resume(
        self,
        rows: NDArray[np.float32],
        labels: NDArray[np.float32],
        numbers: NDArray[np.int64],
        seen: int,
        group: Group,
    ) -> None:
        """Take this member's share of the sample of an earlier job of the same seed, or of its best rows."""
        keys = -np.log(uniforms(self._seed, numbers))
        order = np.arange(len(keys))
        if len(keys) > self._rows.capacity:
            order = np.sort(np.argsort(-keys, kind="stable")[: self._rows.capacity])
        arrays = {"rows": rows[order], "labels": labels[order], "keys": keys[order], "numbers": numbers[order]}
        self._restore(arrays, seen, group)

    def _restore(self, merged: Mapping[str, NDArray[Any]], seen: int, group: Group) -> None:
        shared = {name: merged[name] for name in ("keys", "numbers")}
        self._rows.restore({**shared, "rows": merged["rows"]}, seen, group)
        self._labels.restore({**shared, "rows": np.asarray(merged["labels"])[:, None]}, seen, group)


def checked(batch: Rows, d: int, classes: bool, channel: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The rows (n, d) and labels (n,) of a batch; `UserError` where one cannot be learned from."""
    if not len(batch):
        return np.empty((0, d), np.float32), np.empty(0, np.float32)
    check_width(batch, d, channel)
    rows = batch.dense()
    if not np.isfinite(rows).all():
        raise UserError(f"Channel '{channel}': a row has a missing or infinite feature, and no distance to others.")
    return rows, labels(batch, classes, channel)


def labels(batch: Rows, classes: bool, channel: str) -> NDArray[np.float32]:
    """The label (n,) of each row; `UserError` where there is none, or one that is not allowed."""
    if batch.label is None:
        raise UserError(f"Channel '{channel}': every record must have a label; a record has none.")
    if batch.label.ndim != 2 or batch.label.shape[1] != 1:
        raise UserError(f"Channel '{channel}': a record must have one label; it has {batch.label.shape[1]}.")
    label = np.ascontiguousarray(batch.label[:, 0], np.float32)
    fine = np.isfinite(label)
    if classes:
        fine &= (label == np.floor(label)) & (np.abs(label) <= LARGEST)
    if not fine.all():
        wrong = float(label[np.flatnonzero(~fine)[0]])
        whole = f"a whole number up to {LARGEST:,}, above or below 0, where predictor_type is classifier"
        allowed = whole if classes else "a finite number"
        raise LabelError(channel, f"label: must be {allowed}; it is {wrong}.", wrong)
    return label
