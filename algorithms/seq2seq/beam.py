"""Beam search: the likeliest target of each source sentence, many sentences at once.    n sentences   k hypotheses

As in Sockeye: hypotheses are ordered by their log probability divided by their length; one that has ended keeps its
place until better ones take it; a sentence is through when all of its hypotheses have ended.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.seq2seq import attention, convolutional_decoder, encoder, recurrent_decoder, recurrent_step
from algoport.algorithms.seq2seq.attention import Source
from algoport.algorithms.seq2seq.design import Design
from algoport.algorithms.seq2seq.kernels import beams as kernels
from algoport.algorithms.seq2seq.packing import Packing
from algoport.algorithms.seq2seq.recurrent_step import Inputs
from algoport.algorithms.seq2seq.screening import Screen, is_available
from algoport.algorithms.seq2seq.vocabulary import BOS, EOS
from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.threads import ALONE, team

Array = NDArray[np.float32]
Ints = NDArray[np.int64]
Weights = Mapping[str, Array]
NUMBERS = 1 << 20  # of the logits that are there at a time
FEW = 4  # rows that are multiplied one by one
SENTENCES = 64  # that are searched together
_INT = np.dtype(np.int64)


@dataclass(frozen=True, eq=False)
class Translation:
    """The best hypothesis of one sentence."""

    tokens: list[int]  # without </s>
    matrix: Array | None = None  # (tokens, source tokens) weights of attention, where they were asked for


@dataclass(frozen=True, eq=False)
class Network:
    """Weights, and what searches make of them once."""

    design: Design
    weights: Weights

    @cached_property
    def step(self) -> recurrent_step.Step:
        """Of a recurrent decoder."""
        return recurrent_step.Step.of(self.design, self.weights)

    @cached_property
    def screen(self) -> Screen | None:
        """The output layer in codes; None where the processor has no instructions for them."""
        _load_kernels()
        return Screen.of(self.weights["output"], self.weights["output.bias"]) if is_available() else None


@dataclass(frozen=True, kw_only=True)
class Search:
    """How to search."""

    beam: int
    limit: Callable[[int], int]  # most tokens of the target of so many tokens
    matrix: bool = False
    exact: bool = False  # whether all products are of float32
    over: Callable[[], bool] = lambda: False  # whether there is no time for more sentences


def translate(network: Network, sources: Ragged, search: Search) -> list[Translation]:
    """The translation of each sentence, in their order. That of no tokens is none; and where time is over, so are
    those that are left."""
    order = np.argsort(-sources.lengths, kind="stable")
    order = order[sources.lengths[order] > 0]
    none = Translation([], np.zeros((0, 0), np.float32) if search.matrix else None)
    every = [none] * len(sources)
    for first in range(0, len(order), SENTENCES):
        if search.over():
            break
        some = order[first : first + SENTENCES]
        for number, own in zip(some.tolist(), _translate(network, sources.take(some), search), strict=True):
            every[number] = own
    return every


@dataclass(eq=False)
class Step:
    """What a step chose, from which the best hypothesis is traced back."""

    parents: Ints  # (n, k)
    tokens: Ints  # (n, k)
    rows: Ints  # (n, k) of each hypothesis before the step its row, -1 where it had none
    weights: Array  # (rows, longest) of attention, (0, 0) where nobody asks


def _translate(network: Network, sources: Ragged, search: Search) -> Iterator[Translation]:
    """Of some sentences, from the longest to the shortest."""
    design, weights = network.design, network.weights
    n, k, lengths = len(sources), search.beam, sources.lengths
    packing = Packing.of(lengths)
    states, _ = encoder.encode(design, weights, weights["source.embedding"][packing.take(sources)], packing)
    given = attention.source(design, weights, states, packing)
    limits = np.array([max(1, search.limit(length)) for length in lengths.tolist()], np.int64)
    scores, ended = np.full((n, k), -np.inf), np.full((n, k), -1, np.int64)
    scores[:, 0], ended[:, 0] = 0, 0
    decoder = _Decoder(network, given, None if search.exact else network.screen)
    steps: list[Step] = []
    rows = np.full((n, k), -1, np.int64)
    rows[:, 0] = np.arange(n)
    tokens = np.full(n, BOS, np.int64)
    sentences, slots = np.arange(n), np.zeros(n, np.int64)
    while len(sentences):
        looks = decoder.step(tokens, sentences)
        parents, chosen = np.tile(np.arange(k), (n, 1)), np.full((n, k), -1, np.int64)
        decoder.advance_(sentences, slots, len(steps) + 1, scores, ended, parents, chosen)
        steps.append(Step(parents, chosen, rows, looks if search.matrix else np.empty((0, 0), np.float32)))
        going = (ended == 0) & (limits >= len(steps)).reshape(n, 1)
        sentences, slots = np.nonzero(going)
        before = rows[sentences, parents[sentences, slots]]
        tokens = chosen[sentences, slots]
        rows = np.full((n, k), -1, np.int64)
        rows[sentences, slots] = np.arange(len(sentences))
        decoder.take(before)
    length = len(steps)
    lasts = np.where(ended > 0, ended, np.minimum(length, limits + 1)[:, None])
    ranked = np.where(ended < 0, -np.inf, scores / lasts)
    ranked[(ended == 0) & (ended > 0).any(axis=1, keepdims=True)] = -np.inf  # of those cut off one if none has ended
    for number, slot in enumerate(ranked.argmax(axis=1).tolist()):
        yield _backtrack(steps, number, slot, int(lengths[number]), int(limits[number]), search.matrix)


class _Decoder:
    """The rows of hypotheses that go on, and their state."""

    def __init__(self, network: Network, given: Source, screen: Screen | None) -> None:
        self._design, self._weights, self._given = network.design, network.weights, given
        self._screen = screen
        n = len(given.lengths)
        if network.design.decoder_type == "rnn":
            self._step: recurrent_step.Step | None = network.step
            self._inputs = Inputs(network.step)
            self._now: recurrent_decoder.Now | convolutional_decoder.Now = recurrent_step.begin(
                network.design, network.weights, given
            )
        else:
            self._step = None
            self._now = convolutional_decoder.begin(network.design, n)
        self._parents = np.arange(n)  # of each row the state that it continues
        self._rows = np.empty((0, 0), np.float32)

    def step(self, tokens: Ints, sentences: Ints) -> Array:
        """Read a token of each row; the weights of attention."""
        now = self._now
        if isinstance(now, recurrent_decoder.Now):
            assert self._step is not None
            given = self._given, sentences, self._inputs, tokens, self._parents, now
            self._rows, looks, self._now = self._step(*given)
            return looks
        x = self._weights["target.embedding"][tokens]
        arguments = (self._design, self._weights, self._given, sentences, x)
        self._rows, looks, self._now = convolutional_decoder.step(*arguments, now)
        return looks

    def advance_(
        self, sentences: Ints, slots: Ints, length: int, scores: NDArray[np.float64], ended: Ints, parents: Ints,
        tokens: Ints,
    ) -> None:  # fmt: skip
        """Choose the best continuations. The likeliest hypothesis of each sentence is continued first, then the next,
        then the others, as far as they can still have one of the best."""
        n, k = len(sentences), scores.shape[1]
        who, begins = np.unique(sentences, return_index=True)
        places = const(np.append(begins, n), _INT), const(who, _INT), const(slots, _INT)
        values, words = np.full((n, k), -np.inf, np.float32), np.full((n, k), -1, np.int64)
        log_sums, rows = np.zeros(n), np.empty(n, np.int64)
        known = (const(values), const(words, _INT), const(log_sums, np.dtype(np.float64)))
        for most in (1, 1, k):
            count = kernels.hopeful_(*places, length, *known, scores, ended, most, rows)
            self._look_up_(rows[:count], values, words, log_sums)
        kernels.advance_(*places, length, *known, scores, ended, parents, tokens)

    def _look_up_(self, rows: Ints, values: Array, words: Ints, log_sums: NDArray[np.float64]) -> None:
        """Set the likeliest words of some rows, as many at a time as `NUMBERS` allows."""
        if self._screen is not None and len(rows):
            rows = self._screen.best_(self._rows, rows, values, words, log_sums)
        output, bias = self._weights["output"], self._weights["output.bias"]
        each = max(1, NUMBERS // len(output))
        for first in range(0, len(rows), each):
            part = rows[first : first + each]
            logits = _logits(self._rows[part], output)
            kernels.best_(team(logits.size), logits, const(bias), const(part, _INT), values, words, log_sums)

    def take(self, rows: Ints) -> None:
        """Go on with the states of these rows, some of which stand there several times."""
        if self._step is None:
            self._now = self._now.take(rows)
            return
        some, self._parents = np.unique(rows, return_inverse=True)
        self._now = self._now.take(some)


def _load_kernels() -> None:
    """Ask of no rows what their likeliest words are, in both ways: a request may need either, and which kernels are
    compiled ahead does not depend on the processor."""
    rows, words, sums = np.empty((0, 4), np.float32), np.empty((0, 1), np.int64), np.empty(0)
    values, none = np.empty((0, 1), np.float32), np.empty(0, np.int64)
    own = Screen.of(rows, rows[:, 0])
    if own is not None:
        own.best_(rows, none, values, words, sums)
    kernels.best_(ALONE, rows, const(rows[:, 0]), const(none, _INT), values, words, sums)


def _logits(rows: Array, output: Array) -> Array:
    """(n, v) without bias. A matrix product packs the whole of `output` first, which takes as long as four rows do."""
    if len(rows) > FEW:
        return rows @ output.T
    logits = np.empty((len(rows), len(output)), np.float32)
    for row, own in zip(rows, logits, strict=True):
        np.matmul(output, row, out=own)
    return logits


def _backtrack(steps: Sequence[Step], number: int, slot: int, length: int, limit: int, matrix: bool) -> Translation:
    tokens, looks = [], []
    for step in reversed(steps):
        parent, token = int(step.parents[number, slot]), int(step.tokens[number, slot])
        if token >= 0 and token != EOS:
            tokens.append(token)
            if matrix:
                looks.append(step.weights[step.rows[number, parent], :length])
        slot = parent
    tokens, looks = tokens[::-1][:limit], looks[::-1][:limit]
    if not matrix:
        return Translation(tokens)
    return Translation(tokens, np.array(looks, np.float32).reshape(len(tokens), length))


def limit_of(mean: float, deviation: float, most: int) -> Callable[[int], int]:
    """Most tokens of a target: by the mean ratio of target to source length and two standard deviations."""
    return lambda length: max(1, min(most, math.ceil(length * (mean + 2 * deviation))))
