"""Commands of a page, run as they stand there: lines that begin with `$`, those of `>` that continue
them, and behind each what it prints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
_LINE = re.compile(r"^    (\$ |>(?: |$))?(.*)$")
_TIME = re.compile(r"\d+\.\d s")  # differs from run to run


def commands(page: Path) -> Iterator[tuple[str, str]]:
    """Each command of a page, and the output that stands below it."""
    command, said = "", list[str]()
    for line in page.read_text().splitlines():
        match = _LINE.match(line)
        if match and match[1] and match[1].startswith(">"):
            command += f"\n{match[2]}"
        elif match and match[1]:
            if command:
                yield command, "\n".join(said)
            command, said = match[2], []
        elif match and command:
            said.append(match[2])
        elif command:
            yield command, "\n".join(said)
            command, said = "", []
    if command:
        yield command, "\n".join(said)


def run(page: Path, folder: Path, **environment: str) -> list[str]:
    """Run all of a page in a folder; a sentence for each command that prints something else."""
    program = folder / "bin" / "algoport"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m algoport.containers.cli "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    wrong = []
    for command, wanted in commands(page):
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PATH": path, **environment},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=300,
            check=False,
        )
        said = _TIME.sub("… s", done.stdout.strip())
        if said != _TIME.sub("… s", wanted.strip()):
            wrong.append(f"$ {command}\n{done.stdout}")
    return wrong
