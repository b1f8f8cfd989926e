"""Compiled kernels: for which processor, on how many threads, and where they are cached.

`prepare()` runs at the start of each process that computes, before numba is imported. An image is built with all
kernels in the folder that `ALGOPORT_KERNELS` names, and then compiles nothing. Outside images kernels are compiled
before the first job or at first use, and lie in the user's cache folder.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import hashlib
import importlib
import os
import platform
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from algoport.algorithms.contract.errors import PlatformError
from algoport.algorithms.shared import log, machine

KERNELS = "ALGOPORT_KERNELS"  # the folder of compiled kernels, written when an image is built and read later
COMPILE = "ALGOPORT_COMPILE"  # refuse, report or report=PATH: what to do where a kernel is compiled that was not there
PROCESSOR = "ALGOPORT_CPU"  # one of LEVELS, or "generic"; left out, it is chosen by the processor's flags

# What a level needs of /proc/cpuinfo (System V ABI for x86-64, section 3.1.1), and what LLVM is given besides its
# name: its x86-64-v4 halves 512-bit vectors unless asked not to.
LEVELS = {
    "x86-64-v4": ("avx512f avx512bw avx512cd avx512dq avx512vl", "-prefer-256-bit"),
    "x86-64-v3": ("avx avx2 bmi1 bmi2 f16c fma abm movbe", ""),
}
# How often a thread of torch's looks for more work before it sleeps: some ten microseconds. Left to itself it looks
# for milliseconds, which others lack meanwhile; put to sleep at once, it makes steps of a small network a third longer.
SPIN = 20_000
CACHED_VERSIONS = 8  # of the sources, in a user's cache folder
_HERE = Path(__file__).parents[1]
_COMPILERS = (Path(__file__), _HERE / "ahead.py")  # they mention numba, and hold no kernel
_lock = threading.RLock()
_compilations: list[str] = []
_policy = [os.environ.get(COMPILE, "")]
_begin: list[Callable[[], None]] = []


def prepare() -> None:
    """Set what numba reads from the environment: layer, threads, processor, cache; and what torch's threads read,
    which must be before torch is imported. Takes about a millisecond."""
    os.environ.setdefault("GOMP_SPINCOUNT", str(SPIN))
    os.environ.setdefault("NUMBA_NUM_THREADS", str(machine.cores()))
    # With omp a process that is forked after a parallel kernel dies; with workqueue threads must take turns.
    os.environ.setdefault("NUMBA_THREADING_LAYER", "tbb" if _load_tbb() else "workqueue")
    level = processor()
    if level is not None:
        os.environ["NUMBA_CPU_NAME"] = level
        os.environ["NUMBA_CPU_FEATURES"] = LEVELS[level][1] if level in LEVELS else ""
    os.environ["NUMBA_CACHE_LOCATOR_CLASSES"] = f"{__package__}.compiled.CacheLocator"


def processor() -> str | None:
    """The highest level that this processor has, and that is baked where a folder is given; None: as it is.

    In an image for a processor of another kind it is "generic".
    """
    if os.environ.get(PROCESSOR):
        return os.environ[PROCESSOR]
    here = levels_here()
    baked = os.environ.get(KERNELS)
    if baked:
        return next((level for level in here if (Path(baked) / level).is_dir()), here[0] if here else "generic")
    return here[0] if here else None


def levels_here() -> list[str]:
    """The levels of this processor, the highest first; none where it is not an x86-64 under Linux."""
    met = {level: set(needs.split()) <= flags() for level, (needs, _) in LEVELS.items()}
    return [level for level in LEVELS if met[level] and met["x86-64-v3"]]


@contextlib.contextmanager
def turn() -> Iterator[None]:
    """To be held around kernels where several threads of a process compute: they take turns where they must.

    Under tbb they need not, and nothing is locked.
    """
    with _lock if os.environ.get("NUMBA_THREADING_LAYER") == "workqueue" else contextlib.nullcontext():
        yield


def compilations() -> int:
    """How many kernels this process has compiled since the first one was declared, those from the cache left out."""
    return len(_compilations)


def compiled_here() -> list[str]:
    """Functions and the types of their arguments: what this process has compiled, numba's own functions included."""
    return list(_compilations)


def allow(begin: Callable[[], None] = lambda: None) -> None:
    """This process compiles for others, whatever `ALGOPORT_COMPILE` says; `begin` is called before each kernel."""
    _policy[0] = ""
    _begin[:] = [begin]


def _obey(what: str) -> None:
    """Report or refuse that a kernel of ours is compiled, in whichever thread that is."""
    action, _, place = _policy[0].partition("=")
    if action == "refuse":
        raise PlatformError(f"{what}: is not compiled, as {COMPILE} is {action}; no kernel for this was there.")
    if action and place:
        path = Path(place) / f"{os.getpid()}.txt" if os.path.isdir(place) else Path(place)
        process = " ".join(" ".join(sys.orig_argv[1:]).split())
        with path.open("a") as lines:
            lines.write(f"{what}\t{process}\n")
    elif action:
        log.warn(f"{what}: is compiled, as no kernel for this was there.")


