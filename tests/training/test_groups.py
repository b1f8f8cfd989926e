"""The group of threads that tests use keeps the promises of a group, and tells members that do not."""

import numpy as np
import pytest

from tests.groups import Unequal, together


def test_members_exchange_as_the_contract_says():
    def work(group):
        numbers, more = np.array([1.0, group.rank]), np.full((2, 2), group.rank, np.int64)
        group.sum_(numbers, more)
        first = np.array([group.rank + 5.0])
        group.broadcast_(first)
        parts = group.gather(np.arange(group.rank))
        group.barrier()
        return numbers.tolist(), more.tolist(), first.tolist(), [len(part) for part in parts], group.share(b"abc")

    results = together(3, work)

    assert results == [([3, 3], [[3, 3], [3, 3]], [5], [0, 1, 2], b"abc")] * 3


@pytest.mark.parametrize(
    "work",
    [
        lambda group: group.sum_(np.zeros(1)) if group.rank else None,
        lambda group: group.sum_(np.zeros(1 + group.rank)),
        lambda group: group.barrier() if group.rank else group.sum_(np.zeros(1)),
    ],
)
def test_members_that_do_not_make_the_same_exchanges_are_reported(work):
    with pytest.raises(Unequal):
        together(2, work, timeout=5)


def test_a_member_that_fails_ends_the_others_and_its_error_is_the_one_raised():
    def work(group):
        if group.rank == 1:
            raise KeyError("mine")
        group.barrier()

    with pytest.raises(KeyError, match="mine"):
        together(3, work)
