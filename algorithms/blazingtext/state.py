"""What training knows between two steps: both tables, and where it is.    v words   b buckets   l labels"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms import contract
from algoport.algorithms.blazingtext import fasttext_file
from algoport.algorithms.blazingtext.hyperparameters import LABELS, Hyperparameters
from algoport.algorithms.blazingtext.kernels.vectors import fill_rows
from algoport.algorithms.blazingtext.model import Model
from algoport.algorithms.blazingtext.tables import aligned, check_memory
from algoport.algorithms.blazingtext.vocabulary import Vocabulary
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.group import Group
from algoport.algorithms.shared.neural.early_stopping import EarlyStopping
from algoport.algorithms.shared.randomness import seed_of
from algoport.algorithms.shared.start import check_alike
from algoport.algorithms.shared.streaming import Arrays, Facts, Position, resume

Job = contract.Job[Hyperparameters, Model]
Table = NDArray[np.float32]
_INPUTS = 1  # the use of randomness
_LOSSES = {
    fasttext_file.HIERARCHICAL: "hierarchical softmax",
    fasttext_file.NEGATIVES: "negative sampling",
    fasttext_file.SOFTMAX: "softmax",
    fasttext_file.ONE_VS_ALL: "one-vs-all",
}


def _nothing() -> None:
    """Tables that only the processor changes are here."""


@dataclass
class State:
    """Of all members the same after each pass, and in a checkpoint."""

    inputs: Table  # (v + b, w)
    outputs: Table  # (v or l, and one more, w)
    best: tuple[Table, Table] | None = None  # of the best validation accuracy
    stopping: EarlyStopping = field(default_factory=EarlyStopping)
    position: Position = field(default_factory=Position)  # in passes, and in blocks of the stream
    store: Callable[[], None] = _nothing  # brings the tables here from the device that changes them
    fetch: Callable[[], None] = _nothing  # and there, where they were changed here
    agree: Callable[[], None] = _nothing  # gives all members the same tables, in exchanges

    def snapshot(self, group: Group) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays and facts for a checkpoint."""
        self.agree()
        self.store()
        arrays: dict[str, NDArray[Any]] = {"inputs": self.inputs, "outputs": self.outputs}
        if self.best is not None:
            arrays |= {"best_inputs": self.best[0], "best_outputs": self.best[1]}
        return arrays, {"stopping": self.stopping.facts()}


def initial(job: Job, words: Vocabulary, labels: Vocabulary) -> State:
    """The state of the latest checkpoint, or the first one."""
    return resume(job, lambda arrays, facts: _restored(job, words, labels, arrays, facts)) or _first(job, words, labels)


def _first(job: Job, words: Vocabulary, labels: Vocabulary) -> State:
    """Input rows at random, output rows of zeros, and the rows that the model to start from has."""
    settings = job.hyperparameters
    rows = len(words) + settings.hashed
    outputs = len(labels) if settings.mode == LABELS else len(words)
    check_memory(rows + outputs, settings.vector_dim)
    state = State(inputs=aligned(rows, settings.vector_dim), outputs=aligned(outputs + 1, settings.vector_dim))
    fill_rows(state.inputs, settings.vector_dim, np.uint64(seed_of(job.seed, _INPUTS)))
    if job.start is not None:
        _copy(job.start, settings, state, words, labels)
    return state


def _copy(start: Model, settings: Hyperparameters, state: State, words: Vocabulary, labels: Vocabulary) -> None:
    """The rows of a model."""
    check_start(start, settings)
    content = start.content
    known = np.flatnonzero(words.earlier >= 0)
    state.inputs[known] = content.inputs[words.earlier[known]]
    state.inputs[len(words) :] = content.inputs[len(content.words) :]
    texts = labels if settings.mode == LABELS else words
    known = np.flatnonzero(texts.earlier >= 0)
    state.outputs[known] = content.outputs[texts.earlier[known]]


def check_start(start: Model, settings: Hyperparameters) -> None:
    """`UserError` where a model cannot be trained further with these settings."""
    arguments = start.content.arguments
    if start.content.quantized or start.content.rows_of is not None:
        raise UserError("Channel 'model': is a quantized model, which can be served and not trained further.")
    classify = settings.mode == LABELS
    if start.classifies is not classify:
        check_alike(mode=("a classifier" if start.classifies else "one of word vectors", settings.mode))
    loss = fasttext_file.SOFTMAX if classify else fasttext_file.NEGATIVES
    if arguments.loss != loss:
        raise UserError(
            f"Channel 'model': must be a model with the loss {_LOSSES[loss]} to be trained further; its loss is "
            f"{_LOSSES[arguments.loss]}, with which it can be served."
        )
    pairs: dict[str, tuple[object, object]] = {
        "vector_dim": (arguments.dim, settings.vector_dim),
        "buckets": (len(start.content.inputs) - len(start.content.words), settings.hashed),
    }
    if classify:
        pairs["word_ngrams"] = (max(arguments.word_ngrams, 1), settings.word_ngrams)
        if arguments.max_char > 0:
            raise UserError("Channel 'model': is a classifier with subwords, which can be served and not trained on.")
    elif settings.subwords:
        pairs |= {
            "min_char": (arguments.min_char, settings.min_char),
            "max_char": (arguments.max_char, settings.max_char),
        }
    check_alike(**pairs)


def _restored(job: Job, words: Vocabulary, labels: Vocabulary, arrays: Arrays, facts: Facts) -> State:
    fresh = _first(job, words, labels)
    if arrays["inputs"].shape != fresh.inputs.shape or arrays["outputs"].shape != fresh.outputs.shape:
        raise UserError("The checkpoint is of another text or of other settings; start without it.")
    fresh.inputs[:], fresh.outputs[:] = arrays["inputs"], arrays["outputs"]
    fresh.stopping = EarlyStopping.of(facts["stopping"])
    if "best_inputs" in arrays:
        fresh.best = arrays["best_inputs"].copy(), arrays["best_outputs"].copy()
    return fresh
