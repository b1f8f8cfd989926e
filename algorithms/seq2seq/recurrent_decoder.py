"""The recurrent decoder with attention and input feeding (Luong, Pham and Manning 2015), as Sockeye has it.

p target tokens of all sentences   h hidden numbers   s numbers of an encoder state   a of a query   e of an embedding

At each step the first layer reads the token before and the attentional state before; attention looks up by its state;
further layers read the layer below, and the context; the top and the context make the next attentional state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.seq2seq import attention, cells
from algoport.algorithms.seq2seq.attention import Slopes, Source
from algoport.algorithms.seq2seq.cells import Cell, State
from algoport.algorithms.seq2seq.design import Design
from algoport.algorithms.seq2seq.encoder import Drop, nothing
from algoport.algorithms.seq2seq.kernels import cells as kernels
from algoport.algorithms.seq2seq.packing import Packing
from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.linalg.product import Panels, product
from algoport.algorithms.shared.threads import team

Array = NDArray[np.float32]
Ints = NDArray[np.int64]
Weights = Mapping[str, Array]


@dataclass(eq=False)
class Now:
    """Between two steps: the attentional state, and that of each layer."""

    feed: Array  # (n, h)
    layers: list[State]

    def take(self, rows: Ints) -> Now:
        """That of some rows."""
        return Now(self.feed[rows], [layer.take(rows) for layer in self.layers])


@dataclass(eq=False)
class Trace:
    """What the backward pass needs of all steps."""

    embedded: Array  # (p, e)
    first: list[Array]  # of each layer the initial hidden states, and cells (n, h)
    feeds: Array  # (p, h) before each step
    layers: list[cells.Trace]
    inputs: list[Array]  # (p, ·) of each layer but the first
    queries: Array  # (p, a)
    weights: Array  # (p, longest)
    both: Array  # (p, h + s) the top layer and the context
    out: Array  # (p, h) attentional states before dropout
    summary: Array = field(default_factory=lambda: np.empty((0, 0), np.float32))  # (n, s) what the start comes from


def begin(design: Design, weights: Weights, given: Source, owners: Ints) -> tuple[Now, Array]:
    """The state before the first step of some rows, and what of the encoder it comes from."""
    h, n, kind = design.rnn_num_hidden, len(owners), design.rnn_cell_type
    layers = [State.zeros(n, h, kind) for _ in range(design.num_layers_decoder)]
    summary = _summary(design, given)[owners]
    if design.rnn_decoder_state_init != "zero":
        for layer, state in enumerate(layers):
            name = f"decoder.{layer}.initial"
            state.hidden = _first(f"{name}.hidden", weights, summary)
            if kind == "lstm":
                state.cells = _first(f"{name}.cells", weights, summary)
    return Now(np.zeros((n, h), np.float32), layers), summary


def _first(name: str, weights: Weights, summary: Array) -> Array:
    """The first hidden states or cells of a layer."""
    own = product(summary, weights[name])
    own += weights[f"{name}.bias"]
    return np.asarray(np.tanh(own, out=own))


def _summary(design: Design, given: Source) -> Array:
    """The last state of each sentence, or their mean; zeros of a sentence that has none."""
    lengths = given.lengths
    out = np.zeros((len(lengths), given.states.shape[1]), np.float32)
    some = np.flatnonzero(lengths)
    if design.rnn_decoder_state_init == "last":
        out[some] = given.states[given.begins[some + 1] - 1]
    elif design.rnn_decoder_state_init == "avg" and len(some):
        out[some] = np.add.reduceat(given.states, given.begins[some], axis=0) / lengths[some, None].astype(np.float32)
    return out


def decode(
    design: Design,
    weights: Weights,
    given: Source,
    owners: Ints,  # (n,) the source of each rank of the targets
    x: Array,  # (p, e) embedded tokens before each
    packing: Packing,  # of the targets
    drop: Drop = nothing,
    now: Now | None = None,
) -> tuple[Array, Trace, Now]:
    """The rows (p, h) from which words are told, and the state behind the last step."""
    p, h, layers = len(x), design.rnn_num_hidden, range(design.num_layers_decoder)
    summary = np.empty((0, 0), np.float32)
    if now is None:
        now, summary = begin(design, weights, given, owners)
    gates = x @ weights["decoder.0.input"]
    gates += weights["decoder.0.bias"]
    trace = _trace(design, given, x, gates)
    trace.summary = summary
    trace.first = [part.copy() for state in now.layers for part in (state.hidden, state.cells)]
    every = [Cell(f"decoder.{layer}", design.rnn_cell_type, weights) for layer in layers]
    panels = _panels(design, weights, turned=False)
    dropped = np.empty((p, h), np.float32)
    for a, b, n in packing.spans():
        feed = now.feed[:n]
        trace.feeds[a:b] = feed
        panels["decoder.feed"].product(feed, gates[a:b], add=True)
        below = every[0].step(trace.layers[0], a, b, now.layers[0])
        _look(design, panels, given, owners[:n], below, trace, a, b)
        context = trace.both[a:b, h:]
        for layer in layers[1:]:
            read = trace.inputs[layer][a:b]
            read[:, :h] = below
            if design.rnn_attention_in_upper_layers:
                read[:, h:] = context
            own = trace.layers[layer]
            np.matmul(read, weights[f"decoder.{layer}.input"], out=own.gates[a:b])
            own.gates[a:b] += weights[f"decoder.{layer}.bias"]
            above = every[layer].step(own, a, b, now.layers[layer])
            below = above + below if design.is_residual(layer) else above
        trace.both[a:b, :h] = below
        out = panels["decoder.combine"].product(trace.both[a:b], trace.out[a:b])
        kernels.squash_(team(cells.WORK // 4 * out.size), out, const(weights["decoder.combine.bias"]))
        dropped[a:b] = out
        drop(dropped[a:b], a)
        feed[:] = dropped[a:b]
    return dropped, trace, now


def _panels(design: Design, weights: Weights, *, turned: bool) -> dict[str, Panels]:
    """The matrices of each step, or transposed ones, packed once for all of them."""
    names = ["decoder.feed", "decoder.combine", *(["attention.query"] if design.projects else [])]
    return {name: Panels(weights[name].T if turned else weights[name]) for name in names}


def _trace(design: Design, given: Source, x: Array, gates: Array) -> Trace:
    p, h, kind = len(x), design.rnn_num_hidden, design.rnn_cell_type
    layers, inputs = [cells.Trace.of(gates, kind)], [np.empty((0, 0), np.float32)]
    for layer in range(1, design.num_layers_decoder):
        layers.append(cells.Trace.of(np.empty((p, design.gates * h), np.float32), kind))
        inputs.append(np.empty((p, design.upper_inputs(layer)), np.float32))
    return Trace(
        embedded=x,
        first=[],
        feeds=np.empty((p, h), np.float32),
        layers=layers,
        inputs=inputs,
        queries=np.empty((p, given.keys.shape[1]), np.float32),
        weights=np.empty((p, max(1, given.longest)), np.float32),
        both=np.empty((p, h + design.states), np.float32),
        out=np.empty((p, h), np.float32),
    )


def _look(
    design: Design,
    panels: Mapping[str, Panels],
    given: Source,
    owners: Ints,
    state: Array,
    trace: Trace,
    a: int,
    b: int,
) -> None:
    """Attention of a step's rows."""
    queries = trace.queries[a:b]
    if design.projects:
        panels["attention.query"].product(state, queries)
    elif design.rnn_attention_type != "fixed":
        queries[:] = state
    contexts = np.empty((b - a, design.states), np.float32)
    attention.attend(design.rnn_attention_type, given, queries, owners, trace.weights[a:b], contexts)
    trace.both[a:b, design.rnn_num_hidden :] = contexts


