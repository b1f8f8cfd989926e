"""From pairs of token sequences to two encoders and what compares them, batch by batch.

A batch is shared out between the members of a job. Gradients and losses are sums over its pairs, and what is drawn for
a pair follows from its place in the batch, so that it makes no difference who has it.

To read one job: here (`fit`), `gradients.py` (`gradient_`), `encoders.py`, `kernels/`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms import contract
from algoport.algorithms.contract import kinds
from algoport.algorithms.contract.errors import Stopped, UserError
from algoport.algorithms.contract.group import total
from algoport.algorithms.contract.records.sequences import Sequences
from algoport.algorithms.object2vec import auxiliary, gradients, means, pairs, reports
from algoport.algorithms.object2vec.gradients import Pairs
from algoport.algorithms.object2vec.hyperparameters import Hyperparameters
from algoport.algorithms.object2vec.model import Model
from algoport.algorithms.object2vec.shapes import Shape, initial_table, initial_weights, table_name
from algoport.algorithms.object2vec.state import State, Tally
from algoport.algorithms.object2vec.tables import Joint, Table
from algoport.algorithms.shared.neural import loop, rules
from algoport.algorithms.shared.neural.sparse import RowGradient, exchange
from algoport.algorithms.shared.randomness import draws, seed_of
from algoport.algorithms.shared.scoring import GRACE, score_each, sums
from algoport.algorithms.shared.start import check_alike

Job = contract.Job[Hyperparameters, Model]
Figures = NDArray[np.float64]  # (3,) sums over pairs: losses, how many classes are right, how many pairs

# Uses of randomness, each with a stream of its own: first weights, what belongs to a step's pairs, the pairs' order.
WEIGHTS, DRAWS, ORDER = range(1, 4)
EVALUATED = 256  # pairs of a batch that is only evaluated


def fit(job: Job) -> Model:
    """Train for the epochs that are set, or until the loss no longer falls; the network of the best epoch.

    Raises `UserError` where a record is no pair of token sequences with a label, the model to start from has another
    shape, or the loss is not finite any more; `Stopped` where a stop comes before the first batch.
    """
    learner = Learner(job)
    loop.train(job, learner, kinds.find("sequences").empty(0))
    stopping = job.stopping()
    if not learner.place.updates and job.start is None:
        if stopping:
            raise Stopped
        raise UserError("Channel 'train': must have a pair; it has none.")
    model = learner.model()
    _test(job, model)
    reports.save_curves(job.reporter, learner.state.curves, stopping=stopping)
    return model


class Learner:
    """The network as the loop of networks trains it."""

    state: State

    def __init__(self, job: Job) -> None:
        settings = job.hyperparameters
        self._job, self._settings = job, settings
        self._shape = Shape.of(settings)
        self._rule = rules.Rule(kind=settings.optimizer, rate=settings.learning_rate, decay=settings.weight_decay)
        self._gradient = np.zeros(self._shape.size, np.float32)
        self._given = auxiliary.read(job.files, settings, self._shape, job.reporter.note)
        self._cut = pairs.Cut()
        is_plain = not settings.dropout and not settings.negative_sampling_rate and job.device == "cpu"
        self._means = means.Passes(self._shape) if is_plain and means.Passes.fit(self._shape) else None

    @property
    def place(self) -> loop.Place:
        """How far training is."""
        return loop.Place(self.state.epoch, self._settings.epochs, self.state.step, self.state.updates)

    def initialize(self) -> None:
        """First weights, or those of the model that training starts from."""
        job, shape, start = self._job, self._shape, self._job.start
        random = np.random.default_rng(seed_of(job.seed, WEIGHTS))
        if start is None:
            weights = initial_weights(shape, random)
            tables = {name: initial_table(*size, random) for name, size in shape.tables.items()}
            for side in (1, 0):  # of tied tables the first encoder's vectors count
                given = self._given[side]
                if given.vectors is not None and given.known is not None:
                    tables[shape.table_of(side)][given.known] = given.vectors[given.known]
        else:
            theirs, ours = start.shape.facts(), shape.facts()
            check_alike(**{name: (theirs[name], ours[name]) for name in ours})
            weights = shape.flat(start.weights)
            tables = {name: start.tables[name].copy() for name in shape.tables}
            job.reporter.note("incremental training: starting from the weights of a model")
        self.state = self._state(weights, tables)

    def _state(self, weights: NDArray[np.float32], tables: dict[str, NDArray[np.float32]]) -> State:
        frozen = self._frozen()
        state = State(
            weights=weights,
            memory=rules.states(self._rule, len(weights)),
            tables={
                name: Table(self._rule, own, dense=self._settings.is_dense)
                for name, own in tables.items()
                if name not in frozen
            },
            frozen={name: own for name, own in tables.items() if name in frozen},
        )
        is_joint = self._means is not None and Joint.fit(self._rule, state.tables)
        self._joint = Joint(self._rule, state.weights, state.memory, state.tables) if is_joint else None
        return state

    def _frozen(self) -> frozenset[str]:
        """Tables that stay as they are: whose vectors were given, where they are to be left."""
        names = []
        for side in (0,) if self._shape.tied else (0, 1):
            vectors, frozen = (
                self._settings.of_encoder(side, name)
                for name in ("pretrained_embedding_file", "freeze_pretrained_embedding")
            )
            if vectors and frozen:
                names.append(table_name(side))
        return frozenset(names)

    def restore(self, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
        """Set the state of a checkpoint."""
        shape = self._shape
        tables = {name: np.empty(size, np.float32) for name, size in shape.tables.items()}
        self.state = self._state(np.empty(shape.size, np.float32), tables)
        self.state.restore(arrays, facts)

    def checkpoint(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """The whole state."""
        return self.state.save()

    def is_over(self) -> bool:
        """Whether all epochs are over, or the loss no longer falls."""
        return self.state.over or self.state.epoch >= self._settings.epochs

    def batches(self) -> Iterator[Sequences]:
        """The rest of this epoch's pairs, in an order of its own."""
        job, order = self._job, seed_of(self._job.seed, ORDER)
        yield from job.channels["train"].batches(
            job.batch * self._together(), start=self.state.step * job.batch, shuffle=order + self.state.epoch
        )

    def _together(self) -> int:
        """How many steps' pairs are read at a time."""
        if self._means is None:
            return 1
        count = means.together(self._shape, self._job.batch)
        return count if self.state.step % count == 0 else 1

    def train(self, batch: Sequences) -> None:
        """The updates of some steps, one after another, each from the gradient of all members' pairs."""
        job, own = self._job, pairs.read(batch, self._shape, self._cut)
        lengths = np.array([len(part) for part in job.group.gather(np.empty(len(own), np.int8))])
        if self._means is not None:
            self._train_means(self._means, own, lengths)
            return
        key = draws(np.uint64(seed_of(job.seed, DRAWS)), np.uint64(self.state.updates))
        keyed = pairs.keyed(own, lengths, job.group, np.uint64(key), self._settings.negative_sampling_rate)
        for name, table in self.state.tables.items():
            table.begin(np.unique(self._ids(keyed, name)).astype(np.int64))
        self._step(*self._gradients(keyed), self._update)

    def _train_means(self, passes: means.Passes, own: Pairs, lengths: NDArray[np.int64]) -> None:
        """Steps by the kernels for means; the pairs of each are those whose places in the whole are of it."""
        size, state = self._job.batch, self.state
        edges = np.arange(0, max(int(lengths.sum()), 1) + size, size)
        own_edges = np.searchsorted(pairs.places(lengths, self._job.group.rank), edges)
        given, joint = (state.weights, state.vectors, frozenset(state.frozen)), self._joint
        for each in means.batches(own, own_edges, self._shape):
            rows = {name: each.plans[name].rows for name in state.tables}
            if joint is None:
                for name, table in state.tables.items():
                    table.begin(rows[name])
                self._step(*passes.gradient_(*given, each, self._gradient), self._update)
            else:
                behind = joint.behind(list(rows.values()), state.updates)
                figures, by_tables = passes.gradient_(*given, each, self._gradient, behind)
                self._step(figures, by_tables, partial(self._update_jointly, joint))

    def _step(
        self,
        figures: Figures,
        by_tables: Mapping[str, RowGradient],
        update: Callable[[list[RowGradient], float], None],
    ) -> None:
        """One update from the gradients of all members' pairs, this member's of which are there."""
        state, group, settings = self.state, self._job.group, self._settings
        group.sum_(figures)
        if figures[2]:
            if not np.isfinite(figures[0]):
                raise UserError(
                    f"learning_rate: must be small enough for the loss to stay finite, which it is no more in epoch "
                    f"{state.epoch + 1}; it is {settings.learning_rate:g}."
                )
            group.sum_(self._gradient)
            update([exchange(by_tables[name], group) for name in state.tables], float(figures[2]))
            state.updates += 1
        state.tally.add(figures)
        state.step += 1

    def _update_jointly(self, joint: Joint, by_tables: list[RowGradient], count: float) -> None:
        joint.step(self._gradient, by_tables, count, self.state.updates)

    def _ids(self, own: Pairs, name: str) -> NDArray[np.int32]:
        sides = [side for side in (0, 1) if self._shape.table_of(side) == name]
        return np.concatenate([own.sequences[side].values for side in sides])

    def _gradients(self, own: Pairs) -> tuple[Figures, dict[str, RowGradient]]:
        """Sets the gradient of the sum of this member's losses; their figures."""
        state, shape = self.state, self._shape
        given = shape, state.weights, state.vectors, frozenset(state.frozen), own, self._settings.dropout
        if self._job.device == "cpu":
            losses, by_tables = gradients.gradient_(*given, self._gradient)
        else:
            from algoport.algorithms.object2vec import kernels_torch

            losses, by_tables = kernels_torch.gradient_(*given, self._gradient, self._job.device)
        return reports.figures(losses), by_tables

    def _update(self, by_tables: list[RowGradient], count: float) -> None:
        """The optimizer's step; weight decay leaves biases alone."""
        state, size = self.state, self._shape.size
        spans = [(slice(0, size), True)]
        if self._rule.decay:
            spans = [(self._shape.matrices, True), (slice(self._shape.matrices.stop, size), False)]
        for span, decays in spans:
            rules.step_(
                self._rule,
                state.weights[span],
                self._gradient[span],
                [each[span] for each in state.memory],
                count=count,
                updates=state.updates + 1,
                decays=decays,
            )
        for own, table in zip(by_tables, state.tables.values(), strict=True):
            table.step(own, count)

    def evaluate(self, over: Callable[[], bool]) -> None:
        """Report an epoch's losses, keep its network where it is the best, and see whether training is to end."""
        job, state, kind = self._job, self.state, self._settings.output_layer
        if not state.tally.pairs:
            if state.updates == 0 and job.start is None:
                raise UserError("Channel 'train': must have a pair; it has none.")
            return
        state.settle()
        epoch = state.epoch + 1
        reports.report(job.reporter, "train", kind, state.tally, epoch)
        state.curves.setdefault("train", []).append((epoch, state.tally.mean))
        loss = state.tally.mean
        if "validation" in job.channels:
            tally = self._validation(over)
            if tally is None:
                return
            reports.report(job.reporter, "validation", kind, tally, epoch)
            state.curves.setdefault("validation", []).append((epoch, tally.mean))
            loss = tally.mean
        best = state.improvement.update(loss, epoch, self._settings.early_stopping_tolerance)
        if best and "validation" in state.curves:
            state.keep_best()
        state.over = state.improvement.wait >= self._settings.early_stopping_patience
        if state.over:
            job.reporter.note(
                f"The loss has not fallen by early_stopping_tolerance, {self._settings.early_stopping_tolerance:g}, "
                f"for early_stopping_patience, {self._settings.early_stopping_patience}, epochs: training ends after "
                f"epoch {epoch}. To train longer, lower the first or raise the second."
            )

    def _validation(self, over: Callable[[], bool]) -> Tally | None:
        """Of the validation pairs of all members; None where there are none, or a stop leaves no time."""
        job, own = self._job, np.zeros(3)
        model = self._model({"weights": self.state.weights})

        def score(records: Any) -> None:
            own[:] += reports.figures(model.losses(pairs.read(records, self._shape)))

        channel = job.channels["validation"].batches(max(job.batch, EVALUATED))
        if not score_each(job, "validation", channel, over, score):
            return None
        job.group.sum_(own)
        tally = Tally()
        tally.add(own)
        return tally if tally.pairs else None

    def end_epoch(self) -> None:
        """Begin the next."""
        state = self.state
        if state.epoch == 0:
            for side, count in enumerate(total(self._job.group, *self._cut.counts)):
                if count:
                    self._job.reporter.note(
                        f"{int(count)} sequences of in{side} in the channel 'train' have more than "
                        f"enc{side}_max_seq_len ({self._shape.encoders[side].max_seq_len}) tokens and are cut to that."
                    )
        state.epoch, state.step, state.tally = state.epoch + 1, 0, Tally()

    def model(self) -> Model:
        """The model of the best epoch, or of the weights as they are where none was evaluated. It has the arrays of the
        state, which no longer change."""
        self.state.settle()
        return self._model(self.state.best or {"weights": self.state.weights})

    def _model(self, arrays: Mapping[str, NDArray[Any]]) -> Model:
        tables = {name: arrays.get(name, own) for name, own in self.state.vectors.items()}
        weights = self._shape.views(arrays["weights"])
        start = self._job.start
        vocabularies = tuple(
            given.vocabulary or (start.vocabularies[side] if start is not None else None)
            for side, given in enumerate(self._given)
        )
        return Model(
            shape=self._shape,
            weights=weights,
            tables=tables,
            vocabularies=(vocabularies[0], vocabularies[1]),
        )


def _test(job: Job, model: Model) -> None:
    """The loss of the test pairs, where there are some."""

    def score(records: Any) -> list[float]:
        own = reports.figures(model.losses(pairs.read(records, model.shape)))
        return [float(figure) for figure in own]

    own = sums(job, max(job.batch, EVALUATED), job.grace(GRACE), score, 3)
    tally = Tally()
    tally.add(np.array(own or np.zeros(3)))
    if tally.pairs:
        reports.report(job.reporter, "test", job.hyperparameters.output_layer, tally)
