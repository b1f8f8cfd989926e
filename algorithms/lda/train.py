"""From documents to topics: two passes for the moments, their decomposition, and passes that refine what it gives
(Anandkumar et al. 2014; Asuncion et al. 2009).    v words   k topics   l directions of the sketch
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from algoport.algorithms import contract
from algoport.algorithms.contract.errors import Stopped, UserError
from algoport.algorithms.contract.group import Group, agreed, total
from algoport.algorithms.contract.records import Rows, nothing
from algoport.algorithms.lda import moments, topics
from algoport.algorithms.lda.decomposition import decompose
from algoport.algorithms.lda.hyperparameters import Hyperparameters
from algoport.algorithms.lda.model import Model
from algoport.algorithms.lda.topics import Topics
from algoport.algorithms.shared import machine, scoring
from algoport.algorithms.shared.linalg.sparse_products import padded
from algoport.algorithms.shared.start import check_alike
from algoport.algorithms.shared.streaming import Arrays, Facts, Position, passes, resume
from algoport.algorithms.shared.text import topic_words
from algoport.algorithms.shared.text.counts import Counts, Reading
from algoport.algorithms.shared.text.vocabulary import Vocabulary

Job = contract.Job[Hyperparameters, Model]

# Documents of a step, of all members together: sparse ones, and numbers that dense ones may have.
STEP, DENSE = 8192, 1 << 24
SKETCH, MOMENTS = range(2)  # the first passes
REFINEMENTS = 2  # further passes: a third gained .003 a word on one set, a fifth lost .03 on another
LOOKED = 50_000  # documents that coherence is counted in


@dataclass
class State:
    """What the passes know."""

    alike: dict[str, Any]  # arrays that are the same at every member
    sums: dict[str, Any]  # this member's part of what is summed
    reading: Reading
    position: Position = field(default_factory=Position)

    def snapshot(self, group: Group) -> tuple[Arrays, Facts]:
        """All of it; the first member has all members' sums then, and the others none. An exchange of these."""
        odd = self._odd()
        group.sum_(*self.sums.values(), odd)
        arrays = {f"sums.{name}": array.copy() for name, array in self.sums.items()} | {"odd": odd.copy()}
        if group.rank:
            for array in (*self.sums.values(), odd):
                array[:] = 0
        self._set_odd(odd)
        return {**arrays, **{f"alike.{name}": array for name, array in self.alike.items()}}, {}

    @classmethod
    def restored(cls, arrays: Arrays, reading: Reading, group: Group) -> State:
        """The state of a snapshot."""
        parts: dict[str, dict[str, Any]] = {"alike": {}, "sums": {}}
        for name, array in arrays.items():
            kind, _, own = name.partition(".")
            if own:
                parts[kind][own] = np.zeros_like(array) if kind == "sums" and group.rank else array.copy()
        state = cls(parts["alike"], parts["sums"], reading)
        state._set_odd(np.zeros(4) if group.rank else arrays["odd"])
        return state

    def _odd(self) -> Any:
        reading = self.reading
        return np.array([reading.documents, reading.empty, reading.short, reading.fractional], np.float64)

    def _set_odd(self, values: Any) -> None:
        reading = self.reading
        reading.documents, reading.empty, reading.short, reading.fractional = map(int, values)

    @property
    def topics(self) -> Topics:
        """Those that are being refined, or that are the result."""
        return Topics(self.alike["prior"], self.alike["words"])


def fit(job: Job) -> Model:
    """Find topics and score them, as `_fit` says. Linear algebra is done by one thread, for the same bits on any
    machine; where it takes long, several such threads share it out."""
    with machine.blas_threads(1):
        return _fit(job)


def _fit(job: Job) -> Model:
    """Find topics and score them.

    Raises `UserError` where a row has not feature_dim numbers or one that is no count, where no document has three
    words, where the sums would not fit into memory, where vocab.txt has not a line for each column, or where the model
    to start from does not fit; `Stopped` where a stop comes before there are topics.
    """
    settings, start = job.hyperparameters, job.start
    vocabulary = _vocabulary(job)
    _check_memory(settings)
    _check_start(start, settings)
    reading = Reading("train", settings.feature_dim)
    state = resume(job, lambda arrays, _: State.restored(arrays, Reading("train", settings.feature_dim), job.group))
    state = state or (_first(job, reading) if start is None else _further(start, settings, reading))
    count = MOMENTS + 1 + REFINEMENTS * settings.refine
    size = _step(job)
    empty = nothing(settings.feature_dim)
    # Decomposing takes a while, too, in which a stop may be asked for.
    for batches in passes(job, state, empty=empty, size=size, epochs=count, enough=job.stopping):
        _pass(job, state, batches)
        if not state.position.stopped:
            _turn(job, state)
    stopped = state.position.epoch < count
    if "words" not in state.alike:
        if state.position.epoch != MOMENTS or not _summed(job, state):
            raise Stopped
        _decompose(job, state)
    _tell(job, state, stopped)
    model = Model(
        alpha=state.alike["prior"], beta=state.alike["words"], sizes=state.alike["sizes"], vocabulary=vocabulary
    )
    _score(job, model, size)
    if not stopped:
        _report(job, model, size)
    return model