class CacheLocator:
    """Where the compiled code of a function lies; numba asks this class and not its own locators.

    numba's own refuse a folder that cannot be written, and then compile again at every start. And they notice
    an edit in a function's own file only, where ours notices it in any kernel file under `algorithms`.
    """

    def __init__(self, function: Any, file: str) -> None:
        self._py_file = file
        self._lineno = function.__code__.co_firstlineno
        self._path = folder() / _place(Path(file))

    @classmethod
    def from_function(cls, function: Any, file: str) -> CacheLocator:
        """The locator of one function. The first call is the first news that numba has been imported."""
        attach()
        return cls(function, file)

    def ensure_cache_path(self) -> None:
        """Make the folder, before something is written; OSError where it cannot be."""
        self._path.mkdir(parents=True, exist_ok=True)

    def get_cache_path(self) -> str:
        """The folder."""
        return str(self._path)

    def get_source_stamp(self) -> str:
        """What must be the same for the kept code to be used."""
        return f"{version()} {hashlib.sha256(Path(self._py_file).read_bytes()).hexdigest()}"

    def get_disambiguator(self) -> str:
        """What distinguishes functions of one name in one file."""
        return str(self._lineno)


@cache
def folder() -> Path:
    """Where this process finds compiled kernels, and keeps new ones where it may write."""
    baked = os.environ.get(KERNELS)
    if baked:
        return Path(baked) / (os.environ.get("NUMBA_CPU_NAME") or "generic")
    for place in _places():
        path = place / version()
        if _mine(path):
            _prune(place)
            return path
    return Path(tempfile.mkdtemp(prefix="algoport-kernels-"))


def is_shared() -> bool:
    """Whether later processes find what this one compiles; not where no folder is this user's own."""
    return bool(os.environ.get(KERNELS)) or folder().name == version()


@cache
def version() -> str:
    """A hash of all kernel sources under `algorithms`, since a kernel may call functions of other files.

    That is every file that mentions numba or lies under the name `kernels`, as kernels import no other.
    """
    digest = hashlib.sha256()
    for path in sorted(_HERE.rglob("*.py")):
        text = path.read_bytes()
        if path not in _COMPILERS and (b"numba" in text or "kernels" in str(path.relative_to(_HERE))):
            digest.update(f"{path.relative_to(_HERE)}\n".encode() + text)
    return digest.hexdigest()[:20]


def _place(file: Path) -> str:
    """The folder of a source file's kernels: the same wherever the packages are installed."""
    if file.is_relative_to(_HERE.parent):
        return "-".join(file.parent.relative_to(_HERE.parent).parts)
    return f"{file.parent.name}-{hashlib.sha256(str(file.parent).encode()).hexdigest()[:12]}"


def _places() -> list[Path]:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    mine = Path(tempfile.gettempdir()) / f"algoport-{os.getuid()}"
    return [Path(base) / "algoport" / "kernels", mine / "kernels"]


def _mine(path: Path) -> bool:
    """True where the folder is there or could be made, and nobody else could have put code into it."""
    try:
        path.parent.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        for part in (path.parent, path):
            part.mkdir(exist_ok=True, mode=0o700)
        owned = [part.stat() for part in (path.parent.parent, path.parent, path)]
        return os.access(path, os.W_OK) and all(s.st_uid == os.getuid() and not s.st_mode & 0o022 for s in owned)
    except OSError:
        return False


def _prune(place: Path) -> None:
    """Leave the latest few; a process that still uses another one keeps what it has loaded."""
    with contextlib.suppress(OSError):
        versions = sorted(place.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
        for old in versions[CACHED_VERSIONS:]:
            shutil.rmtree(old, ignore_errors=True)


@cache
def attach() -> None:
    """Record compilations, and let what cannot be saved be forgotten: a read-only folder is no reason to fail."""
    caching: Any = importlib.import_module("numba.core.caching")
    event: Any = importlib.import_module("numba.core.event")

    class Recorder(event.Listener):  # type: ignore[misc]
        def on_start(self, event: Any) -> None:
            function = event.data["dispatcher"].py_func
            kinds = ", ".join(map(str, event.data["args"]))
            _compilations.append(f"{function.__module__}.{function.__qualname__}({kinds})")
            for begin in _begin:
                begin()
            if function.__module__.startswith("algoport."):
                _obey(_compilations[-1])

        def on_end(self, event: Any) -> None:
            pass

    save = caching.Cache.save_overload

    def save_if_possible(self: Any, *what: Any) -> None:
        with contextlib.suppress(OSError), one_writer():
            save(self, *what)

    caching.Cache.save_overload = save_if_possible
    event.register("numba:compile", Recorder())


@contextlib.contextmanager
def one_writer() -> Iterator[None]:
    """While it is entered, no other process saves kernels here.

    numba numbers the files of a function by its index: of two processes that add a signature each at the same time,
    both take the same number, and the index of the one then names the code of the other.
    """
    folder().mkdir(parents=True, exist_ok=True)
    with open(folder() / "writer.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _load_tbb() -> bool:
    """Make tbb known to the process. pip puts it where the loader does not look, and it needs no root so."""
    if platform.machine() not in ("x86_64", "AMD64") or not sys.platform.startswith("linux"):
        return False
    for name in (os.path.join(sys.prefix, "lib", "libtbb.so.12"), "libtbb.so.12"):
        with contextlib.suppress(OSError):
            ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
            return True
    return False


@cache
def flags() -> frozenset[str]:
    """What instructions this processor has, as Linux names them on x86-64."""
    with contextlib.suppress(OSError), open("/proc/cpuinfo") as lines:
        for line in lines:
            if line.startswith("flags"):
                return frozenset(line.partition(":")[2].split())
    return frozenset()
