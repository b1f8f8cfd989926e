"""Decoded records, a module a kind. What carries them treats all alike and needs only what all have in common.

A kind says in its `KIND` what the platform asks of it (`contract/kinds.py`); a new kind is a new module here.
"""

from __future__ import annotations

from algoport.algorithms.contract.joining import Records, concatenate
from algoport.algorithms.contract.records.images import Images
from algoport.algorithms.contract.records.objects import Objects
from algoport.algorithms.contract.records.rows import Features, Rows, nothing

__all__ = ["Features", "Images", "Objects", "Records", "Rows", "concatenate", "nothing"]
