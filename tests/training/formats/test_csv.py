"""CSV: what is read as a number, and which line a fault is on."""

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from algoport.algorithms.contract.errors import UserError
from algoport.training.formats import csv
from algoport.training.formats.layout import Layout
from tests.training.formats.streams import rows

NAN = np.nan
TEXTS = "texts must be replaced by numbers, such as a column of 0 and 1 for each value."


def read(text: str | bytes, **layout):
    data = text.encode() if isinstance(text, str) else text
    return rows("text/csv", data, name="train/part-3.csv", **layout)


def fault(text: str | bytes, **layout) -> str:
    """Where the small reader and pyarrow's must say the same: once as it is, and once behind many good lines."""
    with pytest.raises(UserError) as caught:
        read(text, **layout)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1,2\n3,4\n", [[1, 2], [3, 4]]),
        ("1,2\r\n3,4", [[1, 2], [3, 4]]),
        ("1,2\r3,4\r", [[1, 2], [3, 4]]),
        ("\n1,2\n\n  \n3,4\n\n", [[1, 2], [3, 4]]),
        ("\ufeff1,2\n", [[1, 2]]),
        ('"1","2"\n3,"4"\n', [[1, 2], [3, 4]]),
        ("1,\n,4\n", [[1, NAN], [NAN, 4]]),
        ('1,""\n"",4\n', [[1, NAN], [NAN, 4]]),
        ("NaN,nan\nNA,null\n", [[NAN, NAN], [NAN, NAN]]),
        (" 1 ,\t2\n", [[1, 2]]),
        ("+1,-2.5e3\n.5,1.\n", [[1, -2500], [0.5, 1]]),
        ("1e39,-inf\n", [[np.inf, -np.inf]]),
        ("True,false\nFALSE,true\n", [[1, 0], [0, 1]]),
        ('1,"True"\n,FALSE\nTrue,2\n', [[1, 1], [NAN, 0], [1, 2]]),
        ("?,None\n#N/A,\\N\n-,NA\n", [[NAN, NAN], [NAN, NAN], [NAN, NAN]]),
        ("null, <NA> \nnone,N/A\n", [[NAN, NAN], [NAN, NAN]]),
        ("7", [[7]]),
    ],
)
@pytest.mark.parametrize("small", [0, 1 << 15])
def test_numbers_are_written_in_many_ways(text, numbers, small, monkeypatch):
    monkeypatch.setattr(csv, "SMALL", small)
    np.testing.assert_array_equal(read(text).features, np.array(numbers, np.float32))


@pytest.mark.parametrize("field", ["nan(1)", "NaN()", "1_0", "0x10", "1d5", "\u0661", "\uff11", "1\x00", "--1"])
@pytest.mark.parametrize("lines", [1, 9000])
def test_what_is_no_number_is_none_in_a_file_of_any_size(field, lines):
    """Whatever the libraries take for one."""
    assert f"train/part-3.csv, line {lines + 1}: not a row of numbers" in fault("1,2\n" * lines + f"3,{field}\n")


@settings(deadline=None, max_examples=200)
@given(
    table=some.integers(1, 5).flatmap(
        lambda columns: some.lists(
            some.lists(
                some.sampled_from(
                    [
                        *("1", "-2.5", "+3", "", " 4", '"5"', "1e-3", "x", "1_0", "nan", "0x1", "٣", '""', "-"),
                        *("True", "false", " TRUE", '"False"', "?", "\\N", "-inf", "nan(1)", "1.", "Truely"),
                    ]
                ),
                min_size=columns,
                max_size=columns,
            ),
            min_size=1,
            max_size=5,
        )
    )
)
def test_small_bodies_are_read_as_large_ones(table):
    """Three readers, one language: Python's, pyarrow's, and the one that knows the faults."""
    text = "\n".join(",".join(row) for row in table) + "\n"

    def outcome(small: int) -> str:
        csv.SMALL = small
        try:
            return str(read(text).features.tolist())
        except (UserError, ValueError) as error:
            return str(error)
        finally:
            csv.SMALL = 1 << 15

    assert outcome(0) == outcome(1 << 15)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1,2\n1 2\n", "line 2: not a row of numbers: '1 2'; the row is '1 2': it is numbers with blanks between them"),
        ('1,2\n"1,234",5\n', "column 1 is '1,234': it has commas between thousands: write '1234'."),
        ("1;2\n1,5;2\n", "column 1 is '1,5': it has a decimal comma: write '1.5'."),
        ("1,2\n3,5 %\n", "column 2 is '5 %': it is a percentage"),
        ("1,2\n3,$5\n", "column 2 is '$5': it has a sign of a currency"),
        ("1,2\n2020-01-01,1\n", "column 1 is '2020-01-01': it is a date"),
        ("1,2\n12:30,1\n", "column 1 is '12:30': it is a time of day"),
        ("1,2\n0x1F,1\n", "column 1 is '0x1F': it is hexadecimal"),
        ("1,2\n1_000,1\n", "column 1 is '1_000': it has underscores"),
        ("1,2\n\u22125,1\n", "its digits or its sign are not those of ASCII"),
        ("1,2\nyes,1\n", "column 1 is 'yes': write 1 or 0."),
        ("1,2\n3,4,\n", "3 numbers, where the first row has 2. It ends with ','"),
        ('1,2\n3,"4\n5,6\n', "a quotation mark before it has probably no end"),
        ("1,2\n3,\0\n", "not a row of numbers"),
    ],
)
def test_a_field_that_is_no_number_comes_with_its_likely_reason_and_remedy(text, sentence):
    assert sentence in fault(text)


