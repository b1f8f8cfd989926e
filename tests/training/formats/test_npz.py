"""SciPy's archives: what it writes is read, and what lies is refused."""

import io
import zipfile

import numpy as np
import pytest
from scipy import sparse

from algoport.algorithms.contract.errors import UserError
from algoport.training.formats import npz
from algoport.training.formats.layout import Layout

MATRIX = sparse.csr_array(np.array([[1, 0, 2.5], [0, 0, 0], [0, -1, 0]], np.float64))


def saved(**change):
    """The bytes of an archive with parts exchanged."""
    parts = {"format": np.bytes_("csr"), "shape": np.array(MATRIX.shape), "data": MATRIX.data,
             "indices": MATRIX.indices, "indptr": MATRIX.indptr} | change  # fmt: skip
    sink = io.BytesIO()
    np.savez(sink, **{name: part for name, part in parts.items() if part is not None})
    return sink.getvalue()


def read(body, **layout):
    return list(npz.read(io.BytesIO(body), Layout(name="train/a.npz", **layout)))


def test_what_scipy_saves_is_read_with_the_label_in_front():
    sink = io.BytesIO()
    sparse.save_npz(sink, sparse.csr_matrix(MATRIX))

    (rows,) = read(sink.getvalue(), labels=1)

    np.testing.assert_array_equal(rows.features.toarray(), MATRIX.toarray()[:, 1:])
    np.testing.assert_array_equal(rows.label[:, 0], [1, 0, 0])


def test_a_label_of_its_own_is_read_beside_the_matrix():
    (rows,) = read(saved(label=np.array([4, 5, 6])), labels=1)

    np.testing.assert_array_equal(rows.features.toarray(), MATRIX.toarray())
    np.testing.assert_array_equal(rows.label[:, 0], [4, 5, 6])


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"PK nothing", "cannot be read as a NumPy archive"),
        (saved(indptr=None), "has no 'indptr'; it must be what scipy.sparse.save_npz writes"),
        (saved(format=np.bytes_("coo")), "must be a matrix in CSR form"),
        (saved(indices=np.array([0, 2, 3], np.int32)), "has column 3, where its shape has 3"),
        (saved(indices=np.array([0, -1, 1], np.int32)), "has column 1, where its shape has 3"),
        (saved(indices=np.array([0, 0, 1], np.int32)), "row 1: has a column twice"),
        (saved(indptr=np.array([0, 3, 2, 3])), "do not fit each other"),
        (saved(indptr=np.array([0, 2, 3])), "do not fit each other"),
        (saved(data=np.array(["a", "b", "c"])), "must be a list of real numbers"),
        (saved(data=np.array([1, 2, None], object)), "must be numbers; its type is object"),
        (saved(shape=np.array([3, 2**31])), "its shape is 2147483648"),
        (saved(label=np.zeros(2)), "'label' must be a number for each of 3 rows"),
        (saved() + saved(), "is several archives in one stream"),
    ],
)
def test_what_is_no_such_archive_is_refused(body, sentence):
    with pytest.raises(UserError, match=sentence):
        read(body)


def test_an_archive_cannot_unpack_beyond_the_limit():
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive, zipfile.ZipFile(io.BytesIO(saved())) as other:
        for name in other.namelist():
            archive.writestr(name, other.read(name) + bytes((1 << 20) if name == "data.npy" else 0))

    with pytest.raises(UserError, match="decodes to .* bytes, where at most 100,000 are allowed"):
        read(sink.getvalue(), limit=100_000)
