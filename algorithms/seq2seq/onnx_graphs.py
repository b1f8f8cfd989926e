"""The network as two ONNX files: the encoder with the decoder's start, and one step of the decoder.

n sentences   t source tokens   s numbers of a state   v target words

`encoder.onnx` reads `source` (n, t) and `lengths` (n,), int64, and gives `states` (n, t, s) and the state before the
first step. `decoder_step.onnx` reads these, `lengths`, the state and `token` (n,) int64, and gives `log_probabilities`
(n, v), `attention` (n, t), and as `next.…` the state behind the step. What is searched with them is the reader's part.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.seq2seq.design import Design
from algoport.algorithms.shared.onnx import Graph

Array = NDArray[np.float32]
Weights = Mapping[str, Array]
Shapes = dict[str, list[int | str]]
MOST = 1_900_000_000  # bytes of weights: a file of ONNX holds 2 GB
INT32, FLOAT = 6, 1  # onnx.TensorProto's
_LSTM, _GRU = (0, 3, 1, 2), (1, 0, 2)  # where ONNX's gates stand in ours


def encode(design: Design, weights: Weights) -> dict[str, bytes]:
    """Both files by name; none where the weights are more than one holds."""
    if sum(own.nbytes for own in weights.values()) > MOST:
        return {}
    return {"encoder.onnx": _encoder(design, weights), "decoder_step.onnx": _step(design, weights)}


def _state(design: Design) -> Shapes:
    """What the decoder has between two steps, by name."""
    if design.decoder_type == "cnn":
        reach: list[int | str] = ["n", design.cnn_kernel_width_decoder - 1, design.cnn_num_hidden]
        return {f"reach.{layer}": list(reach) for layer in range(design.num_layers_decoder)}
    parts = ("hidden", "cells")[: 2 if design.rnn_cell_type == "lstm" else 1]
    h: list[int | str] = ["n", design.rnn_num_hidden]
    names = [f"{part}.{layer}" for layer in range(design.num_layers_decoder) for part in parts]
    return {"feed": list(h), **{name: list(h) for name in names}}


def _encoder(design: Design, weights: Weights) -> bytes:
    outputs: Shapes = {"states": ["n", "t", design.states], **_state(design)}
    graph = _Network(
        "encoder", {"source": ["n", "t"], "lengths": ["n"]}, outputs, whole=("source", "lengths"), weights=weights
    )
    embedded = graph.add("Gather", graph.own("source.embedding"), "source")
    graph.mask_of(embedded)
    run = _recurrent if design.encoder_type == "rnn" else _convolutional
    graph.add("Identity", run(graph, design, embedded), out="states")
    _begin(graph, design)
    return graph.file()


class _Network(Graph):
    """A graph that knows the weights by name, and which places of its sentences hold tokens."""

    def __init__(self, name: str, inputs: Shapes, outputs: Shapes, *, whole: tuple[str, ...], weights: Weights) -> None:
        super().__init__(name, dict(inputs), dict(outputs), whole=whole)
        self._weights, self._there = weights, set[str]()
        self.mask = self.places = ""

    def own(self, name: str) -> str:
        """An array of weights."""
        if name not in self._there:
            self._there.add(name)
            self.array(name, self._weights[name])
        return name

    def values(self, name: str) -> Array:
        """Its numbers."""
        return self._weights[name]

    def has(self, name: str) -> bool:
        """Whether there is one."""
        return name in self._weights

    def numbers(self, *values: int) -> str:
        """A list of whole numbers."""
        name = "_".join(["numbers", *(str(value).replace("-", "minus") for value in values)])
        if name not in self._there:
            self._there.add(name)
            self.integers(name, *values)
        return name

    def linear(self, x: str, name: str, bias: str = "") -> str:
        """x @ weights + bias."""
        product = self.add("MatMul", x, self.own(name))
        return self.add("Add", product, self.own(bias)) if bias else product

    def mask_of(self, states: str) -> None:
        """Sets which places (n, t) of sentences hold tokens, 1 or 0, from states (n, t, ·)."""
        shape = self.add("Shape", states, start=1, end=2)
        count = self.add("Squeeze", shape, self.numbers(0))
        zero, one = (
            self.add("Squeeze", self.numbers(0), self.numbers(0)),
            self.add("Squeeze", self.numbers(1), self.numbers(0)),
        )
        self.places = self.add("Range", zero, count, one)
        lengths = self.add("Unsqueeze", "lengths", self.numbers(1))
        self.mask = self.add("Cast", self.add("Less", self.places, lengths), to=FLOAT)

    def last(self) -> str:
        """(n, t) 1 at the last token of each sentence."""
        lengths = self.add("Unsqueeze", "lengths", self.numbers(1))
        return self.add("Cast", self.add("Equal", self.places, self.add("Sub", lengths, self.numbers(1))), to=FLOAT)

    def weighed(self, weights: str, states: str) -> str:
        """(n, s) sums of states by weights (n, t)."""
        row = self.add("Unsqueeze", weights, self.numbers(1))
        return self.add("Squeeze", self.add("MatMul", row, states), self.numbers(1))


def _recurrent(graph: _Network, design: Design, x: str) -> str:
    """States (n, t, s) of embedded tokens."""
    kind, order = ("LSTM", _LSTM) if design.rnn_cell_type == "lstm" else ("GRU", _GRU)
    lengths = graph.add("Cast", "lengths", to=INT32)
    states = graph.add("Transpose", x, perm=[1, 0, 2])
    for layer in range(design.num_layers_encoder):
        names = ["encoder.0.forward", "encoder.0.backward"] if layer == 0 else [f"encoder.{layer}"]
        w, r = (
            np.stack([_gates(graph.values(f"{name}.{part}").T, order) for name in names]) for part in ("input", "state")
        )
        bias = [_gates(graph.values(f"{name}.bias"), order) for name in names]
        zero = np.zeros_like(bias[0])
        second = [
            _gates(graph.values(f"{name}.state.bias"), order) if graph.has(f"{name}.state.bias") else zero
            for name in names
        ]
        b = np.stack([np.concatenate(each) for each in zip(bias, second, strict=True)])
        arrays = [graph.array(f"encoder.{layer}.{part}", own) for part, own in (("w", w), ("r", r), ("b", b))]
        more: dict[str, Any] = {} if kind == "LSTM" else {"linear_before_reset": 1}
        out = graph.add(
            kind,
            states,
            *arrays,
            lengths,
            hidden_size=w.shape[1] // design.gates,
            direction="bidirectional" if layer == 0 else "forward",
            **more,
        )
        both = graph.add("Transpose", out, perm=[0, 2, 1, 3])  # (t, n, directions, h)
        above = graph.add("Reshape", both, graph.numbers(0, 0, -1))
        states = graph.add("Add", above, states) if design.is_residual(layer) else above
    return graph.add("Transpose", states, perm=[1, 0, 2])


def _gates(weights: Array, order: tuple[int, ...]) -> Array:
    """Rows of gates in ONNX's order."""
    parts = np.split(weights, len(order))
    return np.concatenate([parts[gate] for gate in order])


