"""From text to vectors of words, or to a classifier of lines.

The text is read once, as a stream of numbers of words (`corpus.py`); passes over it learn block by block, by the loops
of `kernels/vectors.py` or `kernels/labels.py`. Between two blocks members exchange what they have learned, or, where
the job is to be deterministic, all learn the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.blazingtext import corpus, evaluation
from algoport.algorithms.blazingtext.corpus import Spool
from algoport.algorithms.blazingtext.dictionary import Dictionary
from algoport.algorithms.blazingtext.hyperparameters import LABELS
from algoport.algorithms.blazingtext.kernels import labels as label_kernels
from algoport.algorithms.blazingtext.learner import Labels, Learner, Vectors
from algoport.algorithms.blazingtext.lines import Validation, check_labels, look_at
from algoport.algorithms.blazingtext.model import Model
from algoport.algorithms.blazingtext.progress import Progress
from algoport.algorithms.blazingtext.replicas import Replicas
from algoport.algorithms.blazingtext.state import Job, State, initial
from algoport.algorithms.blazingtext.tables import is_finite
from algoport.algorithms.blazingtext.vocabulary import Vocabulary, check_frequent, choose
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.group import total
from algoport.algorithms.shared import heap, machine, scoring, streaming
from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.randomness import seed_of

BLOCK = 1 << 20  # words of a step, of all members together
# Of a pass at least, and of n members n² times as many: with 4 exchanges a pass two hosts' vectors of the BBC's news
# correlate by .86 with those of one, with 16 by .93, as those of two seeds do.
STEPS = 4
Tokens = NDArray[np.int32]


def fit(job: Job) -> Model:
    """Read the text, choose the vocabulary, pass over the stream, and score what was learned.

    Raises `UserError` where no word is frequent enough, where lines lack labels, where early stopping has no validation
    channel, where tables are too large for the memory, or where the model to start from does not fit; `Stopped` where a
    stop comes before the text is read.
    """
    settings, note = job.hyperparameters, job.reporter.note
    classify = settings.mode == LABELS
    if settings.early_stopping and "validation" not in job.channels:
        raise UserError("early_stopping: must be false where there is no channel 'validation'; it is true.")
    processor = "CPU" if job.device == "cpu" else "GPU"
    # In the original's words, one host or several.
    which, where = ("single machine", "mode") if job.hosts == 1 else ("distributed", f"on {job.hosts} hosts")
    note(f"Running {which} {processor} BlazingText training using {settings.mode} {where}.")
    words, labels = Dictionary(closing=classify), Dictionary()
    lines = look_at(job)
    spool = corpus.read(job, words, labels, lines.look)
    if classify:
        check_labels(job, lines, labels)
    known = choose(words, max(settings.min_count, 1), None if job.start is None else job.start.known_words)
    check_frequent(known, words, settings.min_count, classify)
    lines.close(len(spool), known, labels if classify else None)
    classes = choose(labels, 1, None if job.start is None else job.start.known_labels)
    state = initial(job, known, classes)
    learner: Learner = (Labels if classify else Vectors)(settings, words, known, classes, state, job.device)
    del words, labels  # of a million words 90 MB, and as much again lies free in pieces
    heap.give_back()
    validation = Validation.read(job, learner) if isinstance(learner, Labels) else None
    passes(job, state, spool, learner, validation, known)
    if state.best is not None:
        state.inputs[:], state.outputs[:] = state.best
    check_finite(state)
    model = learner.model(job, len(spool))
    if isinstance(learner, Labels):
        report_accuracy(job, spool, learner, validation)
        return model
    return evaluated(job, model)


def passes(
    job: Job, state: State, spool: Spool, learner: Learner, validation: Validation | None, known: Vocabulary
) -> None:
    """All passes over the stream that are left."""
    settings, position = job.hyperparameters, state.position
    members = 1 if settings.deterministic else job.group.size
    size = min(BLOCK, -(-len(spool) // (STEPS * members**2)))
    blocks = spool.blocks(size, whole_lines=validation is not None)
    # Rows that several words share are as frequent as nobody knows, and labels are few.
    shares = (
        None
        if settings.mode == LABELS or settings.hashed
        else np.asarray(known.counts * (size / max(1, len(spool))), np.float64)
    )
    replicas = Replicas(state, job.group, shares, alike=settings.deterministic)
    progress = Progress(job.reporter.note, job.clock)
    words = max(1, len(spool) * settings.epochs)
    for steps in streaming.passes(
        job, state, empty=(0, 0), size=size, epochs=settings.epochs, own=lambda first: iter(blocks[first:]),
        enough=lambda: settings.early_stopping and state.stopping.wait >= settings.patience,
    ):  # fmt: skip
        for first, last in steps:
            done = position.epoch * len(spool) + first
            learn_block(job, learner, spool.read(first, last), done, words, whole_lines=validation is not None)
            replicas.step(position.step)
            share = (done + last - first) / words
            progress.step(last - first, settings.learning_rate * (1 - share), share)
            job.reporter.examples(last - first)
        replicas.exchange()
        if not position.stopped:
            share = (position.epoch + 1) / settings.epochs
            progress.step(0, settings.learning_rate * (1 - share), share, now=True)
            judge(job, state, validation)
    state.store()
    progress.close("Training finished." if validation is not None else "Training finished!")


def learn_block(job: Job, learner: Learner, tokens: Tokens, done: int, whole: int, *, whole_lines: bool) -> None:
    """One block: all of it where the job is deterministic, else this member's share."""
    settings, group = job.hyperparameters, job.group
    first, last = 0, len(tokens)
    if not settings.deterministic:
        first, last = corpus.share_of(tokens, group, whole_lines=whole_lines)
    slope = settings.learning_rate / whole
    rates = settings.learning_rate * (1 - (done + first) / whole), slope
    learner.learn(const(tokens[first:last], np.int32), rates, seed_of(job.seed, done + first))


