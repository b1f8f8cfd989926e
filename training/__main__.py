"""`train`: a small parent and its children.

The parent imports nothing heavy and computes nothing, so that it starts within a moment, receives every signal,
and can still say what happened when a child is killed. There is one child a host, or one a GPU where there are
several; `ALGOPORT_LOCAL_MEMBERS` asks for another number.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from typing import NoReturn

from algoport.algorithms.contract.errors import UserError
from algoport.training import documents, environment
from algoport.training.places import Places, hand_over
from algoport.training.stop import Stop

PATIENCE = 45  # seconds that children may go on after one of them has failed: they find out whom they lost


def main() -> int:
    """Run the job that the ml folder describes; 0, or 2 where its user can correct what is wrong, else 1."""
    sys.stdout.write(f"Docker entrypoint called with argument(s): {' '.join(['train', *sys.argv[1:]])}\n")
    sys.stdout.flush()
    places = Places.from_environment()
    stop = Stop()
    stop.listen()
    faults = environment.faults()
    if faults:
        return _report(UserError(faults), places)
    count = _members(places)
    meeting = _meeting_place(places) if count > 1 and "ALGOPORT_RENDEZVOUS" not in os.environ else None
    for number in range(count):
        if _is_child_of_fork(stop):
            _be_child(number, count, stop, places)
    code = _wait(stop, places)
    if meeting:
        shutil.rmtree(meeting, ignore_errors=True)
    hand_over(places.outputs())
    stop.close()
    return code


def _members(places: Places) -> int:
    asked = environment.count("ALGOPORT_LOCAL_MEMBERS")
    if asked:
        return asked
    gpus = _gpus()
    if gpus < 2 or _pipes(places) or not _wants_gpus():
        return 1
    return gpus


def _gpus() -> int:
    """How many GPUs the container was given, without asking a driver."""
    try:
        return sum(re.fullmatch(r"nvidia\d+", name) is not None for name in os.listdir("/dev"))
    except OSError:
        return 0


def _meeting_place(places: Places) -> str | None:
    """Members of a single host meet in a file, for which no network is needed: its folder."""
    try:
        hosts = documents.read(places.config / "resourceconfig.json").get("hosts")
    except UserError:  # which the job reports
        hosts = None
    if isinstance(hosts, list) and len(hosts) > 1:
        return None
    folder = tempfile.mkdtemp(prefix="algoport-")
    os.environ["ALGOPORT_RENDEZVOUS"] = f"file://{folder}/members"
    return folder


def _pipes(places: Places) -> bool:
    """True where a channel comes through a pipe, which only one process can read."""
    try:
        channels = documents.read(places.config / "inputdataconfig.json").values()
    except UserError:  # which the job reports
        return False
    return any(isinstance(channel, dict) and channel.get("TrainingInputMode") == "Pipe" for channel in channels)


def _wants_gpus() -> bool:
    """Whether the algorithm computes on GPUs; asked in a process of its own, for the answer costs an import."""
    ask = "import os, sys; from algoport import algorithms; sys.exit(not algorithms.find(os.environ['ALGORITHM']).gpu)"
    # -P: the current folder is the user's, and may hold another `algoport`.
    answer = subprocess.run([sys.executable, "-P", "-c", ask], capture_output=True, check=False)  # noqa: S603 (our own)
    return answer.returncode == 0


def _is_child_of_fork(stop: Stop) -> bool:
    """Make a child; True in it, which no longer knows of the others."""
    both = {signal.SIGTERM, signal.SIGINT}
    # A signal that came between the fork and the note of the child's number would reach nobody.
    signal.pthread_sigmask(signal.SIG_BLOCK, both)
    child = os.fork()
    if child:
        stop.children.append(child)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, both)
        return False
    stop.children.clear()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, both)
    return True


def _be_child(number: int, count: int, stop: Stop, places: Places) -> NoReturn:
    code = 1
    try:
        _die_with_parent()
        from algoport.training.run import main as job

        code = job(places, stop, number, count)
    except BaseException as error:
        code = _report(error, places)
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        # Threads of libraries may still be at work, and some never end: nothing of theirs is wanted any more.
        os._exit(code)


def _report(error: BaseException, places: Places) -> int:
    """For what arises before the job can report for itself: an import that fails, say; the exit code."""
    from algoport.training import failure, log

    log.start()
    return failure.report(error, places.failure)


def _die_with_parent() -> None:
    """Ask the kernel to end this process when the parent is killed, so that no orphan computes on."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _wait(stop: Stop, places: Places) -> int:
    """Reap all children; the code of the one that failed first, or 0."""
    code, deadline = 0, float("inf")
    while stop.children:
        child, status, usage = os.wait4(-1, 0 if deadline == float("inf") else os.WNOHANG)
        if child == 0:
            time.sleep(0.05)
            if time.monotonic() > deadline:
                _kill(stop.children)
            continue
        if child not in stop.children:  # an orphan that became ours, as happens to process 1
            continue
        stop.children.remove(child)
        result = os.waitstatus_to_exitcode(status)
        if result < 0:
            result = _report_signal(-result, usage.ru_maxrss * 1024, places)
        if result and not code:
            code, deadline = result, time.monotonic() + PATIENCE
    return code


def _kill(children: list[int]) -> None:
    for child in children:
        os.kill(child, signal.SIGKILL)


def _report_signal(number: int, peak: int, places: Places) -> int:
    from algoport.training import failure, log

    log.start()
    return failure.report(failure.by_signal(number, peak), places.failure)


if __name__ == "__main__":
    sys.exit(main())
