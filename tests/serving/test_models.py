"""Many models in one server: the calls of the platform, also all at once."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared import artifact
from algoport.serving.models import Table
from algoport.serving.refusals import Refusal
from tests.serving.servers import CSV, Server, message, put, serving


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("many")
    put(base / "model" / "filled")
    put(base / "model")
    for number in range(6):
        put(base / "models" / f"m{number}", offset=100.0 * number)
    put(base / "models" / "slow", sleep=1.0)
    put(base / "models" / "broken", broken=True)
    (base / "models" / "empty").mkdir()
    huge = base / "models" / "huge"
    put(huge)
    with open(huge / "more.bin", "wb") as sparse:
        os.truncate(sparse.fileno(), 4 << 40)
    return base


@pytest.fixture(scope="module")
def many(place: Path) -> Iterator[Server]:
    with serving(place, SAGEMAKER_MULTI_MODEL="true", SAGEMAKER_NUM_MODEL_WORKERS="2") as server:
        yield server


@pytest.fixture(autouse=True)
def empty(many: Server) -> Iterator[None]:
    yield
    for model in many.get("/models").json()["models"]:
        requests.delete(f"{many.url}/models/{model['modelName']}", timeout=30)


def load(server: Server, name: str, folder: Path | str) -> requests.Response:
    return requests.post(f"{server.url}/models", json={"model_name": name, "url": str(folder)}, timeout=30)


def unload(server: Server, name: str) -> requests.Response:
    return requests.delete(f"{server.url}/models/{name}", timeout=30)


def ask(server: Server, name: str, body: str = "1,2,3", **more: Any) -> requests.Response:
    return server.ask(body, CSV, path=f"/models/{name}/invoke", **more)


def test_a_model_is_loaded_described_asked_and_unloaded_in_the_words_of_the_platform(many: Server, place: Path) -> None:
    folder = place / "models" / "m1"

    loaded = load(many, "one", folder)
    described = many.get("/models/one")
    answered = ask(many, "one")
    gone = unload(many, "one")

    assert (loaded.status_code, loaded.json()) == (200, {"status": "Workers scaled"})
    assert (described.status_code, described.json()) == (200, {"modelName": "one", "modelUrl": str(folder)})
    assert answered.json() == {"sums": [{"sum": 106.0, "positive": 3}]}
    assert (gone.status_code, gone.json()) == (200, {"status": 'Model "one" unregistered'})
    missing = {"code": 404, "type": "ModelNotFoundException", "message": "Model not found: one"}
    for response in (many.get("/models/one"), ask(many, "one"), unload(many, "one")):
        assert (response.status_code, response.json()) == (404, missing)


def test_nothing_is_loaded_that_was_not_asked_for(many: Server) -> None:
    assert many.get("/ping").status_code == 200
    assert many.get("/models").json() == {"models": []}
    assert "/models/<name>/invoke" in message(many.ask("1,2,3"), 404)


def test_a_name_is_taken_once(many: Server, place: Path) -> None:
    load(many, "one", place / "models" / "m1")

    again = load(many, "one", place / "models" / "m2")

    assert again.status_code == 409
    error = {"code": 409, "type": "ConflictStatusException", "message": "Model one is already registered."}
    assert again.json() == error


def test_the_list_comes_in_pages(many: Server, place: Path) -> None:
    for number in range(5):
        load(many, f"m{number}", place / "models" / f"m{number}")

    seen, token, pages = [], None, 0
    while pages == 0 or token is not None:
        page = many.get("/models", params={"limit": 2, **({"next_page_token": token} if token else {})}).json()
        seen += [model["modelName"] for model in page["models"]]
        token, pages = page.get("nextPageToken"), pages + 1

    assert seen == [f"m{number}" for number in range(5)] and pages == 3
    assert len(many.get("/models?limit=1000").json()["models"]) == 5
    assert "limit" in message(many.get("/models?limit=0"), 400)
    assert "next_page_token" in message(many.get("/models?next_page_token=x"), 400)


def test_a_model_that_cannot_be_loaded_says_why_and_harms_nobody(many: Server, place: Path) -> None:
    load(many, "good", place / "models" / "m1")
    models = place / "models"

    assert "no model in this folder" in message(load(many, "bad", models / "empty"), 400)
    assert "broken on purpose" in message(load(many, "bad", models / "broken"), 500)
    assert "bytes of memory" in message(load(many, "bad", models / "huge"), 507)
    assert "nowhere" in message(load(many, "bad", models / "nowhere"), 404)
    assert "absolute" in message(load(many, "bad", "models/m1"), 400)
    assert message(load(many, "bad", "/usr"), 400)
    assert message(load(many, "bad", models / "m1" / "model.json"), 404)

    assert [model["modelName"] for model in many.get("/models").json()["models"]] == ["good"]
    assert ask(many, "good").status_code == 200


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"model_name": "x"}',
        '{"model_name": 5, "url": "/tmp"}',
        '{"model_name": "", "url": "/tmp"}',
        '{"model_name": "x", "url": "/tmp\\u0000/x"}',
        '{"model_name": "x\\n[ERROR] forged", "url": "/tmp"}',
        '{"model_name": "\\ud800", "url": "/tmp"}',
        json.dumps({"model_name": "x" * 2000, "url": "/tmp"}),
        "[" * 100_000,
    ],
)
def test_a_malformed_order_is_a_400(many: Server, text: str) -> None:
    assert message(requests.post(f"{many.url}/models", text.encode(), timeout=10), 400)


def test_names_may_be_strange(many: Server, place: Path) -> None:
    from urllib.parse import quote

    for name in ("../../etc/passwd", "ä b", "a/b", "invoke", "x?y#z%20", "'; drop"):
        assert load(many, name, place / "models" / "m2").status_code == 200
        path = quote(name, safe="")
        assert many.get(f"/models/{path}").json()["modelName"] == name
        assert ask(many, path).json()["sums"][0]["sum"] == 206
        assert unload(many, path).json() == {"status": f'Model "{name}" unregistered'}


def test_a_request_waits_while_its_model_loads_and_others_do_not(many: Server, place: Path) -> None:
    load(many, "other", place / "models" / "m1")
    with ThreadPoolExecutor() as pool:
        loading = pool.submit(load, many, "slow", place / "models" / "slow")
        time.sleep(0.4)
        began = time.monotonic()
        assert ask(many, "other").status_code == 200 and many.get("/ping").status_code == 200
        assert message(load(many, "slow", place / "models" / "m1"), 409)
        assert time.monotonic() - began < 0.4

        assert ask(many, "slow").json() == {"sums": [{"sum": 6.0, "positive": 3}]}
        assert loading.result().status_code == 200


def test_an_unload_waits_for_running_calls(many: Server, place: Path) -> None:
    load(many, "busy", place / "models" / "m1")
    with ThreadPoolExecutor() as pool:
        running = pool.submit(many.sleepy, 1.0, path="/models/busy/invoke")
        time.sleep(0.4)
        began = time.monotonic()

        gone = unload(many, "busy")

        assert gone.status_code == 200 and time.monotonic() - began > 0.3
        assert running.result().json()["sums"] == [{"sum": 106.0, "positive": 3}]


def test_loads_unloads_and_calls_at_once_never_meet_a_500_or_another_model(many: Server, place: Path) -> None:
    end = time.monotonic() + 4
    seen: dict[str, set[int]] = {"load": set(), "unload": set(), "ask": set()}
    wrong: list[Any] = []

    def client(seed: int) -> None:
        chance = random.Random(seed)
        while time.monotonic() < end:
            number = chance.randrange(3)
            name = f"m{number}"
            what = chance.choice(["load", "unload", "ask", "ask", "ask"])
            if what == "load":
                response = load(many, name, place / "models" / name)
            elif what == "unload":
                response = unload(many, name)
            else:
                response = ask(many, name)
                if response.status_code == 200 and response.json()["sums"][0]["sum"] != 6 + 100 * number:
                    wrong.append(response.text)
            seen[what].add(response.status_code)

    clients = [threading.Thread(target=client, args=(seed,)) for seed in range(8)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()

    assert not wrong
    assert seen == {"load": {200, 409}, "unload": {200, 404}, "ask": {200, 404}}
    assert many.get("/ping").status_code == 200


def test_the_memory_of_models_is_free_again_when_they_are_unloaded(tmp_path: Path) -> None:
    """Also what loading took beside them, in as many threads as there were loads at a time."""
    for number in range(8):
        arrays = {"offset": np.zeros(1), "more": np.zeros((1 << 20) - 4096)}
        artifact.save(tmp_path / f"m{number}", arrays, {"algorithm": "sums", "width": 3})

    with serving(tmp_path, SAGEMAKER_MULTI_MODEL="true") as server, ThreadPoolExecutor(8) as pool:

        def resident() -> int:
            [worker] = server.workers
            return next(
                int(line.split()[1]) * 1024
                for line in Path(f"/proc/{worker}/status").read_text().splitlines()
                if line.startswith("RssAnon:")
            )

        after = []
        for _ in range(4):
            loaded = pool.map(lambda number: load(server, f"m{number}", tmp_path / f"m{number}"), range(8))
            assert {response.status_code for response in loaded} == {200}
            gone = pool.map(lambda number: unload(server, f"m{number}"), range(8))
            assert {response.status_code for response in gone} == {200}
            after.append(resident())

    assert after[-1] < after[0] + (24 << 20)


def test_loads_at_the_same_time_are_not_promised_the_same_memory(tmp_path: Path) -> None:
    """The second is refused while the first is still being loaded, although nothing is used yet."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "bytes").write_bytes(bytes(1000))
    loading, go_on = threading.Event(), threading.Event()

    def loaded(folder: Path) -> Any:
        loading.set()
        go_on.wait(10)
        return object()

    table = Table(loaded, free=lambda: 2000)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(table.load, "a", str(tmp_path / "a"))
        loading.wait(10)
        with pytest.raises(Refusal) as refused:
            table.load("b", str(tmp_path / "b"))
        go_on.set()
        first.result()
    table.load("b", str(tmp_path / "b"))

    assert refused.value.code == 507
    assert [model["modelName"] for model in table.listing(100, 0)["models"]] == ["a", "b"]


def test_a_name_is_free_again_after_a_load_that_failed(tmp_path: Path) -> None:
    torchs = RuntimeError("DefaultCPUAllocator: can't allocate memory")
    outcomes = iter([UserError("no"), MemoryError(), torchs, ValueError("bug"), None])

    def loaded(folder: Path) -> Any:
        outcome = next(outcomes)
        if outcome is not None:
            raise outcome
        return object()

    table, codes = Table(loaded), []
    for _ in range(4):
        with pytest.raises(Refusal) as refused:
            table.load("a", str(tmp_path))
        codes.append(refused.value.code)
    table.load("a", str(tmp_path))

    assert codes == [400, 507, 507, 500]
