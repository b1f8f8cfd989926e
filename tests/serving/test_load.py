"""More than a server can do: all is answered, nothing is mixed up, and it is well afterwards. In short; the long
versions are benchmarks/serving.py and benchmarks/multimodel.py."""

from __future__ import annotations

import collections
import contextlib
import os
import random
import socket
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from algoport.serving.models import Table
from algoport.serving.refusals import Refusal
from tests.serving.servers import CSV, JSON, Server, put, serving


def together(clients: int, work: Callable[[int], None]) -> None:
    """Every client in a thread of its own; the first failure is raised."""
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(work, range(clients)))


def test_four_times_the_clients_there_is_room_for_are_all_answered(tmp_path: Path) -> None:
    put(tmp_path / "model")
    codes: collections.Counter[int] = collections.Counter()
    wrong: list[str] = []
    limits = {"ALGOPORT_CONCURRENT_PREDICTIONS": "1", "ALGOPORT_WAITING_REQUESTS": "4"}
    with serving(tmp_path, **limits) as server:
        end = time.monotonic() + 3

        def client(number: int) -> None:
            with requests.Session() as session:  # a connection that is lost is an error of the session, and raised
                while time.monotonic() < end:
                    headers = {"Content-Type": CSV, "Accept": JSON}
                    answer = session.post(f"{server.url}/invocations", f"{number},0,1", headers=headers, timeout=10)
                    codes[answer.status_code] += 1
                    right = answer.status_code == 503 and answer.headers["Retry-After"] == "1"
                    if answer.status_code == 200:
                        right = answer.json()["sums"][0]["sum"] == number + 1
                    if not right:
                        wrong.append(answer.text)

        together(20, client)

        assert not wrong and set(codes) == {200, 503}
        assert server.get("/ping").status_code == 200
        assert server.ask("1,2,3").json()["sums"][0]["sum"] == 6
        assert "Traceback" not in server.output


def test_connections_that_stay_are_shared_out_among_the_workers(tmp_path: Path) -> None:
    put(tmp_path / "model")

    def sockets(worker: int) -> int:
        count = 0
        for path in Path(f"/proc/{worker}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                count += "socket:" in os.readlink(path)
        return count

    def more(server: Server, connections: int) -> list[int]:
        """What each worker holds more while there are so many connections."""
        before = [sockets(worker) for worker in server.workers]
        with contextlib.ExitStack() as stack:
            for _ in range(connections):
                own = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
                own.sendall(b"GET /ping HTTP/1.1\r\nHost: here\r\n\r\n")
                assert own.recv(1000).startswith(b"HTTP/1.1 200")
            return [sockets(worker) - then for worker, then in zip(server.workers, before, strict=True)]

    with serving(tmp_path, SAGEMAKER_MODEL_SERVER_WORKERS="2") as server:
        deadline = time.monotonic() + 20
        while not all(more(server, 12)):  # one worker may be ready before the other is
            assert time.monotonic() < deadline
        time.sleep(1.5)  # both have noticed by then that those connections are gone

        assert min(more(server, 12)) >= 4


class Weighty:
    """A model that knows its name, and takes memory for as long as anybody holds it."""

    def __init__(self, name: str) -> None:
        self.name = name


def test_many_models_in_little_memory_are_refused_or_answer_for_themselves(tmp_path: Path) -> None:
    """Twelve models, of which five fit: what is loaded is never more than that, nor who answers another."""
    size, fit, models = 1000, 5, 12
    need = int(size * 1.2)
    for number in range(models):
        (tmp_path / f"m{number}").mkdir()
        (tmp_path / f"m{number}" / "bytes").write_bytes(bytes(size))
    resident, most = [0], [0]
    lock = threading.RLock()  # of finalizers, too

    def change(by: int) -> None:
        with lock:
            resident[0] += by
            most[0] = max(most[0], resident[0])

    def loaded(folder: Path) -> Weighty:
        model = Weighty(folder.name)
        change(1)
        weakref.finalize(model, change, -1)
        time.sleep(0.001)
        return model

    # While a model is being loaded it counts twice, as held and as promised: never too little.
    table = Table(loaded, free=lambda: need * (fit - resident[0]))  # type: ignore[arg-type]
    codes: dict[str, collections.Counter[int]] = collections.defaultdict(collections.Counter)

    def client(seed: int) -> None:
        chance = random.Random(seed)
        while time.monotonic() < end:
            name = f"m{chance.randrange(models)}"
            what = chance.choice(["load", "unload", "ask", "ask"])
            code = 200
            try:
                if what == "load":
                    table.load(name, str(tmp_path / name))
                elif what == "unload":
                    table.unload(name)
                else:
                    with table.use(name) as model:
                        time.sleep(0.0005)
                        assert model.name == name  # type: ignore[attr-defined]
                        del model
            except Refusal as refusal:
                code = refusal.code
            with lock:
                codes[what][code] += 1

    end = time.monotonic() + 2
    together(8, client)

    assert set(codes["load"]) == {200, 409, 507}
    assert set(codes["unload"]) == {200, 404} and set(codes["ask"]) == {200, 404}
    assert most[0] <= fit
    for model in table.listing(100, 0)["models"]:
        table.unload(model["modelName"])
    assert resident[0] == 0
