"""Warm-up: kernels are compiled before the first job on a machine, side by side, and said to be.

Those that most jobs use are listed (`algorithms/ahead.py`); of all kernels of an algorithm, its example jobs find the
rest, each in a process of its own. Images are built with their kernels and need none of it.
`python -m algoport.training.warmup NAME …` does it for whole algorithms, `--list NAME …` writes their lists.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable

from algoport import algorithms
from algoport.algorithms import ahead
from algoport.algorithms.shared import compiled

DECODERS = "formats"  # beside the names of algorithms: the kernels of the data formats


def missing(parts: Iterable[str], *, whole: bool = False) -> list[str]:
    """Which of these algorithms and decoders nobody has compiled yet for this processor. None in an image.

    `whole`: with all that their examples reach; else with what training the first of them does, which most jobs need.
    """
    if os.environ.get(compiled.KERNELS) or not compiled.is_shared():
        return []
    examples = {place.name for place in algorithms.folders() if (place / "example.py").is_file()}
    known = [part for part in parts if part == DECODERS or part.replace("-", "_") in examples]
    extents = ("whole",) if whole else ("fit", "whole")
    return [part for part in known if not any(ahead.note(part, extent).exists() for extent in extents)]


def decoders(media: Iterable[str]) -> list[str]:
    """`DECODERS`, where one of these content types is read by kernels."""
    from algoport.training.formats import libsvm, recordio
    from algoport.training.formats.lines import text

    return [DECODERS] if {recordio.MEDIA[0], libsvm.MEDIA[0], text.MEDIA[0]} & set(media) else []


def run(
    parts: Iterable[str],
    *,
    whole: bool = False,
    say: ahead.Say = lambda sentence: None,
    stop: Callable[[], bool] = lambda: False,
) -> bool:
    """Compile what is missing, in processes of their own, and say what is done; False where a stop came first.

    `PlatformError` where it fails. Nothing is lost then: a kernel that is not there is compiled when it is used.
    """
    words = ["--whole"] if whole else []
    return ahead.run([sys.executable, "-P", "-m", "algoport.training.warmup", *words, *parts], say, stop)


def main() -> int:
    """Compile all kernels of the algorithms that are named; others may wait for the same, so one at a time."""
    parser = argparse.ArgumentParser(prog="warm-up", description=__doc__)
    parser.add_argument("parts", nargs="+", metavar="NAME", help=f"an algorithm, or {DECODERS}: the data formats")
    parser.add_argument("--whole", action="store_true", help="all that the examples reach, not only the first")
    parser.add_argument("--list", action="store_true", help=f"write {ahead.LIST} of these algorithms")
    given = parser.parse_args()
    ahead.die_with_parent()
    compiled.prepare()
    if given.list:
        for name in given.parts:
            (algorithms.folder(name) / ahead.LIST).write_text(kernels(name))
        return 0
    start_time = time.monotonic()
    with ahead.alone(missing(given.parts, whole=given.whole)) as waited:
        parts = missing(given.parts, whole=given.whole)
        outcomes = _compile(parts, given.whole)
        for part in parts:
            ahead.note(part, "whole" if given.whole else "fit").touch()
    ahead.tell(outcomes, time.monotonic() - start_time, waited)
    return 0


def kernels(name: str) -> str:
    """What `ahead.LIST` of an algorithm must hold, found by running its first example in fresh processes: once more
    where the first had to compile, for of what is loaded, nothing is called by kernels alone."""
    lists = {}
    with tempfile.TemporaryDirectory() as place:
        for stage in ahead.STAGES:
            command = [sys.executable, "-P", "-c", _FIND, name, stage, place]
            for _ in range(2):
                done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 (our own)
                compilations, lists[stage] = json.loads(done.stdout.splitlines()[-1])
                if compilations == 0:
                    break
    return _as_json(lists) + "\n"


_FIND = """
import json, sys
from pathlib import Path
from algoport.algorithms import ahead
from algoport.algorithms.shared import compiled
compiled.prepare()
compiled.allow()
from algoport.training import examples
name, stage, place = sys.argv[1:]
examples.run_stage(name, stage, Path(place))
print(json.dumps([compiled.compilations(), ahead.used()]))
"""


def _as_json(lists: dict[str, ahead.Groups]) -> str:
    """A line a kernel."""
    stages = []
    for stage, groups in lists.items():
        modules = []
        for module, kernels in groups.items():
            lines = ",\n   ".join(json.dumps(kernel) for kernel in kernels)
            modules.append(f'  "{module}": [\n   {lines}\n  ]')
        stages.append(f' "{stage}": {{\n' + ",\n".join(modules) + "\n }")
    return "{\n" + ",\n".join(stages) + "\n}\n"


def _compile(parts: list[str], whole: bool) -> list[ahead.Outcome]:
    """What is listed first, as it is shared out best, and then the example jobs that find the rest."""
    names = [part for part in parts if part != DECODERS]
    with ahead.pool(names, ", ".join(parts)) as pool:
        listed = {name: ahead.listed(name, "fit") for name in names}
        tasks = [pool.submit(ahead.compile_group, group) for groups in listed.values() for group in groups]
        if DECODERS in parts:
            tasks.append(pool.submit(_decode))
        outcomes = [task.result() for task in tasks]
        unlisted = [name for name in names if whole or not listed[name]]
        tasks = [pool.submit(_run, name, number) for name in unlisted for number in range(_jobs(name, whole))]
        return outcomes + [task.result() for task in tasks]


def _jobs(name: str, whole: bool) -> int:
    from algoport.training import examples

    return len(examples.examples(name)) if whole else 1


def _run(name: str, number: int) -> ahead.Outcome:
    """Run one example job in this process."""
    from algoport.training import examples

    before = compiled.compilations()
    examples.run_example(name, only=number)
    return compiled.compilations() - before, []


def _decode() -> ahead.Outcome:
    from algoport.training.formats.__main__ import decode_examples

    before = compiled.compilations()
    decode_examples()
    return compiled.compilations() - before, []


if __name__ == "__main__":
    # As the module that workers import by name.
    sys.exit(importlib.import_module("algoport.training.warmup").main())
