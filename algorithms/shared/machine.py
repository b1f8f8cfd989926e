"""What this process may use of the machine: cores, memory, threads."""

from __future__ import annotations

import os
import resource
import sys
from contextlib import AbstractContextManager, suppress
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_MEMINFO = Path("/proc/meminfo")


def cores() -> int:
    """How many processors this process may keep busy: its affinity, cut by the cgroup's quota and by `ALGOPORT_CORES`,
    by which jobs side by side share a machine; at least 1."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, asked = _quota(), os.environ.get("ALGOPORT_CORES", "")
    allowed = min(allowed, int(quota + 0.5)) if quota else allowed
    return max(1, min(allowed, int(asked)) if asked.isascii() and asked.isdigit() else allowed)


def _quota() -> float | None:
    """Processors that the cgroup grants (version 2, then 1), or None where it sets no limit."""
    fields = _words(_CGROUP / "cpu.max")
    if len(fields) == 2 and fields[0] != "max":
        return int(fields[0]) / int(fields[1])
    quota, period = _words(_CGROUP / "cpu/cpu.cfs_quota_us"), _words(_CGROUP / "cpu/cpu.cfs_period_us")
    if quota and period and int(quota[0]) > 0:
        return int(quota[0]) / int(period[0])
    return None


def memory_limit() -> int | None:
    """Bytes that this process and its siblings may use: the cgroup's limit and that of `ALGOPORT_MEMORY`, but no more
    than the machine has."""
    try:
        installed: int | None = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        installed = None
    return min((bound for bound in (_ceiling(), installed, _granted_memory()) if bound is not None), default=None)


def memory_free() -> int | None:
    """Bytes that can still be had before the limit. Page cache counts as free, since it gives way."""
    ceiling, used = _ceiling(), _words(_CGROUP / "memory.current") or _words(_CGROUP / "memory/memory.usage_in_bytes")
    within = max(0, ceiling - int(used[0]) + _page_cache()) if ceiling is not None and used else None
    given = _granted_memory()
    left = max(0, given - _resident()) if given is not None else None
    return min((bound for bound in (within, left, _available()) if bound is not None), default=memory_limit())


def _granted_memory() -> int | None:
    """Bytes that `ALGOPORT_MEMORY` grants a job whose processes share the machine with others."""
    given = os.environ.get("ALGOPORT_MEMORY", "")
    return int(given) if given.isascii() and given.isdigit() else None


def _resident() -> int:
    """Bytes of memory that this process has now; 0 where the system does not say."""
    words = _words(Path("/proc/self/statm"))
    return int(words[1]) * os.sysconf("SC_PAGE_SIZE") if len(words) > 1 else 0


def _ceiling() -> int | None:
    """The cgroup's limit in bytes (version 2, then 1), or None where it sets none."""
    for path in (_CGROUP / "memory.max", _CGROUP / "memory/memory.limit_in_bytes"):
        words = _words(path)
        if words and words[0] != "max" and int(words[0]) < 1 << 60:
            return int(words[0])
    return None


def _available() -> int | None:
    """What the kernel thinks the whole machine can still give, in bytes."""
    words = _words(_MEMINFO)
    return int(words[words.index("MemAvailable:") + 1]) * 1024 if "MemAvailable:" in words else None


def _page_cache() -> int:
    words = _words(_CGROUP / "memory.stat") or _words(_CGROUP / "memory/memory.stat")
    stats = dict(zip(words[::2], words[1::2], strict=False))
    return int(stats.get("inactive_file", 0)) + int(stats.get("active_file", 0))


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def peak_memory() -> int:
    """The largest resident size of this process so far, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def blas_threads(count: int) -> AbstractContextManager[object]:
    """Limits BLAS and OpenMP to that many threads while it is entered."""
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[object] = threadpool_limits(count)
    return limits


def raise_descriptors() -> None:
    """Have as many files and connections open as the system allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
