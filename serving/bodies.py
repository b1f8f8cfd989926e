"""The body of a request, read up to a limit: with a length or in chunks, plain or as gzip."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

from algoport.serving.refusals import EVALUATE, Refusal

PIECE = 1 << 18


def body(environ: dict[str, Any], limit: int, hold: Callable[[int], None]) -> bytes:
    """The bytes that were meant, decompressed where they came compressed.

    Refuses with 413 more than `limit` bytes, as soon as they show; with 415 what is compressed in another way; with
    400 what ends early. `hold` is called with the size of every piece before it is stored, and may refuse it.
    """
    encoding = environ.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise Refusal(415, f"{EVALUATE}Content-Encoding '{encoding[:80]}' is not one this server reads: gzip.")
    length = environ.get("CONTENT_LENGTH") or ""
    if length.isdigit() and int(length) > limit:
        raise _too_large(limit)
    take = _plain if encoding in ("", "identity") else _gzip
    return take(environ["wsgi.input"], limit, hold)


def _plain(stream: Any, limit: int, hold: Callable[[int], None]) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while piece := _piece(stream):
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
        hold(len(piece))
        pieces.append(piece)
    return b"".join(pieces)


def _gzip(stream: Any, limit: int, hold: Callable[[int], None]) -> bytes:
    """All members of a gzip file, one after another; never more than the limit is made of them."""
    pieces: list[bytes] = []
    size, inflate, rest = 0, zlib.decompressobj(31), b""
    started = False
    while rest or (rest := _piece(stream)):
        try:
            piece = inflate.decompress(rest, PIECE)
        except zlib.error as error:
            raise Refusal(400, f"{EVALUATE}the body is not gzip: {error}.") from None
        started = True
        size += len(piece)
        if size > limit:
            raise _too_large(limit, "decompressed ")
        hold(len(piece))
        pieces.append(piece)
        rest = inflate.unconsumed_tail
        if inflate.eof:
            rest, inflate, started = inflate.unused_data, zlib.decompressobj(31), False
    if started:
        raise Refusal(400, f"{EVALUATE}the gzip body ends early.")
    return b"".join(pieces)


def _piece(stream: Any) -> bytes:
    try:
        piece: bytes = stream.read(PIECE)
    except BlockingIOError:
        raise Refusal(408, "The body stopped coming before it was whole.") from None
    except ConnectionError:
        raise
    except Exception as error:  # what the server's parser says of a chunked body that is none
        raise Refusal(400, f"{EVALUATE}the body could not be read: {error or type(error).__name__}.") from None
    return piece


def _too_large(limit: int, how: str = "") -> Refusal:
    return Refusal(413, f"{EVALUATE}the {how}body must have at most {limit:,} bytes; it has more.")
