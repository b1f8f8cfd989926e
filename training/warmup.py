"""Warm-up: kernels are compiled before the first job on a machine, side by side, and said to be.

A planner runs the example jobs with kernels that were compiled in haste, to find out which there are and for which
arguments; workers compile each of these as jobs use it, and leave it in the cache. Images are built with their
kernels and need none of it. `python -m algoport.training.warmup NAME …` does it for whole algorithms.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import fcntl
import importlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from algoport import algorithms
from algoport.algorithms.contract.errors import PlatformError
from algoport.algorithms.shared import compiled, machine

DECODERS = "formats"  # beside the names of algorithms: the kernels of the data formats
WORKER = 400 << 20  # bytes of memory that a process which compiles may need
LOOK = 0.05  # seconds between two looks whether anybody still wants the kernels


def missing(parts: Iterable[str], *, whole: bool = False) -> list[str]:
    """Which of these algorithms and decoders nobody has compiled yet for this processor. None in an image.

    `whole`: with all that their examples reach; else with what the first of them does, which most jobs need.
    """
    if os.environ.get(compiled.KERNELS) or not compiled.is_shared():
        return []
    examples = {place.name for place in algorithms.folders() if (place / "example.py").is_file()}
    known = [part for part in parts if part == DECODERS or part.replace("-", "_") in examples]
    return [part for part in known if not any(_note(part, all_).exists() for all_ in {True, whole})]


def decoders(media: Iterable[str]) -> list[str]:
    """`DECODERS`, where one of these content types is read by kernels."""
    from algoport.training.formats import libsvm, recordio

    return [DECODERS] if {recordio.MEDIA[0], libsvm.MEDIA[0]} & set(media) else []


def run(parts: Iterable[str], *, whole: bool = False, stop: Callable[[], bool] = lambda: False) -> str | None:
    """Compile what is missing, in processes of their own; a sentence on it, or None where a stop came first.

    `PlatformError` where it fails. Nothing is lost then: a kernel that is not there is compiled when it is used.
    """
    words = ["--whole"] if whole else []
    command = [sys.executable, "-P", "-m", "algoport.training.warmup", *words, *parts]
    process = subprocess.Popen(  # noqa: S603 (our own)
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            said, faults = process.communicate(timeout=LOOK)
            break
        if stop():
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return None
    if process.returncode:
        errors = re.findall(r"^[\w.]*(?:Error|Exception|BrokenProcessPool)\b.*", faults, re.M)
        why = errors[-1] if errors else f"exit code {process.returncode}"
        raise PlatformError(f"Kernels could not be compiled before the job ({why.rstrip('.')}).")
    return said.strip().splitlines()[-1]


def main() -> int:
    """Compile all kernels of the algorithms that are named; others may wait for the same, so one at a time."""
    parser = argparse.ArgumentParser(prog="warm-up", description=__doc__)
    parser.add_argument("parts", nargs="+", metavar="NAME", help=f"an algorithm, or {DECODERS}: the data formats")
    parser.add_argument("--whole", action="store_true", help="all that the examples reach, not only the first")
    given = parser.parse_args()
    _die_with_parent()
    compiled.prepare()
    start_time = time.monotonic()
    with _alone():
        parts = missing(given.parts, whole=given.whole)
        workers = _workers()
        count = _side_by_side(parts, given.whole, workers) if workers > 1 else _one_by_one(parts, given.whole)
        for part in parts:
            _note(part, given.whole).touch()
    processor = os.environ.get("NUMBA_CPU_NAME") or "this processor"
    seconds = time.monotonic() - start_time
    print(f"Compiled {count} kernels for {processor} in {seconds:.1f} s, {workers} at a time.")
    return 0


def _note(part: str, whole: bool) -> Path:
    """The file that says that a part was compiled, beside its kernels. The folder's name gives their version."""
    processor = os.environ.get("NUMBA_CPU_NAME") or compiled.processor() or "host"
    extent = "whole" if whole else "first"
    made = f"{sys.implementation.cache_tag}-numba-{metadata.version('numba')}"
    return compiled.folder() / f"{part}-{processor}-{made}.{extent}"


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """One process of this user at a time, whatever it compiles."""
    with open(compiled.folder() / "warm-up.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _workers() -> int:
    """As many as there are cores, but no more than there is memory for."""
    free = machine.memory_free()
    return machine.cores() if free is None else max(1, min(machine.cores(), free // WORKER))


def _use(part: str, whole: bool) -> None:
    """Run all kernels of a part."""
    if part == DECODERS:
        from algoport.training.formats.__main__ import decode_examples

        decode_examples()
    else:
        from algoport.training.examples import run_example

        run_example(part, first=not whole)


def _one_by_one(parts: list[str], whole: bool) -> int:
    for part in parts:
        _use(part, whole)
    return compiled.compilations()


def _side_by_side(parts: list[str], whole: bool, workers: int) -> int:
    names = [part for part in parts if part != DECODERS]
    # Workers begin anew: what was compiled in haste must not get into what is saved.
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin, (names,)) as pool:
        tasks = _plan(pool)
        for part in parts:
            _use(part, whole)
        for task in tasks:
            task.result()
        return len(tasks)


def _plan(pool: ProcessPoolExecutor) -> list[Future[None]]:
    """From now on this process gives each kernel that it lacks to a worker, and for itself compiles it in haste: not
    optimized, not parallel, not saved. Returns what grows with what the workers have to do."""
    os.environ["NUMBA_OPT"] = "0"  # as numba is imported here, and not for workers
    event: Any = importlib.import_module("numba.core.event")
    del os.environ["NUMBA_OPT"]
    compiled.attach()
    caching: Any = importlib.import_module("numba.core.caching")
    caching.Cache.save_overload = lambda self, *what: None
    tasks: list[Future[None]] = []
    depth = [0]

    class Planner(event.Listener):  # type: ignore[misc]
        def on_start(self, event: Any) -> None:
            kernel = event.data["dispatcher"]
            module, name = kernel.py_func.__module__, kernel.py_func.__qualname__
            # One that has no name in its module is left to the job.
            if depth[0] == 0 and name.isidentifier():
                tasks.append(pool.submit(_compile, module, name, tuple(event.data["args"])))
            kernel.targetoptions["parallel"] = False
            depth[0] += 1

        def on_end(self, event: Any) -> None:
            depth[0] -= 1

    event.register("numba:compile", Planner())
    return tasks


def _begin(names: list[str]) -> None:
    """What a worker needs before the first kernel: algorithms from other folders are found when they are asked for."""
    _die_with_parent()
    compiled.prepare()
    for name in names:
        algorithms.part(name, "")


def _compile(module: str, name: str, arguments: tuple[Any, ...]) -> None:
    """Compile one kernel into the cache."""
    getattr(importlib.import_module(module), name).compile(arguments)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


if __name__ == "__main__":
    # As the module that workers import by name.
    sys.exit(importlib.import_module("algoport.training.warmup").main())
