"""A body is whole, or it is refused."""

from __future__ import annotations

import gzip
import io

import pytest

from algoport.serving.bodies import body
from algoport.serving.refusals import Refusal

ROWS = b"1,2\n3,4\n" * 1000


def read(sent: bytes, length: int | None = None, encoding: str = "") -> bytes:
    environ = {"wsgi.input": io.BytesIO(sent), "HTTP_CONTENT_ENCODING": encoding}
    return body(environ | ({} if length is None else {"CONTENT_LENGTH": str(length)}), 1 << 20, lambda size: None)


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_a_body_that_is_shorter_than_its_length_is_refused_wherever_it_ends(encoding: str) -> None:
    whole = gzip.compress(ROWS) if encoding else ROWS
    assert read(whole, len(whole), encoding) == ROWS

    for size in (0, 1, len(whole) // 2, len(whole) - 1):
        with pytest.raises(Refusal) as refused:
            read(whole[:size], len(whole), encoding)
        sentence = f"the body ends after {size:,} bytes, where Content-Length is {len(whole):,}"
        assert refused.value.code == 400 and sentence in refused.value.message


def test_gzip_that_ends_early_is_refused_whatever_its_length_says() -> None:
    whole = gzip.compress(ROWS)

    for size in (1, len(whole) // 2, len(whole) - 1):
        for length in (None, size):
            with pytest.raises(Refusal, match="gzip body ends early") as refused:
                read(whole[:size], length, "gzip")
            assert refused.value.code == 400


def test_what_is_no_gzip_is_refused_in_our_words() -> None:
    with pytest.raises(Refusal, match="the body is not gzip, as its Content-Encoding says") as refused:
        read(ROWS, len(ROWS), "gzip")

    assert "Error" not in refused.value.message and "header" not in refused.value.message
