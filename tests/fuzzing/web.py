"""The same requests as those in process, sent to a real server over HTTP: one server for each algorithm."""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from algoport import algorithms
from tests.conformance.example import Example, written
from tests.fuzzing.endpoints import server, types
from tests.fuzzing.fuzzer import Target
from tests.serving.servers import serving


@dataclass(frozen=True)
class Response:
    """An answer in the words of the framework's own client."""

    answer: requests.Response

    @property
    def status_code(self) -> int:
        """The code."""
        return self.answer.status_code

    @property
    def data(self) -> bytes:
        """The body."""
        return self.answer.content

    @property
    def request(self) -> Any:
        """What was asked."""
        return self.answer.request

    def get_json(self) -> Any:
        """The body's meaning."""
        return self.answer.json()


class Client:
    """Asks over one connection, as long as the server keeps it."""

    def __init__(self, url: str) -> None:
        self._url, self._session = url, requests.Session()

    def open(self, path: str, *, method: str, data: bytes, headers: list[tuple[str, str]]) -> Response:
        """One request, not made any prettier than it is."""
        # What the client itself would not send is left out.
        sent = {name: value for name, value in headers if value.isprintable() and value == value.strip()}
        prepared = requests.Request(method, self._url, headers=sent, data=data).prepare()
        prepared.url = self._url + path
        try:
            return Response(self._session.send(prepared, timeout=10, allow_redirects=False))
        except requests.exceptions.ConnectionError:  # a server may close a connection between two requests, once
            return Response(self._session.send(prepared, timeout=10, allow_redirects=False))


def targets(*names: str) -> Iterator[Target]:
    """One for each algorithm and each type of its requests; servers end with this process."""
    running = ExitStack()
    atexit.register(running.close)
    for name in names or algorithms.names():
        example = Example(name)
        base = Path(running.enter_context(tempfile.TemporaryDirectory()))
        written(example.fit(), base / "model")
        asked = Client(running.enter_context(serving(base, ALGORITHM=name, SAGEMAKER_MAX_PAYLOAD_IN_MB="1")).url)
        for media, seeds in types(example):
            yield Target(f"http {name} {media}", seeds, server(asked, media, example.algorithm.answer.responses))
