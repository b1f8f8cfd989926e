"""Arrays as kernels take them, and as model files must hold them."""

import numpy as np
import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared.arrays import const, single


@pytest.mark.parametrize(
    "array", [np.eye(3, dtype=np.float32), np.eye(3), np.eye(3, dtype=np.float32)[:, ::-1], [[1, 2], [3, 4]]], ids=str
)
def test_a_fixed_array_is_contiguous_of_its_type_and_read_only(array):
    view = const(array)

    assert view.dtype == np.float32 and view.flags.c_contiguous and not view.flags.writeable
    np.testing.assert_array_equal(view, array)


def test_fixing_leaves_the_array_itself_writable_and_copies_nothing_that_fits():
    array = np.zeros(4, np.float32)

    view = const(array)
    array[0] = 7

    assert view[0] == 7
    assert const(view).base is not None and np.shares_memory(const(view), array)


@pytest.mark.parametrize(
    ("array", "shape"),
    [
        (None, 2),
        (np.ones(3), 2),
        (np.ones((3, 0)), 2),
        (np.ones((3, 2)), (2, 3)),
        (np.ones((3, 2), np.int64), 2),
        (np.full((3, 2), np.nan), 2),
    ],
    ids=str,
)
def test_an_array_that_is_not_what_it_must_be_is_named(array, shape):
    arrays = {} if array is None else {"w": array}

    with pytest.raises(UserError, match=r"^model\.safetensors: (has no array 'w'|'w' must be a matrix; it is)"):
        single(arrays, "w", shape, "a matrix", file="model.safetensors")


def test_a_sound_array_comes_as_float32_in_c_order():
    array = single({"w": np.ones((3, 2), order="F")}, "w", (3, 2), "a matrix", file="f")

    assert array.dtype == np.float32 and array.flags.c_contiguous