def _pass(job: Job, state: State, batches: Iterator[Rows]) -> None:
    """One pass over the documents; changes the state's sums."""
    epoch = state.position.epoch
    # What was looked at once is not looked at again.
    first = epoch == (SKETCH if job.start is None else MOMENTS + 1)
    documents = map(state.reading.counts if first else Counts.of, batches)
    if epoch == SKETCH:
        along = state.alike["along"]
        for counts in documents:
            moments.add_first(state.sums, along, counts)
    elif epoch == MOMENTS:
        for counts in documents:
            moments.add_second(state.sums, state.alike["span"], counts)
    else:
        rows, prior = topics.by_word(state.topics)
        for counts in documents:
            topics.add_expected(state.sums["expected"], rows, prior, job.hyperparameters.num_topics, counts)


def _turn(job: Job, state: State) -> None:
    """What follows from the sums of a pass that is over; changes the state. Exchanges of the sums."""
    settings, epoch = job.hyperparameters, state.position.epoch
    if epoch == SKETCH:
        job.group.sum_(*state.sums.values())
        _check_documents(state.sums)
        span = moments.basis(state.sums, state.alike["along"], settings.alpha0)
        job.group.broadcast_(span)
        state.alike, state.sums = {"span": span}, moments.second_sums(*span.shape)
    elif epoch == MOMENTS:
        _decompose(job, state)
        state.sums = _expected(settings) if settings.refine else {}
    else:
        job.group.sum_(state.sums["expected"])
        refined, sizes = topics.maximized(state.sums["expected"], state.topics, _before(job))
        words = refined.words
        job.group.broadcast_(words, sizes)
        state.alike |= {"words": words, "sizes": sizes}
        state.sums = _expected(settings)


def _decompose(job: Job, state: State) -> None:
    """The topics that the moments come to; changes the state. All members find the same, and the first one's count."""
    settings, over = job.hyperparameters, job.grace(scoring.GRACE)
    if not state.position.stopped:
        job.group.sum_(*state.sums.values())
    sums = state.sums
    whitened = moments.whitened(sums, state.alike["span"], settings.alpha0, settings.num_topics, settings.candidates)
    directions = len(whitened.tensor)
    # Where there are fewer directions than candidates, further components would fit the noise.
    count = max(settings.num_topics, min(settings.candidates, directions))
    best = decompose(
        whitened.tensor,
        count,
        restarts=settings.max_restarts,
        iterations=settings.max_iterations,
        tolerance=settings.tol,
        seed=job.seed,
        over=over,
    )
    job.reporter.note(
        f"{count} components of {directions} whitened directions hold {best.fit:.3f} of the third moment's norm"
    )
    refined = settings.refine and not state.position.stopped
    prior, rows = topics.unwhitened(best, whitened.back, settings.alpha0)
    best_topics = topics.chosen(prior, rows, settings.num_topics, settings.alpha0, sums["mean"], refined)
    sizes = np.full(settings.num_topics, float(sums["mean"].sum()) / settings.num_topics)
    job.group.broadcast_(best_topics.prior, best_topics.words, sizes)
    state.alike = {"prior": best_topics.prior, "words": best_topics.words, "sizes": sizes}


def _summed(job: Job, state: State) -> bool:
    """Whether a second pass that a stop ended has seen documents; then all members have all sums. An exchange."""
    job.group.sum_(*state.sums.values())
    return bool(state.sums["weight"][0] > 0)


def _first(job: Job, reading: Reading) -> State:
    settings = job.hyperparameters
    columns = moments.width(settings.candidates, settings.feature_dim)
    along = moments.directions(settings.feature_dim, columns, job.seed)
    return State({"along": along}, moments.first_sums(settings.feature_dim, columns), reading)


def _further(start: Model, settings: Hyperparameters, reading: Reading) -> State:
    """Training goes on with the start's topics, its prior made to sum to alpha0."""
    prior = topics.bounded(start.alpha.astype(np.float64), settings.alpha0)
    sizes = np.zeros(len(prior)) if start.sizes is None else start.sizes.copy()
    alike = {"prior": prior, "words": start.beta.copy(), "sizes": sizes}
    return State(alike, _expected(settings), reading, Position(epoch=MOMENTS + 1))