def decode_back(
    design: Design,
    weights: Weights,
    given: Source,
    owners: Ints,
    packing: Packing,
    trace: Trace,
    slopes: Array,  # (p, h) gradient by the rows from which words are told
    gradient: Weights,  # sets
    drop: Drop,
) -> tuple[Array, Slopes]:
    """The gradients by the embedded tokens (p, e), and by what is read of the encoder."""
    h, kind, n_layers = design.rnn_num_hidden, design.rnn_cell_type, design.num_layers_decoder
    n = len(packing.lengths)
    every = [Cell(f"decoder.{layer}", kind, weights) for layer in range(n_layers)]
    by, by_states = Slopes.zeros(given, n), [State.zeros(n, h, kind) for _ in range(n_layers)]
    by_feed = np.zeros((n, h), np.float32)
    by_out = np.empty_like(trace.out)
    by_queries = np.zeros_like(trace.queries)
    zero, panels = np.zeros(1, np.int64), _panels(design, weights, turned=True)
    for a, b, size in reversed(packing.spans()):
        own = by_out[a:b]
        np.add(slopes[a:b], by_feed[:size], out=own)
        drop(own, a)
        own *= 1 - trace.out[a:b] * trace.out[a:b]
        by_both = panels["decoder.combine"].product(own)
        by_below, by_context = by_both[:, :h], by_both[:, h:]
        for layer in reversed(range(1, n_layers)):
            gates = every[layer].step_back(trace.layers[layer], a, b, by_below, by_states[layer])
            by_read = gates @ weights[f"decoder.{layer}.input"].T
            by_below = by_read[:, :h] + by_below if design.is_residual(layer) else by_read[:, :h]
            if design.rnn_attention_in_upper_layers:
                by_context = by_context + by_read[:, h:]
        sizes = np.array([size], np.int64)
        own_queries = attention.attend_back(
            design.rnn_attention_type,
            given,
            trace.queries[a:b],
            owners,
            sizes,
            zero,
            trace.weights[a:b],
            np.ascontiguousarray(by_context),
            by,
        )
        by_queries[a:b] = own_queries
        if design.projects:
            by_below = by_below + panels["attention.query"].product(own_queries)
        elif design.rnn_attention_type != "fixed":
            by_below = by_below + own_queries
        gates = every[0].step_back(trace.layers[0], a, b, by_below, by_states[0])
        panels["decoder.feed"].product(gates, by_feed[:size])
    _finish(design, trace, every, by_out, by_queries, gradient)
    _begin_back(design, weights, given, owners, trace, by_states, by, gradient)
    return np.asarray(trace.layers[0].gates @ weights["decoder.0.input"].T), by


