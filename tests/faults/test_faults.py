"""Two runs of every kind of fault; `make soak KIND=…` does as many as one likes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import disk, memory
from tests.faults.kinds import KINDS, Wholes, run


@pytest.fixture(scope="module")
def wholes(tmp_path_factory: pytest.TempPathFactory) -> Wholes:
    return Wholes(tmp_path_factory.mktemp("wholes"))


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_lost(kind: str, number: int, wholes: Wholes, tmp_path: Path) -> None:
    if kind == "disk" and not disk.mountable(tmp_path / "probe"):
        pytest.skip("a small disk can be mounted by root only")
    if kind == "memory" and not memory.limited():
        pytest.skip("memory can be limited only where a cgroup can be made")

    assert not run(kind, number, wholes, tmp_path)["lost"]
