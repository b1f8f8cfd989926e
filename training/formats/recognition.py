"""Telling by its first bytes what a stream plainly is, for the error where something else was said of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

_STARTS = (
    (b"\x0a\x23\xd7\xce", "RecordIO (application/x-recordio-protobuf)"),
    (b"PAR1", "Parquet (application/x-parquet)"),
    (b"\x93NUMPY", "a NumPy array (application/x-npy)"),
    (b"\x1f\x8b", "compressed by gzip; let its name end in .gz, or send it with Content-Encoding: gzip"),
    (b"PK\x03\x04", "a ZIP archive; unpack it"),
    (b"\x28\xb5\x2f\xfd", "compressed by Zstandard; decompress it"),
    (b"BZh", "compressed by bzip2; decompress it"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xfe", "UTF-16; convert it to UTF-8"),
    (b"\xfe\xff", "UTF-16; convert it to UTF-8"),
)
# What is taken is not given back (`++`): a line of numbers that is none after all costs one look at each byte.
_NUMBER = rb"[-+]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d++)?"
_LIBSVM = re.compile(
    rb"\s*+" + _NUMBER + rb"(?::" + _NUMBER + rb")?(?:[ \t]++\d++:" + _NUMBER + rb")++[ \t]*+(?:#.*)?\Z"
)
_JSON = re.compile(rb"\s*+(?:\{\s*+[\"}]|\[\s*+[\[{\"\]]|\[\s*+" + _NUMBER + rb"\s*+[,\]])")


_CSV = re.compile(rb"\s*+(?:" + _NUMBER + rb")?(?:,\s*+(?:" + _NUMBER + rb")?)++\s*+\Z")


def format_of(start: bytes) -> str | None:
    """The format that a stream begins as, by its first bytes or its first line, or None."""
    return binary_format(start) or text_format(start.lstrip().partition(b"\n")[0])


_MEDIA = (
    (b"\x0a\x23\xd7\xce", ("application/x-recordio-protobuf", "application/x-recordio")),
    (b"PAR1", ("application/x-parquet",)),
    (b"\x93NUMPY", ("application/x-npy",)),
    (b"\xff\xd8\xff", ("application/x-image", "image/jpeg")),
    (b"\x89PNG", ("application/x-image", "image/png")),
)
FREE = "text/plain"  # what any line of text is


def media_of(start: bytes, known: Sequence[str], default: str | None) -> str | None:
    """The content type among those known that a stream plainly is by its first bytes, where nobody says what it is;
    None where they leave a doubt. Where `default` is free text, a line of numbers or of JSON is no less so."""
    for magic, names in _MEDIA:
        if start.startswith(magic):
            return next((name for name in names if name in known), None)
    if default == FREE:
        return None
    line, _, rest = start.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")
    text = text_format(line) or ("JSON" if line.strip() in (b"{", b"[") else "")
    if text.startswith("JSON"):
        several = bool(rest.strip()) and _is_json(line)
        order = ("application/jsonlines", "application/json")
        return next((name for name in (order if several else order[::-1]) if name in known), None)
    name = "text/libsvm" if text.startswith("libsvm") else "text/csv" if text else None
    return name if name in known else None


def _is_json(line: bytes) -> bool:
    import orjson

    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def binary_format(start: bytes) -> str | None:
    """The binary format or encoding that a stream begins as, or None."""
    return next((name for magic, name in _STARTS if start.startswith(magic)), None)


def text_format(line: bytes) -> str | None:
    """The text format that a line plainly has, or None."""
    if _JSON.match(line):
        return "JSON (application/jsonlines or application/json)"
    if _LIBSVM.match(line):
        return "libsvm (text/libsvm)"
    if _CSV.match(line):
        return "CSV (text/csv)"
    return None
