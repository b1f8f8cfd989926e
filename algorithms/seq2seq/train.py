"""From pairs of sentences to a network that translates, batch by batch and checkpoint by checkpoint.

A batch is shared out between the members of a job. Gradients and losses are sums over its target tokens, and a pair's
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
from algoport.algorithms.seq2seq import evaluation, gradients, optimizer, pairs, reports
from algoport.algorithms.seq2seq.design import Design, initial_weights
from algoport.algorithms.seq2seq.gradients import Dropout
from algoport.algorithms.seq2seq.hyperparameters import Hyperparameters
from algoport.algorithms.seq2seq.model import Lengths, Model
from algoport.algorithms.seq2seq.pairs import Buckets, Limits, Pairs
from algoport.algorithms.seq2seq.state import MOST_LOSS, State, Tally
from algoport.algorithms.seq2seq.vocabulary import SOURCE, TARGET, Vocabulary
from algoport.algorithms.seq2seq.vocabulary_softmax import Losses
from algoport.algorithms.seq2seq.windows import BATCHES, windows
from algoport.algorithms.shared.neural import loop
from algoport.algorithms.shared.randomness import draws, hashes, seed_of
from algoport.algorithms.shared.scoring import GRACE, score_each
from algoport.algorithms.shared.start import check_alike

Job = contract.Job[Hyperparameters, Model]

# Uses of randomness, each with a stream of its own: first weights, dropout, the order of the stream, and of batches.
WEIGHTS, DROPOUT, ORDER, BATCH = range(1, 5)
EVALUATED = 256  # pairs of a batch that is only evaluated


def fit(job: Job) -> Model:
    """Train until optimized_metric no longer improves, or for the epochs or batches that are set; the best checkpoint.

    Raises `UserError` where an id is not of its vocabulary, a channel has no pair, the model to start from has another
    shape, or the loss is not finite any more; `Stopped` where a stop comes before the first batch.
    """
    learner = Learner(job)
    loop.train(job, learner, pairs.none(), every=job.hyperparameters.checkpoint_frequency_num_batches)
    stopping = job.stopping()
    state = learner.state
    if not state.updates and job.start is None:
        if stopping:
            raise Stopped
        raise UserError("Channel 'train': must have a pair of which neither side is empty; it has none.")
    if not stopping and state.evaluated != state.updates:
        learner.evaluate(job.grace(GRACE))
    return learner.model(stopping=job.stopping())


class Learner:
    """The network as the loop of networks trains it."""

    state: State

    def __init__(self, job: Job) -> None:
        settings, files = job.hyperparameters, job.files["vocab"]
        self._job, self._settings = job, settings
        self._source, self._target = Vocabulary.read(files, SOURCE), Vocabulary.read(files, TARGET)
        self._design = Design.of(settings, len(self._source), len(self._target))
        self._limits = Limits(
            source_words=len(self._source),
            target_words=len(self._target),
            source_length=settings.max_seq_len_source,
            target_length=settings.max_seq_len_target,
        )
        self._gradient = np.zeros(self._design.size, np.float32)
        self._by_name = self._design.split(self._gradient)
        self._since, self._pairs = job.clock(), 0.0  # of the line on speed
        self._checkpoint_since = job.clock()

    @property
    def place(self) -> loop.Place:
        """How far training is; where nobody knows how many epochs there are, one more than there were."""
        state = self.state
        return loop.Place(state.epoch, self._settings.max_num_epochs or state.epoch + 1, state.step, state.updates)

    def initialize(self) -> None:
        """First weights, or those of the model that training starts from."""
        job, design, start = self._job, self._design, self._job.start
        if start is None:
            weights = initial_weights(design, self._settings, seed_of(job.seed, WEIGHTS))
        else:
            theirs, ours = start.design.facts(), design.facts()
            check_alike(**{name: (theirs[name], ours[name]) for name in ours})
            for name, one, two in ((SOURCE, start.source, self._source), (TARGET, start.target, self._target)):
                if list(one.tokens) != list(two.tokens):
                    raise UserError(f"vocab/{name}: must be that of the model to start from; it has other tokens.")
            weights = np.concatenate([start.weights[name].ravel() for name in design.shapes])
            job.reporter.note("incremental training: starting from the weights of a model")
        self.state = State(weights=weights, memory=optimizer.memory(self._settings, len(weights)))

    def restore(self, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
        """Set the state of a checkpoint."""
        self.state = State.restore(arrays, facts, optimizer.arrays(self._settings))

    def checkpoint(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """The whole state."""
        return self.state.save()

    def is_over(self) -> bool:
        """Whether all epochs or batches are over, or optimized_metric no longer improves."""
        state, settings = self.state, self._settings
        epochs, batches = settings.max_num_epochs, settings.max_num_batches
        return (
            state.over or (epochs is not None and state.epoch >= epochs) or (batches != -1 and state.updates >= batches)
        )

    def batches(self) -> Iterator[Pairs]:
        """The rest of this epoch's batches, window by window of a stream in an order of its own."""
        job, state, settings = self._job, self.state, self._settings
        rows, order = job.batch * BATCHES, seed_of(job.seed, ORDER) + state.epoch
        source = job.channels["train"].batches(rows, start=state.window * rows, shuffle=order)
        for window in windows(source, self._read, job.group):
            if state.within == 0 and state.epoch == 0:
                state.ratios.add(window.figures())
            seed = int(draws(np.uint64(seed_of(job.seed, BATCH)), np.uint64(state.epoch << 32 | state.window)))
            skipped = state.within
            for number, batch in enumerate(window.batches(job.batch, self._buckets(), seed, job.group.rank)):
                if number < skipped:
                    continue
                if settings.max_num_batches != -1 and state.updates >= settings.max_num_batches:
                    return
                yield batch
            state.window, state.within = state.window + 1, 0

    def _read(self, records: Any) -> Pairs:
        return pairs.read(records, self._limits)

    def _buckets(self) -> Buckets | None:
        settings = self._settings
        if not settings.bucketing_enabled:
            return None
        ratio = self.state.ratios.lengths().mean or 1.0
        return Buckets.of(settings.bucket_width, ratio, settings.max_seq_len_source, settings.max_seq_len_target)

    def train(self, batch: Pairs) -> None:
        """One update, from the gradient of all members' pairs."""
        state, group, sums = self.state, self._job.group, np.zeros(4)
        if len(batch):
            own = self._losses(batch)
            sums[:] = own.losses.sum(), own.right.sum(), len(own.losses), len(batch)
        else:
            self._gradient[:] = 0
        group.sum_(self._gradient, sums)
        if not sums[0] < MOST_LOSS * max(sums[2], 1.0):  # nor where it is no number
            raise UserError(
                f"learning_rate: must be small enough for the perplexity to stay finite, which it is no more in epoch "
                f"{self.state.epoch + 1}; it is {self._settings.learning_rate:g}."
            )
        if sums[2]:
            optimizer.step_(self._settings, self._design, state, self._gradient, float(sums[2]))
        state.tally.add(sums[:3])
        state.shown.add(sums[:3])
        state.samples += float(sums[3])
        state.step, state.within = state.step + 1, state.within + 1
        self._pairs += float(sums[3])
        if state.step % reports.EVERY == 0:
            self._show_speed()

    def _losses(self, batch: Pairs) -> Losses:
        """Sets the gradient of the sum of this member's losses."""
        settings, job = self._settings, self._job
        key = np.uint64(seed_of(job.seed, DROPOUT))
        dropout = Dropout(
            source=settings.embed_dropout_source,
            target=settings.embed_dropout_target,
            state=settings.rnn_decoder_hidden_dropout,
            convolution=settings.cnn_hidden_dropout,
            keys=batch.keys(int(hashes(key ^ hashes(np.uint64(self.state.updates))))),
        )
        if job.device == "cpu":
            weights = self._design.split(self.state.weights)
            return gradients.gradient_(self._design, weights, batch, dropout, self._by_name)
        from algoport.algorithms.seq2seq import kernels_torch

        return kernels_torch.gradient_(self._design, self.state.weights, batch, dropout, self._gradient, job.device)

    def _show_speed(self) -> None:
        now = self._job.clock()
        rate = self._pairs / max(now - self._since, 1e-9)
        reports.speed(self._job.reporter, self.state, rate, self._settings.training_metric)
        self.state.shown, self._since, self._pairs = Tally(), now, 0.0

    def evaluate(self, over: Callable[[], bool]) -> None:
        """A checkpoint: report its metrics, keep its network where it is the best, and see whether training ends."""
        job, state, settings = self._job, self.state, self._settings
        tally = self._validation(over)
        if tally is None:
            return
        bleu = self._bleu(over) if settings.bleu_pairs else None
        if settings.bleu_pairs and bleu is None:
            return
        state.checkpoints, state.evaluated = state.checkpoints + 1, state.updates
        now = job.clock()
        seconds, self._checkpoint_since = now - self._checkpoint_since, now
        values = reports.checkpoint(job.reporter, state, seconds, settings.training_metric, tally, bleu)
        state.tally = Tally()
        figure = values[settings.optimized_metric] * (-1 if settings.optimized_metric == "perplexity" else 1)
        if state.early_stopping.update(figure, state.checkpoints):
            state.best, state.best_lengths, state.plateau = state.weights.copy(), state.ratios.lengths(), 0
        else:
            self._stall()

    def _stall(self) -> None:
        """A checkpoint was not the best so far."""
        state, settings, note = self.state, self._settings, self._job.reporter.note
        state.plateau += 1
        if settings.lr_scheduler_type == "plateau_reduce" and state.plateau >= settings.plateau_reduce_lr_threshold:
            state.plateau, state.reduced = 0, state.reduced * settings.plateau_reduce_lr_factor
            note(f"The learning rate is {settings.learning_rate * state.reduced:g} from here on (plateau_reduce).")
        waited = state.early_stopping.wait
        if (
            settings.max_num_epochs is None
            and waited >= settings.checkpoint_threshold
            and state.epoch >= settings.min_num_epochs
        ):
            state.over = True
            note(
                f"{settings.optimized_metric} has not improved for {waited} checkpoints (checkpoint_threshold): "
                f"training ends after {state.updates} batches, and the model is that of checkpoint "
                f"{state.early_stopping.best_epoch}."
            )

    def _validation(self, over: Callable[[], bool]) -> Tally | None:
        """Of the validation pairs of all members; None where a stop leaves no time."""
        job, own = self._job, np.zeros(3)
        weights = self._design.split(self.state.weights)

        def score(records: Any) -> None:
            some = self._read(records)
            if len(some):
                each = gradients.losses(self._design, weights, some)
                own[:] += each.losses.sum(), each.right.sum(), len(each.losses)

        channel = job.channels["validation"].batches(max(job.batch, EVALUATED))
        if not score_each(job, "validation", channel, over, score):
            return None
        job.group.sum_(own)
        if not own[2]:
            raise UserError("Channel 'validation': must have a pair of which neither side is empty; it has none.")
        tally = Tally()
        tally.add(own)
        return tally

    def _bleu(self, over: Callable[[], bool]) -> float | None:
        """Of the first validation pairs, over all members; None where a stop leaves no time."""
        job, settings, sums = self._job, self._settings, np.zeros(evaluation.COUNTS)
        source = job.channels["validation"]
        wanted = settings.bleu_pairs
        some = self._read(source.all() if wanted == -1 else source.head(wanted))
        model = self._model(self.state.weights, self.state.ratios.lengths(), hurried=True)
        every = model.translate(some.source, over=over)
        for number, own in enumerate(every):
            sums += evaluation.counts(own.tokens, some.target[number].tolist())
        if total(job.group, over())[0]:
            return None
        job.group.sum_(sums)
        return evaluation.bleu(sums)

    def end_epoch(self) -> None:
        """Begin the next."""
        state = self.state
        if state.epoch == 0:
            skipped, cut, count = (int(each) for each in (state.ratios.skipped, state.ratios.cut, state.ratios.pairs))
            if skipped:
                self._job.reporter.note(
                    f"{skipped} of {count + skipped} training pairs have an empty side and are skipped."
                )
            if cut:
                self._job.reporter.note(
                    f"{cut} of {count} training pairs are cut to max_seq_len_source and max_seq_len_target "
                    f"({self._settings.max_seq_len_source} and {self._settings.max_seq_len_target} tokens)."
                )
        state.epoch, state.step, state.window, state.within = state.epoch + 1, 0, 0, 0

    def model(self, *, stopping: bool) -> Model:
        """The model of the best checkpoint, or of the weights as they are where there was none."""
        state = self.state
        if state.best is None:
            return self._model(state.weights, state.ratios.lengths(), hurried=stopping)
        return self._model(state.best, state.best_lengths, hurried=stopping)

    def _model(self, weights: NDArray[np.float32], lengths: Lengths, *, hurried: bool) -> Model:
        return Model(
            design=self._design,
            weights=self._design.split(weights),
            source=self._source,
            target=self._target,
            lengths=lengths,
            beam_size=self._settings.beam_size,
            hurried=hurried,
        )
