"""The reader of MXNet files, on files that MXNet 1.9.1 wrote."""

from pathlib import Path

import numpy as np
import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared import mxnet

HERE = Path(__file__).parent
CENTERS = np.array([[0.0, 1.5, -2.0], [4.0, 5.0, 6.25]], np.float32)
PLAIN = HERE.parent / "kmeans/original/model_algo-1"
NAMED = HERE / "fixtures/named.ndarray"


def test_a_list_without_names_is_read_in_order():
    assert mxnet.is_one(PLAIN)

    (array,) = mxnet.load(PLAIN)

    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, CENTERS)


def test_arrays_with_names_are_read_by_name():
    arrays = mxnet.load(NAMED)

    np.testing.assert_array_equal(arrays["a"], CENTERS)
    np.testing.assert_array_equal(arrays["b"], np.arange(6))
    assert arrays["b"].dtype == np.int64


@pytest.mark.parametrize("whole", [PLAIN, NAMED])
def test_a_file_cut_short_anywhere_is_a_user_error(whole, tmp_path):
    data = whole.read_bytes()
    for length in range(len(data)):
        path = tmp_path / "cut"
        path.write_bytes(data[:length])

        with pytest.raises(UserError, match="^cut: "):
            mxnet.load(path)


@pytest.mark.parametrize("whole", [PLAIN, NAMED])
def test_no_changed_byte_allocates_more_than_the_file_or_fails_otherwise(whole, tmp_path):
    """Every length in the file set to the largest there is, one byte at a time."""
    data = bytearray(whole.read_bytes())
    for place in range(len(data)):
        changed = bytes(data[:place]) + b"\xff" + bytes(data[place + 1 :])
        path = tmp_path / "changed"
        path.write_bytes(changed)

        try:
            arrays = mxnet.load(path)
        except UserError:
            continue
        values = arrays.values() if isinstance(arrays, dict) else arrays
        assert sum(array.nbytes for array in values) <= len(data)


def test_an_array_of_no_numbers_that_says_it_is_longer_than_any_is_refused(tmp_path):
    data = bytearray(PLAIN.read_bytes())
    at = data.index(np.array([2, 3], "<i8").tobytes())  # the shape of the centers
    data[at : at + 16] = np.array([0, 2**62], "<i8").tobytes()
    (tmp_path / "empty").write_bytes(bytes(data))

    with pytest.raises(UserError, match="empty: holds an array of shape"):
        mxnet.load(tmp_path / "empty")