def test_one_comma_too_many_is_named_where_the_width_is_known():
    assert "3 numbers, where feature_dim is 2. It ends with ','" in fault("1,2,\n", width=2, width_name="feature_dim")


def test_a_word_for_missing_is_shown_where_none_may_be():
    with pytest.raises(
        UserError, match=r"line 2: feature 2 has no value \('\?'\), and this algorithm takes no missing"
    ):
        read("1,2\n3,?\n", missing=False)


def test_a_file_without_a_number_has_no_header():
    text = "# Title\n\nSome words, and more.\nThe end.\n"
    assert (
        fault(text) == "train/part-3.csv: no number in its first lines, '# Title': it is probably no data; remove it."
    )


@pytest.mark.parametrize(("before", "after"), [("", ""), ("\n\n", "\n\n"), ("1\n" * 20_000, "2\n" * 20_000)])
def test_a_request_has_an_answer_for_every_line_between_the_first_and_the_last(before, after):
    lines = before.count("1") + after.count("2")

    def answered(text: str, **layout) -> np.ndarray:
        features: np.ndarray = read(before + text + after, answered=True, **layout).features
        return features[before.count("1") :][: len(features) - lines]

    np.testing.assert_array_equal(answered("12.5\n\n14\n"), np.array([[12.5], [NAN], [14]], np.float32))
    np.testing.assert_array_equal(answered("12.5\r\n \r\n\r\n14\n")[:, 0], np.array([12.5, NAN, NAN, 14], np.float32))
    with pytest.raises(UserError, match=r"line \d+: is blank, where each line must be a row; leave it out."):
        answered("12.5\n\n14\n", missing=False)


def test_a_blank_line_between_rows_of_a_request_is_a_fault():
    assert "line 2: is blank" in fault("1,2\n\n3,4\n", answered=True)
    assert len(read("\n1,2\n3,4\n\n", answered=True)) == 2


