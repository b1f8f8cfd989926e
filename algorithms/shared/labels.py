"""Labels of rows: one a row, of a kind that can be learned from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import LabelError, UserError
from algoport.algorithms.contract.records import Rows


def labels_of(rows: Rows, channel: str, classes: int | None = None) -> NDArray[np.float32]:
    """The label (n,) of each row: a finite number, or of so many classes the number of one, from 0.

    `UserError` where a row has none, or several, and `LabelError` where it has one that is not allowed.
    """
    if rows.label is None:
        if len(rows) == 0:
            return np.empty(0, np.float32)
        raise UserError(f"Channel '{channel}': every record must have a label; a record has none.")
    if rows.label.ndim != 2 or rows.label.shape[1] != 1:
        raise UserError(f"Channel '{channel}': a record must have one label; it has {rows.label.shape[1]}.")
    label = np.ascontiguousarray(rows.label[:, 0], np.float32)
    if classes is None:
        fine, allowed = np.isfinite(label), "a finite number"
    elif classes == 2:
        fine, allowed = (label == 0) | (label == 1), "0 or 1"
    else:
        fine = (label >= 0) & (label < classes) & (label == np.floor(label))
        allowed = f"a whole number from 0 to num_classes - 1, {classes - 1}"
    if not fine.all():
        wrong = float(label[np.flatnonzero(~fine)[0]])
        raise LabelError(channel, f"label: must be {allowed}; it is {wrong}.", wrong, classes)
    return label