def _convolutional(graph: _Network, design: Design, x: str) -> str:
    inside, width = graph.add("Unsqueeze", graph.mask, graph.numbers(2)), design.cnn_kernel_width_encoder
    x = graph.add("Add", x, graph.add("Gather", graph.own("encoder.position"), graph.places))
    states = graph.add("Mul", graph.linear(x, "encoder.project"), inside)
    before = (width - 1) // 2
    for layer in range(design.num_layers_encoder):
        name = f"encoder.{layer}.filter"
        filters = graph.values(name).reshape(width, design.cnn_num_hidden, -1).transpose(2, 1, 0)
        turned = graph.add("Transpose", states, perm=[0, 2, 1])
        raw = graph.add(
            "Conv",
            turned,
            graph.array(f"{name}.turned", filters),
            graph.own(f"{name}.bias"),
            kernel_shape=[width],
            pads=[before, width - 1 - before],
        )
        out = _activated(graph, design, graph.add("Transpose", raw, perm=[0, 2, 1]))
        states = graph.add("Mul", graph.add("Add", states, out), inside)
    return states


def _activated(graph: _Network, design: Design, raw: str) -> str:
    kind = design.cnn_activation_type
    if kind != "glu":
        return graph.add({"relu": "Relu", "softrelu": "Softplus", "sigmoid": "Sigmoid", "tanh": "Tanh"}[kind], raw)
    c = design.cnn_num_hidden
    value, gate = (
        graph.add("Slice", raw, graph.numbers(first), graph.numbers(first + c), graph.numbers(-1)) for first in (0, c)
    )
    return graph.add("Mul", value, graph.add("Sigmoid", gate))