@pytest.mark.parametrize("lines", [3, 30_000])
def test_truth_values_of_pandas_are_one_and_zero(lines):
    table = pd.get_dummies(pd.DataFrame({"x": np.arange(lines) % 7, "color": ["red", "blue", "red"] * (lines // 3)}))

    read_back = read(table.to_csv(header=False, index=False)).features

    np.testing.assert_array_equal(read_back, table.to_numpy(np.float32))


def test_labels_lead():
    both = read("9,1,2\n8,3,4\n", labels=1)
    assert (both.label.tolist(), both.features.tolist()) == ([[9], [8]], [[1, 2], [3, 4]])

    assert read("9,1,2\n", labels=1, parameters={"label_size": "0"}).label is None
    assert read("9,1,2\n", parameters={"label_size": "2"}).label.tolist() == [[9, 1]]
    assert "must be a whole number at least 0; it is '-1'" in fault("1,2", parameters={"label_size": "-1"})


def test_a_header_is_left_out_where_it_is_announced():
    names = '"a\nb",c\n'
    assert read(names + "1,2\n3,4\n", parameters={"header": "present"}).features.tolist() == [[1, 2], [3, 4]]
    assert fault(names + "1,2\n3,x\n", parameters={"header": "present"}).startswith("train/part-3.csv, line 4: ")
    for block in (1, 4, 9):
        records = read("\n" + names + "\n1,2\n3,4\n", parameters={"header": "present"}, block=block)
        assert records.features.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("prefix", ["", "5,6\n" * 20_000])
@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ("1,2\n1,zwei\n", 2, "not a row of numbers: '1,zwei'; column 2 is 'zwei': " + TEXTS),
        ("1,2\n\n\r\n1,zwei\n", 4, "not a row of numbers: '1,zwei'; column 2 is 'zwei': " + TEXTS),
        ('1,"\n\n2"\n3,x\n', 4, "not a row of numbers: '3,x'; column 2 is 'x': " + TEXTS),
        ("1,2\n1,2,3\n", 2, "3 numbers, where the first row has 2."),
        ("1,2\n1\n", 2, "1 numbers, where the first row has 2."),
        (b"1,2\n1,\xff\n", 2, "not a row of numbers: '1,\ufffd'; column 2 is '\ufffd': its letters are not UTF-8."),
    ],
)
def test_a_fault_is_on_its_line(prefix, text, line, sentence):
    data = prefix.encode() + (text.encode() if isinstance(text, str) else text)
    where = f"train/part-3.csv, line {line + prefix.count(chr(10))}: "

    for block in (1 << 24, 1 << 16, 100):
        assert fault(data, block=block) == where + sentence


def test_a_probable_header_is_named_and_not_dropped():
    assert fault("sepal,petal\n1,2\n") == (
        "train/part-3.csv, line 1: 'sepal,petal' is a probable header; "
        "remove it or say header=present in the content type."
    )
    assert "not a row of numbers" in fault("sepal,1\n1,2\n")
    for block in (1, 1 << 20):
        assert "line 3: 'sepal,petal' is a probable header" in fault("\n\nsepal,petal\n1,2\n", width=2, block=block)
    assert "line 1: 'sepal,petal' is a probable header" in fault("sepal,petal\n1,2\n", width=2)
    assert "is plainly JSON" in fault("[1, 2]\n", width=2)


def test_the_wrong_width_comes_with_its_remedy():
    """The sentences of the style's table."""
    good = ",".join(["1"] * 785)
    short = ",".join(["1"] * 784)
    assert fault(f"{good}\n" * 120 + f"{short}\n", labels=1, width=784, width_name="feature_dim") == (
        "train/part-3.csv, line 121: 783 numbers after the label, where feature_dim is 784. "
        "If the rows have no label, their content type is text/csv;label_size=0."
    )
    assert fault(f"{good}\n", width=784, width_name="feature_dim") == (
        "train/part-3.csv, line 1: 785 numbers, where feature_dim is 784. "
        "If the first of them is a label, their content type is text/csv;label_size=1."
    )
    assert (
        fault("1\n2\n", labels=1) == "train/part-3.csv, line 1: has 1 columns and no features, where label_size is 1."
    )


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b'{"features": [1, 2]}\n', "JSON"),
        (b"[[1, 2], [3, 4]]\n", "JSON"),
        (b"1 0:2.5 7:1\n", "libsvm"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"\x0a\x23\xd7\xce\x00\x00\x00\x00", "RecordIO"),
        (b"PAR1....", "Parquet"),
        ("1,2\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_what_is_plainly_something_else_is_said(data, name):
    assert name in fault(data)


@pytest.mark.parametrize("sign", [";", "\t", "|"])
@pytest.mark.parametrize("lines", [3, 30_000])
@pytest.mark.parametrize("header", [False, True])
def test_what_separates_the_first_line_s_fields_separates_all(sign, lines, header):
    text = "".join(sign.join((str(i), "", "2.5")) + "\n" for i in range(lines))
    parameters = {"header": "present"} if header else {}

    rows = read(("\n" + sign.join("abc") + "\n" if header else "") + text, labels=1, parameters=parameters)

    np.testing.assert_array_equal(rows.label[:, 0], np.arange(lines))
    np.testing.assert_array_equal(rows.features, np.tile(np.array([[np.nan, 2.5]], np.float32), (lines, 1)))


@pytest.mark.parametrize("lines", [3, 30_000])
def test_a_weight_can_follow_the_label(lines):
    rows = read("".join(f"{i},0.5,7,8\n" for i in range(lines)), labels=1, weighted=True)

    np.testing.assert_array_equal(rows.label, np.arange(lines)[:, None])
    np.testing.assert_array_equal(rows.weight, np.full(lines, 0.5))
    np.testing.assert_array_equal(rows.features, np.tile([7, 8], (lines, 1)))


def test_a_comma_goes_before_other_signs_and_a_change_is_reported():
    assert "not a row of numbers" in fault("1,5;2,5\n")
    assert "separated by semicolons, and must be as in the first line: '1;2'" in fault("1,2\n1;2\n")


def test_other_charsets_are_refused():
    assert "must be UTF-8" in fault("1,2\n", parameters={"charset": "latin-1"})
    assert len(read("1,2\n", parameters={"charset": "UTF-8"})) == 1


def test_a_line_that_never_ends_is_not_held(monkeypatch):
    monkeypatch.setattr("algoport.training.formats.text.LONGEST", 1 << 12)
    with pytest.raises(UserError, match="line 1: is longer than.*End each record with a line feed, .*quotation mark"):
        list(csv.read(io.BytesIO(b"1" * (1 << 16)), Layout("train/x", block=1 << 10)))


def test_pandas_reads_the_same_numbers(tmp_path):
    """Another reader on text that another writer wrote, large enough for blocks and threads. Both round float64's
    nearest or float32's nearest, which differ by one in the last place at most."""
    table = np.random.default_rng(0).normal(size=(20_000, 12)) * 10.0 ** np.arange(-6, 6)
    table[::7, 3] = np.nan
    text = pd.DataFrame(table).to_csv(header=False, index=False).encode()

    ours = rows("text/csv", text, block=1 << 18).features

    theirs = pd.read_csv(io.BytesIO(text), header=None).to_numpy(np.float32)
    np.testing.assert_array_max_ulp(np.nan_to_num(ours), np.nan_to_num(theirs), 1)
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))


def test_a_written_table_is_what_pandas_reads():
    table = np.array([[1, np.nan, 1e-30], [0.1, 3e38, -0.0]], np.float32)

    text = csv.write(rows("text/csv", csv.write(rows("text/csv", b"1,,1e-30\n0.1,3e38,-0\n"))))

    np.testing.assert_array_equal(pd.read_csv(io.BytesIO(text), header=None).to_numpy(np.float32), table)
