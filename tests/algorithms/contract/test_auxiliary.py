"""Plain files that an algorithm opens: by name, within a limit, and with a sentence for all that can be wrong."""

from __future__ import annotations

import gzip
import io
import json

import pytest

from algoport.algorithms.contract.auxiliary import Auxiliary
from algoport.algorithms.contract.errors import UserError

VOCABULARY = "eins\nzwei\r\n\ndrei"


def files(**more: bytes) -> Auxiliary:
    return Auxiliary.of("auxiliary", {"vocab.txt": VOCABULARY.encode(), "sub/ids.json": b'{"a": 0}', **more})


def test_a_file_is_read_by_its_name_as_often_as_one_likes() -> None:
    assert files().names == ("sub/ids.json", "vocab.txt")
    for _ in range(2):
        assert json.loads(files().read("sub/ids.json", limit=100)) == {"a": 0}
    with files().open("vocab.txt", limit=100) as file:
        assert file.readline() == b"eins\n"


def test_the_only_file_needs_no_name() -> None:
    assert Auxiliary.of("x", {"a": b"1"}).read(limit=1) == b"1"
    with pytest.raises(UserError, match="Channel 'auxiliary': must hold one file; it holds 2: sub/ids.json, vocab.txt"):
        files().read(limit=9)


def test_lines_say_where_they_stand() -> None:
    assert list(files().lines("vocab.txt", limit=99)) == [
        ("auxiliary/vocab.txt, line 1", "eins"),
        ("auxiliary/vocab.txt, line 2", "zwei"),
        ("auxiliary/vocab.txt, line 3", ""),
        ("auxiliary/vocab.txt, line 4", "drei"),
    ]
    marked = Auxiliary.of("x", {"a": b"\xef\xbb\xbfone\nt\xffwo"})
    with pytest.raises(UserError, match=r"^x/a, line 2: must be UTF-8; its bytes ff 77 6f are not\.$"):
        assert next(iter(marked.lines(limit=99))) == ("x/a, line 1", "one") and list(marked.lines(limit=99))


@pytest.mark.parametrize("size", [9, 10, 11, 1 << 20])
def test_no_more_than_the_limit_is_read(size: int) -> None:
    single = Auxiliary.of("x", {"a": bytes(size)})
    if size <= 10:
        assert single.read("a", limit=10) == bytes(size)
        return
    with pytest.raises(UserError, match=r"^x/a: must have at most 10 bytes; it has more\.$"):
        single.read("a", limit=10)


def test_a_compressed_file_that_never_ends_is_read_to_the_limit_only() -> None:
    """What counts is what comes out, and it is never kept as a whole."""
    bomb = gzip.compress(bytes(1 << 24))
    single = Auxiliary("x", {"a.gz": lambda limit: gzip.GzipFile(fileobj=io.BytesIO(bomb))})  # type: ignore[dict-item]

    with pytest.raises(UserError, match="must have at most 1,000 bytes"):
        single.read("a.gz", limit=1000)

    cut = Auxiliary("x", {"a.gz": lambda limit: gzip.GzipFile(fileobj=io.BytesIO(bomb[:50]))})  # type: ignore[dict-item]
    with pytest.raises(UserError, match="x/a.gz: cannot be read"):
        cut.read("a.gz", limit=1 << 30)


@pytest.mark.parametrize("name", ["vocab.text", "../vocab.txt", "/etc/passwd", "sub", "x" * 9000])
def test_a_name_that_there_is_not_is_reported_with_those_there_are(name: str) -> None:
    with pytest.raises(UserError) as fault:
        files().read(name, limit=9)

    message = str(fault.value)
    assert message.startswith("Channel 'auxiliary': must hold a file '") and len(message) < 500
    assert "it holds sub/ids.json, vocab.txt." in message
    assert ("Was 'vocab.txt' meant?" in message) == name.endswith("vocab.text") or name.startswith("..")


def test_what_came_through_a_pipe_goes_by_any_name() -> None:
    piped = Auxiliary("auxiliary", Auxiliary.of("auxiliary", {"1": b"a\n"}).files, nameless=True)

    assert list(piped.lines("vocab.txt", limit=9)) == [("Channel 'auxiliary', line 1", "a")]
    several = Auxiliary("auxiliary", Auxiliary.of("auxiliary", {"1": b"a", "2": b"b"}).files, nameless=True)
    with pytest.raises(UserError, match=r"must hold one file where it comes through a pipe.*TrainingInputMode File"):
        several.read("vocab.txt", limit=9)