def _expected(settings: Hyperparameters) -> dict[str, Any]:
    return {"expected": np.zeros((settings.feature_dim, padded(settings.num_topics)))}


def _before(job: Job) -> Any:
    """(k, v) how often each topic had each word in the documents of the model to start from; None without one."""
    start = job.start
    if start is None or start.sizes is None:
        return None
    return start.sizes[:, None] * start.beta


def _step(job: Job) -> int:
    """Documents of a step: fewer where some member's are dense, whose zeros take memory too. An exchange."""
    head = job.channels["train"].head(1)
    dense = agreed(job.group, len(head) > 0 and not head.is_sparse)
    return max(1, min(STEP, DENSE // job.hyperparameters.feature_dim)) if dense else STEP


def _vocabulary(job: Job) -> Vocabulary | None:
    """Of the channel, or else of the model to start from."""
    files = job.files.get("auxiliary")
    if files is not None:
        return Vocabulary.read(files, job.hyperparameters.feature_dim, job.reporter.note)
    return None if job.start is None else job.start.vocabulary


def _check_memory(settings: Hyperparameters) -> None:
    """`UserError` where the sums are larger than what is free."""
    free, v = machine.memory_free(), settings.feature_dim
    columns = moments.width(settings.candidates, v)
    needed = 8 * (6 * v * columns + 4 * columns**3)
    if free is not None and needed > free:
        raise UserError(
            f"num_topics, feature_dim: the moments of {v} words along {columns} directions must fit into the {free} "
            f"bytes of memory that are free; they need {needed}. Fewer topics do, or fewer words."
        )


def _check_start(start: Model | None, settings: Hyperparameters) -> None:
    if start is None:
        return
    check_alike(feature_dim=(start.width, settings.feature_dim), num_topics=(len(start.alpha), settings.num_topics))
    if not settings.refine:
        raise UserError(
            "refine: must be true where training starts from a model, whose topics are refined with further documents; "
            "moments of these alone would know nothing of it."
        )


def _check_documents(sums: dict[str, Any]) -> None:
    if sums["weight"][0] <= 0:
        raise UserError(
            "Channel 'train': some documents must have three words at least; none has. Each row holds how often a "
            "document has each word of the vocabulary."
        )


def _tell(job: Job, state: State, stopped: bool) -> None:
    """What is odd about the documents, in notes; an exchange."""
    reading, note, said = state.reading, job.reporter.note, job.hyperparameters.mini_batch_size
    documents, empty, short, fractional = (
        int(value) for value in total(job.group, reading.documents, reading.empty, reading.short, reading.fractional)
    )
    note(f"processed a total of {documents} documents")
    if empty:
        note(f"{empty} documents have no words and are skipped")
    if short:
        note(f"{short} documents have fewer than three words, which say nothing of triples of words")
    if fractional:
        note(f"{fractional} documents have counts that are not whole numbers; they are taken as they are")
    if documents != said and not stopped:
        note(f"mini_batch_size says that there are {said} documents; there are {documents}, and that counts")


def _score(job: Job, model: Model, size: int) -> None:
    """The log-likelihood of the test documents a word."""
    reading = Reading("test", model.width)

    def likelihood(batch: Rows) -> tuple[float, float]:
        counts = reading.counts(batch)
        return model.log_likelihood(counts), float(counts.lengths.sum())

    whole, words = scoring.sums(job, size, job.grace(scoring.GRACE), likelihood, 2) or (0.0, 0.0)
    if words:
        job.reporter.report({"test:pwll": whole / words})


def _report(job: Job, model: Model, size: int) -> None:
    """The topics in words, where these are known: a further look at some of the documents."""
    if model.vocabulary is None:
        return
    coherence = topic_words.Coherence(topic_words.strongest(model.beta, topic_words.TOP))
    reading = Reading("train", model.width)
    steps = -(-LOOKED // size)
    for number, batch in enumerate(job.in_step(job.channels["train"].batches(size), nothing(model.width))):
        if number == steps:
            break
        coherence.add(reading.counts(batch))
    seen = np.array([coherence.documents])
    job.group.sum_(coherence.single, coherence.pairs, seen)
    coherence.documents = float(seen[0])
    sizes = model.alpha.astype(np.float64) if model.sizes is None else model.sizes
    report = topic_words.Report(
        words=model.vocabulary.words,
        beta=model.beta,
        shares=sizes / max(float(sizes.sum()), 1e-300),
        coherence=coherence.npmi(),
        documents=int(seen[0]),
    )
    job.reporter.keep("topics.json", report.document())
    job.reporter.keep("topics.csv", report.table())
    job.reporter.keep("topics.png", report.picture())
