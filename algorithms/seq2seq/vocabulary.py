"""The vocabularies, as the original has them: JSON objects from token to id, whose first four are special."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from algoport.algorithms.contract.auxiliary import Auxiliary
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.explanations import json_fault
from algoport.algorithms.contract.ragged import Ragged

SOURCE, TARGET = "vocab.src.json", "vocab.trg.json"
PAD, UNK, BOS, EOS = range(4)
SPECIAL = ("<pad>", "<unk>", "<s>", "</s>")
LIMIT = 1 << 28  # bytes of a file
MOST = 10_000_000  # tokens
JOINED = "@@"  # ends a piece of a word that the next piece goes on with, as byte-pair encoding writes it


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Tokens in the order of their ids."""

    tokens: Sequence[str]

    @classmethod
    def parse(cls, text: bytes, place: str) -> Self:
        """A file's tokens. `UserError` where it is no object from token to id, has a gap, or lacks a special token."""
        try:
            given = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UserError(
                f"{place}: must be an object from token to id; it is no JSON: {json_fault(error)}."
            ) from None
        if not isinstance(given, Mapping) or not all(type(number) is int for number in given.values()):
            raise UserError(f'{place}: must be an object from token to id, {{"<pad>": 0, "<unk>": 1, …}}.')
        for number, token in enumerate(SPECIAL):
            if token not in given:
                raise UserError(f"{place}: must have '{token}' with the id {number}; it lacks it.")
            if given[token] != number:
                raise UserError(f"{place}: must have '{token}' with the id {number}; it has the id {given[token]}.")
        count = len(given)
        if count > MOST:
            raise UserError(f"{place}: must have at most {MOST:,} tokens; it has {count:,}.")
        tokens: list[str | None] = [None] * count
        for token, number in given.items():
            if not 0 <= number < count:
                raise UserError(
                    f"{place}: must give its {count} tokens the ids from 0 to {count - 1}; '{token[:40]}' has {number}."
                )
            if tokens[number] is not None:
                raise UserError(
                    f"{place}: must give each token an id of its own; '{str(tokens[number])[:40]}' and '{token[:40]}' "
                    f"both have {number}."
                )
            tokens[number] = token
        return cls([str(token) for token in tokens])

    @classmethod
    def read(cls, files: Auxiliary, name: str) -> Self:
        """That of a channel."""
        return cls.parse(files.read(name, limit=LIMIT), f"{files.channel}/{name}")

    def file(self) -> bytes:
        """What `parse` reads."""
        return json.dumps(self.numbers, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass")

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Id by token."""
        return {token: number for number, token in enumerate(self.tokens)}

    def encode(self, texts: Sequence[str]) -> Ragged:
        """The ids of texts, whose tokens have blanks between them; <unk> for what the vocabulary lacks."""
        numbers = self.numbers
        return Ragged.of([[numbers.get(token, UNK) for token in text.split()] for text in texts])

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids."""
        return " ".join(self.tokens[number] for number in ids)


def largest(ids: Ragged) -> int:
    """The largest id, -1 where there is none."""
    return int(np.max(ids.values, initial=-1))
