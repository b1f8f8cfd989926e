"""Builds the images of algorithms with Docker, those of this repository and those that lie elsewhere."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from algoport import algorithms
from algoport.algorithms.contract.errors import PlatformError, UserError

ROOT = Path(__file__).resolve().parents[2]
RECIPE = ROOT / "containers" / "image" / "Dockerfile"
STOCK = "python:3.11-slim-bookworm"
BASE = "algoport/base"


@dataclass(frozen=True, kw_only=True)
class Bases:
    """What images are built on and with."""

    flavor: str = "cpu"
    builder: str = STOCK  # installs the packages
    runtime: str = STOCK  # everything is put on it

    @property
    def arguments(self) -> list[str]:
        """The values that the recipe gets."""
        return [f"BUILDER={self.builder}", f"RUNTIME={self.runtime}", f"FLAVOR={self.flavor}"]


def build(names: Iterable[str], bases: Bases) -> Iterator[str]:
    """Build the image of each algorithm in turn; what each is called. Docker's own lines go where this process's go."""
    if bases.flavor not in ("cpu", "gpu"):
        raise UserError(f"--flavor: must be cpu or gpu; it is {bases.flavor!r}.")
    if shutil.which("docker") is None:
        raise UserError("Building an image needs Docker, and there is no program 'docker' on this machine.")
    if not (ROOT / "pyproject.toml").is_file():
        raise UserError("Images are built from a checkout of the repository: run `algoport build` of its environment.")
    folders = {folder.name.replace("_", "-"): folder for folder in algorithms.folders()}
    for name in names:
        folder = folders[name]
        if folder.parent == Path(algorithms.__file__).parent:
            yield _docker(RECIPE, ROOT, f"algoport/{name}", bases.flavor, [*bases.arguments, f"ALGORITHM={name}"])
        else:
            yield _docker(RECIPE, ROOT, BASE, bases.flavor, bases.arguments, "--target", "base")
            own = [f"BASE={BASE}:{bases.flavor}"]
            yield _docker(folder / "Dockerfile", folder, f"algoport/{name}", bases.flavor, own)


def _docker(recipe: Path, context: Path, image: str, flavor: str, values: list[str], *more: str) -> str:
    """Build one image. With the host's network, as a builder may be configured for it."""
    if not recipe.is_file():
        raise UserError(f"{recipe}: is missing. `algoport new` makes one beside an algorithm.")
    arguments = [part for value in values for part in ("--build-arg", value)]
    tags = ["-t", f"{image}:{flavor}", *(["-t", f"{image}:latest"] if flavor == "cpu" else [])]
    command = ["docker", "build", "--network=host", "-f", str(recipe), *arguments, *tags, *more, str(context)]
    code = subprocess.run(command, check=False).returncode  # noqa: S603  (a list, no shell)
    if code:
        raise PlatformError(f"{image}:{flavor}: the build ended with code {code}; Docker's own lines say why.")
    return f"{image}:{flavor}"
