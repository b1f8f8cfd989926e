"""Loops that numba's threads share."""

import numba
import numpy as np
import pytest

from algoport.algorithms.shared.threads import ALONE, share, team


@numba.njit(nogil=True)
def _square(i, values, offset, whether, squares):
    squares[i] += values[i] * values[i] + (offset if whether else 0)


@numba.njit(nogil=True)
def _squares(team, values, offset, squares):
    share(team, _square, len(values), (values, offset, offset > 0, squares))


@numba.njit(nogil=True)
def _check(i, values):
    if values[i] < 0:
        raise ValueError("below 0")


@numba.njit(nogil=True)
def _check_all(team, values):
    share(team, _check, len(values), (values,))


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("n", [0, 1, 2, 1000])
def test_every_iteration_is_done_once(threads: int, n: int) -> None:
    values, squares = np.arange(n, dtype=np.float64), np.zeros(n)
    most = min(threads, numba.config.NUMBA_NUM_THREADS)
    crew = ALONE if most == 1 else (team()[0], most)
    _squares(crew, values, 3.0, squares)
    assert (squares == values**2 + 3).all()


def test_a_team_is_as_large_as_numba_allows() -> None:
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        assert team() == ALONE
        numba.set_num_threads(before)
        assert team()[1] == before
    finally:
        numba.set_num_threads(before)


@pytest.mark.parametrize("alone", [True, False])
def test_a_fault_in_a_body_is_raised(alone: bool) -> None:
    values = np.ones(100)
    _check_all(ALONE if alone else team(), values)
    values[7] = -1
    with pytest.raises(RuntimeError, match="a kernel failed on one of its threads"):
        _check_all(ALONE if alone else team(), values)
