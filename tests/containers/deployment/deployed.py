"""An endpoint in a process of its own, its servers, and clients that ask it while they are killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.serving.servers import ROOT, STANDINS, Server, free_port

QUICK = {"SAGEMAKER_MODEL_SERVER_WORKERS": "1", "ALGORITHM_PATH": str(STANDINS), "PYTHONPATH": str(ROOT)}
HEADERS = {"Content-Type": "text/csv", "Accept": "text/csv"}


@dataclass
class Deployed(Server):
    @property
    def lines(self) -> list[str]:
        return self.log.read_text().splitlines()

    def until(self, words: str, seconds: float = 300) -> None:
        end = time.monotonic() + seconds
        while words not in self.log.read_text():
            assert time.monotonic() < end and self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)

    def ask(self, body: str = "1,2,3\n", **headers: str) -> requests.Response:
        return requests.post(f"{self.url}/invocations", body, headers=HEADERS | headers, timeout=90)

    def sleepy(self, seconds: float, **more: Any) -> requests.Response:
        body = {"instances": [{"features": [1, 2, 3]}], "configuration": {"sleep": seconds}}
        return self.ask(json.dumps(body), **{"Content-Type": "application/json", "Accept": "application/json"})

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def servers(self) -> list[int]:
        """The servers of all instances, without those that hold them on a leash and without their workers."""
        parents = {}
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                words = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
                variables = Path(f"/proc/{entry}/environ").read_bytes()
                parent = int(Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            mine = f"ALGOPORT_HOME={self.log.parent}/home\0".encode() in variables
            if mine and b"algoport.serving" in words and not any(word.endswith(b"leash.py") for word in words):
                parents[int(entry)] = parent
        return [process for process, parent in parents.items() if parent not in parents]

    def instance_port(self) -> int:
        """On which one of the instances listens."""
        variables = Path(f"/proc/{self.servers()[0]}/environ").read_bytes().decode().split("\0")
        return int(next(one for one in variables if one.startswith("SAGEMAKER_BIND_TO_PORT=")).partition("=")[2])


@contextmanager
def deployed(folder: Path, *words: str) -> Iterator[Deployed]:
    """`algoport deploy` with those words, ready."""
    port, log = free_port(), folder / "log"
    with open(log, "wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "algoport.containers.cli", "deploy", *words, "--port", str(port)],
            cwd=folder,
            env=os.environ | QUICK | {"ALGOPORT_HOME": str(folder / "home")},
            stdout=out,
            stderr=out,
        )
    made = Deployed(process, port, log)
    try:
        made.until("Serving ")
        yield made
    finally:
        if process.poll() is None:
            assert made.end() == 0
        assert not made.servers()


def load(made: Deployed, seconds: float, kills: float, clients: int = 4, seed: int = 0) -> tuple[Counter[int], int]:
    """Ask from several clients while a server is killed now and then: how many answers of each code, and how many
    kills; AssertionError where one is wrong."""
    codes, wrong, end = Counter[int](), list[str](), time.monotonic() + seconds

    def client(number: int) -> None:
        chance = random.Random(seed * 100 + number)
        with requests.Session() as session:
            while time.monotonic() < end:
                row = [chance.randint(0, 99) for _ in range(3)]
                text = ",".join(map(str, row)) + "\n"
                answer = session.post(f"{made.url}/invocations", text, headers=HEADERS, timeout=90)
                codes[answer.status_code] += 1
                good = answer.status_code == 200 and float(answer.text.split(",")[0]) == sum(row) + 0.5
                if not good and not (answer.status_code == 503 and answer.headers.get("Retry-After")):
                    wrong.append(f"{text} {answer.status_code} {answer.headers} {answer.text}")

    errors: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            client(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    count, chance = 0, random.Random(seed)
    while time.monotonic() < end - kills:
        time.sleep(kills)
        servers = made.servers()
        if servers:
            os.kill(chance.choice(servers), signal.SIGKILL)
            count += 1
    for thread in threads:
        thread.join()
    assert not errors and not wrong, (errors[:3], wrong[:3])
    return codes, count
