"""To read one job: how many functions lie between `train` and the inner loops of k-means."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.example import Example
from tests.conformance.folder import ml_folder

MOST_FUNCTIONS, MOST_FILES = 6, 4
# `train`, in which every inner loop says who called it: file:function, from the outermost to itself.
NOTED = """
import sys, traceback
from algoport.algorithms.kmeans import kernels
from algoport.training.__main__ import main

def noted(name, loop):
    def say(*given):
        frames = [f"{frame.filename}:{frame.name}" for frame in traceback.extract_stack()[:-1]]
        print("CALLS", *frames, f"{kernels.__file__}:{name}", flush=True)
        return loop(*given)
    return say

for name in ("finite", "plus_plus", "accumulate", "streaming_update"):
    setattr(kernels, name, noted(name, getattr(kernels, name)))
sys.exit(main())
"""


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[Path, str]]]:
    """By inner loop, in the order of their first calls: the functions from `main` to it."""
    folder = ml_folder(tmp_path_factory.mktemp("ml"), Example("kmeans"))
    run = subprocess.run(
        [sys.executable, "-c", NOTED],
        env=folder.environment(),
        cwd=folder.path,
        text=True,
        capture_output=True,
        check=False,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    chains: dict[str, list[tuple[Path, str]]] = {}
    for line in run.stdout.splitlines():
        if line.startswith("CALLS "):
            frames = [(Path(file), name) for file, _, name in (word.rpartition(":") for word in line.split()[1:])]
            start = next(i for i, (file, name) in enumerate(frames) if (file.name, name) == ("__main__.py", "main"))
            chains.setdefault(frames[-1][1], frames[start:])
    return chains


@pytest.mark.parametrize("loop", ["the first", "finite", "accumulate", "streaming_update"])
def test_from_train_to_an_inner_loop_are_few_functions_in_few_files(
    calls: dict[str, list[tuple[Path, str]]], loop: str
) -> None:
    chain = calls[next(iter(calls)) if loop == "the first" else loop]

    assert len(chain) - 1 <= MOST_FUNCTIONS, chain
    assert len({file for file, _ in chain}) <= MOST_FILES, chain


def test_the_chain_is_the_one_that_the_module_tells(calls: dict[str, list[tuple[Path, str]]]) -> None:
    from algoport.algorithms.kmeans import train

    text = train.__doc__ or ""

    assert [name for _, name in calls["accumulate"]] == [
        "main",
        "_be_child",
        "main",
        "run",
        "fit",
        "_move",
        "accumulate",
    ]
    for file, name in calls["accumulate"]:
        assert f"`{name}`" in text and (file.name in text or file.name == "train.py"), (file, name)
