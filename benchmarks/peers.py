"""Peers that need a hand before they can be imported."""

from __future__ import annotations

import importlib.util
from functools import cache
from typing import Any

from benchmarks import data


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


@cache
def robust_trees() -> Any:
    """The module of rrcf's trees; the package itself asks for pkg_resources, which setuptools has given up."""
    spec = importlib.util.spec_from_file_location("rrcf_trees", data.package("rrcf") / "rrcf.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
