"""Making things: `algoport warm-up` (compiled kernels), `algoport build` (images), `algoport new` (an algorithm)."""

from __future__ import annotations

import keyword
import re
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from algoport import algorithms
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared import compiled
from algoport.containers.cli.look import checked_name
from algoport.containers.image import build as images
from algoport.containers.image.build import STOCK, Bases
from algoport.training import warmup

TEMPLATE = Path(__file__).parents[1] / "template"

Names = Annotated[list[str], typer.Argument(help="Algorithms, as `algoport list` names them.", show_default=False)]
Flavor = Annotated[str, typer.Option(help="cpu or gpu.")]
Builder = Annotated[str, typer.Option(help="The image that installs the packages.")]
Runtime = Annotated[str, typer.Option(help="The image that everything is put on.")]


def build(names: Names, flavor: Flavor = "cpu", builder: Builder = STOCK, runtime: Runtime = STOCK) -> None:
    """Build the images of algorithms.

    Also of those that lie in a folder of ALGORITHM_PATH.
    """
    for image in images.build(map(checked_name, names), Bases(flavor=flavor, builder=builder, runtime=runtime)):
        print(image)


def warm_up(names: Names) -> None:
    """Compile all kernels of algorithms for this processor, once.

    Else the first job on a machine compiles what it needs.
    """
    compiled.prepare()
    missing = warmup.missing([warmup.DECODERS, *map(checked_name, names)], whole=True)
    if not missing:
        print(f"There is nothing to compile: all kernels are in {compiled.folder()}.")
        return
    for part in missing:  # one after the other, so that a job waits for no others than its own
        warmup.run([part], whole=True, say=partial(print, flush=True))


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
    copy_template(folder, name.replace("_", "-"))
    print(f"{folder} is an algorithm now. Make it yours:")
    print(f"  export ALGORITHM_PATH={folder.parent.resolve()}")
    print(f"  algoport describe {name.replace('_', '-')}")
    print("  its README.md says what each file is for, how to test it and how to build its image.")


def identifier(name: str) -> str:
    """The folder's name, which is a Python identifier; `UserError` where the name gives none."""
    folder = name.replace("-", "_")
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", folder) or keyword.iskeyword(folder):
        raise UserError(f"{name!r}: a name has lower-case letters, digits and hyphens, and begins with a letter.")
    return folder


def copy_template(folder: Path, name: str) -> None:
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
