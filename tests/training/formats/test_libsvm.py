"""libsvm, against scikit-learn's reader and writer."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy import sparse
from sklearn.datasets import dump_svmlight_file, load_svmlight_file

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.training.formats import libsvm
from tests.training.formats.streams import assert_canonical, rows

MEDIA = "text/libsvm"


def read(text: str, **layout) -> Rows:
    return rows(MEDIA, text.encode(), name="train/x", **layout)


@pytest.mark.parametrize("block", [1 << 12, 1 << 24])
def test_scikit_learn_reads_and_writes_the_same(block):
    random = np.random.default_rng(0)
    matrix = sparse.random_array((2000, 60), density=0.2, rng=random, format="csr")
    matrix.data *= 10.0 ** random.integers(-12, 12, matrix.nnz)
    label = random.normal(size=2000)
    sink = io.BytesIO()
    dump_svmlight_file(matrix, label, sink, zero_based=True)

    ours = rows(MEDIA, sink.getvalue(), labels=1, width=60, block=block)

    np.testing.assert_array_max_ulp(ours.dense(), matrix.toarray().astype(np.float32), 1)
    np.testing.assert_array_max_ulp(ours.label[:, 0], label.astype(np.float32), 1)
    theirs, labels = load_svmlight_file(io.BytesIO(libsvm.write(ours)), n_features=60, zero_based=True)
    np.testing.assert_array_equal(theirs.toarray().astype(np.float32), ours.dense())
    np.testing.assert_array_equal(labels.astype(np.float32), ours.label[:, 0])


NUMBER = some.sampled_from(
    [
        "1",
        "-2.5",
        "+3",
        ".5",
        "4.",
        "1e-3",
        "2E+5",
        "1e-320",
        "1e400",
        "nan",
        "-",
        "x",
        "1.2.3",
        "12345678901234567890123",
    ]
)
TOKEN = some.builds(
    lambda key, value: f"{key}:{value}", some.sampled_from(["0", "1", "2", "3", "07", "-1", "1.5", "a"]), NUMBER
)


@settings(deadline=None, max_examples=300)
@given(
    lines=some.lists(
        some.tuples(NUMBER | TOKEN | some.just(""), some.lists(TOKEN, max_size=3, unique=True)), max_size=4
    ),
    labels=some.integers(0, 1),
    end=some.sampled_from(["\n", "\r\n", " # 1:2\n"]),
)
def test_the_compiled_reader_reads_what_the_plain_one_reads(lines, labels, end):
    text = end.join(" ".join([first, *tokens]) for first, tokens in lines)

    def outcome(small: int) -> str:
        libsvm.SMALL = small
        try:
            records = read(text, labels=labels, width=4)
            return f"{records.dense().tolist()} {records.label} {records.weight}"
        except (UserError, ValueError) as error:
            return str(error)
        finally:
            libsvm.SMALL = 1 << 16

    assert outcome(-1) == outcome(1 << 16)


def test_a_label_may_have_a_weight_and_may_be_missing_in_requests():
    trained = read("1:0.5 0:2 3:4\n-1 1:1\n", labels=1, width=4)
    assert (trained.label.tolist(), trained.weight.tolist()) == ([[1], [-1]], [0.5, 1])
    assert trained.dense().tolist() == [[2, 0, 0, 4], [0, 1, 0, 0]]

    bare = read("0:2 3:4\n1:1\n", width=4)
    assert (bare.label, bare.weight) == (None, None)
    assert bare.dense().tolist() == trained.dense().tolist()


def test_keys_count_from_zero_and_are_sorted():
    records = read("1 3:4 0:2\n", labels=1, width=4)
    assert records.dense().tolist() == [[2, 0, 0, 4]]
    assert_canonical(records.features)


def test_without_a_width_the_largest_key_of_all_blocks_decides():
    text = "1 0:1\n" * 100 + "1 7:1\n" + "1 1:1\n" * 100
    for block in (16, 1 << 20):
        records = read(text, labels=1, block=block)
        assert (records.width, len(records)) == (8, 201)


PAIRS = "not a label and pairs key:value: "


@pytest.mark.parametrize("prefix", ["", "# a comment\n\n" + "1 0:1\n" * 20_000])
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "1 0:1 zwei\n",
            f"{PAIRS}'1 0:1 zwei'; 'zwei' is wrong: it has no colon, which stands between a key and its value.",
        ),
        ("1 0:\n", f"{PAIRS}'1 0:'; '0:' is wrong: leave out what has no value."),
        ("1 0:NA\n", f"{PAIRS}'1 0:NA'; '0:NA' is wrong: leave out what has no value."),
        ("1 0:1_0\n", f"{PAIRS}'1 0:1_0'; '0:1_0' is wrong: it has underscores: leave them out."),
        ("1 -1:2\n", f"{PAIRS}'1 -1:2'; '-1:2' is wrong: a key is the number of a feature, from 0, in decimal digits."),
        ("1 0:0x10\n", f"{PAIRS}'1 0:0x10'; '0:0x10' is wrong: it is hexadecimal: write it in decimal digits."),
        ("yes 0:1\n", f"{PAIRS}'yes 0:1'; 'yes' is wrong: write 1 or 0."),
        ("1 0:1 0:2\n", "has a key twice."),
        ("1 4:1\n", "has key 4, where the width is 4 and keys count from 0."),
    ],
)
def test_a_fault_is_on_its_line(prefix, text, sentence):
    line = prefix.count("\n") + 1
    for block in (1 << 24, 1 << 10):
        with pytest.raises(UserError) as fault:
            read(prefix + text, labels=1, width=4, block=block)
        assert str(fault.value) == f"train/x, line {line}: {sentence}"


def test_a_key_twice_is_on_its_line_where_no_width_is_known():
    for block in (1 << 24, 16):
        with pytest.raises(UserError, match="train/x, line 5: has a key twice"):
            read("1 0:1\n\n# none\n1 5:1 2:1\n0 7:1 7:2\n0 9:1\n", labels=1, block=block)
    assert read("1 0:1\n\n1 5:1 2:1\n0 7:1\n", labels=1, block=16).dense()[1].tolist() == [0, 0, 1, 0, 0, 1, 0, 0]


def test_rows_have_a_label_all_or_none():
    with pytest.raises(UserError, match="train/x, line 3: has no label, where the lines before have one"):
        read("1 0:1\n2 0:1\n0:3\n", width=4)


@pytest.mark.parametrize("lines", [3, 20_000])
def test_a_group_stands_behind_the_label(lines):
    """In blocks that are parsed by Python and in those that are not; scikit-learn reads the same."""
    text = "".join(f"{i % 4}:0.5 qid:{i // 3} 0:1.5 2:{i}.25 # a remark\n" for i in range(lines))

    ours = read(text, labels=1, width=3)

    np.testing.assert_array_equal(ours.group, np.arange(lines) // 3)
    np.testing.assert_array_equal(ours.label[:, 0], np.arange(lines) % 4)
    np.testing.assert_array_equal(ours.weight, np.full(lines, 0.5))
    written = libsvm.write(Rows(features=ours.features, label=ours.label, group=ours.group))
    _, labels, groups = load_svmlight_file(io.BytesIO(written), n_features=3, zero_based=True, query_id=True)
    np.testing.assert_array_equal(groups, ours.group)
    np.testing.assert_array_equal(labels, ours.label[:, 0])
    assert read("1 0:2\n", labels=1, width=1).group is None


def test_a_group_that_only_some_rows_have_or_that_is_no_number_is_reported():
    with pytest.raises(UserError, match="1 of the 2 rows from line 1 on have a qid; all must"):
        read("1 qid:3 0:1\n0 0:2\n", labels=1, width=1)
    with pytest.raises(UserError, match="line 1: not a label and pairs key:value"):
        read("1 qid:x 0:1\n", labels=1, width=1)


def test_a_blank_line_of_a_request_would_lose_an_answer():
    text = b"\n1:2\n# none\n0:1\n\n"
    with pytest.raises(UserError, match="line 3: is blank, where each line must be a row; write 0:0 for one of zeros"):
        rows("text/libsvm", text, width=2, answered=True)
    assert len(rows("text/libsvm", text, width=2)) == 2
    assert len(rows("text/libsvm", b"\n1:2\n0:1\n\n", width=2, answered=True)) == 2
