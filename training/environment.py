"""Numbers that an operator sets in the environment."""

from __future__ import annotations

import math
import os

from algoport.algorithms.contract.errors import UserError


def seconds(name: str, default: float) -> float:
    """A time, 0 or more; the default where the variable is not there or empty. `UserError` where it is no number."""
    text = os.environ.get(name) or str(default)
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not number >= 0:
        raise UserError(f"{name}: must be a number of seconds, 0 or more; it is '{text}'.")
    return number


def port(name: str, default: int) -> int:
    """A port; the default where the variable is not there or empty. `UserError` where it is none."""
    text = os.environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 1 << 16):
        raise UserError(f"{name}: must be a port, a whole number from 1 to 65535; it is '{text}'.")
    return int(text)
