"""Decoded records, a module a kind. What carries them treats all alike and needs only what all have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from algoport.algorithms.contract.records.images import Images
from algoport.algorithms.contract.records.objects import Objects
from algoport.algorithms.contract.records.records import Records, joined
from algoport.algorithms.contract.records.rows import Features, Rows, nothing

# No records of a kind, by the words of `Channel.kind`; `width` counts for rows only.
NONE: Mapping[str, Callable[[int], Any]] = {
    "rows": nothing,
    "objects": lambda width: Objects(values=[]),
    "images": lambda width: Images(encoded=[]),
}

__all__ = ["NONE", "Features", "Images", "Objects", "Records", "Rows", "joined", "nothing"]
