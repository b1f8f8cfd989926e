"""The body of a request, read up to a limit: with a length or in chunks, plain or as gzip."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

from gunicorn import http

from algoport.serving.refusals import EVALUATE, Refusal

PIECE = 1 << 18
LOST = "the rest of it was lost on the way."


def body(environ: dict[str, Any], limit: int, hold: Callable[[int], None]) -> bytes:
    """The bytes that were meant, decompressed where they came compressed.

    Refuses with 413 more than `limit` bytes, as soon as they show; with 415 what is compressed in another way; with
    400 what ends before its length, its last chunk or its compressed end. `hold` is called with the size of every piece
    before it is stored, and may refuse it.
    """
    encoding = environ.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise Refusal(415, f"{EVALUATE}Content-Encoding '{encoding[:80]}' is not one this server reads: gzip.")
    length = environ.get("CONTENT_LENGTH") or ""
    if length.isdigit() and int(length) > limit:
        raise _too_large(limit)
    stream = _Stream(environ["wsgi.input"], int(length) if length.isdigit() else None)
    take = _plain if encoding in ("", "identity") else _gzip
    return take(stream, limit, hold)


class _Stream:
    """The body as it is sent, of which nothing may be missing."""

    def __init__(self, stream: Any, length: int | None) -> None:
        self._stream, self._length, self._size = stream, length, 0

    def piece(self) -> bytes:
        """What comes next; none at the end. Refuses with 400 an end before the length that was announced."""
        try:
            piece: bytes = self._stream.read(PIECE)
        except BlockingIOError:
            raise Refusal(408, "The body stopped coming before it was whole.") from None
        except ConnectionError:
            raise
        except (http.errors.NoMoreData, http.errors.ChunkMissingTerminator):
            raise Refusal(400, f"{EVALUATE}the body ends within its chunks: {LOST}") from None
        except Exception:  # what the server's parser says of a chunked body that is none
            raise Refusal(400, f"{EVALUATE}the body does not come in chunks as HTTP has them.") from None
        self._size += len(piece)
        if not piece and self._length is not None and self._size < self._length:
            sentence = f"the body ends after {self._size:,} bytes, where Content-Length is {self._length:,}"
            raise Refusal(400, f"{EVALUATE}{sentence}: {LOST}")
        return piece


def _plain(stream: _Stream, limit: int, hold: Callable[[int], None]) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while piece := stream.piece():
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
        hold(len(piece))
        pieces.append(piece)
    return b"".join(pieces)


def _gzip(stream: _Stream, limit: int, hold: Callable[[int], None]) -> bytes:
    """All members of a gzip file, one after another; never more than the limit is made of them."""
    pieces: list[bytes] = []
    size, inflate, rest = 0, zlib.decompressobj(31), b""
    started = False
    while rest or (rest := stream.piece()):
        try:
            piece = inflate.decompress(rest, PIECE)
        except zlib.error:
            sentence = "the body is not gzip, as its Content-Encoding says, or was damaged on the way."
            raise Refusal(400, f"{EVALUATE}{sentence}") from None
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
        raise Refusal(400, f"{EVALUATE}the gzip body ends early: {LOST}")
    return b"".join(pieces)


def _too_large(limit: int, how: str = "") -> Refusal:
    return Refusal(413, f"{EVALUATE}the {how}body must have at most {limit:,} bytes; it has more.")
