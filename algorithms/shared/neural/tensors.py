"""Tensors as arrays by name, for checkpoints and artifacts; bit for bit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Arrays = dict[str, NDArray[Any]]


def arrays(tensors: Iterable[tuple[str, Tensor]]) -> Arrays:
    """Copies of tensors, such as `module.state_dict().items()`, of any device and memory order."""
    return {name: np.array(tensor.detach().cpu().contiguous().numpy(), order="C") for name, tensor in tensors}


def fill(tensors: Iterable[tuple[str, Tensor]], values: Mapping[str, NDArray[Any]]) -> None:
    """Set tensors in place. KeyError and RuntimeError where a name is missing or a shape is another."""
    with torch.no_grad():
        for name, tensor in tensors:
            tensor.copy_(torch.from_numpy(np.array(values[name])))


def with_prefix(prefix: str, values: Mapping[str, NDArray[Any]]) -> Arrays:
    """The same arrays, their names behind a prefix."""
    return {prefix + name: array for name, array in values.items()}


def section(prefix: str, values: Mapping[str, NDArray[Any]]) -> Arrays:
    """Those arrays whose names have the prefix, by the rest of their names."""
    return {name.removeprefix(prefix): array for name, array in values.items() if name.startswith(prefix)}
