"""Bytes that are almost right: seeds with bits flipped, pieces cut, doubled, swapped, or replaced by what has broken
readers before."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence

MOST = 1 << 16  # bytes of an input
NUMBERS = (0, 1, 2, 3, 4, 7, 8, 16, 127, 128, 255, 256, (1 << 15) - 1, 1 << 15, (1 << 16) - 1, 1 << 16, 1 << 24)
NUMBERS = (*NUMBERS, (1 << 31) - 2, (1 << 31) - 1, 1 << 31, (1 << 31) + 1)
LARGE = (*NUMBERS, (1 << 32) - 1, 1 << 32, 1 << 40, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)
TOKENS = tuple(
    b'nan|NaN|-inf|Infinity|1e400|-1e400|1e-400|3.5e38|-0|0x10|1_000|null|true|false|[|]|{|}|[[|{}|[]|"|""|,|,,|:|::'
    b"|\\u0000|\\ud800|\xff\xfe|\xef\xbb\xbf|\xc3|\x00|\x00\x00\x00\x00|\r\n|\n|\r|\t| |;|#|qid:1|0:0|-1:2|9999999999:1"
    b"|99999999999999:1|1:1 1:1|\x0a\x23\xd7\xce|PAR1|\x93NUMPY\x01\x00|\xff\xd8\xff|\x89PNG\r\n\x1a\n|\x1f\x8b"
    b"|../../x|/etc/passwd|shape|keys|values|features|instances|configuration|label|weight|-|1e|.|+|18446744073709551616"
    b"|__label__|source|in0|2147483648|4294967296|9223372036854775807|1.7976931348623157e308|99"
    b"999999999999999999999999999999999999|'descr': '|O'|(-1,)|fortran_order".split(b"|")
)


def mutated(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds, changed in one to eight ways."""
    data = bytearray(chance.choice(seeds))
    for _ in range(1 + int(chance.expovariate(0.8)) % 8):
        chance.choice(WAYS)(chance, data, seeds)
    return bytes(data[:MOST])


def _place(chance: random.Random, data: bytearray) -> int:
    """Rather near the beginning, where headers stand."""
    if not data:
        return 0
    return min(int(chance.expovariate(1 / 24)), len(data) - 1) if chance.random() < 0.4 else chance.randrange(len(data))


def _flip(chance: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    if data:
        data[_place(chance, data)] ^= 1 << chance.randrange(8)


def _set(chance: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    if data:
        data[_place(chance, data)] = chance.randrange(256)


def _cut(chance: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    del data[_place(chance, data) :]


def _remove(chance: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    at = _place(chance, data)
    del data[at : at + 1 + int(chance.expovariate(0.1))]


def _double(chance: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    at = _place(chance, data)
    piece = bytes(data[at : at + 1 + int(chance.expovariate(0.05))])
    times = 1 if chance.random() < 0.9 else chance.choice((10, 100, 2000))
    data[at:at] = (piece * times)[:MOST]


def _number(chance: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    form = chance.choice(("<I", "<Q", ">I", ">Q", "<H", "B"))
    size = struct.calcsize(form)
    if len(data) >= size:
        at = min(_place(chance, data), len(data) - size)
        data[at : at + size] = struct.pack(form, chance.choice(LARGE) % (1 << 8 * size))


def _token(chance: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    at, token = _place(chance, data), chance.choice(TOKENS)
    data[at : at + chance.choice((0, 0, 1, len(token)))] = token


def _digits(chance: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    """One of the numbers that stand there as text becomes another."""
    places = [at for at, byte in enumerate(data[:4096]) if 48 <= byte <= 57]
    if places:
        at = end = chance.choice(places)
        while end < len(data) and 48 <= data[end] <= 57:
            end += 1
        data[at:end] = chance.choice((b"-", b"")) + str(chance.choice(LARGE)).encode()


def _splice(chance: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    other = chance.choice(seeds)
    data[_place(chance, data) :] = other[chance.randrange(len(other) + 1) :]


def _nest(chance: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    """Brackets within brackets, many of them."""
    left, right = chance.choice(((b"[", b"]"), (b'{"a":', b"}"), (b'{"features":[', b"]}"), (b"(", b")")))
    depth = chance.choice((2, 50, 1100, 8000))
    at = _place(chance, data)
    data[at:at] = (left * depth + b"1" + right * depth)[:MOST]


WAYS: tuple[Callable[[random.Random, bytearray, Sequence[bytes]], None], ...] = (
    *(_flip, _flip, _set, _set, _cut, _remove, _double, _number, _number, _token, _token, _digits, _digits, _splice),
    _nest,
)
