"""A run of every kind of fault; `make soak KIND=…` does as many as one likes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import disk, memory
from tests.faults.kinds import AROUND, KINDS, References, run


@pytest.fixture(scope="module")
def references(tmp_path_factory: pytest.TempPathFactory) -> References:
    return References(tmp_path_factory.mktemp("references"))


@pytest.mark.parametrize("kind", [*KINDS, *AROUND])
def test_a_fault_costs_nothing(kind: str, references: References, tmp_path: Path) -> None:
    if kind == "disk" and not disk.mountable(tmp_path / "probe"):
        pytest.skip("a small disk can be mounted by root only")
    if kind == "memory" and not memory.limited():
        pytest.skip("memory can be limited only where a cgroup can be made")

    assert not run(kind, 0, references, tmp_path)["failures"]
