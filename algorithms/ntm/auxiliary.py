"""The channel `auxiliary`: the words of the vocabulary, and vectors of words by which topics are evaluated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from algoport.algorithms.contract import Auxiliary
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared.text import vectors
from algoport.algorithms.shared.text.vectors import Vectors

CHANNEL, VOCABULARY = "auxiliary", "vocab.txt"
MOST_BYTES = 1 << 28  # of the vocabulary


@dataclass(frozen=True, eq=False)
class Lexicon:
    """What is known of the words."""

    words: list[str] | None = None  # (v,)
    vectors: Vectors | None = None

    @classmethod
    def read(cls, files: Mapping[str, Auxiliary], feature_dim: int, note: Callable[[str], None]) -> Lexicon:
        """The words of vocab.txt, and the vectors of the only other file. `UserError` where there are not as many
        words as features, or several other files."""
        auxiliary = files.get(CHANNEL)
        if auxiliary is None or not auxiliary.names:
            return cls()
        if VOCABULARY not in auxiliary.names and not auxiliary.nameless:
            note(f"Vocab file {VOCABULARY} is expected at /opt/ml/input/data/{CHANNEL}")
            return cls()
        words = _words(auxiliary, feature_dim)
        others = [name for name in auxiliary.names if name != VOCABULARY] if not auxiliary.nameless else []
        if len(others) > 1:
            raise UserError(
                f"Channel '{CHANNEL}': must hold {VOCABULARY} and at most one file of word vectors beside it; it holds "
                f"{', '.join(others[:8])}."
            )
        if not others:
            note(
                f"The channel {CHANNEL} holds no word vectors beside {VOCABULARY}: WETC, by which topics are "
                "evaluated, is left out. Put a file of GloVe's there for it."
            )
            return cls(words)
        return cls(words, _vectors(auxiliary, others[0], words, note))


def _words(auxiliary: Auxiliary, feature_dim: int) -> list[str]:
    words = [word.strip() for _, word in auxiliary.lines(VOCABULARY, limit=MOST_BYTES)]
    while words and not words[-1] and len(words) > feature_dim:
        words.pop()
    if len(words) != feature_dim:
        raise UserError(
            f"{CHANNEL}/{VOCABULARY}: must have feature_dim ({feature_dim}) lines, the word of each number from 0; it "
            f"has {len(words)}."
        )
    return words


def _vectors(auxiliary: Auxiliary, name: str, words: list[str], note: Callable[[str], None]) -> Vectors | None:
    own = vectors.read(auxiliary, name, words)
    if own.missing:
        note(
            f"{own.missing} out of {len(words)} in vocabulary do not have embeddings! Default vector used for unknown "
            "embedding!"
        )
    if own.missing < len(words):
        return own
    note(f"{CHANNEL}/{name} has a vector of none of the words of {VOCABULARY}: WETC is left out.")
    return None
