"""The words of a vocabulary, from `vocab.txt` or a model, and texts counted in them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from algoport.algorithms.contract.auxiliary import Auxiliary
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.setting import excerpt
from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.text.counts import Counts

FILE = "vocab.txt"
LIMIT = 1 << 30  # bytes of a vocabulary
# A word is letters, digits and underscores, with signs inside that some vocabularies keep.
_TOKENS = re.compile(r"\w+(?:[-'\u2019.+#@/]+\w+)*[+#]*")
_PARTS = re.compile(r"\w+")


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Words in the order of their columns."""

    words: Sequence[str]

    @classmethod
    def read(cls, files: Auxiliary, feature_dim: int, note: Callable[[str], None]) -> Self:
        """The words of `vocab.txt`, one a line; `UserError` where it has not a line for each column. Notes words that
        stand there twice: in texts, the first counts."""
        lines = [(where, line.strip()) for where, line in files.lines(FILE, limit=LIMIT)]
        while lines and not lines[-1][1] and len(lines) > feature_dim:
            lines.pop()  # blank lines at the end
        if len(lines) != feature_dim:
            raise UserError(
                f"{files.channel}/{FILE}: must have {feature_dim} lines, a word for each column of the documents "
                f"(feature_dim); it has {len(lines)}."
            )
        words = tuple(word for _, word in lines)
        again = [word for word, count in Counter(words).items() if count > 1 and word]
        if again:
            some = ", ".join(excerpt(word) for word in again[:3])
            note(
                f"{files.channel}/{FILE} has {len(again)} word{'s' * (len(again) > 1)} on more than one line, such as "
                f"{some}: topics show them as they are; in texts the first line counts."
            )
        return cls(words)

    @classmethod
    def of_facts(cls, words: Any, file: str) -> Self | None:
        """The words that a model's facts hold; None where there are none, `UserError` where they are no words."""
        if words is None:
            return None
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise UserError(f"{file}: vocabulary must be a list of words.")
        return cls(tuple(words))

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        """By word, its column; of words that stand there twice, the first. Blank lines are no words."""
        return {word: number for number, word in reversed(list(enumerate(self.words))) if word}

    @cached_property
    def _folded(self) -> dict[str, int]:
        return {word.casefold(): number for word, number in reversed(list(self._numbers.items()))}

    def tokens(self, text: str) -> Iterable[int]:
        """The columns of the words of a text that the vocabulary has: each as it stands there, or in lower case, or,
        of a compound that it has not, its parts."""
        for match in _TOKENS.finditer(text):
            number = self._number(match[0])
            if number is not None:
                yield number
            else:
                for part in _PARTS.findall(match[0]):
                    own = self._number(part)
                    if own is not None:
                        yield own

    def _number(self, word: str) -> int | None:
        number = self._numbers.get(word)
        return self._folded.get(word.casefold()) if number is None else number

    def counts(self, texts: Ragged, place: Callable[[int], str]) -> Counts:
        """How often each text has each word. `UserError` names by `place` the first text that has none of them."""
        indptr, words, values = [0], [], []
        for row, text in enumerate(texts.strings()):
            numbers, times = np.unique(np.fromiter(self.tokens(text), np.int32), return_counts=True)
            if not len(numbers):
                some = [match[0] for match in _TOKENS.finditer(text)][:3]
                quoted = f", such as {', '.join(map(repr, some))}," if some else ""
                raise UserError(
                    f"{place(row)}: must have a word of the model's vocabulary of {len(self)}; its words{quoted} "
                    "are all unknown to it."
                )
            words.append(numbers)
            values.append(times)
            indptr.append(indptr[-1] + len(numbers))
        return Counts(
            const(np.array(indptr, np.int64), np.dtype(np.int64)),
            const(np.concatenate([np.empty(0, np.int32), *words]), np.dtype(np.int32)),
            const(np.concatenate([np.empty(0, np.float32), *values])),
            len(self),
        )
