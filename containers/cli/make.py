"""Making things: `algoport build` (images) and `algoport new` (an algorithm of one's own)."""

from __future__ import annotations

import keyword
import re
import shutil
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from algoport import algorithms
from algoport.algorithms.contract.errors import PlatformError, UserError
from algoport.containers.cli.look import known

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = Path(__file__).parents[1] / "template"
STOCK = "python:3.11-slim-bookworm"
BASE = "algoport/base"

Names = Annotated[list[str], typer.Argument(help="Algorithms, as `algoport list` names them.", show_default=False)]
Flavor = Annotated[str, typer.Option(help="cpu or gpu.")]
Builder = Annotated[str, typer.Option(help="The image that installs the packages.")]
Runtime = Annotated[str, typer.Option(help="The image that everything is put on.")]


def build(names: Names, flavor: Flavor = "cpu", builder: Builder = STOCK, runtime: Runtime = STOCK) -> None:
    """Build the images of algorithms.

    Also of those that lie in a folder of ALGORITHM_PATH.
    """
    if flavor not in ("cpu", "gpu"):
        raise UserError(f"--flavor: must be cpu or gpu; it is {flavor!r}.")
    if shutil.which("docker") is None:
        raise UserError("Building an image needs Docker, and there is no program 'docker' on this machine.")
    folders = {folder.name.replace("_", "-"): folder for folder in algorithms.folders()}
    bases = [f"BUILDER={builder}", f"RUNTIME={runtime}", f"FLAVOR={flavor}"]
    for name in map(known, names):
        folder = folders[name]
        if folder.parent == Path(algorithms.__file__).parent:
            _docker_build(_recipe(), ROOT, f"algoport/{name}", flavor, [*bases, f"ALGORITHM={name}"])
        else:
            _docker_build(_recipe(), ROOT, BASE, flavor, bases, "--target", "base")
            _docker_build(folder / "Dockerfile", folder, f"algoport/{name}", flavor, [f"BASE={BASE}:{flavor}"])


def _recipe() -> Path:
    recipe = ROOT / "containers" / "image" / "Dockerfile"
    if not (ROOT / "pyproject.toml").is_file():
        raise UserError("Images are built from a checkout of the repository: run `algoport build` of its environment.")
    return recipe


def _docker_build(recipe: Path, context: Path, image: str, flavor: str, values: list[str], *more: str) -> None:
    """Build one image. With the host's network, as a builder may be configured for it."""
    if not recipe.is_file():
        raise UserError(f"{recipe}: is missing. `algoport new` makes one beside an algorithm.")
    arguments = [part for value in values for part in ("--build-arg", value)]
    tags = ["-t", f"{image}:{flavor}", *(["-t", f"{image}:latest"] if flavor == "cpu" else [])]
    command = ["docker", "build", "--network=host", "-f", str(recipe), *arguments, *tags, *more, str(context)]
    code = subprocess.run(command, check=False).returncode  # noqa: S603  (a list, no shell)
    if code:
        raise PlatformError(f"{image}:{flavor}: the build ended with code {code}; Docker's own lines say why.")
    print(f"{image}:{flavor}")


def new(
    name: Annotated[str, typer.Argument(help="What your algorithm is called: my-algorithm.", show_default=False)],
    into: Annotated[Path, typer.Option(help="Where its folder is made.")] = Path("."),
) -> None:
    """Copy a small algorithm that works, to be changed into your own."""
    folder = into / identifier(name)
    if folder.exists():
        raise UserError(f"{folder}: is there already.")
    if name.replace("_", "-") in algorithms.names():
        raise UserError(f"{name}: is the name of an algorithm that there is.")
    copied(folder, name.replace("_", "-"))
    print(f"{folder} is an algorithm now. Make it yours:")
    print(f"  export ALGORITHM_PATH={folder.parent.resolve()}")
    print(f"  algoport describe {name.replace('_', '-')}")
    print("  its README.md says what each file is for, how to test it and how to build its image.")


def identifier(name: str) -> str:
    """The folder's name, which is a Python identifier; `UserError` where the name gives none."""
    found = name.replace("-", "_")
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", found) or keyword.iskeyword(found):
        raise UserError(f"{name!r}: a name has lower-case letters, digits and hyphens, and begins with a letter.")
    return found


def copied(folder: Path, name: str) -> None:
    """Copy the template to `folder` under that public name."""
    title = name.replace("-", " ").title()
    words = {"TEMPLATE-NAME": name, "TEMPLATE_FOLDER": folder.name, "TEMPLATE TITLE": title}
    for source in sorted(TEMPLATE.rglob("*")):
        if source.is_dir() or "__pycache__" in source.parts:
            continue
        text = source.read_text()
        for word, replacement in words.items():
            text = text.replace(word, replacement)
        target = folder / source.relative_to(TEMPLATE)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
