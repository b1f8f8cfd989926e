"""Many models in one server whose memory holds less than half of them: loaded, asked and unloaded at random.

    python -m benchmarks.multimodel [--seconds 120] [--models 50] [--hold 20] [--clients 8] [--json] [--keep]

Needs a Docker Engine and the image `algoport/kmeans:cpu`. The container gets as much memory as the server, `hold`
models and their loading need. Each model has its nearest center elsewhere and at a distance of its own, so that every
answer tells whose it is. Wanted: a load is 200, 409 (it is there) or 507 (it does not fit), a request 200 with the
model's own answer, 404 (it is not there) or 507, an unload 200 or 404; no connection is lost, the server is not killed,
is healthy afterwards, and without models no larger than it was before the first.
"""

from __future__ import annotations

import argparse
import collections
import http.client
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from algoport.algorithms.kmeans.model import Model
from benchmarks.record import header, keep

IMAGE = "algoport/kmeans:cpu"
K, D = 8192, 1024  # 32 MiB a model
SIZE = 4 * K * D
SPARE = 0.5  # of a model: what loading needs beside the model itself
MEASURED = "from algoport.algorithms.shared import machine as m; print(m.memory_limit() - m.memory_free())"
ALLOWED = {"load": {200, 409, 507}, "ask": {200, 404, 507}, "unload": {200, 404}}
ROW = ",".join(["0"] * D).encode()


@dataclass
class Outcome:
    """What came of the calls, by kind and code; and what must not have come."""

    codes: dict[str, collections.Counter[int]] = field(
        default_factory=lambda: collections.defaultdict(collections.Counter)
    )
    wrong: list[str] = field(default_factory=list)  # answers of another model, or of none
    strange: list[str] = field(default_factory=list)  # codes that are not allowed, and lost connections
    most: int = 0  # models at a time
    lock: Any = field(default_factory=threading.Lock)

    def note(self, what: str, code: int, body: str) -> None:
        """Count an answer."""
        with self.lock:
            self.codes[what][code] += 1
            if code not in ALLOWED[what]:
                self.strange.append(f"{what}: {code} {body[:200]}")


def main() -> int:
    """Run and show; 1 where anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.multimodel")
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--models", type=int, default=50)
    parser.add_argument("--hold", type=int, default=20, help="models that there is memory for")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/multimodel.json")
    given = parser.parse_args()
    row = measure(given.seconds, given.models, given.hold, given.clients)
    facts = {**header(), "image": IMAGE}
    if given.keep:
        keep("multimodel", facts, [row])
    if given.json:
        print(json.dumps(row))
    else:
        print(f"{facts['machine']}, {facts['cores']} cores; {IMAGE}\n\n| | |\n|---|---|")
        for name, value in row.items():
            print(f"| {name} | {value} |")
    return 0 if row["met"] else 1


def measure(seconds: int, models: int, hold: int, clients: int) -> dict[str, Any]:
    """The row."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for number in range(models):
            made(folder / "models" / f"m{number}", number)
        with container(folder, "4g") as server:
            server.load(0)
            server.ask(0)
            server.unload(0)
            empty = server.used()
        limit = empty + int((hold + SPARE) * SIZE)
        with container(folder, str(limit)) as server:
            return _row(server, limit, seconds, models, hold, clients)


