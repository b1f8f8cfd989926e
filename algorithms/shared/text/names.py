"""Texts that name something: any but the empty one."""

from __future__ import annotations

import numpy as np

from algoport.algorithms.contract.ragged import Ragged


def fault(texts: Ragged) -> tuple[int, str] | None:
    """The first of the texts that is empty, and what to say of it; None where none is."""
    empty = np.flatnonzero(texts.lengths == 0)
    return (int(empty[0]), "must not be empty.") if len(empty) else None
