"""Parallel texts as training data: `algoport text`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.sequences import Sequences
from algoport.algorithms.shared.artifact import put
from algoport.algorithms.shared.text.pieces import Pieces, learn
from algoport.training.formats.sequences import recordio

SPECIAL = ("<pad>", "<unk>", "<s>", "</s>")
UNKNOWN = 1
SIDES = {"source": "src", "target": "trg"}
_BLOCK = 1 << 13  # pairs written at a time

File = Annotated[Path, typer.Argument(help="A file of UTF-8, a sentence a line.", show_default=False)]


def text(
    source: File,
    target: File,
    into: Annotated[Path, typer.Option(help="Where the channels' folders are made.")] = Path("data"),
    channel: Annotated[str, typer.Option(help="The channel that the pairs are for.")] = "train",
    words: Annotated[int, typer.Option(help="Most words of a vocabulary, beside the special ones.", min=1)] = 50_000,
    least: Annotated[int, typer.Option(help="How often a word must stand there to be of the vocabulary.", min=1)] = 1,
    pieces: Annotated[int, typer.Option(help="Rules of byte-pair encoding a side; 0: whole words.", min=0)] = 0,
    vocab: Annotated[Path | None, typer.Option(help="A folder of vocabularies to use; none are made.")] = None,
) -> None:
    """Make pairs of sequences of two parallel texts.

    RecordIO and vocabularies, as for translation.
    """
    files = {"source": source, "target": target}
    check_alike(source, target)
    if vocab is None:
        vocab = into / "vocab"
        vocab.mkdir(parents=True, exist_ok=True)
        for side, file in files.items():
            make_vocabulary(file, side, vocab, words, least, pieces)
    readers = {side: Reader.of(vocab, side) for side in files}
    place = into / channel / f"{channel}.rec"
    place.parent.mkdir(parents=True, exist_ok=True)
    count, skipped = write(place, files, readers)
    print(f"{place}: {count} pairs; {skipped} are skipped, as one side is empty.")
    for side, reader in readers.items():
        share = reader.unknown / max(1, reader.tokens)
        print(f"{side}: {reader.tokens} tokens, {len(reader.numbers)} in its vocabulary, {100 * share:.2f} % unknown.")


def lines(file: Path) -> Iterator[str]:
    """The lines of a file; `UserError` where it cannot be read, or is not UTF-8."""
    try:
        with file.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                try:
                    yield line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
                except UnicodeDecodeError as error:
                    wrong = line[error.start : error.start + 4].hex(" ")
                    raise UserError(f"{file}, line {number}: must be UTF-8; its bytes {wrong} are not.") from None
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}.") from None


def check_alike(source: Path, target: Path) -> None:
    """`UserError` where the files have not as many lines."""
    one, two = (sum(1 for _ in lines(file)) for file in (source, target))
    if one != two:
        raise UserError(
            f"{target}: must have as many lines as {source}, {one}, as line by line they are pairs; it has {two}."
        )


def make_vocabulary(file: Path, side: str, folder: Path, words: int, least: int, pieces: int) -> None:
    """Write a side's vocabulary, and its rules where words are split: words by falling frequency, of equally frequent
    ones the last in the alphabet first."""
    counts = Counter(word for line in lines(file) for word in line.split())
    rules = folder / f"pieces.{SIDES[side]}.json"
    rules.unlink(missing_ok=True)  # an earlier one's
    if pieces:
        own = Pieces(learn(counts, pieces))
        put(rules, json.dumps(own.rules, ensure_ascii=False).encode())
        split: Counter[str] = Counter()
        for word, count in counts.items():
            for piece in own.split(word):
                split[piece] += count
        counts = split
    ranked = sorted(((count, word) for word, count in counts.items() if word not in SPECIAL), reverse=True)
    tokens = [*SPECIAL, *(word for count, word in ranked[:words] if count >= least)]
    numbers = {token: number for number, token in enumerate(tokens)}
    put(folder / f"vocab.{SIDES[side]}.json", json.dumps(numbers, ensure_ascii=False, indent=1).encode())


class Reader:
    """From a line to ids."""

    def __init__(self, numbers: Mapping[str, int], pieces: Pieces | None) -> None:
        self.numbers, self._pieces = numbers, pieces
        self.tokens = self.unknown = 0

    @classmethod
    def of(cls, folder: Path, side: str) -> Reader:
        """By the vocabulary of a folder, and by its rules where there are some."""
        path, rules = folder / f"vocab.{SIDES[side]}.json", folder / f"pieces.{SIDES[side]}.json"
        numbers = _json(path)
        whole = isinstance(numbers, dict) and all(type(number) is int for number in numbers.values())
        if not whole or any(numbers.get(token) != number for number, token in enumerate(SPECIAL)):
            raise UserError(f"{path}: must be an object from token to id, in which {', '.join(SPECIAL)} are 0 to 3.")
        given = _json(rules) if rules.is_file() else None
        if given is not None and not (
            isinstance(given, list) and all(isinstance(rule, list) and len(rule) == 2 for rule in given)
        ):
            raise UserError(f"{rules}: must be a list of pairs of pieces.")
        return cls(numbers, None if given is None else Pieces([(str(one), str(two)) for one, two in given]))

    def ids(self, line: str) -> list[int]:
        """Those of a line's tokens."""
        tokens = line.split() if self._pieces is None else self._pieces.split(line)
        own = [self.numbers.get(token, UNKNOWN) for token in tokens]
        self.tokens += len(own)
        self.unknown += own.count(UNKNOWN)
        return own


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError):
        raise UserError(f"{path}: is no JSON.") from None


def write(place: Path, files: Mapping[str, Path], readers: Mapping[str, Reader]) -> tuple[int, int]:
    """Write all pairs of which neither side is empty; how many they are, and how many are left out."""
    count = skipped = 0
    block: list[list[list[int]]] = []
    with place.open("wb") as stream:
        for pair in zip_longest(*(lines(file) for file in files.values()), fillvalue=""):
            ids = [readers[side].ids(line) for side, line in zip(files, pair, strict=True)]
            if not all(ids):
                skipped += 1
                continue
            count += 1
            block.append(ids)
            if len(block) == _BLOCK:
                stream.write(_records(list(files), block))
                block = []
        stream.write(_records(list(files), block))
    return count, skipped


def _records(names: Sequence[str], block: Sequence[Sequence[Sequence[int]]]) -> bytes:
    sides = {name: Ragged.of([pair[place] for pair in block]) for place, name in enumerate(names)}
    present = {name: np.ones(len(block), bool) for name in names}
    return recordio.write(Sequences(sequences=sides, present=present)) if block else b""
