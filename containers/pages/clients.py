"""The parts of docs/clients.md that come from the algorithms' folders: each has a `clients.md` of its own.

Its sections are those of `SECTIONS`; the first two are as long as the algorithm needs, and may be missing:

    ## The data              functions that lay out data, or give them, beside those that the page has for all
    ## Two hosts             a call of `on_two_hosts`, with what must be laid out before it
    ## Version 2             an example for the SageMaker Python SDK of that version
    ## Version 3             and for the next
    ## What reads the model  by which library, and a program that is given `model`, a folder, and `rows`, and gives
                             `answers`, arrays by name; `    pip install …` names what it needs
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from algoport import algorithms

SECTIONS = ("The data", "Two hosts", "Version 2", "Version 3", "What reads the model")
FILE = "clients.md"
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INSTALL = re.compile(r"^    pip install (.*)$", re.MULTILINE)


def section(folder: Path, title: str) -> str:
    """The text of a section of a folder's file, without its title; "" where there is none."""
    path = folder / FILE
    if not path.is_file():
        return ""
    parts = re.split(r"^## ", path.read_text(), flags=re.MULTILINE)[1:]
    sections = {part.partition("\n")[0].strip(): part.partition("\n")[2].strip() for part in parts}
    return sections.get(title, "")


def code(text: str) -> str:
    """All Python blocks of a text, as one program."""
    return "\n".join(_BLOCK.findall(text))


def installs(text: str) -> list[str]:
    """The packages that the text's `pip install` lines name."""
    return [name for line in _INSTALL.findall(text) for name in line.split()]


def _sections(title: str) -> Iterator[tuple[str, str]]:
    """That section of each algorithm that has one, by name."""
    for name in algorithms.names():
        text = section(algorithms.folder(name), title)
        if text:
            yield name, text


def _chapter(title: str) -> str:
    """A section of the page for each algorithm."""
    return "\n".join(f"### {name}\n\n{text}\n" for name, text in _sections(title))


def _program(title: str) -> str:
    """The programs of all algorithms in one block."""
    blocks = [code(text).strip("\n") for _, text in _sections(title)]
    gap = "\n\n\n" if title == "The data" else "\n"
    return f"```python\n{gap.join(blocks)}\n```\n" if blocks else ""


# Each part of the page, by the word of its markers.
PARTS: dict[str, Callable[[], str]] = {
    "data": partial(_program, "The data"),
    "two hosts": partial(_program, "Two hosts"),
    "version 2": partial(_chapter, "Version 2"),
    "version 3": partial(_chapter, "Version 3"),
    "reading": partial(_chapter, "What reads the model"),
}
