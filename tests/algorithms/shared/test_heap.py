"""Memory that is free within a process goes back to the system when asked."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from algoport.algorithms.shared import heap


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(sys.platform != "linux", reason="of glibc")
def test_pieces_between_others_that_stay_are_given_back() -> None:
    pieces = [np.ones(64 << 10, np.uint8) for _ in range(2000)]  # 131 MB, each too small to be given back alone
    del pieces[::2]
    before = resident()

    heap.give_back()

    assert before - resident() > 32 << 20
    assert all(piece.all() for piece in pieces)