def judge(job: Job, state: State, validation: Validation | None) -> None:
    """After an epoch: where asked see whether the validation accuracy still rises."""
    settings, note, epoch = job.hyperparameters, job.reporter.note, state.position.epoch + 1
    if not settings.early_stopping or validation is None or epoch < settings.min_epochs:
        return
    state.store()
    note(f"-------------- End of epoch: {epoch}")
    note(f"Using {machine.cores()} threads for prediction!")
    right, count, _ = total(job.group, *validated(validation, lambda: False))
    note(f"Validation accuracy: {right / max(count, 1):.6g}")
    if state.stopping.update(right / max(count, 1), epoch):
        note("Validation accuracy improved! Storing best weights...")
        if state.best is None:
            state.best = np.empty_like(state.inputs), np.empty_like(state.outputs)
        state.best[0][:], state.best[1][:] = state.inputs, state.outputs
    elif state.stopping.wait >= settings.patience:
        note(f"Validation accuracy has not improved for {state.stopping.wait} epochs; training stops early.")


def check_finite(state: State) -> None:
    """`UserError` where steps were so large that numbers ran away."""
    if not (is_finite(state.inputs) and is_finite(state.outputs)):
        raise UserError("learning_rate: is too high for this text, whose vectors are no longer finite; lower it.")


def report_accuracy(job: Job, spool: Spool, learner: Labels, validation: Validation | None) -> None:
    """The accuracy on the lines of training, and on those of validation."""
    over = job.grace(scoring.GRACE)
    job.reporter.note(f"Using {machine.cores()} threads for prediction!")
    blocks = spool.blocks(BLOCK // 8, whole_lines=True)
    own = [partial(spool.read, first, last) for first, last in blocks[job.group.rank :: job.group.size]]
    _report(job, "train", count_right(own, learner.compiled, over))
    if validation is not None and validation.given:
        _report(job, "validation", validated(validation, over))


def _report(job: Job, channel: str, figures: tuple[int, int, bool]) -> None:
    right, count, cut = total(job.group, *figures)
    if cut:
        job.reporter.note(f"The {channel} channel is not scored, as a stop was asked for.")
        return
    job.reporter.report({f"{channel}:accuracy": right / max(count, 1)})
    job.reporter.note(f"Number of {channel} examples: {int(count)}")


def validated(validation: Validation, over: Callable[[], bool]) -> tuple[int, int, bool]:
    """`count_right` of the validation channel."""
    return count_right([partial(np.asarray, part) for part in validation.parts], validation.compiled, over)


def count_right(
    parts: Sequence[Callable[[], Tokens]], compiled: Any, over: Callable[[], bool]
) -> tuple[int, int, bool]:
    """Of this member's lines, in parts that are read when it is their turn, how many are right, how many there are, and
    whether time was up before the end."""

    def one(part: Callable[[], Tokens]) -> tuple[int, int, bool]:
        if over():
            return 0, 0, True
        return (*label_kernels.count_right(const(part(), np.int32), *compiled), False)

    with ThreadPoolExecutor(machine.cores()) as pool:
        figures = list(pool.map(one, parts))
    return sum(each[0] for each in figures), sum(each[1] for each in figures), any(each[2] for each in figures)


def evaluated(job: Job, model: Model) -> Model:
    """The model with the scores of its vectors, where there are word pairs to score them by."""
    note = job.reporter.note
    if not job.hyperparameters.evaluation:
        return model
    files = job.files.get("evaluation")
    if files is None:
        note("Word vectors are not evaluated: channel 'evaluation' would hold files of word pairs, as WS-353's.")
        return model
    note("Evaluating word embeddings....")
    note("Vectors read from: /opt/ml/model/vectors.txt ")
    facts = evaluation.evaluate(model, files)
    note(json.dumps(facts))
    job.reporter.report({"train:mean_rho": facts["mean_rho"]})
    return Model(content=model.content, evaluation=facts)
