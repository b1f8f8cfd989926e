"""Vectors of words as GloVe and word2vec write them in text: a word and its numbers a line.    v words   d numbers

Of a file of any size only the vectors of the words that are asked for are kept. It is as untrusted as any other: lines,
widths and bytes have bounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract import Auxiliary
from algoport.algorithms.contract.errors import UserError, one_line

MOST_BYTES = 1 << 34  # of a file: GloVe's largest has 6 GB
MOST_LINE = 1 << 17  # bytes of a line
MOST_WIDTH = 4096  # numbers of a vector


@dataclass(frozen=True, eq=False)
class Vectors:
    """The vectors of a vocabulary."""

    vectors: NDArray[np.float32]  # (v, d); a word that has none has the mean of those that were read
    known: NDArray[np.bool_]  # (v,) whether the file has it

    @property
    def missing(self) -> int:
        """How many words have no vector."""
        return int(len(self.known) - self.known.sum())


def read(auxiliary: Auxiliary, name: str, words: Sequence[str]) -> Vectors:
    """The vectors of these words; the first of a word counts. A first line of two numbers, as word2vec has it, is read
    over. `UserError` names the line that is no word with as many finite numbers as the first."""
    places: dict[str, list[int]] = {}
    for place, word in enumerate(words):
        places.setdefault(word, []).append(place)
    known = np.zeros(len(words), np.bool_)
    vectors = np.zeros((0, 0), np.float32)
    width = 0
    for number, (where, line) in enumerate(_lines(auxiliary, name)):
        word, _, rest = line.rstrip().partition(" ")
        count = rest.count(" ") + 1 if rest else 0
        if number == 0 and count == 1 and word.isdigit() and rest.isdigit():
            continue
        if not width:
            width = _width(count, where)
            vectors = np.zeros((len(words), width), np.float32)
        own = places.get(word)
        if count != width:
            # Words of a few files have blanks within.
            word, rest = _from_the_end(line.rstrip(), width, where)
            own = places.get(word)
        if own is not None and not known[own[0]]:
            vectors[own], known[own] = _numbers(rest, width, where), True
    if not width:
        raise UserError(f"{auxiliary.channel}/{name}: must have a word with its numbers a line; it has none.")
    if known.any():
        vectors[~known] = vectors[known].mean(axis=0)
    return Vectors(vectors, known)


def _lines(auxiliary: Auxiliary, name: str) -> Iterator[tuple[str, str]]:
    """Lines that are not blank, each behind where it stands."""
    number = 0
    with auxiliary.open(name, limit=MOST_BYTES) as file:
        while line := file.readline(MOST_LINE + 1):
            number += 1
            where = f"{auxiliary.channel}/{name}, line {number}"
            if len(line) > MOST_LINE:
                raise UserError(f"{where}: must have at most {MOST_LINE:,} bytes; it has more.")
            text = line.decode("utf-8", "replace").replace("\t", " ")
            if text.strip():
                yield where, text


def _width(count: int, where: str) -> int:
    if not 1 <= count <= MOST_WIDTH:
        raise UserError(f"{where}: must be a word and from 1 to {MOST_WIDTH} numbers; it has {count}.")
    return count


def _from_the_end(line: str, width: int, where: str) -> tuple[str, str]:
    parts = line.rsplit(" ", width)
    if len(parts) != width + 1 or not parts[0]:
        raise UserError(
            f"{where}: must be a word and {width} numbers, as the lines before; it has {line.count(' ')} behind "
            f"'{one_line(line.partition(' ')[0], 40)}'."
        )
    return parts[0], " ".join(parts[1:])


def _numbers(text: str, width: int, where: str) -> NDArray[np.float32]:
    try:
        numbers = np.array(text.split(), np.float32)
    except ValueError:
        numbers = np.empty(0, np.float32)
    if len(numbers) != width or not np.isfinite(numbers).all():
        raise UserError(f"{where}: must be a word and {width} finite numbers; '{one_line(text, 40)}' are not.")
    return numbers