def _finish(design: Design, trace: Trace, every: list[Cell], by_out: Array, by_queries: Array, gradient: Any) -> None:
    """Set the gradients by the weights that all steps share."""
    np.matmul(trace.both.T, by_out, out=gradient["decoder.combine"])
    gradient["decoder.combine.bias"][:] = by_out.sum(axis=0)
    np.matmul(trace.feeds.T, trace.layers[0].gates, out=gradient["decoder.feed"])
    np.matmul(trace.embedded.T, trace.layers[0].gates, out=gradient["decoder.0.input"])
    for layer, cell in enumerate(every):
        cell.finish(trace.layers[layer], gradient)
        if layer:
            np.matmul(trace.inputs[layer].T, trace.layers[layer].gates, out=gradient[f"decoder.{layer}.input"])
    if design.projects:
        np.matmul(trace.layers[0].hidden.T, by_queries, out=gradient["attention.query"])


def _begin_back(
    design: Design,
    weights: Weights,
    given: Source,
    owners: Ints,
    trace: Trace,
    by_states: list[State],
    by: Slopes,
    gradient: Weights,
) -> None:
    """Set the gradients by the weights of the start, and add those by the encoder's states."""
    how = design.rnn_decoder_state_init
    if how == "zero":
        return
    by_summary = np.zeros_like(trace.summary)
    for layer, state in enumerate(by_states):
        parts = {"hidden": state.hidden, "cells": state.cells}
        for place, (part, slopes) in enumerate(parts.items()):
            if not slopes.size:
                continue
            name, value = f"decoder.{layer}.initial.{part}", trace.first[2 * layer + place]
            own = slopes * (1 - value * value)
            np.matmul(trace.summary.T, own, out=gradient[name])
            gradient[f"{name}.bias"][:] = own.sum(axis=0)
            by_summary += own @ weights[name].T
    if how == "last":
        np.add.at(by.states, given.begins[owners + 1] - 1, by_summary)
        return
    each = np.zeros((len(given.lengths), by_summary.shape[1]), np.float32)
    each[owners] = by_summary
    lengths = given.lengths
    by.states += np.repeat(each / np.maximum(lengths, 1)[:, None].astype(np.float32), lengths, axis=0)
