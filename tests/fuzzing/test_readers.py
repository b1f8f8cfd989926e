"""Whatever the bytes: a reader gives rows or says in a sentence why not, soon, and takes no memory that stays."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.training import formats
from algoport.training.formats import ContentType, Layout
from algoport.training.formats.recognition import text_format
from tests.fuzzing import readers
from tests.fuzzing.fuzzer import Target, fuzz

REGRESSIONS = Path(__file__).parent / "regressions"
ALL = list(readers.targets())
MANY = 1_000_000  # columns
DEEP = 100_000  # brackets
SHALLOW = 1_010  # brackets that are parsed, and are too many for what shows them


def quick(media: str, body: bytes, kind: str = "rows", **layout: object) -> str:
    """The sentence that a body is refused with, or "" where it is read; either way within seconds."""
    begin = time.monotonic()
    try:
        for _ in formats.records(io.BytesIO(body), ContentType(media), Layout("part", **layout), kind):
            pass
    except UserError as fault:
        return str(fault)
    finally:
        assert time.monotonic() - begin < 5
    return ""


@pytest.mark.parametrize("target", ALL, ids=[target.name for target in ALL])
def test_a_thousand_changed_bodies_end_in_records_or_in_a_sentence(target: Target) -> None:
    report = fuzz(target, 1000)

    assert not report.findings
    assert report.accepted_inputs
    assert report.slowest < 5


@pytest.mark.parametrize("path", sorted(REGRESSIONS.glob("*.parquet")), ids=lambda path: path.name)
@pytest.mark.parametrize("kind", ["rows", "objects"])
def test_what_once_ended_the_process_does_not_any_more(path: Path, kind: str) -> None:
    program = f"""
from algoport.training import formats
from algoport.algorithms.contract.errors import UserError
try:
    formats.whole(open({str(path)!r}, "rb").read(), formats.ContentType("application/x-parquet"),
                  formats.Layout("part", limit=1 << 24), {kind!r})
except UserError:
    pass
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "line", [b"1980," * 60 + b"\xff", b",".join([b"1"] * 99_999) + b"x", b"1," + b" " * 99_999 + b"x"]
)
@pytest.mark.parametrize("media", ["text/csv", "text/libsvm", "application/json", "application/jsonlines"])
def test_a_line_of_almost_numbers_is_refused_at_once(media: str, line: bytes) -> None:
    assert quick(media, line)


def test_a_number_of_a_million_digits_is_refused_at_once() -> None:
    assert quick("text/libsvm", b"1 0:" + b"1" * 1_000_000 + b"x")
    assert text_format(b"1 0:" + b"1" * 1_000_000 + b"x") is None


def test_names_as_long_as_the_body_do_not_stand_in_the_sentence() -> None:
    assert len(quick("application/json", b'{"instances":[{"' + b"n" * 100_000 + b'":1}]}')) < 300


@pytest.mark.parametrize("media", ["application/json", "application/jsonlines"])
@pytest.mark.parametrize("kind", ["rows", "objects"])
@pytest.mark.parametrize(("left", "right"), [(b"[", b"]"), (b'{"features":', b"}"), (b'{"a":[', b"]}")])
@pytest.mark.parametrize("levels", [SHALLOW, DEEP])
def test_brackets_within_brackets_are_a_sentence(media: str, kind: str, left: bytes, right: bytes, levels: int) -> None:
    nested = left * levels + b"1" + right * levels
    body = b'{"instances":[' + nested + b"]}" if levels == DEEP or media == "application/json" else nested

    assert quick(media, body, kind) or (kind, left[:1]) == ("objects", b"{")


@pytest.mark.parametrize("number", [b"nan", b"inf", b"-inf", b"1e400", b"NaN", b"Infinity"])
@pytest.mark.parametrize("media", ["text/csv", "text/libsvm", "application/json", "application/jsonlines"])
def test_what_is_not_finite_is_refused_where_it_must_be(media: str, number: bytes) -> None:
    body = {
        "text/csv": b"1," + number + b"\n",
        "text/libsvm": b"1:" + number + b"\n",
        "application/json": b'{"instances":[{"features":[1,' + number + b"]}]}",
        "application/jsonlines": b'{"features":[1,' + number + b"]}\n",
    }[media]

    assert quick(media, body, missing=False)


@pytest.mark.parametrize(
    "media", ["text/csv", "application/json", "application/x-recordio-protobuf", "application/x-npy"]
)
def test_a_million_columns_are_read_or_refused_at_once(media: str) -> None:
    rows = formats.find(media).read(io.BytesIO(_wide(media)), Layout("part"))

    assert next(iter(rows)).width == MANY
    assert "the width is 4" in quick(media, _wide(media), width=4)


def test_a_pass_that_is_left_early_leaves_no_state_of_numpy_behind() -> None:
    before = np.geterr()
    rows = Rows(features=np.ones((100, 3), np.float32))
    part = formats.find("application/x-npy").read(
        io.BytesIO(formats.find("application/x-npy").write(rows)), Layout("part", block=40)
    )

    next(iter(part))

    assert np.geterr() == before


def test_a_key_beyond_all_columns_is_refused_and_takes_no_room() -> None:
    assert quick("text/libsvm", b"1 2147483646:1\n", labels=1) == ""
    for key in ((1 << 31) - 1, 1 << 31, 1 << 32, 1 << 63, 10**50):
        assert f"line 1: has key {key}, which must be below" in quick("text/libsvm", b"1 %d:1\n" % key, labels=1)
    assert "the width is 4" in quick("text/libsvm", b"1 99999999999999:1\n", labels=1, width=4)


def _wide(media: str) -> bytes:
    if media == "text/csv":  # whose writer takes its time with so many
        return b",".join([b"1"] * MANY) + b"\n"
    return formats.find(media).write(Rows(features=np.ones((1, MANY), np.float32)))
