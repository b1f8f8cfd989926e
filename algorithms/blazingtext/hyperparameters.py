"""What a user may set for BlazingText."""

from collections.abc import Iterator, Mapping

from algoport.algorithms.contract.hyperparameters import Settings, boolean, choice, integer, real

BATCH, SKIP, BAG, LABELS = "batch_skipgram", "skipgram", "cbow", "supervised"
_OF_VECTORS = ("batch_size", "evaluation", "min_char", "max_char", "negative_samples", "sampling_threshold", "subwords",
               "window_size")  # fmt: skip
_OF_LABELS = ("early_stopping", "min_epochs", "patience", "word_ngrams")


class Hyperparameters(Settings):
    """The settings of one job."""

    mode: str = choice("what is learned, and how", BATCH, SKIP, BAG, LABELS, tune=(BATCH, SKIP, BAG))
    batch_size: int = integer(
        "most words of a context that share their negative samples, in batch_skipgram", default=11, low=1, tune=(8, 32)
    )
    buckets: int = integer(
        "rows that n-grams of characters (subwords) or of words (supervised) are hashed into",
        default=2_000_000,
        low=1,
        tune=(1_000_000, 10_000_000),
    )
    deterministic: bool = boolean(
        "whether one thread alone changes the tables, so that the same seed gives the same bits", default=False
    )
    early_stopping: bool = boolean(
        "whether a classifier stops when its validation accuracy no longer rises", default=False
    )
    epochs: int = integer("passes over the text", default=5, low=1, tune=(5, 15), role="passes")
    evaluation: bool = boolean("whether vectors are scored on the word pairs of the channel evaluation", default=True)
    learning_rate: float = real("step size of the first step; it falls to 0", default=0.05, above=0, tune=(0.005, 0.01))
    min_char: int = integer("characters of the shortest subword", default=3, low=1)
    min_count: int = integer("how often a word must come to be learned", default=5, low=0, tune=(0, 100))
    max_char: int = integer("characters of the longest subword", default=6, low=1)
    min_epochs: int = integer("passes before early stopping begins", default=5, low=1)
    negative_samples: int = integer("words drawn against each word and its context", default=5, low=1, tune=(5, 25))
    patience: int = integer("passes without a better validation accuracy before early stopping", default=4, low=1)
    sampling_threshold: float = real(
        "share of the text from which on a word's occurrences are thinned out",
        default=0.0001,
        above=0,
        tune=(0.0001, 0.001),
    )
    subwords: bool = boolean("whether words are also learned from their n-grams of characters", default=False)
    vector_dim: int = integer("numbers of a vector", default=100, low=1, tune=(32, 300))
    window_size: int = integer("how far from a word its context reaches", default=5, low=1, tune=(1, 10))
    word_ngrams: int = integer("words of the longest word n-gram of a classifier", default=2, low=1, tune=(1, 3))

    @classmethod
    def without_effect(cls, given: Mapping[str, object]) -> Mapping[str, str]:
        """What is of the other modes."""
        mode = str(given.get("mode", "")).strip().strip("'\"")
        if mode == LABELS:
            return dict.fromkeys(_OF_VECTORS, "is of word vectors alone")
        reasons = dict.fromkeys(_OF_LABELS, "is of the mode supervised alone")
        if mode == BATCH:
            reasons["subwords"] = "is of the modes skipgram and cbow, and of these alone"
        if mode in (SKIP, BAG):
            reasons["batch_size"] = "is of the mode batch_skipgram alone"
        return reasons

    def faults(self) -> Iterator[str]:
        """What no single field can see."""
        if self.min_char > self.max_char and self.subwords:
            yield f"min_char: must be at most max_char, {self.max_char}; it is {self.min_char}."

    @property
    def hashed(self) -> int:
        """Rows behind those of words."""
        used = self.word_ngrams > 1 if self.mode == LABELS else self.subwords
        return self.buckets if used else 0
