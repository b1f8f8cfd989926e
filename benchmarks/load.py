"""What `wrk` sees when it asks a server: requests a second, how long they take, and what becomes of each."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

CONNECTIONS = (2, 4, 8, 16, 32)
PATIENCE = 60  # seconds after which an answer counts as lost
PACED = 16  # connections that come at a given pace

# With one thread of wrk, the codes are counted in one table.
COUNTED = """
seen = {}
function response(status) seen[tostring(status)] = (seen[tostring(status)] or 0) + 1 end
function done(summary, latency, requests)
  for code, count in pairs(ours:get("seen")) do print(string.format("code %s %d", code, count)) end
end
"""


@dataclass(frozen=True)
class Load:
    """What a run has seen."""

    requests: float  # a second
    p50: float  # ms
    p99: float
    answered: int
    refused: int  # neither 2xx nor 3xx
    lost: int  # connect, read, write, timeout
    connections: int
    codes: dict[str, int] = field(default_factory=dict)  # where they were counted


@dataclass(frozen=True)
class Call:
    """A request that is made again and again."""

    url: str
    media: str
    body: bytes


def saturating(asked: Call, folder: Path, seconds: int, connections: Sequence[int] = CONNECTIONS) -> Load:
    """The best of several numbers of connections."""
    return max((wrk(asked, folder, number, seconds) for number in connections), key=lambda load: load.requests)


def at_rate(asked: Call, folder: Path, rate: float, seconds: int) -> Load:
    """Requests at about that rate a second: connections that wait, at random so that they do not come as one.

    The pause is right after a first try, which tells how long the answers take.
    """
    wanted = 1000 * PACED / rate  # ms from one request of a connection to its next
    pause, load = wanted, None
    for each in (max(1, seconds // 4), seconds):
        more = f"function delay() return math.random(0, {2 * pause:.0f}) end"
        load = wrk(asked, folder, PACED, each, more=more)
        spent = 1000 * PACED / max(load.requests, 0.1) - pause
        pause = max(0.0, wanted - spent)
    assert load is not None
    return load


def wrk(asked: Call, folder: Path, connections: int, seconds: int, *, more: str = "", counted: bool = False) -> Load:
    """One run; `counted`: with the number of answers of each code."""
    content, script = folder / "asked", folder / "ask.lua"
    content.write_bytes(asked.body)
    script.write_text(
        f'local file = io.open("{content}", "rb")\n'
        f'wrk.method = "POST"\nwrk.body = file:read("*a")\nwrk.headers["Content-Type"] = "{asked.media}"\n'
        f"file:close()\nfunction setup(thread) ours = thread end\n{COUNTED if counted else ''}{more}\n"
    )
    options = [f"-c{connections}", f"-d{seconds}s", "--timeout", f"{PATIENCE}s", "--latency", "-s", str(script)]
    text = subprocess.run(["wrk", "-t1", *options, asked.url], capture_output=True, text=True, check=True).stdout
    spread = dict(re.findall(r"^\s+(50|99)%\s+(\S+)\s*$", text, re.MULTILINE))
    lost = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    total, rate = re.search(r"(\d+) requests in", text), re.search(r"Requests/sec:\s+(\S+)", text)
    if not (total and rate and len(spread) == 2):
        raise SystemExit(f"wrk saw no answer:\n{text}")
    return Load(
        requests=float(rate[1]),
        p50=_milliseconds(spread["50"]),
        p99=_milliseconds(spread["99"]),
        answered=int(total[1]),
        refused=int(refused[1]) if refused else 0,
        lost=sum(map(int, lost.groups())) if lost else 0,
        connections=connections,
        codes={code: int(count) for code, count in re.findall(r"^code (\d+) (\d+)$", text, re.MULTILINE)},
    )


def memory(parent: int) -> int:
    """Resident bytes of a process and of all below it."""
    children: dict[int, list[int]] = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            above = int(place.joinpath("stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(above, []).append(int(place.name))
    total, family = 0, [parent]
    for process in family:
        family += children.get(process, [])
        try:
            total += int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except OSError:
            continue
    return total


def _milliseconds(text: str) -> float:
    units = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4, "h": 3.6e6}
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m|h)", text).groups()  # type: ignore[union-attr]
    return round(float(number) * units[unit], 3)
