"""Kernels compiled ahead of the first job or server on a machine, side by side.

An algorithm lists in `kernels.json` which kernels its first example job calls from Python, and with arguments of which
types: apart for `fit` and for `predict`, so that nobody waits for what it does not use. What the list lacks, or names
wrongly, is compiled at its first use. Images are built with their kernels and need none of it.
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
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path
from typing import IO, Any

from algoport import algorithms
from algoport.algorithms.contract.errors import PlatformError, UserError
from algoport.algorithms.shared import compiled, machine

LIST = "kernels.json"
STAGES = ("fit", "predict")
WORKER = 400 << 20  # bytes of memory that a process which compiles may need
LOOK = 0.05  # seconds between two looks whether anybody still wants the kernels
GLANCE = 1.0  # seconds that are waited for another process without a word
MARK = "kernels: "  # before the sentences of a process that compiles, as examples may print, too

Group = tuple[str, list[list[Any]]]  # a module, and of each kernel its name and the types of its arguments
Groups = dict[str, list[list[Any]]]
Outcome = tuple[int, list[str]]  # how many functions were compiled, and which kernels of a list could not be, and why
Say = Callable[[str], object]


def listed(name: str, stage: str) -> list[Group]:
    """The kernels of a stage, by module; none of an algorithm without a list."""
    with contextlib.suppress(UserError, OSError, ValueError, KeyError):
        groups: Groups = json.loads((algorithms.folder(name) / LIST).read_text())[stage]
        return list(groups.items())
    return []


def lacks(name: str, stage: str) -> bool:
    """Whether an algorithm's kernels of a stage are listed, and nobody has compiled them for this processor."""
    if os.environ.get(compiled.KERNELS) or not listed(name, stage) or not compiled.is_shared():
        return False
    return not any(note(name, extent).exists() for extent in (stage, "whole"))


def compile_for(name: str, stage: str, say: Say) -> None:
    """Compile what is listed, unless it has been, and say what is done.

    `PlatformError` where it fails; then each kernel is compiled when it is first used.
    """
    if lacks(name, stage):
        run([sys.executable, "-P", "-m", "algoport.algorithms.ahead", name, stage], say)


def run(command: list[str], say: Say, stop: Callable[[], bool] = lambda: False) -> bool:
    """Run a process that compiles, and say its sentences as they come; False where a stop came first.

    `PlatformError` where it fails.
    """
    with tempfile.TemporaryFile("w+") as faults:
        process = subprocess.Popen(  # noqa: S603 (our own)
            command, stdout=subprocess.PIPE, stderr=faults, text=True, start_new_session=True
        )
        listener = threading.Thread(target=_pass_on, args=(process.stdout, say), daemon=True)
        listener.start()
        stopped = False
        while not stopped and listener.is_alive():
            listener.join(LOOK)
            stopped = listener.is_alive() and stop()
        if stopped:
            os.killpg(process.pid, signal.SIGKILL)
        listener.join()
        code = process.wait()
        faults.seek(0)
        errors = re.findall(r"^[\w.]*(?:Error|Exception|BrokenProcessPool)\b.*", faults.read(), re.M)
    if code and not stopped:
        why = errors[-1] if errors else f"exit code {code}"
        raise PlatformError(f"Kernels could not be compiled beforehand ({why.rstrip('.')}).")
    return not stopped


def _pass_on(lines: Iterable[str], say: Say) -> None:
    for line in lines:
        if line.startswith(MARK):
            say(line.removeprefix(MARK).strip())


def main() -> int:
    """Compile the kernels of one stage of an algorithm; others may wait for the same, so one at a time."""
    parser = argparse.ArgumentParser(prog="ahead", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("stage", choices=STAGES)
    given = parser.parse_args()
    die_with_parent()
    compiled.prepare()
    start_time = time.monotonic()
    outcomes: list[Outcome] = []
    with alone([given.name]) as waited:
        if lacks(given.name, given.stage):
            with pool([given.name], given.name) as workers:
                outcomes = list(workers.map(compile_group, listed(given.name, given.stage)))
            note(given.name, given.stage).touch()
    tell(outcomes, time.monotonic() - start_time, waited)
    return 0


def tell(outcomes: list[Outcome], seconds: float, waited: bool) -> None:
    """Print what was compiled, for whom and how long it took; nothing where all was there."""
    count = sum(compilations for compilations, _ in outcomes)
    wrong = [entry for _, entries in outcomes for entry in entries]
    if count:
        processor = os.environ.get("NUMBA_CPU_NAME") or "this processor"
        kernels = "kernel" if count == 1 else "kernels"
        print(f"{MARK}Compiled {count} {kernels} for {processor} in {seconds:.1f} s; from now on they are loaded.")
    elif waited:
        print(f"{MARK}Another process has prepared the kernels; this one waited {seconds:.1f} s for it.")
    if wrong:
        print(f"{MARK}{LIST} names what cannot be compiled beforehand, and was passed over: {', '.join(wrong)}.")


def compile_group(group: Group) -> Outcome:
    """Compile the kernels of a module into the cache, each alone: a list may be older than what it names."""
    before = compiled.compilations()
    module, kernels = group
    wrong = []
    for name, *entries in kernels:
        try:
            getattr(importlib.import_module(module), name).compile(tuple(map(decode, entries)))
        except Exception as error:
            wrong.append(f"{module}.{name} ({type(error).__name__})")
    return compiled.compilations() - before, wrong


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
def alone(parts: Iterable[str]) -> Iterator[bool]:
    """One process of this user at a time for each of these parts; whether another one had to be waited for, and longer
    than it takes to see that all is there. Nobody waits for what other parts need."""
    waited = False
    with contextlib.ExitStack() as locks:
        for part in sorted(set(parts)):  # in one order, so that no two wait for each other
            lock = locks.enter_context(open(compiled.folder() / f"{part}.lock", "a"))
            if not _has(lock, time.monotonic() + GLANCE):
                waited = True
                print(f"{MARK}Another process prepares kernels of {part}; this one waits for it.", flush=True)
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield waited


def _has(lock: IO[str], until: float) -> bool:
    while True:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        if time.monotonic() > until:
            return False
        time.sleep(LOOK)


def pool(names: Iterable[str], parts: str) -> ProcessPoolExecutor:
    """Processes that compile kernels of these algorithms: as many as there are cores, but no more than there is
    memory for. The first that does compile says so, of `parts`."""
    free = machine.memory_free()
    count = machine.cores() if free is None else max(1, min(machine.cores(), free // WORKER))
    context = get_context("spawn")
    return ProcessPoolExecutor(count, context, _begin, (list(names), parts, context.Value("b", 0)))


def _begin(names: list[str], parts: str, first_sign: Any) -> None:
    """What a worker needs before the first kernel: algorithms from other folders are found when they are asked for."""
    die_with_parent()
    compiled.prepare()
    compiled.allow(lambda: _announce(parts, first_sign))
    for name in names:
        algorithms.part(name, "")


def _announce(parts: str, first_sign: Any) -> None:
    with first_sign.get_lock():
        if not first_sign.value:
            first_sign.value = 1
            where = f"later they are loaded from {compiled.folder()}"
            print(f"{MARK}Compiling kernels for this processor, once ({parts}); {where}.", flush=True)


def die_with_parent() -> None:
    """Have the kernel end this process when the one that started it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


if __name__ == "__main__":
    # As the module that workers import by name.
    sys.exit(importlib.import_module("algoport.algorithms.ahead").main())
