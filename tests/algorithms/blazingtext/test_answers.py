"""Which type answers have."""

from __future__ import annotations

import json

import pytest

from algoport.serving.prediction import Predictor
from tests.algorithms.blazingtext.jobs import CLASSES, lines, trained

JSON, JSON_LINES = "application/json", "application/jsonlines"


@pytest.mark.parametrize(
    ("body", "kind", "accept", "expected"),
    [
        (b'{"instances": ["Tor"]}', JSON, None, JSON),
        (b'{"source": "Tor"}\n{"source": "vote", "k": 2}', JSON_LINES, None, JSON_LINES),
        (b'{"source": "Tor"}', JSON_LINES, "*/*", JSON_LINES),
        (b'{"source": "Tor"}', JSON_LINES, JSON, JSON),
        (b"Tor\nvote", "text/plain", None, JSON),
    ],
)
def test_an_answer_has_the_type_of_the_request_where_no_other_is_asked_for(
    body: bytes, kind: str, accept: str | None, expected: str
) -> None:
    reply = Predictor.of("blazingtext").answer(trained(lines(), **CLASSES), body, kind, accept)

    assert reply.content_type == expected
    entries = json.loads(reply.body) if expected == JSON else list(map(json.loads, reply.body.splitlines()))
    assert all(entry["label"][0].startswith("__label__") for entry in entries)
