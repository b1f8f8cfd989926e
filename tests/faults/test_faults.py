"""Two runs of every kind of fault; `make soak KIND=…` does as many as one likes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults import disk, memory
from tests.faults.kinds import KINDS, Faults


@pytest.fixture(scope="module", params=KINDS)
def faults(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faults]:
    base = tmp_path_factory.mktemp(request.param)
    if request.param == "disk" and not disk.mountable(base / "probe"):
        pytest.skip("a small disk can be mounted by root only")
    if request.param == "memory" and not memory.limited():
        pytest.skip("memory can be limited only where a cgroup can be made")
    yield Faults(request.param, base)


@pytest.mark.parametrize("number", [0, 1])
def test_nothing_is_lost(faults: Faults, number: int) -> None:
    assert not faults.run(number)["lost"]
