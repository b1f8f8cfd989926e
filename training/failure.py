"""How a job says why it failed: `output/failure`, the log, and the exit code."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
from pathlib import Path

from algoport.algorithms.contract.errors import AlgoportError, PlatformError, lacks_memory
from algoport.algorithms.shared.machine import memory_limit

LIMIT = 1024  # characters that the platform shows
FURTHER = 5  # findings after the first


def report(error: BaseException, path: Path) -> int:
    """Write what happened to the file and to the log; the exit code, 2 where the user can correct it, else 1."""
    from algoport.training import log

    known = as_known(error)
    write(path, text(known))
    log.fault("\n".join(f"{known.prefix}: {finding}" for finding in known.findings), None if known is error else error)
    return known.code


def as_known(error: BaseException) -> AlgoportError:
    """The error as one whose sentence says who has to act. A bug is named by its type and message."""
    if isinstance(error, AlgoportError):
        return error
    known = _classify(error)
    known.__cause__ = error.__cause__
    return known


def _classify(error: BaseException) -> AlgoportError:
    if lacks_memory(error):
        limit = memory_limit()
        had = f"; the limit is {_size(limit)}" if limit else ""
        reason = str(error).partition("DefaultCPUAllocator: ")[2].partition(" Error code")[0] or str(error)
        return PlatformError(
            f"Memory: more is needed than there is ({reason.rstrip('.') or 'allocation failed'}){had}. More memory, "
            "smaller batches or a smaller model may help."
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return PlatformError(f"{error.filename or 'Disk'}: no space is left on its device.")
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EROFS, errno.EPERM) and error.filename:
        return PlatformError(f"{error.filename}: {error.strerror} for user {os.geteuid()}.")
    return AlgoportError(f"{type(error).__name__}: {error}")


def text(error: AlgoportError) -> str:
    """What the file holds: the prefix and the first sentence, further findings, the cause; at most 1,024 letters."""
    findings = [finding.replace("\n", " ") for finding in error.findings]
    lines = [f"{error.prefix}: {findings[0] if findings else type(error).__name__}"]
    lines += findings[1 : 1 + FURTHER]
    if len(findings) > 1 + FURTHER:
        lines.append(f"and {len(findings) - 1 - FURTHER} more; the log has them all.")
    if error.__cause__ is not None:
        lines.append(f"(caused by {type(error.__cause__).__name__}: {error.__cause__})".replace("\n", " "))
    while len("\n".join(lines)) > LIMIT and len(lines) > 1:
        lines.pop()
    whole = "\n".join(lines)
    return whole if len(whole) <= LIMIT else whole[: LIMIT - 3] + "..."


def write(path: Path, sentence: str) -> None:
    """Leave the sentence for the platform, unless another stands there; on standard error where that fails."""
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
        if path.exists():
            return
        with open(path, "x", encoding="utf-8", errors="backslashreplace") as file:
            file.write(sentence)
    except OSError as error:
        with contextlib.suppress(OSError):
            if path.stat().st_size == 0:  # there was room for a name and for nothing else
                path.unlink()
        print(f"{path}: cannot be written ({error.strerror}). It would say:\n{sentence}", file=sys.stderr, flush=True)


def by_signal(number: int, peak: int) -> AlgoportError:
    """What to say of a child that a signal has ended; `peak` is the most memory it had, in bytes."""
    name = signal.Signals(number).name
    if number == signal.SIGKILL:
        limit = memory_limit()
        bound = f", the limit is {_size(limit)}" if limit else ""
        return PlatformError(
            f"Training was killed ({name}, exit code 137), as happens where memory runs out: "
            f"it had {_size(peak)} at most{bound}. More memory or smaller batches may help."
        )
    if number == signal.SIGILL:
        return PlatformError(
            f"Training was ended by {name} (exit code 132): this processor lacks an instruction that it needs."
        )
    return AlgoportError(f"Training was ended by {name} (exit code {128 + number}); it had {_size(peak)} at most.")


def _size(count: int) -> str:
    return f"{count / 2**30:.2f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
