"""What learns from a block of the stream: vectors of words, or rows of words, n-grams and labels.    v words"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.blazingtext import fasttext_file
from algoport.algorithms.blazingtext.dictionary import Dictionary, Lookup, Subwords
from algoport.algorithms.blazingtext.fasttext_file import Arguments, Content
from algoport.algorithms.blazingtext.hyperparameters import BAG, BATCH, LABELS, SKIP, Hyperparameters
from algoport.algorithms.blazingtext.kernels import labels as label_kernels
from algoport.algorithms.blazingtext.kernels import vectors as vector_kernels
from algoport.algorithms.blazingtext.model import PREFIX, Model
from algoport.algorithms.blazingtext.state import Job, State
from algoport.algorithms.blazingtext.vocabulary import Vocabulary, numbers_of
from algoport.algorithms.contract.ragged import Ragged, joined_ragged
from algoport.algorithms.shared.sampling.alias import alias_table
from algoport.algorithms.shared.threads import ALONE, Team, team

if TYPE_CHECKING:
    from algoport.algorithms.blazingtext.kernels_torch import DeviceTables

POWER = 0.75  # of the counts by which negative samples are drawn (Mikolov et al., 2013)
_MODES = {BATCH: vector_kernels.BATCH, SKIP: vector_kernels.SKIP, BAG: vector_kernels.BAG}
_MOST = (1 << 31) - 1  # that an argument in fastText's file can be
_WORK = 16  # of a word, in items of a simple loop
_RATE = 100  # fastText's lrUpdateRate, which only it uses
Rates = tuple[float, float]


class Learner(Protocol):
    """Learns in place, in the tables of the state."""

    def learn(self, tokens: NDArray[np.int32], rates: Rates, seed: int) -> None:
        """One block."""

    def model(self, job: Job, tokens: int) -> Model:
        """What was learned, of a text of so many words."""


class Vectors:
    """Word2Vec."""

    def __init__(
        self,
        settings: Hyperparameters,
        words: Dictionary,
        known: Vocabulary,
        _: Vocabulary,
        state: State,
        device: str = "cpu",
    ) -> None:
        self._settings, self._known, self._state = settings, known, state
        self._device = _device_tables(settings, state, device)
        keep = vector_kernels.keep_probabilities(known.counts, settings.sampling_threshold)
        subwords = Subwords(known.texts, settings.min_char, settings.max_char, settings.buckets)
        offsets, rows = subwords.table if settings.subwords else (np.zeros(1, np.int64), np.zeros(1, np.int64))
        self._words = known.numbers, keep, alias_table(known.counts.astype(np.float64) ** POWER), offsets, rows
        width = state.inputs.shape[1]
        # A batch is no larger than the context can be, and there are no more negative samples than other words.
        batch = min(settings.batch_size, 2 * settings.window_size, 2 * vector_kernels.SENTENCE)
        negatives = min(settings.negative_samples, max(1, len(known) - 1))
        self._numbers = width, settings.window_size, negatives, batch, int(settings.subwords)

    def learn(self, tokens: NDArray[np.int32], rates: Rates, seed: int) -> None:
        """One block."""
        mode = _MODES[self._settings.mode]
        if self._device is not None:
            self._device.learn_vectors(tokens, mode, self._words, self._numbers, rates, seed)
            return
        tables = self._state.inputs.reshape(-1), self._state.outputs.reshape(-1)
        threads = _threads(self._settings, len(tokens))
        vector_kernels.learn(threads, tokens, 0, mode, self._words, tables, self._numbers, rates, seed)

    def model(self, job: Job, tokens: int) -> Model:
        """Vectors in fastText's file, whose skip-gram is that of both modes."""
        kind = fasttext_file.CBOW if self._settings.mode == BAG else fasttext_file.SKIPGRAM
        arguments = _arguments(self._settings, kind, fasttext_file.NEGATIVES)
        none = Ragged.empties(0, np.uint8), np.empty(0, np.int64)
        return _model(job, arguments, self._known, none, self._state, tokens)


