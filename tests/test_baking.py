"""Kernels of an example are compiled once for each state of their sources, and found by the tests that follow."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from algoport.algorithms.shared import compiled
from tests import baking


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The algorithms whose examples were run, of which each leaves a kernel of its own and one that all share."""
    names: list[str] = []

    def run(name: str, folder: Path) -> None:
        names.append(name)
        for place, code in ((f"algorithms-{name}", "own"), ("algorithms-shared", "shared")):
            path = folder / baking.level() / place
            path.mkdir(parents=True)
            (path / f"{code}-1.py311.nbi").write_text(f"index of {name}")
            (path / f"{code}-1.py311.1.nbc").write_text(f"code of {name}")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(compiled.KERNELS, raising=False)
    monkeypatch.setattr(compiled, "folder", lambda: tmp_path / "kernels")
    monkeypatch.setattr(baking, "_compile", run)
    monkeypatch.setattr(baking, "_warm_up", lambda names: None)
    return names


def test_an_example_is_compiled_once_and_again_when_its_sources_change(
    jobs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = baking.baked("kmeans"), baking.baked("kmeans")
    monkeypatch.setattr(baking, "state", lambda name: "edited")
    third = baking.baked("kmeans")

    assert first == second != third
    assert jobs == ["kmeans", "kmeans"]


def test_a_state_is_of_the_algorithm_s_own_sources_and_of_what_it_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    own = baking.state("kmeans")

    assert own == baking.state("kmeans") != baking.state("pca")
    monkeypatch.setattr(compiled, "version", lambda: "another kernel")
    assert baking.state("kmeans") != own


def test_only_the_latest_states_stay(jobs: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(baking.LEFT + 2):
        monkeypatch.setattr(baking, "state", lambda name, number=number: f"state {number}")
        folder = baking.baked("kmeans")
        os.utime(folder, (number, number))

    assert folder.is_dir()
    assert len([path for path in folder.parent.iterdir() if path.is_dir()]) == baking.LEFT


def test_the_tests_find_the_kernels_of_all_examples(jobs: list[str], tmp_path: Path) -> None:
    """With the index goes the code that it names, also where two algorithms have compiled the same function."""
    assert baking.bake(["kmeans", "pca"]) == 2
    assert baking.bake(["kmeans", "pca"]) == 0

    place = tmp_path / "kernels"
    texts = {str(path.relative_to(place)): path.read_text() for path in place.rglob("*.nb?")}
    assert {name: texts[name].rpartition(" ")[2] for name in texts if "shared" not in name} == {
        f"algorithms-{name}/own-1.py311.{end}": name for name in ("kmeans", "pca") for end in ("nbi", "1.nbc")
    }
    (index,) = (text for name, text in texts.items() if name == "algorithms-shared/shared-1.py311.nbi")
    assert texts["algorithms-shared/shared-1.py311.1.nbc"] == index.replace("index", "code")


def test_what_the_cache_has_is_left_as_it_is(jobs: list[str], tmp_path: Path) -> None:
    place = tmp_path / "kernels" / "algorithms-kmeans"
    place.mkdir(parents=True)
    (place / "own-1.py311.nbi").write_text("an index of more signatures")

    baking.bake(["kmeans"])

    assert (place / "own-1.py311.nbi").read_text() == "an index of more signatures"
    assert not (place / "own-1.py311.1.nbc").exists()


def test_an_algorithm_elsewhere_is_compiled_for_each_folder_that_it_lies_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its compiled kernels are named after the folder; those of a copy elsewhere would not be read."""
    states = []
    for place in ("one", "two"):
        own = tmp_path / place / "own"
        own.mkdir(parents=True)
        (own / "__init__.py").write_text("")
        monkeypatch.setattr(
            baking.algorithms, "part", lambda name, part, own=own: SimpleNamespace(__file__=own / "__init__.py")
        )
        states.append(baking.state("own"))

    assert states[0] != states[1]
