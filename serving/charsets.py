"""Texts of other charsets than UTF-8, such as Java's clients announce: decoded where Python knows the charset."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import replace

from algoport.serving.refusals import EVALUATE, Refusal
from algoport.training.formats import ContentType

# Charsets that are read, by Python's names. Others are no charsets of texts (hex, zlib) or slow by design (punycode).
_READ = re.compile(
    r"ascii|utf-8(-sig)?|utf-(16|32)(-[bl]e)?|iso8859-\d+|cp\d+|koi8-[rtu]|mac-roman|big5|gb\w+|shift_jis|euc_(jp|kr)"
)
_SUPERSETS = re.compile(r"(?!utf-(16|32)).*")  # of ASCII, for the bytes that ASCII has
_LARGEST = 5  # bytes that a byte may become: a character of four, and its UTF-8


def as_utf8(body: bytes, kind: ContentType, hold: Callable[[int], None]) -> tuple[bytes, ContentType]:
    """The body in UTF-8, and its content type without a charset.

    Refuses with 415 a charset that is not read, with 400 a body that is not of its charset. `hold` is called with the
    bytes of memory that decoding takes.
    """
    name = kind.parameters.get("charset", "")
    if not name or not (kind.media.startswith("text/") or "json" in kind.media):
        return body, kind
    plain = replace(kind, parameters={key: value for key, value in kind.parameters.items() if key != "charset"})
    try:
        charset = codecs.lookup(name).name if name.isascii() and len(name) < 40 else ""
    except (LookupError, ValueError):
        charset = ""
    if not _READ.fullmatch(charset):
        known = "utf-8, iso-8859-1, windows-1252 and utf-16"
        raise Refusal(415, f"{EVALUATE}charset '{name[:40]}' is not one this server reads: {known}, among others.")
    if charset == "utf-8" or (_SUPERSETS.fullmatch(charset) and body.isascii()):
        return body, plain
    hold(_LARGEST * len(body))
    try:
        return body.decode(charset).encode(), plain
    except UnicodeDecodeError as error:
        place = f"byte {error.start + 1:,} cannot be decoded"
        raise Refusal(400, f"{EVALUATE}the body is not {name}, as its Content-Type says: {place}.") from None
    except UnicodeEncodeError:
        raise Refusal(400, f"{EVALUATE}the body is not {name}, as its Content-Type says.") from None
