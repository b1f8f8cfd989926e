"""Kernels compiled into a folder, as an image is built: nothing is compiled after, on any level of processors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from algoport.algorithms.shared import compiled
from algoport.containers.cli.make import copy_template
from tests.containers.conftest import ROOT

NAME = "my-algorithm"
COUNT = """
from algoport.algorithms.shared import compiled
compiled.prepare()
from algoport.training.examples import run_example
run_example("my-algorithm")
print(compiled.compilations())
"""


def python(tmp_path: Path, *words: str, **more: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "ALGOPORT_"))}
    ours = {"ALGORITHM_PATH": str(tmp_path), "PYTHONPATH": str(ROOT), compiled.KERNELS: str(tmp_path / "kernels")}
    done = subprocess.run(
        [sys.executable, "-P", *words], env=environment | ours | more, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_was_compiled_into_a_folder_is_not_compiled_again(tmp_path: Path) -> None:
    copy_template(tmp_path / "my_algorithm", NAME)

    said = python(tmp_path, "-m", "algoport.containers.image.kernels", NAME)

    levels = compiled.levels_here() or ["generic"]
    assert {path.name for path in (tmp_path / "kernels").iterdir()} == set(levels)
    assert len(said.splitlines()) == len(levels) and " 0 kernels compiled" not in said, said
    for level in levels:
        assert python(tmp_path, "-c", COUNT, **{compiled.PROCESSOR: level}) == "0\n"
