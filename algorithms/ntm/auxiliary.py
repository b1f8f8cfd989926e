"""The channel `auxiliary`: the words of the vocabulary, and vectors of words by which topics are evaluated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from algoport.algorithms.contract import Auxiliary
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared.text import vectors
from algoport.algorithms.shared.text.vectors import Vectors
from algoport.algorithms.shared.text.vocabulary import FILE, Vocabulary

CHANNEL = "auxiliary"


@dataclass(frozen=True, eq=False)
class Lexicon:
    """What is known of the words."""

    vocabulary: Vocabulary | None = None
    vectors: Vectors | None = None

    @classmethod
    def read(cls, files: Mapping[str, Auxiliary], feature_dim: int, note: Callable[[str], None]) -> Lexicon:
        """The words of vocab.txt, and the vectors of the only other file. `UserError` where there are not as many
        words as features, or several other files."""
        auxiliary = files.get(CHANNEL)
        if auxiliary is None or not auxiliary.names:
            return cls()
        if FILE not in auxiliary.names and not auxiliary.nameless:
            note(f"Vocab file {FILE} is expected at /opt/ml/input/data/{CHANNEL}")
            return cls()
        vocabulary = Vocabulary.read(auxiliary, feature_dim, note)
        others = [name for name in auxiliary.names if name != FILE] if not auxiliary.nameless else []
        if len(others) > 1:
            raise UserError(
                f"Channel '{CHANNEL}': must hold {FILE} and at most one file of word vectors beside it; it holds "
                f"{', '.join(others[:8])}."
            )
        if not others:
            note(
                f"The channel {CHANNEL} holds no word vectors beside {FILE}: WETC, by which topics are evaluated, is "
                "left out. Put a file of GloVe's there for it."
            )
            return cls(vocabulary)
        return cls(vocabulary, _vectors(auxiliary, others[0], vocabulary, note))


def _vectors(auxiliary: Auxiliary, name: str, vocabulary: Vocabulary, note: Callable[[str], None]) -> Vectors | None:
    own, size = vectors.read(auxiliary, name, vocabulary.words), len(vocabulary)
    if own.missing:
        note(
            f"{own.missing} out of {size} in vocabulary do not have embeddings! Default vector used for unknown "
            "embedding!"
        )
    if own.missing < size:
        return own
    note(f"{CHANNEL}/{name} has a vector of none of the words of {FILE}: WETC is left out.")
    return None
