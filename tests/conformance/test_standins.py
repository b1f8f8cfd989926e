"""Kinds of records that no algorithm has yet, carried by a stand-in each: on two hosts, and in every kind of answer.

What else is promised of every algorithm is tested for the stand-ins where it is tested for all.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from algoport.algorithms.shared.vision.decoding import decode
from algoport.serving.prediction import Predictor
from algoport.serving.refusals import Refusal
from algoport.training.formats import Layout
from algoport.training.formats.record import message
from algoport.training.formats.recordio import frames
from tests.conformance import forks
from tests.conformance.example import CLOSE, Example, same
from tests.conformance.folder import PATIENCE, Folder, typed_folder

HOSTS = ("127.0.0.1", "127.0.0.2")
PROTOBUF = "application/x-recordio-protobuf"


def of_host(folder: Folder, number: int, *, sharded: bool) -> Folder:
    """The folder as one of two hosts has it: of sharded channels, every second object."""
    names = {"current_host": HOSTS[number], "hosts": list(HOSTS), "network_interface_name": "lo"}
    folder.put("input/config/resourceconfig.json", json.dumps(names).encode())
    if sharded:
        path = folder.path / "input/config/inputdataconfig.json"
        path.write_text(path.read_text().replace("FullyReplicated", "ShardedByS3Key"))
        for other in (folder.path / "input/data").glob(f"*/part-{1 - number}"):
            (shutil.rmtree if other.is_dir() else os.remove)(other)
    return folder


@pytest.mark.parametrize("sharded", [False, True], ids=["replicated", "sharded"])
def test_two_hosts_leave_the_model_of_one(example: Example, model: Any, tmp_path: Path, sharded: bool) -> None:
    """From files of every content type of the channel; the second host writes none."""
    channel = example.algorithm.channel("train")
    assert channel is not None
    for media in channel.content_types:
        place = tmp_path / media.replace("/", " ")
        folders = [
            of_host(typed_folder(place / str(number), example, media), number, sharded=sharded) for number in range(2)
        ]
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])

        logs = [place / f"{number}.log" for number in range(2)]
        given = [folder.environment(MASTER_PORT=port) for folder in folders]
        runs = [
            forks.start(each, folder.path, log, log) for each, folder, log in zip(given, folders, logs, strict=True)
        ]

        codes = [run.wait(PATIENCE) for run in runs]

        assert codes == [0, 0], f"{media}: " + "\n".join(log.read_text() for log in logs)
        same(example.answers(model), example.answers(folders[0].model()), **CLOSE)
        assert not (folders[1].path / "model").exists()


@pytest.fixture
def predictor(example: Example) -> Predictor:
    """What answers requests, without a server."""
    return Predictor.of(example.name)


def test_a_mask_is_answered_as_a_picture_of_the_size_of_the_request(
    example: Example, model: Any, predictor: Predictor
) -> None:
    if example.name != "mask-colors":
        pytest.skip("answers no pictures")
    for number in range(len(example.requests())):
        asked = example.requests()[number : number + 1]
        want = example.answers(model, asked)["mask"][0]

        answered = predictor.answer(model, asked.encoded[0], "image/jpeg", "image/png")

        assert answered.content_type == "image/png"
        np.testing.assert_array_equal(decode(answered.body, 1, "it")[..., 0], want)
        assert predictor.answer(model, asked.encoded[0], None, "image/*;q=0.5, text/html").body == answered.body


def test_probabilities_of_pixels_are_features_of_one_record_with_their_shape(
    example: Example, model: Any, predictor: Predictor
) -> None:
    if example.name != "mask-colors":
        pytest.skip("answers no probabilities of pixels")
    asked = example.requests()[:1]
    mask = example.answers(model, asked)["mask"][0]

    answered = predictor.answer(model, asked.encoded[0], "image/png", "application/x-protobuf")

    (payload,) = frames(io.BytesIO(answered.body), Layout("it"))
    record = message().FromString(payload)
    shape = list(record.features["shape"].int32_tensor.values)
    target = np.array(record.features["target"].float32_tensor.values).reshape(shape)
    assert answered.content_type == PROTOBUF and not record.label
    assert shape == [1, example.Hyperparameters.read(example.given).in_role("classes"), *mask.shape]
    np.testing.assert_array_equal(target[0].argmax(axis=0), mask)
    np.testing.assert_allclose(target.sum(axis=1), 1, rtol=1e-5)


def test_boxes_are_answered_in_fractions_and_in_pixels_of_the_picture(
    example: Example, model: Any, predictor: Predictor
) -> None:
    """As an array, too, of which the first axis is the record."""
    if example.name != "mean-boxes":
        pytest.skip("answers no boxes")
    asked = example.requests()[:1]
    boxes = example.answers(model, asked)["prediction"][0]
    height, width = decode(asked.encoded[0], 1, "it").shape[:2]

    fractions = json.loads(predictor.answer(model, asked.encoded[0], "image/jpeg", "application/json").body)
    pixels = json.loads(predictor.answer(model, asked.encoded[0], "image/png", "application/json;annotation=1").body)
    array = predictor.answer(model, asked.encoded[0], "image/png", "application/x-npy").body

    np.testing.assert_array_equal(np.array(fractions["prediction"], np.float32), boxes)
    np.testing.assert_array_equal(np.load(io.BytesIO(array), allow_pickle=False)[0], boxes)
    assert pixels["image_size"] == [{"width": width, "height": height, "depth": 3}]
    assert [entry["class_id"] for entry in pixels["annotations"]] == boxes[:, 0].tolist()
    assert all(isinstance(entry[name], int) for entry in pixels["annotations"] for name in ("left", "top", "width"))
    lines = Predictor.of(example.name, batch=True).answer(model, asked.encoded[0], "image/png", None)
    assert lines.content_type == "application/jsonlines" and json.loads(lines.body) == fractions


@pytest.mark.parametrize("body", [b"GIF89a", b"{}", b"\xff\xd8"])
def test_what_is_no_picture_is_refused(example: Example, model: Any, predictor: Predictor, body: bytes) -> None:
    if example.kind not in ("boxes", "masks"):
        pytest.skip("is not asked about pictures")

    with pytest.raises(Refusal, match="must be a JPEG, PNG or WebP file") as refused:
        predictor.answer(model, body, "image/png", None)

    assert refused.value.code == 400
