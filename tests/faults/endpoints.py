"""An instance of an endpoint is killed every two seconds while clients ask, and what the front adds to a request."""

from __future__ import annotations

import http.client
import time
from pathlib import Path
from statistics import median
from typing import Any

from tests.containers.deployment.deployed import HEADERS, Deployed, deployed, load
from tests.serving.servers import put

SECONDS, PAUSE = 60.0, 2.0  # of a run, and between two kills
MOST_ADDED = 10.0  # milliseconds of the front, also where others keep the machine busy
ROUNDS = 400  # requests of each kind by which the front's part is measured


def kill_instances(number: int, base: Path) -> dict[str, Any]:
    """Every answer is right, or a 503 that says when to come again; AssertionError where one is not."""
    put(base / "first" / "model", offset=0.5)
    instances = 2 + number % 3
    with deployed(base, "first", "--instances", str(instances)) as made:
        added = _added(made)
        codes, kills = load(made, SECONDS, PAUSE, seed=number)
        begin = time.monotonic()
        while made.ask().status_code != 200:
            time.sleep(0.05)
        healthy = time.monotonic() - begin
    return {
        "instances": instances,
        "faults": kills,
        "requests": sum(codes.values()),
        "refused": codes[503],
        "added_ms": round(added, 3),
        "seconds": round(healthy, 2),
        "failures": [*([] if codes[200] else ["no request was answered"]), *_slow(added)],
    }


def _slow(added: float) -> list[str]:
    return [f"the front adds {added:.1f} ms to a request"] if added > MOST_ADDED else []


def _added(made: Deployed) -> float:
    """Milliseconds that the front adds to a request of one row: the median through it less that of an instance, asked
    in turns on connections that are kept."""
    ports = [made.port, made.instance_port()]
    connections = [http.client.HTTPConnection("127.0.0.1", port, timeout=60) for port in ports]
    times: list[list[float]] = [[], []]
    for _ in range(ROUNDS):
        for connection, own in zip(connections, times, strict=True):
            begin = time.perf_counter()
            connection.request("POST", "/invocations", b"1,2,3\n", HEADERS)
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, b"6.5,3\n")
            own.append(time.perf_counter() - begin)
    for connection in connections:
        connection.close()
    through, direct = (1000 * median(own[ROUNDS // 10 :]) for own in times)
    return through - direct