def _row(server: Server, limit: int, seconds: int, models: int, hold: int, clients: int) -> dict[str, Any]:
    for number in (0, 1):
        server.load(number)
        server.ask(number)
        server.unload(number)
    before, seen, start = server.used(), Outcome(), time.monotonic()
    threads = [threading.Thread(target=client, args=(server, seen, models, start + seconds, n)) for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.monotonic() - start
    healthy, there = server.call("GET", "/ping")[0] == 200, server.there()
    for name in there:
        seen.note("unload", *server.call("DELETE", f"/models/{name}"))
    after, killed = server.used(), server.killed()
    calls = {what: {str(code): count for code, count in sorted(codes.items())} for what, codes in seen.codes.items()}
    for fault in [*seen.wrong, *seen.strange][:10]:
        print(fault, file=sys.stderr)
    return {
        "case": f"{models} models of {SIZE >> 20} MiB, memory for {hold}, {clients} clients, {seconds} s",
        "calls_s": round(sum(sum(codes.values()) for codes in seen.codes.values()) / elapsed, 1),
        **{f"{what}_codes": calls.get(what, {}) for what in ALLOWED},
        "wrong_answers": len(seen.wrong),
        "other_codes_or_lost": len(seen.strange),
        "most_models_at_a_time": seen.most,
        "limit_mb": round(limit / 1e6),
        "memory_before_mb": round(before / 1e6),
        "memory_after_mb": round(after / 1e6),
        "killed": killed,
        "healthy_after": healthy,
        "met": not seen.wrong
        and not seen.strange
        and not killed
        and healthy
        and after < before + SIZE
        and calls["load"].get("507", 0) > 0
        and calls["ask"].get("200", 0) > 0,
    }


def client(server: Server, seen: Outcome, models: int, end: float, seed: int) -> None:
    """One client: asks mostly; what is not there it loads, and where it does not fit it unloads another."""
    chance = random.Random(seed)
    while time.monotonic() < end:
        number = chance.randrange(models)
        try:
            code, body = server.call("POST", f"/models/m{number}/invoke", ROW)
            seen.note("ask", code, body)
            if code == 200 and not right(body, number):
                seen.wrong.append(f"m{number} answered {body[:200]}")
            if code == 404 and chance.random() < 0.5:
                _load(server, seen, number, chance)
            elif chance.random() < 0.02:
                seen.note("unload", *server.call("DELETE", f"/models/m{chance.randrange(models)}"))
        except (OSError, http.client.HTTPException) as error:
            with seen.lock:
                seen.strange.append(f"lost: {type(error).__name__}: {error}")


def _load(server: Server, seen: Outcome, number: int, chance: random.Random) -> None:
    code, body = server.call("POST", "/models", order(number))
    seen.note("load", code, body)
    there = server.there()
    with seen.lock:
        seen.most = max(seen.most, len(there))
    if code == 507 and there:
        seen.note("unload", *server.call("DELETE", f"/models/{chance.choice(there)}"))


def made(folder: Path, number: int) -> None:
    """A model whose center nearest to zero is at a place and a distance of its own."""
    centers = np.full((K, D), 1000.0, np.float32)
    centers[place(number)] = 0
    centers[place(number), 0] = number + 1
    Model(centers=centers).save(folder)


def place(number: int) -> int:
    """Which of its centers answers."""
    return 37 * number + 11


def right(body: str, number: int) -> bool:
    """Whether that is the answer of this model."""
    [prediction] = json.loads(body)["predictions"]
    return (int(prediction["closest_cluster"]), float(prediction["distance_to_cluster"])) == (
        place(number),
        number + 1.0,
    )


def order(number: int) -> bytes:
    """The order to load it."""
    return json.dumps({"model_name": f"m{number}", "url": f"/opt/ml/models/m{number}"}).encode()


@dataclass(frozen=True)
class Server:
    """A container that serves many models."""

    name: str
    port: int

    def call(self, method: str, path: str, body: bytes | None = None) -> tuple[int, str]:
        """Code and text of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            media = "application/json" if path == "/models" else "text/csv"
            connection.request(method, path, body, {"Content-Type": media, "Accept": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def load(self, number: int) -> None:
        """What must go well."""
        code, body = self.call("POST", "/models", order(number))
        assert code == 200, body

    def unload(self, number: int) -> None:
        """What must go well."""
        code, body = self.call("DELETE", f"/models/m{number}")
        assert code == 200, body

    def ask(self, number: int) -> None:
        """What must go well."""
        code, body = self.call("POST", f"/models/m{number}/invoke", ROW)
        assert code == 200 and right(body, number), body

    def there(self) -> list[str]:
        """The models of the moment."""
        return [model["modelName"] for model in json.loads(self.call("GET", "/models")[1])["models"]]

    def used(self) -> int:
        """Bytes that its processes hold, page cache left out."""
        return int(docker("exec", self.name, "python", "-c", MEASURED))

    def killed(self) -> bool:
        """Whether the kernel or anybody else ended a process of it."""
        state = docker("inspect", "-f", "{{.State.OOMKilled}} {{.State.Running}}", self.name)
        return state != "false true" or "was sent SIG" in docker("logs", self.name)


@contextmanager
def container(folder: Path, memory: str) -> Iterator[Server]:
    """One that is healthy, for the length of the block."""
    name = f"algoport-multimodel-{uuid.uuid4().hex[:8]}"
    options = ["--memory", memory, "--memory-swap", memory, "-e", "SAGEMAKER_MULTI_MODEL=true"]
    volume = ["-v", f"{folder / 'models'}:/opt/ml/models:ro", "-p", "127.0.0.1::8080"]
    docker("run", "-d", "--name", name, *options, *volume, IMAGE, "serve")
    try:
        server = Server(name, int(docker("port", name, "8080").rpartition(":")[2]))
        until_healthy(server)
        yield server
    finally:
        docker("rm", "-f", name)


def until_healthy(server: Server) -> None:
    """Waits for the first healthy answer."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            if server.call("GET", "/ping")[0] == 200:
                return
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)
    raise SystemExit(f"The server did not become healthy:\n{docker('logs', server.name)}")


def docker(*words: str) -> str:
    """What a command of Docker's says, on both channels."""
    done = subprocess.run(["docker", *words], check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise SystemExit(f"docker {' '.join(words)}: {done.stdout}")
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
