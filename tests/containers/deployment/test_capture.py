"""Data capture: the lines and places of the contract, samples, and disks that do not take it."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.containers.deployment.capture import Capture, CaptureSettings
from algoport.containers.deployment.connection import Answer

CSV = [(b"content-type", b"text/csv")]


def captured(folder: Path, *requests: tuple[list[tuple[bytes, bytes]], bytes, Answer], **more: Any) -> list[Any]:
    capture = Capture(CaptureSettings(folder=folder, **more), "endpoint", print)
    for asked, body, answer in requests:
        capture.note("one", asked, body, answer)
    capture.close()
    assert capture.written == len(requests)
    paths = sorted(folder.rglob("*.jsonl"))
    place = r"endpoint/one/\d{4}/\d\d/\d\d/\d\d/\d\d-\d\d-\d{3}-[0-9a-f-]{36}\.jsonl"
    assert all(re.fullmatch(place, str(path.relative_to(folder))) for path in paths)
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def test_a_line_is_as_the_contract_says(tmp_path: Path) -> None:
    asked = [*CSV, (b"x-amzn-sagemaker-inference-id", b"mine")]
    answer = Answer(200, [(b"content-type", b"text/csv; charset=utf-8")], b"0.02")

    (line,) = captured(tmp_path, (asked, b"1,2\n", answer))

    event = line["eventMetadata"]
    assert line["captureData"] == {
        "endpointInput": {"observedContentType": "text/csv", "mode": "INPUT", "data": "1,2\n", "encoding": "CSV"},
        "endpointOutput": {
            "observedContentType": "text/csv; charset=utf-8",
            "mode": "OUTPUT",
            "data": "0.02",
            "encoding": "CSV",
        },
    }
    assert line["eventVersion"] == "0" and event["inferenceId"] == "mine" and len(event["eventId"]) == 36
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", event["inferenceTime"])


def test_bodies_are_text_for_the_content_types_that_are_said_to_be(tmp_path: Path) -> None:
    answer = Answer(200, [(b"content-type", b"application/json")], b"{}")
    other = [(b"content-type", b"application/x-mine")]

    lines = captured(
        tmp_path, (CSV, b"1\n", answer), (CSV, b"\xff", answer), (other, b"1", answer), ([], b"1", answer), json=()
    )

    halves = [line["captureData"]["endpointInput"] for line in lines]
    assert [half["encoding"] for half in halves] == ["CSV", "BASE64", "BASE64", "BASE64"]
    assert base64.b64decode(halves[1]["data"]) == b"\xff" and halves[3]["observedContentType"] == ""
    assert {line["captureData"]["endpointOutput"]["encoding"] for line in lines} == {"BASE64"}
    assert "inferenceId" not in lines[0]["eventMetadata"]


@pytest.mark.parametrize(("mode", "half"), [("Input", "endpointInput"), ("Output", "endpointOutput")])
def test_one_side_alone(mode: str, half: str, tmp_path: Path) -> None:
    (line,) = captured(tmp_path, (CSV, b"1\n", Answer(200)), mode=mode)

    assert list(line["captureData"]) == [half]


def test_a_sample_has_about_its_size(tmp_path: Path) -> None:
    for percent, low, high in ((0, 0, 0), (100, 1000, 1000), (20, 140, 260)):
        capture = Capture(CaptureSettings(folder=tmp_path, percent=percent), "endpoint", print)
        wanted = sum(capture.wants() for _ in range(1000))
        capture.close()
        assert low <= wanted <= high


def test_what_the_disk_does_not_take_is_left_out_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    capture = Capture(CaptureSettings(folder=tmp_path), "endpoint", lines.append)
    (tmp_path / "endpoint" / "one").write_text("in the way")
    capture.note("one", CSV, b"1\n", Answer(200))
    capture.close()

    assert (capture.written, capture.left_out) == (0, 1)
    assert lines == [f"Capture: 1 requests are left out, as {tmp_path}/endpoint does not take them."]


def test_more_than_may_wait_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("algoport.containers.deployment.capture.WAITING", 10)
    capture = Capture(CaptureSettings(folder=tmp_path), "endpoint", print)
    capture.note("one", CSV, b"1" * 11, Answer(200))
    capture.close()

    assert (capture.written, capture.left_out) == (0, 1)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"--capture: .*: cannot be made: Not a directory\."):
        Capture(CaptureSettings(folder=tmp_path / "file"), "endpoint", print)
