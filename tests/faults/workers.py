"""A worker of the server is killed while requests run."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import requests

from algoport import algorithms
from algoport.training import formats
from tests.conformance.example import Example
from tests.faults.work import Reference, Work
from tests.serving.servers import CSV, Server, serving
from tests.serving.test_lifecycle import until

CLIENTS = 4
HEALTHY = 15.0  # seconds after which the endpoint must answer again, also where others keep the machine busy


@dataclass(frozen=True)
class Request:
    """A request: when it was sent and when it ended, and what was wrong with its answer."""

    start: float
    ended: float
    wrong: str = ""
    closed: bool = False


def kill_workers(number: int, work: Work, reference: Reference, base: Path) -> dict[str, Any]:
    """Clients ask without a pause while a worker is killed; every request that was not in it is answered."""
    chance = random.Random(f"worker {number}")
    for name, content in reference.model.items():
        path = base / "model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    rows = Example(work.algorithm).requests()[:50]
    wanted = algorithms.part(work.algorithm, "model").Model.load(base / "model").predict(rows, None)
    workers = 1 + number % 3
    more = {"ALGORITHM": work.algorithm, "SAGEMAKER_MODEL_SERVER_WORKERS": str(workers)}
    faults, requests_, over = [], [], threading.Event()
    with serving(base, **more) as server:
        until(lambda: len(server.workers) == workers)
        clients = [
            threading.Thread(target=_ask, args=(server, rows, wanted["closest_cluster"], requests_, over))
            for _ in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        for _ in range(2):
            time.sleep(chance.uniform(0.05, 1.0))
            living = server.workers
            faults.append(time.monotonic())
            with contextlib.suppress(ProcessLookupError):  # between two workers
                os.kill(chance.choice(living or [server.process.pid + (1 << 23)]), signal.SIGKILL)
        healthy = _healthy(server) - faults[-1]
        time.sleep(0.3)
        over.set()
        for client in clients:
            client.join(60)
        wrong = _wrong(requests_, faults, server)
        until(lambda: len(server.workers) == workers)
    if healthy > HEALTHY:
        wrong.append(f"healthy again only after {healthy:.1f} s")
    return {
        "work": work.name,
        "workers": workers,
        "faults": len(faults),
        "requests": len(requests_),
        "closed": sum(request.closed for request in requests_),
        "slowest_s": round(max(request.ended - request.start for request in requests_), 2),
        "seconds": round(healthy, 2),
        "failures": wrong,
    }


def _ask(server: Server, rows: Any, wanted: Any, requests_: list[Request], over: threading.Event) -> None:
    """Requests of one to all rows, each over a connection of its own."""
    number = 0
    while not over.is_set():
        number += 1
        few = 1 + number * 7 % len(rows)
        body = formats.find(CSV).write(rows[:few])
        start, wrong, closed = time.monotonic(), "", False
        try:
            answer = server.ask(body, CSV)
            if answer.status_code != 200:
                wrong = f"{answer.status_code}: {answer.text}"
            else:
                got = [entry["closest_cluster"] for entry in answer.json()["predictions"]]
                wrong = "" if np.array_equal(got, wanted[:few]) else f"another answer: {answer.text[:200]}"
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            closed = True  # before an answer, or within one, whose length tells that some of it is missing
            refused = "refused" in str(error)
            wrong = f"{error}" if refused else ""
        requests_.append(Request(start, time.monotonic(), wrong, closed))


def _healthy(server: Server) -> float:
    """When the endpoint first answered again."""
    server.wait()
    while True:
        with contextlib.suppress(requests.ConnectionError):
            if server.get("/ping").status_code == 200:
                return time.monotonic()


def _wrong(requests_: list[Request], faults: list[float], server: Server) -> list[str]:
    """Answers that are not as they should be, and connections that were closed though no worker died meanwhile."""
    wrong = [request.wrong for request in requests_ if request.wrong][:3]
    for request in requests_:
        # The kernel closes the connections of a process a moment after it was killed.
        if request.closed and not any(request.start - 0.2 <= fault <= request.ended for fault in faults):
            wrong.append(f"closed without a death: {request}")
    if sum(request.closed for request in requests_) > CLIENTS * len(faults):
        wrong.append("more connections were closed than there were requests in the workers that died")
    if len(requests_) < 2 * CLIENTS:
        wrong.append(f"only {len(requests_)} requests were answered: {server.output[-300:]}")
    return wrong
