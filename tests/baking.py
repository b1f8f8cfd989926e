"""Kernels of the example jobs, compiled as an image does: once for each state of their sources, and then read.

A whole session compiles them before its workers start, side by side; what is there from the last session is taken. The
tests then find in the user's cache what the examples need, and compile only what no example reaches.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from algoport import algorithms
from algoport.algorithms.contract.errors import PlatformError
from algoport.algorithms.shared import compiled, machine
from algoport.training import warmup

ROOT = Path(__file__).parents[1]
LEFT = 3  # states of an algorithm's sources whose kernels stay in the cache
PATIENCE = 600  # seconds for one algorithm; several times what it takes on a busy machine


def baked(name: str) -> Path:
    """The folder of the kernels that the algorithm's example jobs compile, or the decoders', a folder a level in it;
    to be copied, and not to be written."""
    place = _place() / name
    place.mkdir(parents=True, exist_ok=True)
    folder = place / state(name)
    with _one_at_a_time(place):
        if not folder.is_dir():
            shutil.rmtree(place / "unfinished", ignore_errors=True)
            (place / "unfinished").mkdir()  # which stays empty of an algorithm without kernels
            _compile(name, place / "unfinished")
            os.rename(place / "unfinished", folder)
            _prune(place)
    os.utime(folder)
    return folder


def bake(names: Sequence[str]) -> int:
    """Have the kernels of all of them, and the tests find them; how many algorithms' had to be compiled."""
    new = [name for name in names if not (_place() / name / state(name)).is_dir()]
    with ThreadPoolExecutor(machine.cores()) as pool:
        folders = list(pool.map(baked, names))
    if not os.environ.get(compiled.KERNELS):
        with compiled.one_writer():
            for folder in folders:
                _hand_out(folder / level(), compiled.folder())
        _warm_up(names)
    return len(new)


def _warm_up(names: Sequence[str]) -> None:
    """What the examples leave out, as the decoders' kernels; after it no job begins with a warm-up of its own."""
    lacking = warmup.missing([*names, warmup.DECODERS], whole=True)
    with contextlib.suppress(PlatformError):  # each is compiled where it is first used
        if lacking:
            warmup.run(lacking, whole=True)


def level() -> str:
    """The highest level that this processor has."""
    return next(iter(compiled.levels_here()), "generic")


def state(name: str) -> str:
    """A hash of what decides which kernels the example jobs need: their sources, and who compiles them. An algorithm
    outside the tree has the folder that it lies in, too, as its compiled kernels are named after that."""
    digest = hashlib.sha256(f"{sys.version} {level()} {_version('numba')} {_version('llvmlite')}".encode())
    root = Path(str(algorithms.__file__)).parent
    formats = root.parent / "training" / "formats"
    own = formats if name == warmup.DECODERS else Path(str(algorithms.part(name, "").__file__)).parent
    digest.update(compiled.version().encode())
    if not own.is_relative_to(root.parent):
        digest.update(str(own).encode())
    for folder in (own, root / "shared", root / "contract"):
        for path in sorted(folder.rglob("*.py")):
            digest.update(f"{path.relative_to(folder)}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:20]


def _place() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "algoport" / "baked"


def _compile(name: str, folder: Path) -> None:
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    given = os.environ | {compiled.KERNELS: str(folder), compiled.PROCESSOR: level(), "PYTHONPATH": paths}
    decoders = name == warmup.DECODERS
    module = ["algoport.training.formats"] if decoders else ["algoport.containers.image.kernels", name]
    command = [sys.executable, "-P", "-m", *module]
    done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=PATIENCE, check=False)
    wanted = done.returncode == 0 and (decoders or f"kernels compiled into {folder}" in done.stdout)
    assert wanted, f"the example of {name} does not run:\n{done.stdout}{done.stderr}"


@contextlib.contextmanager
def _one_at_a_time(place: Path) -> Iterator[None]:
    with open(place / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _prune(place: Path) -> None:
    states = sorted((path for path in place.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    for path in states[:-LEFT]:
        shutil.rmtree(path, ignore_errors=True)


def _hand_out(source: Path, target: Path) -> None:
    """Copy the kernels of functions of which the target has none. The index of a function goes last: it names the
    files of its code. Of what several algorithms share, the first one's signatures are taken."""
    for index in source.rglob("*.nbi"):
        place = target / index.parent.relative_to(source)
        if (place / index.name).exists():
            continue
        place.mkdir(parents=True, exist_ok=True)
        for code in index.parent.glob(f"{_escaped(index.stem)}.*.nbc"):
            shutil.copy2(code, place / code.name)
        shutil.copy2(index, place / f"{index.name}.part")
        os.rename(place / f"{index.name}.part", place / index.name)


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "[]*?" else letter for letter in name)


def _version(package: str) -> str:
    from importlib import metadata

    return metadata.version(package)
