"""Numbers that an operator sets in the environment."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping

from algoport.algorithms.contract.errors import UserError

STOPPED_CODE = "ALGOPORT_STOPPED_CODE"


def faults() -> list[str]:
    """A sentence on each variable that training reads and cannot make sense of, so that no job finds one midway."""
    sentences = []
    for name, read in _READERS.items():
        try:
            read(name)
        except UserError as error:
            sentences += error.findings
    return sentences


def count(name: str) -> int | None:
    """A whole number, 1 or more; None where the variable is not there or empty. `UserError` where it is none."""
    text = os.environ.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19 and int(text) > 0):
        raise UserError(f"{name}: must be a whole number from 1 on; it is '{text}'.")
    return int(text)


def _rendezvous(name: str) -> None:
    text = os.environ.get(name, "")
    if text and not text.startswith("file:///"):
        raise UserError(f"{name}: must be the address of a file, file:///folder/name; it is '{text}'.")


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


def stopped_code() -> int:
    """The exit code of a job that was asked to stop: 0, for its model counts, unless the environment asks for another
    by which whoever starts it again can tell it from one that has finished. `UserError` where that is none."""
    text = os.environ.get(STOPPED_CODE) or "0"
    if not (text.isascii() and text.isdigit() and int(text) < 256):
        raise UserError(f"{STOPPED_CODE}: must be an exit code, a whole number from 0 to 255; it is '{text}'.")
    return int(text)


_READERS: Mapping[str, Callable[[str], object]] = {
    **{
        name: lambda name: seconds(name, 0.0)
        for name in (
            "ALGOPORT_BEAT_INTERVAL",
            "ALGOPORT_CHECKPOINT_INTERVAL",
            "ALGOPORT_EXCHANGE_TIMEOUT",
            "ALGOPORT_PIPE_TIMEOUT",
            "ALGOPORT_PROGRESS_INTERVAL",
            "ALGOPORT_RENDEZVOUS_TIMEOUT",
        )
    },
    **{name: count for name in ("ALGOPORT_CORES", "ALGOPORT_LOCAL_MEMBERS", "ALGOPORT_MEMORY", "NUMBA_NUM_THREADS")},
    "ALGOPORT_RENDEZVOUS": _rendezvous,
    STOPPED_CODE: lambda name: stopped_code(),
    "MASTER_PORT": lambda name: port(name, 1),
}
