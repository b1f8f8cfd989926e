"""Bodies in charsets that clients announce."""

from __future__ import annotations

import pytest

from algoport.serving.charsets import as_utf8
from algoport.serving.refusals import Refusal
from algoport.training.formats import ContentType

TEXT = "1,2,\u00e9\n"


def read(body: bytes, text: str) -> bytes:
    utf8, kind = as_utf8(body, ContentType.parse(text), lambda size: None)
    assert "charset" not in kind.parameters or "text" not in kind.media
    return utf8


@pytest.mark.parametrize(
    "name", ["ISO-8859-1", "latin1", "windows-1252", "UTF-16", "utf-16le", "UTF-32", "cp850", "utf8"]
)
def test_what_python_can_decode_is_read(name: str) -> None:
    assert read(TEXT.encode(name), f"text/csv; charset={name}").decode() == TEXT


@pytest.mark.parametrize("name", ["US-ASCII", "iso-8859-15", "KOI8-R", "Shift_JIS", "gb2312", '"ISO-8859-1"'])
def test_bytes_of_ascii_are_themselves_in_every_charset_that_has_them(name: str) -> None:
    assert read(b"1,2\n", f"text/csv; charset={name}; label_size=0") == b"1,2\n"


@pytest.mark.parametrize("name", ["klingon", "hex", "zlib", "punycode", "idna", "unicode_escape", "\u00b2", "x" * 99])
def test_a_charset_that_is_none_is_named(name: str) -> None:
    with pytest.raises(Refusal, match="charset '") as refused:
        read(b"1,2\n", f"text/csv; charset={name}")

    assert refused.value.code == 415 and name[:40] in refused.value.message


@pytest.mark.parametrize(("name", "body"), [("utf-16", b"\xff\xfe1"), ("ascii", b"1,\xe9"), ("cp1252", b"\x81")])
def test_a_body_of_another_charset_is_refused_in_our_words(name: str, body: bytes) -> None:
    with pytest.raises(Refusal, match=f"is not {name}, as its Content-Type says") as refused:
        read(body, f"text/csv; charset={name}")

    assert refused.value.code == 400 and "codec" not in refused.value.message


def test_what_is_no_text_has_no_charset() -> None:
    kind = ContentType.parse("application/x-npy; charset=klingon")

    assert as_utf8(b"\x93", kind, lambda size: None) == (b"\x93", kind)
