"""Kernels compiled ahead of the first job or server on a machine, side by side.

An algorithm lists in `kernels.json` which kernels its first example job calls from Python, and with arguments of which
types: apart for `fit` and for `predict`, so that nobody waits for what it does not use. What the list lacks is compiled
at its first use. Images are built with their kernels and need none of it.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import fcntl
import importlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from algoport import algorithms
from algoport.algorithms.contract.errors import PlatformError, UserError
from algoport.algorithms.shared import compiled, machine

LIST = "kernels.json"
STAGES = ("fit", "predict")
WORKER = 400 << 20  # bytes of memory that a process which compiles may need
LOOK = 0.05  # seconds between two looks whether anybody still wants the kernels

Group = tuple[str, list[list[Any]]]  # a module, and of each kernel its name and the types of its arguments
Groups = dict[str, list[list[Any]]]


def listed(name: str, stage: str) -> list[Group]:
    """The kernels of a stage, by module; none of an algorithm without a list."""
    with contextlib.suppress(UserError, OSError):
        groups: Groups = json.loads((algorithms.folder(name) / LIST).read_text())[stage]
        return list(groups.items())
    return []


def lacks(name: str, stage: str) -> bool:
    """Whether an algorithm's kernels of a stage are listed, and nobody has compiled them for this processor."""
    if os.environ.get(compiled.KERNELS) or not listed(name, stage) or not compiled.is_shared():
        return False
    return not any(note(name, extent).exists() for extent in (stage, "whole"))


def compile_for(name: str, stage: str) -> str | None:
    """Compile what is listed, unless it has been; a sentence on it, or None where there was nothing to do.

    `PlatformError` where it fails; then each kernel is compiled when it is first used.
    """
    if not lacks(name, stage):
        return None
    return run([sys.executable, "-P", "-m", "algoport.algorithms.ahead", name, stage])


def run(command: list[str], stop: Callable[[], bool] = lambda: False) -> str | None:
    """The last line of a process that compiles; None where a stop came first. `PlatformError` where it fails."""
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
        raise PlatformError(f"Kernels could not be compiled beforehand ({why.rstrip('.')}).")
    return said.strip().splitlines()[-1]


def main() -> int:
    """Compile the kernels of one stage of an algorithm; others may wait for the same, so one at a time."""
    parser = argparse.ArgumentParser(prog="ahead", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("stage", choices=STAGES)
    given = parser.parse_args()
    die_with_parent()
    compiled.prepare()
    start_time = time.monotonic()
    count = 0
    with alone():
        if lacks(given.name, given.stage):
            with pool([given.name]) as workers:
                count = sum(workers.map(compile_group, listed(given.name, given.stage)))
            note(given.name, given.stage).touch()
    print(sentence(count, time.monotonic() - start_time))
    return 0


def sentence(count: int, seconds: float) -> str:
    """What was compiled, for whom and how long it took."""
    processor = os.environ.get("NUMBA_CPU_NAME") or "this processor"
    return f"Compiled {count} kernels for {processor} in {seconds:.1f} s; from now on they are loaded."


def compile_group(group: Group) -> int:
    """Compile the kernels of a module into the cache; how many functions that were, those inlined included."""
    before = compiled.compilations()
    module, kernels = group
    for name, *entries in kernels:
        getattr(importlib.import_module(module), name).compile(tuple(map(decode, entries)))
    return compiled.compilations() - before


def used() -> Groups:
    """By module, the kernels that this process has called from Python, or loaded to do so: a list as in `LIST`.

    True only where all come from the cache; else those that others call count, too.
    """
    dispatcher: Any = importlib.import_module("numba.core.dispatcher")
    groups: Groups = {}
    for module in sorted(name for name in sys.modules if name.startswith("algoport.")):
        for name, value in sorted(vars(sys.modules[module]).items()):
            if isinstance(value, dispatcher.Dispatcher) and value.py_func.__module__ == module:
                entries = [[name, *map(encode, types)] for types in value.overloads]
                if entries and value.py_func.__qualname__ == name:
                    groups.setdefault(module, []).extend(entries)
    return groups


def encode(kind: Any) -> Any:
    """A type of numba's as JSON. `UserError` for one that no kernel should be called with."""
    types: Any = importlib.import_module("numba").types
    if isinstance(kind, types.Array):
        return [kind.dtype.name, kind.ndim, kind.layout, "" if kind.mutable else "readonly"]
    if isinstance(kind, types.BaseTuple):
        return {"tuple": [encode(each) for each in kind]}
    if isinstance(kind, types.Omitted):
        return {"omitted": kind.value}
    if isinstance(kind, types.NoneType):
        return None
    if isinstance(kind, types.Boolean | types.Number):
        return kind.name
    raise UserError(f"{kind}: a kernel that Python calls takes arrays, numbers, tuples of them, and None.")


def decode(entry: Any) -> Any:
    """The type that was encoded."""
    types: Any = importlib.import_module("numba").types
    if entry is None:
        return types.none
    if isinstance(entry, str):
        return types.boolean if entry == "bool" else getattr(types, entry)
    if isinstance(entry, list):
        dtype, dimensions, layout, readonly = entry
        return types.Array(decode(dtype), dimensions, layout, readonly=bool(readonly))
    if "omitted" in entry:
        return types.Omitted(entry["omitted"])
    return types.Tuple([decode(each) for each in entry["tuple"]])


def note(part: str, extent: str) -> Path:
    """The file that says that a part was compiled, beside its kernels. The folder's name gives their version."""
    processor = os.environ.get("NUMBA_CPU_NAME") or compiled.processor() or "host"
    made = f"{sys.implementation.cache_tag}-numba-{metadata.version('numba')}"
    return compiled.folder() / f"{part}-{processor}-{made}.{extent}"


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One process of this user at a time, whatever it compiles."""
    with open(compiled.folder() / "warm-up.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def pool(names: Iterable[str]) -> ProcessPoolExecutor:
    """Processes that compile kernels of these algorithms: as many as there are cores, but no more than there is
    memory for."""
    free = machine.memory_free()
    count = machine.cores() if free is None else max(1, min(machine.cores(), free // WORKER))
    return ProcessPoolExecutor(count, get_context("spawn"), _begin, (list(names),))


def _begin(names: list[str]) -> None:
    """What a worker needs before the first kernel: algorithms from other folders are found when they are asked for."""
    die_with_parent()
    compiled.prepare()
    for name in names:
        algorithms.part(name, "")


def die_with_parent() -> None:
    """Have the kernel end this process when the one that started it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


if __name__ == "__main__":
    # As the module that workers import by name.
    sys.exit(importlib.import_module("algoport.algorithms.ahead").main())
