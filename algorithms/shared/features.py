"""Checks of the features of rows."""

from __future__ import annotations

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows


def check_width(rows: Rows, feature_dim: int, channel: str) -> None:
    """`UserError` where rows have not feature_dim numbers."""
    if rows.width != feature_dim:
        raise UserError(f"Channel '{channel}': a row has {rows.width} numbers, where feature_dim is {feature_dim}.")