class Labels:
    """fastText's classifier."""

    def __init__(
        self,
        settings: Hyperparameters,
        words: Dictionary,
        known: Vocabulary,
        classes: Vocabulary,
        state: State,
        device: str = "cpu",
    ) -> None:
        self._settings, self._known, self._state, self.classes = settings, known, state, classes
        self._device = _device_tables(settings, state, device)
        self._hashes = words.hashes.copy()
        self._numbers = state.inputs.shape[1], len(known), settings.word_ngrams, settings.hashed, len(classes)

    @property
    def compiled(self) -> tuple[Any, Any, Any]:
        """What the compiled loops take: the numbers of words and labels, the tables, and sizes."""
        return (
            (self._known.numbers, self._hashes, self.classes.numbers),
            (self._state.inputs.reshape(-1), self._state.outputs.reshape(-1)),
            self._numbers,
        )

    def compiled_for(self, words: Dictionary) -> tuple[Any, Any, Any]:
        """The same for a stream of the words of another dictionary, and labels by their numbers in the model."""
        numbers = numbers_of(Lookup(self._known.texts), words.words).astype(np.int32)
        labels = np.arange(len(self.classes), dtype=np.int32)
        return (numbers, words.hashes.copy(), labels), *self.compiled[1:]

    def learn(self, tokens: NDArray[np.int32], rates: Rates, seed: int) -> None:
        """One block."""
        if self._device is not None:
            words, _, numbers = self.compiled
            self._device.learn_labels(tokens, words, numbers, rates, seed)
            return
        label_kernels.learn(_threads(self._settings, len(tokens)), tokens, *self.compiled, rates, seed)

    def model(self, job: Job, tokens: int) -> Model:
        """A classifier in fastText's file."""
        arguments = _arguments(self._settings, fasttext_file.SUPERVISED, fasttext_file.SOFTMAX)
        names = Ragged.texts(PREFIX.encode() + label for label in self.classes.texts.encoded())
        return _model(job, arguments, self._known, (names, self.classes.counts), self._state, tokens)


def _device_tables(settings: Hyperparameters, state: State, device: str) -> DeviceTables | None:
    """Both tables on a GPU, from where the state brings them; None of the processor, whose kernels change them here."""
    if device == "cpu":
        return None
    from algoport.algorithms.blazingtext.kernels_torch import DeviceTables

    tables = DeviceTables(state, device, deterministic=settings.deterministic)
    state.store, state.fetch = tables.store, tables.fetch
    return tables


def _threads(settings: Hyperparameters, tokens: int) -> Team:
    """One where the job is deterministic."""
    return ALONE if settings.deterministic else team(_WORK * tokens)


def _arguments(settings: Hyperparameters, kind: int, loss: int) -> Arguments:
    subwords = settings.subwords and settings.mode != LABELS
    return Arguments(
        dim=settings.vector_dim,
        window=min(settings.window_size, _MOST),
        epochs=min(settings.epochs, _MOST),
        min_count=min(settings.min_count, _MOST),
        negatives=min(settings.negative_samples, _MOST),
        word_ngrams=min(settings.word_ngrams, _MOST) if settings.mode == LABELS else 1,
        loss=loss,
        model=kind,
        buckets=settings.hashed,
        min_char=min(settings.min_char, _MOST) if subwords else 0,
        max_char=min(settings.max_char, _MOST) if subwords else 0,
        update_rate=_RATE,
        threshold=settings.sampling_threshold,
    )


def _model(
    job: Job,
    arguments: Arguments,
    known: Vocabulary,
    labels: tuple[Ragged, NDArray[np.int64]],
    state: State,
    tokens: int,
) -> Model:
    earlier = 0 if job.start is None else job.start.content.tokens
    content = Content(
        arguments=arguments,
        words=joined_ragged([known.texts]),
        counts=known.counts,
        labels=labels[0],
        label_counts=labels[1],
        tokens=tokens + earlier,
        inputs=state.inputs,
        outputs=state.outputs,
    )
    return Model(content=content)
