"""What members exchange, where there is nobody else and where there are others."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as some

from algoport.algorithms.contract.group import Alone, agreed, interleaved, total


@given(rows=some.integers(0, 40), size=some.integers(1, 7), width=some.sampled_from([None, 0, 1, 3]))
def test_interleaved_puts_back_what_was_dealt_out_like_cards(rows: int, size: int, width: int | None) -> None:
    whole = np.arange(rows * (1 if width is None else width)).reshape((rows,) if width is None else (rows, width))

    put_back = interleaved([whole[rank::size] for rank in range(size)])

    np.testing.assert_array_equal(put_back, whole)
    assert put_back.dtype == whole.dtype


@given(some.lists(some.lists(some.integers(), max_size=9), min_size=1, max_size=5))
def test_interleaved_takes_turns_and_keeps_everything_where_parts_are_uneven(parts: list[list[int]]) -> None:
    arrays = [np.array([(rank, i) for i in range(len(part))], int).reshape(-1, 2) for rank, part in enumerate(parts)]

    mixed = interleaved(arrays)

    turns = [(i, rank) for rank, part in enumerate(parts) for i in range(len(part))]
    assert [(i, rank) for rank, i in mixed.tolist()] == sorted(turns)


def test_alone_every_exchange_gives_back_what_one_has() -> None:
    group, array = Alone(), np.arange(6.0).reshape(2, 3)

    group.sum_(array, array)
    group.broadcast_(array)
    group.barrier()

    np.testing.assert_array_equal(array, np.arange(6.0).reshape(2, 3))
    (gathered,) = group.gather(array)
    np.testing.assert_array_equal(gathered, array)
    assert group.share(b"model") == b"model" and group.share(None) == b""
    assert (group.rank, group.size) == (0, 1)
    assert total(group, 1.5, 2) == [1.5, 2.0]
    assert agreed(group, True) and not agreed(group, False)
