"""`python -m algoport.containers.image.kernels NAME …`: compile the kernels of algorithms into an image.

All that their example jobs use, once for each level of processors that this one has, into the folder that
`ALGOPORT_KERNELS` names.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys

from algoport import algorithms
from algoport.algorithms.shared import compiled
from algoport.training.examples import run_example


def main(names: list[str]) -> None:
    """Compile for all levels; for one alone where it is chosen."""
    chosen = names or algorithms.names()
    if not os.environ.get(compiled.PROCESSOR):
        bake(chosen)
        return
    compiled.prepare()
    compiled.allow()
    for name in chosen:
        run_example(name)
    level = os.environ.get("NUMBA_CPU_NAME")
    print(f"{level}: {compiled.compilations()} kernels compiled into {compiled.folder()}")


def bake(names: list[str]) -> None:
    """Compile the kernels of these algorithms' example jobs for every level that this processor has."""
    command = [sys.executable, "-P", "-m", "algoport.containers.image.kernels", *names]
    levels = compiled.levels_here() or ["generic"]
    # Side by side, for compiling is the work of one core.
    running = [
        subprocess.Popen(command, env=os.environ | {compiled.PROCESSOR: level})  # noqa: S603 (our own)
        for level in levels
    ]
    codes = [process.wait() for process in running]
    if any(codes):
        raise SystemExit(next(filter(None, codes)))
    if "x86-64-v4" not in compiled.levels_here() and platform.machine() in ("x86_64", "AMD64"):
        print("This processor has no AVX-512, so kernels for those that have it are not compiled.", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
