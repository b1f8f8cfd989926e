"""Writes a network as an ONNX file, which other programs compute with. Needs the package `onnx`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

OPSET, VERSION = 17, 8  # operators as of ONNX 1.12, which every runtime of the last years reads


@dataclass
class Graph:
    """Operators in the order in which they are computed. A dimension that is a word is known when it is run."""

    name: str
    inputs: dict[str, Sequence[int | str]]
    outputs: dict[str, Sequence[int | str]]
    facts: Mapping[str, str] = field(default_factory=dict)  # what else a reader should know
    whole: Collection[str] = ()  # inputs that are whole numbers, int64; all others are float32
    _nodes: list[Any] = field(default_factory=list)
    _arrays: list[Any] = field(default_factory=list)

    def add(self, operator: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        """An operator on values by their names; the name of its result."""
        from onnx import helper

        number = len(self._nodes) + 1
        out = out or f"{operator.lower()}_{number}"
        self._nodes.append(helper.make_node(operator, inputs, [out], f"node_{number}", **attributes))
        return out

    def array(self, name: str, values: NDArray[np.float32]) -> str:
        """Numbers that do not change; their name."""
        return self._constant(name, np.ascontiguousarray(values, "<f4"))

    def integers(self, name: str, *values: int) -> str:
        """Whole numbers that do not change, as a list; their name."""
        return self._constant(name, np.array(values, "<i8"))

    def _constant(self, name: str, values: NDArray[Any]) -> str:
        from onnx import numpy_helper

        self._arrays.append(numpy_helper.from_array(values, name))
        return name

    def file(self) -> bytes:
        """The whole file, checked against the standard. At most 2 GB, which is protobuf's limit."""
        import onnx
        from onnx import helper

        inputs = _values(self.inputs, self.whole)
        graph = helper.make_graph(self._nodes, self.name, inputs, _values(self.outputs), self._arrays)
        operators = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=operators, ir_version=VERSION, producer_name="algoport")
        helper.set_model_props(model, dict(self.facts))
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())


def _values(shapes: Mapping[str, Sequence[int | str]], whole: Collection[str] = ()) -> list[Any]:
    from onnx import TensorProto, helper

    kinds = {True: TensorProto.INT64, False: TensorProto.FLOAT}
    return [helper.make_tensor_value_info(name, kinds[name in whole], list(shape)) for name, shape in shapes.items()]
