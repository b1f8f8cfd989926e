"""What `serve` promises for every algorithm: the command itself, asked over HTTP."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

from algoport import algorithms
from algoport.training import formats
from tests.conformance.example import CLOSE, Example, same
from tests.conformance.folder import PATIENCE, Server, Trained, frames, wider

SOME = 7  # records of a request
PNG, END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"


def entries(example: Example, response: requests.Response) -> list[Any]:
    """The records of a JSON answer."""
    return example.entries(response.json())


def columns(example: Example, answers: list[Any]) -> dict[str, Any]:
    """The records turned into columns."""
    return {
        column.name: [entry[column.name] for entry in answers]
        for column in example.algorithm.answer.columns
        if not column.optional or (answers and column.name in answers[0])
    }


def wanted(example: Example, model: Any, media: str) -> dict[str, Any]:
    """What the model itself answers."""
    return example.answers(model, example.requests()[: some(example)], media)


def some(example: Example) -> int:
    """Records of a request."""
    return 1 if example.one_a_request else SOME


def body(example: Example, media: str, records: int = SOME) -> bytes:
    """A request."""
    return example.body(media, example.requests()[: min(records, some(example))])


def failed(response: requests.Response) -> str:
    """The message of a refused request, which has the shape of every error."""
    assert 400 <= response.status_code < 500, response.text
    assert response.headers["Content-Type"].startswith("application/json")
    error = json.loads(response.content)
    assert error["code"] == response.status_code and error["type"] and error["message"]
    return str(error["message"])


def test_every_declared_request_type_is_read_and_answered_as_the_model_answers(
    example: Example, trained: Trained, server: Server
) -> None:
    model = trained.folder.model()
    for media in example.algorithm.answer.accepts:
        response = server.ask(body(example, media), media)

        assert response.status_code == 200, f"{media}: {response.text}"
        want = wanted(example, model, formats.ContentType.parse(media).media)
        same(want, columns(example, entries(example, response)), **CLOSE)


def test_a_request_of_no_records_is_answered_with_none_in_every_kind(example: Example, server: Server) -> None:
    nothing = {"application/json": b'{"instances": []}', "application/jsonlines": b"\n", "text/csv": b"\n"}
    answer = example.algorithm.answer
    for media in nothing.keys() & {formats.ContentType.parse(kind).media for kind in answer.accepts}:
        for accept in answer.responses:
            response = server.ask(nothing[media], media, accept)

            kind = formats.ContentType.parse(accept).media
            assert response.status_code == 200, f"{media}, {accept}: {response.text}"
            assert response.headers["Content-Type"].startswith(kind)
            if kind == "application/x-npy":
                assert len(np.load(io.BytesIO(response.content))) == 0
            else:
                assert entries(example, response) == [] if kind == "application/json" else not response.content


def test_every_declared_answer_has_as_many_records_as_the_request(example: Example, server: Server) -> None:
    media = example.algorithm.answer.accepts[0]
    for accept in example.algorithm.answer.responses:
        for records in {1, some(example)}:
            response = server.ask(body(example, media, records), media, accept)

            assert response.status_code == 200, f"{accept}: {response.text}"
            assert response.headers["Content-Type"].partition(";")[0] == accept.partition(";")[0]
            assert count(example, accept, response) == records, f"{accept}: {response.content[:300]!r}"


def count(example: Example, accept: str, response: requests.Response) -> int:
    """How many records there are in an answer."""
    media = accept.partition(";")[0]
    if media == "application/json":
        return len(entries(example, response))
    if media == "application/x-recordio-protobuf":
        return frames(response.content)
    if media == "application/x-npy":
        return len(np.load(io.BytesIO(response.content), allow_pickle=False))
    if media == "image/png":
        return int(response.content.startswith(PNG) and response.content.endswith(END))
    return len(response.text.splitlines())


def test_a_request_that_does_not_say_what_it_wants_gets_the_default(example: Example, server: Server) -> None:
    answer = example.algorithm.answer
    for accept in ("*/*", "", f"text/x-nothing, {answer.default_response};q=0.5"):
        response = server.ask(body(example, answer.accepts[0]), answer.accepts[0], accept)

        assert response.headers["Content-Type"].partition(";")[0] == answer.default_response, response.text


def test_a_request_of_the_wrong_width_is_a_4xx_that_says_so(example: Example, model: Any, server: Server) -> None:
    if model.width is None:
        pytest.skip("any width will do")
    rows = example.requests()[:2]
    own = example.wire.requests  # whose records may have no width
    for media in (media for media in example.algorithm.answer.accepts if media not in own):
        message = failed(server.ask(formats.find(media, example.kind).write(wider(rows)), media))

        assert str(model.width + 1) in message and str(model.width) in message, f"{media}: {message}"


@pytest.mark.parametrize("garbage", [b"\x00\xff\x00garbage", b"{]", b"a,b\nc,d\n"])
def test_a_body_that_cannot_be_read_is_a_4xx_that_says_so(example: Example, server: Server, garbage: bytes) -> None:
    for media in example.algorithm.answer.accepts:
        assert failed(server.ask(garbage, media)), media


def test_an_unknown_content_type_is_reported_with_those_there_are(example: Example, server: Server) -> None:
    response = server.ask(b"<p>1</p>", "text/html")

    message = failed(response)
    assert response.status_code == 415
    assert "text/html" in message and all(media in message for media in example.algorithm.answer.accepts)


def test_an_unknown_answer_type_is_reported_with_those_there_are(example: Example, server: Server) -> None:
    media = example.algorithm.answer.accepts[0]

    response = server.ask(body(example, media), media, "text/html")

    message = failed(response)
    assert response.status_code == 406
    assert all(media in message for media in example.algorithm.answer.responses)


def test_a_health_check_is_an_empty_200(server: Server, name: str) -> None:
    response = requests.get(f"{server.url}/ping", timeout=5)

    assert (response.status_code, response.content) == (200, b"")


def test_answering_without_a_network_imports_no_torch(example: Example, trained: Trained) -> None:
    """It costs seconds of every start and hundreds of megabytes of every worker."""
    if (Path(algorithms.part(example.name, "").__file__ or "").parent / "network.py").is_file():
        pytest.skip("its model is a network")
    program = (
        "import sys; from pathlib import Path; from algoport.algorithms.shared import compiled; compiled.prepare();"
        "from tests.conformance.example import Example; example = Example(sys.argv[1]);"
        "example.answers(example.Model.load(Path(sys.argv[2])));"
        "print(sorted({'torch', 'sklearn', 'pandas'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", program, example.name, str(trained.folder.path / "model")]

    done = subprocess.run(
        command, env=trained.folder.environment(), text=True, capture_output=True, timeout=PATIENCE, check=False
    )

    assert done.stdout.strip() == "[]", done.stdout + done.stderr
