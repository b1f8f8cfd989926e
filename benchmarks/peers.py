"""Peers that need a hand before they can be imported."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def torchvision() -> Any:
    """torchvision; beside a build of torch without its custom operators, these are declared first. GluonTS imports it
    by way of lightning."""
    import torch

    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float threshold) -> Tensor")
    import torchvision

    return torchvision