def _begin(graph: _Network, design: Design) -> None:
    """The state before the first step."""
    lengths = graph.add("Unsqueeze", graph.add("Cast", "lengths", to=FLOAT), graph.numbers(1))
    if design.rnn_decoder_state_init == "avg":
        summary = graph.add("Div", graph.weighed(graph.mask, "states"), lengths)
    else:
        summary = graph.weighed(graph.last(), "states")
    one = graph.add("Mul", lengths, graph.array("zero", np.zeros((1, 1), np.float32)))  # (n, 1) zeros
    for name, shape in _state(design).items():
        part, _, layer = name.partition(".")
        weights = f"decoder.{layer}.initial.{part}"
        if graph.has(weights):
            graph.add("Tanh", graph.linear(summary, weights, f"{weights}.bias"), out=name)
            continue
        sizes = [int(size) for size in shape[1:]]
        wide = graph.add("Expand", one, graph.numbers(1, int(np.prod(sizes))))
        graph.add("Reshape", wide, graph.numbers(-1, *sizes), out=name)


def _step(design: Design, weights: Weights) -> bytes:
    state, s = _state(design), design.states
    inputs: Shapes = {"token": ["n"], "states": ["n", "t", s], "lengths": ["n"], **state}
    whole: tuple[str, ...] = ("token", "lengths")
    if design.decoder_type == "cnn":
        inputs["step"], whole = [], (*whole, "step")
    outputs: Shapes = {"log_probabilities": ["n", design.target_words], "attention": ["n", "t"]}
    outputs |= {f"next.{name}": shape for name, shape in state.items()}
    graph = _Network("decoder_step", inputs, outputs, whole=whole, weights=weights)
    x = graph.add("Gather", graph.own("target.embedding"), "token")
    graph.mask_of("states")
    rows = (_recurrent_step if design.decoder_type == "rnn" else _convolutional_step)(graph, design, x)
    turned = graph.array("output.turned", np.ascontiguousarray(weights["output"].T))
    logits = graph.add("Add", graph.add("MatMul", rows, turned), graph.own("output.bias"))
    graph.add("LogSoftmax", logits, out="log_probabilities", axis=-1)
    return graph.file()


def _weights_of(graph: _Network, scores: str) -> str:
    """The softmax (n, t) over the places that hold tokens."""
    outside = graph.add(
        "Mul", graph.add("Sub", graph.mask, _one(graph)), graph.array(f"far_{scores}", np.full(1, 1e30, np.float32))
    )
    return graph.add("Softmax", graph.add("Add", scores, outside), axis=-1)


def _one(graph: _Network) -> str:
    if "one" not in graph._there:
        graph._there.add("one")
        graph.array("one", np.ones(1, np.float32))
    return "one"


def _scores(graph: _Network, keys: str, query: str) -> str:
    """(n, t) products of each key with its sentence's query."""
    column = graph.add("Unsqueeze", query, graph.numbers(2))
    return graph.add("Squeeze", graph.add("MatMul", keys, column), graph.numbers(2))


