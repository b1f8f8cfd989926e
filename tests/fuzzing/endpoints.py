"""Every path of the server, asked in process by the framework's own client: one for each algorithm's answers."""

from __future__ import annotations

import gzip
import random
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from algoport import algorithms
from algoport.serving.app import Service, application
from algoport.serving.models import Table
from algoport.serving.prediction import Predictor
from algoport.serving.room import Room
from algoport.serving.settings import Settings
from algoport.training.formats import ContentType
from tests.conformance.example import Example
from tests.fuzzing.fuzzer import Target
from tests.fuzzing.readers import seeds

CODES = {200, 204, 400, 404, 405, 406, 408, 409, 413, 415, 503, 507}
FITTING = ("", "*/*", "application/json;verbose=true")  # and each of the algorithm's own
HEADERS = ("text/csv", "application/jsonlines", "x" * 9000, "\x7f/;;=,", "image/*", *FITTING)
PATHS = (
    *("/invocations", "/ping", "/metrics", "/execution-parameters", "/models", "/models/a", "/models/a/invoke"),
    *("/models/../a/invoke", "/%00", "//", "/models?limit=-1", "/models?limit=9999999999", "/invocations/"),
    *("/models?next_page_token=x", "/models/%ff%fe/invoke", "/openapi.json"),
)
METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH")
ENCODINGS = ("gzip", "identity", "br", "gzip, gzip", "x-gzip")


def targets(*names: str) -> Iterator[Target]:
    """One for each algorithm and each type of its requests."""
    for name in names or algorithms.names():
        example = Example(name)
        asks = client(example, example.fit(), Path(tempfile.mkdtemp()))
        for media, whole in types(example):
            yield Target(f"server {name} {media}", whole, server(asks, media, example.algorithm.answer.responses))


def types(example: Example) -> Iterator[tuple[str, list[bytes]]]:
    """The content types of its requests, and whole bodies of each."""
    answer = example.algorithm.answer
    rows = example.requests()
    for media in dict.fromkeys(ContentType.parse(media).media for media in answer.accepts):
        asked = example.body(media, rows[: 1 if example.one_a_request else 3])
        yield media, [asked, asked, *seeds(answer.kind, media)]


class Counted:
    """Metrics that count nothing."""

    def done(self, *_: object) -> None:
        """A request."""

    @staticmethod
    def page() -> tuple[bytes, str]:
        """Nothing."""
        return b"", "text/plain"


def client(example: Example, model: Any, folder: Path) -> Any:
    """A client of an application with that one model."""
    settings = Settings.read({"SAGEMAKER_BASE_DIR": str(folder), "SAGEMAKER_MAX_PAYLOAD_IN_MB": "1"}, gpu=lambda: False)
    predictor = Predictor.of(example.name, limit=1 << 24)
    room = Room(concurrent=1, waiting=4, timeout=30, budget=1 << 28)
    table = Table(lambda place: model)
    service = Service(
        settings=settings,
        predictor=predictor,
        room=room,
        metrics=Counted(),  # type: ignore[arg-type]
        ready=lambda: True,
        model=lambda: model,
        table=table,
    )
    return application(service).test_client()


def server(asks: Any, media: str, responses: Sequence[str]) -> Callable[[bytes], bool]:
    """Sends bytes, mostly as a body, and asks for each kind of answer."""

    def feed(data: bytes) -> bool:
        chance = random.Random(zlib.crc32(data))
        response = _asked(asks, chance, data, media, chance.choice((*FITTING, *responses)))
        assert response.status_code in CODES, f"{response.status_code}: {response.data[:300]!r}"
        assert b"there is not enough memory" not in response.data, "asked for all the memory there is"
        if response.status_code >= 400 and response.request.method != "HEAD":
            refusal = response.get_json()
            assert refusal["code"] == response.status_code and refusal["message"], response.data[:300]
            assert len(response.data) < 5000, "a sentence that nobody reads"
        return bool(response.status_code < 400)

    return feed


def _asked(asks: Any, chance: random.Random, data: bytes, media: str, accept: str) -> Any:
    """Mostly an invocation with a fitting type; now and then something else."""
    headers: dict[str, str] = {"Content-Type": media, "Accept": accept}
    path, method = "/invocations", "POST"
    if chance.random() < 0.1:
        headers[chance.choice(("Content-Type", "Accept"))] = chance.choice(HEADERS)
    if chance.random() < 0.15:
        path, method = chance.choice(PATHS), chance.choice(METHODS)
    if chance.random() < 0.1:
        headers["Content-Encoding"] = chance.choice(ENCODINGS)
        data = gzip.compress(data, 1) if chance.random() < 0.5 else data
    if chance.random() < 0.05:
        headers["X-Amzn-SageMaker-Custom-Attributes"] = data[:200].decode("latin1").replace("\n", "").replace("\r", "")
    return asks.open(path, method=method, data=data, headers=_sendable(headers))


def _sendable(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers.items() if value]
