"""What goes wrong inside a process from its start, where `FAULTS` says so: imported by Python before all else.

{"slow": {"folder": …, "pause": seconds, "mark": path}}    a disk that takes its time in that folder
{"names": {"algo-1": ["127.0.0.1", seconds]}}              a name that resolves only after so many seconds
{"clock": [seconds, by]}                                   a clock that jumps by so much after so many seconds
{"address": bytes}                                         a limit on the address space
{"group": path}                                            the file with the processes of a cgroup
{"dies": "connecting"}                                     a host that is gone once all have met
"""

import json
import os
import signal
import socket
import sys
import threading
import time

CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree")
START = time.monotonic()


def main():
    faults = json.loads(os.environ.get("FAULTS") or "{}")
    if "slow" in faults:
        slow(**faults["slow"])
    if "names" in faults:
        late_names(faults["names"])
    if "clock" in faults:
        jumping_clock(*faults["clock"])
    if "group" in faults:
        with open(faults["group"], "w") as file:
            file.write(str(os.getpid()))
    if faults.get("dies") == "connecting":
        socket.if_nameindex = die  # first asked for when all hosts have come and connect with each other


def slow(folder, pause, mark):
    """Every change in the folder takes a pause, and a file that is flushed stands half written meanwhile."""
    here, sync = threading.local(), os.fsync

    def linger():
        here.busy = True
        with open(mark, "a") as file:
            file.write(".")
        time.sleep(pause)
        here.busy = False

    def changes(event, args):
        if event == "open":
            return bool(args[2] & (os.O_WRONLY | os.O_RDWR))
        return event in CHANGES

    def watch(event, args):
        if getattr(here, "busy", False) or not args or not isinstance(args[0], str | os.PathLike):
            return
        if changes(event, args) and os.fspath(args[0]).startswith(folder):
            linger()

    def half_written(descriptor):
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        if path.startswith(folder):
            here.busy = True
            with open(path, "rb") as file:
                whole = file.read()
            os.ftruncate(descriptor, len(whole) // 2)
            linger()
            os.pwrite(descriptor, whole[len(whole) // 2 :], len(whole) // 2)
        sync(descriptor)

    os.fsync = half_written
    sys.addaudithook(watch)


def late_names(names):
    """Only these names, and each only after its time."""
    ask = socket.getaddrinfo

    def answer(host, *more, **others):
        if host in names:
            address, after = names[host]
            if time.monotonic() - START < after:
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
            host = address
        return ask(host, *more, **others)

    socket.getaddrinfo = answer


def jumping_clock(after, by):
    """The time of day, not the time since the start of the machine."""
    seconds, exact = time.time, time.time_ns

    def jumped():
        return by if time.monotonic() - START >= after else 0

    time.time = lambda: seconds() + jumped()
    time.time_ns = lambda: exact() + int(jumped() * 1e9)


def die():
    """This process and its parent, as if the host were gone."""
    os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


main()
