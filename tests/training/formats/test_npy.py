"""NumPy arrays, and what pretends to be one."""

import io

import numpy as np
import pytest

from algoport.algorithms.contract.errors import UserError
from tests.training.formats.streams import Trickle, rows

MEDIA = "application/x-npy"


def saved(array, **how) -> bytes:
    sink = io.BytesIO()
    np.save(sink, array, **how)
    return sink.getvalue()


def fault(data: bytes, **layout) -> str:
    with pytest.raises(UserError) as caught:
        rows(MEDIA, data, name="request", **layout)
    return str(caught.value)


@pytest.mark.parametrize("dtype", ["?", "i1", "u2", "<i4", ">i4", "i8", "u8", "f2", "<f4", ">f4", "f8", ">f8", "g"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_any_real_type_and_order_is_read(dtype, order):
    array = np.asarray(np.arange(12).reshape(4, 3) % 7, dtype, order=order)
    for block in (1, 1 << 20):
        records = rows(MEDIA, Trickle(saved(array)), block=block, labels=1)
        np.testing.assert_array_equal(records.features, array[:, 1:].astype(np.float32))
        np.testing.assert_array_equal(records.label, array[:, :1].astype(np.float32))


def test_a_vector_is_one_row_and_arrays_may_follow_one_another():
    assert rows(MEDIA, saved(np.arange(3.0))).features.tolist() == [[0, 1, 2]]
    assert rows(MEDIA, saved(np.ones((2, 3))) + saved(np.zeros((1, 3), order="F"))).features.sum() == 6


@pytest.mark.parametrize("order", ["C", "F"])
def test_blocks_are_cut_anywhere(order):
    array = np.random.default_rng(0).normal(size=(1000, 17)).astype(np.float32, order=order)
    for block in (1 << 16, 1 << 17):
        np.testing.assert_array_equal(rows(MEDIA, saved(array), block=block).features, array)


class Evil:
    def __reduce__(self):
        return exec, ("raise SystemExit('unpickled')",)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (saved(np.array([Evil()], object), allow_pickle=True), "must hold real numbers; its type is object"),
        (saved(np.array(["a"])), "must hold real numbers"),
        (saved(np.array([1j])), "must hold real numbers"),
        (saved(np.zeros(2, [("a", "f4")])), "must hold real numbers"),
        (saved(np.zeros((2, 2, 2))), "must be a matrix of rows, or one row; its shape is (2, 2, 2)"),
        (saved(np.float32(1)), "its shape is ()"),
        (saved(np.zeros((3, 0))), "its shape is (3, 0)"),
        (saved(np.ones((3, 2)))[:-1], "request, row 3: is missing: the header promises 3 rows of 2."),
        (saved(np.ones((3, 2))) + b"x", "has bytes that do not begin as a NumPy array does"),
        (saved(np.ones((3, 2)))[:20], "its NumPy header cannot be read"),
    ],
)
def test_what_is_no_table_of_numbers_is_refused(data, sentence):
    assert sentence in fault(data)


def test_a_label_that_is_missing_or_too_many_is_a_likely_cause():
    three = saved(np.ones((2, 3)))
    assert fault(three, width=3, labels=1) == (
        "request, row 1: 2 features, where the width is 3. "
        "If the rows have no label, their content type is application/x-npy;label_size=0."
    )
    assert fault(three, width=2).endswith("a label, their content type is application/x-npy;label_size=1.")
    assert fault(three, width=9).endswith("where the width is 9.")


def test_a_header_that_promises_much_reserves_nothing():
    small = saved(np.zeros((1, 1), np.float32))
    huge = small.replace(b"(1, 1), }".ljust(40), b"(1000000000, 1000000000), }".ljust(40))
    assert huge != small
    assert "where at most 1,000,000 are allowed" in fault(huge, limit=1_000_000)
    assert "is missing" in fault(huge.replace(b"(1000000000, 1000000000)", b"(1000000000, 100)       "))
