"""From documents to topics, batch by batch (Miao, Yu and Blunsom 2016).    n documents of a batch   p weights

A batch is shared out between the members of a job. Gradients and losses are sums over its documents, and a document's
draws come from what it holds, so that it makes no difference who has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms import contract
from algoport.algorithms.contract.errors import Stopped, UserError
from algoport.algorithms.contract.group import total
from algoport.algorithms.contract.records import nothing
from algoport.algorithms.ntm import documents, gradients, reports
from algoport.algorithms.ntm.auxiliary import Lexicon
from algoport.algorithms.ntm.documents import Documents
from algoport.algorithms.ntm.gradients import Array, Losses, Network
from algoport.algorithms.ntm.hyperparameters import Hyperparameters
from algoport.algorithms.ntm.model import Model
from algoport.algorithms.ntm.shapes import Shape, initial_weights
from algoport.algorithms.ntm.state import State, Tally
from algoport.algorithms.shared.neural import loop, rules
from algoport.algorithms.shared.randomness import draws, hashes, seed_of, shares
from algoport.algorithms.shared.scoring import GRACE, score_each, sums
from algoport.algorithms.shared.start import check_alike
from algoport.algorithms.shared.text import topic_words
from algoport.algorithms.shared.text.counts import Counts
from algoport.algorithms.shared.text.vocabulary import Vocabulary

Job = contract.Job[Hyperparameters, Model]

# Uses of randomness, each with a stream of its own: first weights, draws of the latent vector, of the share of an
# epoch, and the order of documents.
WEIGHTS, LATENT, SAMPLE, ORDER = range(1, 5)
# Epochs within which the divergence from the prior comes to its full weight (Bowman et al. 2016): with all of it from
# the start, documents' latent vectors collapse to the prior before there are topics that could keep them from it.
WARM_UP = 10
# Documents whose words say what is usual, and numbers that these may be where they are dense.
FIRST, MOST = 8192, 1 << 26
# Documents of a batch that is only evaluated, and those that coherence is counted in.
EVALUATED, LOOKED = 1024, 50_000


def fit(job: Job) -> Model:
    """Train for the epochs that are set, or until the loss no longer changes; the network of the best epoch.

    Raises `UserError` where a count is negative, no document has words, the model to start from has another shape, or
    the loss is not finite any more; `Stopped` where a stop comes before the first batch.
    """
    settings = job.hyperparameters
    lexicon = Lexicon.read(job.files, settings.feature_dim, job.reporter.note)
    learner = Learner(job)
    loop.train(job, learner, documents.none(settings.feature_dim))
    stopping = job.stopping()
    if not learner.place.updates and job.start is None:
        if stopping:
            raise Stopped
        raise no_documents(settings.sub_sample)
    model = learner.model(lexicon.vocabulary, stopping=stopping)
    _test(job, model)
    reports.topics(job.reporter, model, lexicon)
    if model.vocabulary is not None and not stopping:
        _describe(job, model)
    reports.save_curves(job.reporter, learner.state.curves, stopping=stopping)
    return model


def no_documents(sub_sample: float) -> UserError:
    """The error of a channel, or a share of it, without any words."""
    if sub_sample < 1:
        return UserError(
            f"Channel 'train': the share sub_sample ({sub_sample:g}) of its documents must have one with words; it has "
            "none. Raise sub_sample where the channel has any."
        )
    return UserError("Channel 'train': must have a document with words; it has none.")


class Learner:
    """The network as the loop of networks trains it."""

    state: State

    def __init__(self, job: Job) -> None:
        settings = job.hyperparameters
        self._job, self._settings = job, settings
        self._shape = Shape(
            feature_dim=settings.feature_dim, num_topics=settings.num_topics, layers=tuple(settings.layers)
        )
        self._rule = rules.Rule(
            kind=settings.optimizer,
            rate=settings.learning_rate,
            decay=settings.weight_decay,
            rescale=settings.rescale_gradient,
            clip=settings.clip,
        )
        self._gradient = np.zeros(self._shape.size, np.float32)
        # Few words have a gradient by the first layer; of the others' weights nothing is read.
        self._sparse = self._rule.is_sparse and job.device == "cpu"
        self._fractional = False  # whether it was said that counts are fractional

    @property
    def place(self) -> loop.Place:
        """How far training is."""
        return loop.Place(self.state.epoch, self._settings.epochs, self.state.step, self.state.updates)

    def initialize(self) -> None:
        """First weights, or those of the model that training starts from."""
        job, shape, start = self._job, self._shape, self._job.start
        statistics = {name: np.zeros(size, np.float32) for name, size in shape.statistics.items()}
        if start is None:
            weights = initial_weights(shape, seed_of(job.seed, WEIGHTS), self._shares())
        else:
            settings = self._settings
            check_alike(
                feature_dim=(start.width, settings.feature_dim),
                num_topics=(start.num_topics, settings.num_topics),
                encoder_layers=(list(start.layers), list(settings.layers)),
                encoder_layers_activation=(start.activation, settings.encoder_layers_activation),
                batch_norm=(start.batch_norm, settings.batch_norm),
            )
            weights = shape.flat(start.weights)
            statistics |= {name: own.copy() for name, own in start.statistics.items()}
            job.reporter.note("incremental training: starting from the weights of a model")
        self.state = State(weights=weights, memory=rules.states(self._rule, len(weights)), statistics=statistics)
        self._last = np.zeros(shape.feature_dim, np.int64)

    def restore(self, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
        """Set the state of a checkpoint."""
        self.state = State.restore(arrays, facts, self._shape, rules.STATES[self._rule.kind])
        self._last = np.full(self._shape.feature_dim, self.state.updates)

    def checkpoint(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """The whole state."""
        if self._sparse:
            rules.settle_(self._rule, self._first(self.state.memory), self._last, self.state.updates)
        return self.state.save()

    def _first(self, arrays: list[Array]) -> list[Array]:
        """What of each array stands for the weights of the first layer (v, g)."""
        return [self._shape.views(each)["layer0"] for each in arrays]

    def is_over(self) -> bool:
        """Whether all epochs are over, or the loss no longer changes."""
        return self.state.over or self.state.epoch >= self._settings.epochs

    def batches(self) -> Iterator[Documents]:
        """The rest of this epoch's documents, in an order of its own; with `sub_sample`, a share of them."""
        job, settings, epoch = self._job, self._settings, self.state.epoch
        job.reporter.note(f"# Starting training for epoch {epoch + 1}")
        order, key = seed_of(job.seed, ORDER), np.uint64(seed_of(job.seed, SAMPLE))
        start = self.state.step * job.batch
        source = job.channels["train"].batches(job.batch, start=start, shuffle=order + epoch)
        for rows in source:
            own = documents.read(rows, settings.feature_dim, "train")
            if settings.sub_sample < 1:
                chosen = shares(draws(own.keys() ^ hashes(key), np.uint64(epoch))) < settings.sub_sample
                own = documents.take(own, chosen)
            yield own

    def train(self, batch: Documents) -> None:
        """One update, from the gradient of all members' documents."""
        state, group = self.state, self._job.group
        count, empty, fractional = total(group, len(batch), batch.empty, batch.fractional)
        if fractional and not self._fractional:
            self._fractional = True
            self._job.reporter.note("Some counts of words are no whole numbers; they are taken as weights.")
        figures = np.zeros(6)
        if count:
            own = self._losses(batch, count)
            figures[:5] = reports.figures(own, batch)
            group.sum_(figures)
            if not np.isfinite(figures[:2]).all():
                raise UserError(
                    f"learning_rate: must be small enough for the loss to stay finite, which it is no more in epoch "
                    f"{self.state.epoch + 1}; it is {self._settings.learning_rate:g}."
                )
            self._update(batch, count)
        figures[5] = empty
        state.tally.add(figures)
        state.step += 1

    def _losses(self, batch: Documents, count: float) -> Losses:
        """Sets the gradient of the sum of all members' losses."""
        job, state = self._job, self.state
        key = np.uint64(seed_of(job.seed, LATENT))
        keys = draws(batch.keys() ^ hashes(key), np.uint64(self.state.epoch))
        given = self._network(state.statistics), state.weights, batch, keys, count, self._pull, self._gradient
        if job.device == "cpu":
            return gradients.gradient_(*given)
        from algoport.algorithms.ntm import network

        return network.gradient_(*given, job.device)

    @property
    def _pull(self) -> float:
        """The weight of the divergence from the prior in this epoch."""
        return 1.0 if self._job.start is not None else min(1.0, (self.state.epoch + 1) / WARM_UP)

    def _update(self, batch: Documents, count: float) -> None:
        """The optimizer's step; weight decay leaves biases alone."""
        state, whole, own = self.state, slice(0, self._shape.size), self._shape.matrices
        state.updates += 1
        if self._sparse:
            self._update_words(batch, count)
            first = self._shape.words
            spans = [(slice(0, first.start), False), (slice(first.stop, whole.stop), False)]
        elif self._rule.decay:
            spans = [(slice(0, own.start), False), (own, True), (slice(own.stop, whole.stop), False)]
        else:
            spans = [(whole, False)]
        for span, decays in spans:
            memory = [each[span] for each in state.memory]
            rules.step_(
                self._rule,
                state.weights[span],
                self._gradient[span],
                memory,
                count=count,
                updates=state.updates,
                decays=decays,
            )
        if not self._sparse:
            self._gradient[self._shape.words] = 0

    def _update_words(self, batch: Documents, count: float) -> None:
        """The step of the first layer, for words that a document of any member has."""
        state, own = self.state, np.zeros(self._shape.feature_dim, np.float32)
        own[batch.entries[1]] = 1
        self._job.group.sum_(own)
        (weights, gradient), memory = self._first([state.weights, self._gradient]), self._first(state.memory)
        given = self._rule, np.flatnonzero(own), weights, gradient, memory, self._last
        rules.step_rows_(*given, count=count, updates=state.updates)

    def evaluate(self, over: Callable[[], bool]) -> None:
        """Report an epoch's losses, keep its network where it is the best, and see whether training is to end."""
        job, state = self._job, self.state
        if not state.tally.documents:
            if state.updates == 0 and job.start is None:
                raise no_documents(job.hyperparameters.sub_sample)
            return
        reports.training(job.reporter, state, job.batch)
        if "validation" in job.channels:
            tally = self._validation(over)
            if tally is None:
                return
            reports.validation(job.reporter, state, tally)
            if state.early_stopping.update(-tally.total, state.epoch + 1):
                state.keep_best()
        state.over = self._is_settled()

    def _validation(self, over: Callable[[], bool]) -> Tally | None:
        """Of the validation documents of all members; None where there are none, or a stop leaves no time."""
        job, state, own = self._job, self.state, np.zeros(6)
        network = self._network(state.statistics)

        def score(rows: Any) -> None:
            some = documents.read(rows, self._settings.feature_dim, "validation")
            own[:5] += reports.figures(gradients.losses(network, state.weights, some), some)
            own[5] += some.empty

        channel = job.channels["validation"].batches(max(job.batch, EVALUATED))
        if not score_each(job, "validation", channel, over, score):
            return None
        job.group.sum_(own)
        tally = Tally()
        tally.add(own)
        return tally if tally.documents else None

    def _is_settled(self) -> bool:
        """Whether the loss has not become better by `tolerance` within the last `num_patience_epochs`, from the end of
        the warm-up on."""
        settings, curves = self._settings, self.state.curves
        channel = "validation" if "validation" in curves else "train"
        losses, patience = [loss for _, loss in curves[channel]], settings.num_patience_epochs
        warm = 0 if self._job.start is not None else min(WARM_UP - 1, len(losses))
        if patience > settings.epochs or len(losses) - warm <= patience:
            return False
        before, best = losses[-patience - 1], min(losses[-patience:])
        settled = before - best < settings.tolerance * abs(before)
        if settled:
            self._job.reporter.note(
                f"The {channel} loss was {before:.6g} {patience} epochs ago and {best:.6g} at best since, a relative "
                f"change below tolerance, {settings.tolerance:g}: training ends after epoch {self.state.epoch + 1}. To "
                f"train longer, lower tolerance, or raise num_patience_epochs, above epochs ({settings.epochs}) for "
                "all of them."
            )
        return settled

    def end_epoch(self) -> None:
        """Begin the next."""
        state = self.state
        if state.epoch == 0 and state.tally.empty:
            said = int(state.tally.empty), int(state.tally.empty + state.tally.documents)
            self._job.reporter.note(f"{said[0]} of {said[1]} training documents have no words and are passed over.")
        state.epoch, state.step, state.tally = state.epoch + 1, 0, Tally()

    def model(self, vocabulary: Vocabulary | None, *, stopping: bool) -> Model:
        """The model of the best epoch, or of the weights as they are where none was evaluated."""
        settings, state = self._settings, self.state
        if vocabulary is None and self._job.start is not None:
            vocabulary = self._job.start.vocabulary
        best = state.best is not None
        weights = state.weights if state.best is None else state.best
        statistics = state.best_statistics if best else state.statistics
        return Model(
            feature_dim=settings.feature_dim,
            num_topics=settings.num_topics,
            layers=tuple(settings.layers),
            activation=settings.encoder_layers_activation,
            batch_norm=settings.batch_norm,
            weights=self._shape.plain(weights),
            statistics={name: own.copy() for name, own in statistics.items()} if settings.batch_norm else {},
            vocabulary=vocabulary,
            hurried=stopping,
        )

    def _network(self, statistics: Mapping[str, Any]) -> Network:
        settings = self._settings
        return Network(
            shape=self._shape,
            activation=settings.encoder_layers_activation,
            batch_norm=settings.batch_norm,
            group=self._job.group,
            dropout=settings.dropout,
            statistics=statistics,
        )

    def _shares(self) -> NDArray[np.float32]:
        """How frequent each word is in the first documents (v,), each counted once more than it stands there."""
        job, v = self._job, self._settings.feature_dim
        rows = job.channels["train"].head(max(job.batch, min(FIRST, MOST // v)))
        own = documents.read(rows, v, "train").words
        counts = np.bincount(own.indices, weights=own.values, minlength=v).astype(np.float64)
        job.group.sum_(counts)
        return np.asarray((counts + 1) / (counts + 1).sum(), np.float32)


def _test(job: Job, model: Model) -> None:
    """The loss of the test documents, where there are some."""
    v = job.hyperparameters.feature_dim

    def score(rows: Any) -> list[float]:
        own = documents.read(rows, v, "test")
        return [float(figure) for figure in reports.figures(model.losses(own), own)]

    own = sums(job, max(job.batch, EVALUATED), job.grace(GRACE), score, 5)
    tally = Tally()
    tally.add(np.array([*(own or np.zeros(5)), 0.0]))
    if tally.documents:
        reports.tested(job.reporter, tally)


def _describe(job: Job, model: Model) -> None:
    """Topics as words, with their shares and coherence, from a further look at some of the documents."""
    coherence = topic_words.Coherence(topic_words.strongest(model.topics, topic_words.TOP))
    size, shares = max(job.batch, EVALUATED), np.zeros(model.num_topics)
    batches = job.channels["train"].batches(size)
    for number, rows in enumerate(job.in_step(batches, nothing(model.width))):
        if number * size >= LOOKED:
            break
        own = documents.read(rows, model.width, "train")
        indptr, words, values = own.entries
        coherence.add(Counts(indptr, words, values, model.width))
        shares += own.words.masses @ model.shares(own)
    seen = np.array([coherence.documents])
    job.group.sum_(coherence.single, coherence.pairs, shares, seen)
    coherence.documents = float(seen[0])
    reports.save_topics(job.reporter, model, coherence, shares / max(float(shares.sum()), 1e-300))