def _recurrent_step(graph: _Network, design: Design, x: str) -> str:
    fed = graph.add("Add", graph.linear(x, "decoder.0.input", "decoder.0.bias"), graph.linear("feed", "decoder.feed"))
    below = _cell(graph, design, 0, fed)
    kind = design.rnn_attention_type
    if kind == "fixed":
        weights = graph.last()
    else:
        keys = graph.linear("states", "attention.key") if graph.has("attention.key") else "states"
        query = graph.linear(below, "attention.query") if design.projects else below
        if kind == "mlp":
            both = graph.add("Tanh", graph.add("Add", keys, graph.add("Unsqueeze", query, graph.numbers(1))))
            scores = graph.add("MatMul", both, graph.own("attention.score"))
        else:
            scores = _scores(graph, keys, query)
        weights = _weights_of(graph, scores)
    graph.add("Identity", weights, out="attention")
    context = graph.weighed("attention", "states")
    for layer in range(1, design.num_layers_decoder):
        read = graph.add("Concat", below, context, axis=1) if design.rnn_attention_in_upper_layers else below
        above = _cell(graph, design, layer, graph.linear(read, f"decoder.{layer}.input", f"decoder.{layer}.bias"))
        below = graph.add("Add", above, below) if design.is_residual(layer) else above
    both = graph.add("Concat", below, context, axis=1)
    graph.add("Tanh", graph.linear(both, "decoder.combine", "decoder.combine.bias"), out="next.feed")
    return "next.feed"


def _cell(graph: _Network, design: Design, layer: int, gates: str) -> str:
    """The hidden state behind a step."""
    h, name, hidden = design.rnn_num_hidden, f"decoder.{layer}", f"hidden.{layer}"
    products = graph.linear(hidden, f"{name}.state")
    out = f"next.hidden.{layer}"

    def part(whole: str, gate: int) -> str:
        return graph.add("Slice", whole, graph.numbers(gate * h), graph.numbers(gate * h + h), graph.numbers(-1))

    if design.rnn_cell_type == "lstm":
        whole = graph.add("Add", gates, products)
        i, f, o = (graph.add("Sigmoid", part(whole, gate)) for gate in (0, 1, 3))
        new = graph.add("Mul", i, graph.add("Tanh", part(whole, 2)))
        cells = graph.add("Add", graph.add("Mul", f, f"cells.{layer}"), new, out=f"next.cells.{layer}")
        return graph.add("Mul", o, graph.add("Tanh", cells), out=out)
    products = graph.add("Add", products, graph.own(f"{name}.state.bias"))
    reset, update = (graph.add("Sigmoid", graph.add("Add", part(gates, gate), part(products, gate))) for gate in (0, 1))
    new = graph.add("Tanh", graph.add("Add", part(gates, 2), graph.add("Mul", reset, part(products, 2))))
    return graph.add("Add", new, graph.add("Mul", update, graph.add("Sub", hidden, new)), out=out)


def _convolutional_step(graph: _Network, design: Design, x: str) -> str:
    x = graph.add("Add", x, graph.add("Gather", graph.own("decoder.position"), "step"))
    rows, looks = graph.linear(x, "decoder.project"), []
    for layer in range(design.num_layers_decoder):
        name = f"decoder.{layer}.filter"
        own = graph.add("Unsqueeze", rows, graph.numbers(1))
        reach = graph.add("Concat", f"reach.{layer}", own, axis=1) if design.cnn_kernel_width_decoder > 1 else own
        end = graph.numbers(design.cnn_kernel_width_decoder)
        graph.add("Slice", reach, graph.numbers(1), end, graph.numbers(1), out=f"next.reach.{layer}")
        flat = graph.add("Reshape", reach, graph.numbers(0, -1))
        out = _activated(graph, design, graph.linear(flat, name, f"{name}.bias"))
        query = graph.linear(out, f"decoder.{layer}.query")
        weights = _weights_of(graph, _scores(graph, "states", query))
        looks.append(weights)
        context = graph.linear(graph.weighed(weights, "states"), f"decoder.{layer}.context")
        rows = graph.add("Add", graph.add("Add", rows, out), context)
    graph.add("Mean", *looks, out="attention")
    return rows
