"""Jobs of scripts: `algoport run` and the launcher, in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
ENVIRONMENT.pop("VIRTUAL_ENV", None)
Said = subprocess.CompletedProcess[str]


@pytest.fixture
def algoport(tmp_path: Path) -> Callable[..., Said]:
    def run(*words: object, **environment: str) -> Said:
        return subprocess.run(
            [sys.executable, "-m", "algoport.containers.cli", *map(str, words)],
            cwd=tmp_path, env=ENVIRONMENT | environment, text=True, capture_output=True, timeout=300, check=False,
        )  # fmt: skip

    return run


class Place:
    """An ml folder as a platform mounts it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.code = path / "code"
        (path / "input/config").mkdir(parents=True)

    def program(self, text: str, name: str = "train.py") -> None:
        self.code.mkdir(exist_ok=True)
        (self.code / name).write_text(text)

    def configure(self, name: str, value: Mapping[str, Any]) -> None:
        (self.path / f"input/config/{name}.json").write_text(json.dumps(value))

    def start(self, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "algoport.containers.scripts", "train"],
            env=ENVIRONMENT | {"SAGEMAKER_BASE_DIR": str(self.path)} | environment,
            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, **environment: str) -> Said:
        process = self.start(**environment)
        said, _ = process.communicate(timeout=300)
        return subprocess.CompletedProcess([], process.returncode, said)

    @property
    def failure(self) -> str:
        return (self.path / "output/failure").read_text()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "ml")


def wheel(folder: Path, name: str, version: str, body: str, needs: str = "numpy") -> None:
    """A package of one module, as an index has it."""
    import zipfile

    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as packed:
        packed.writestr(f"{name}.py", body)
        packed.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Dist: {needs}\n"
        )
        packed.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        packed.writestr(f"{info}/RECORD", "")
