"""The worked examples of a page: its blocks of shell, run one after the other as they stand, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

ROOT = Path(__file__).parents[1]


def chapters(page: str) -> dict[str, str]:
    """The parts of `docs/PAGE` by their titles; what stands before the first has the title ""."""
    parts = re.split(r"^## (.+)\n", (ROOT / "docs" / page).read_text(), flags=re.MULTILINE)
    return dict(zip(["", *parts[1::2]], parts[::2], strict=True))


def blocks(text: str, language: str = "sh") -> list[str]:
    """The blocks of that language, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def run(
    page: str, folder: Path, seconds: float = 300, without: Collection[str] = (), change: tuple[str, str] = ("", "")
) -> str:
    """What all blocks of `docs/PAGE` print together, but those of some chapters, with one text in the place of another;
    AssertionError where one of them fails."""
    parts = chapters(page)
    assert set(without) <= parts.keys()
    commands = [block for title, text in parts.items() if title not in without for block in blocks(text)]
    assert commands, page
    script = "\n".join(commands)
    if change[0]:
        assert change[0] in script
        script = script.replace(*change)
    places = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    paths = f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}".rstrip(os.pathsep)
    more = {"PATH": places, "PYTHONPATH": paths, "ALGOPORT_HOME": str(folder / "home")}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=os.environ | more,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
