"""Lines, tables and sequences from file and pipe to answer, as the clients of the originals write them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from algoport import algorithms
from algoport.algorithms.contract import Auxiliary
from algoport.algorithms.contract.errors import UserError
from algoport.containers.jobs import validate
from algoport.serving.prediction import Predictor
from algoport.serving.refusals import Refusal
from algoport.training import formats
from algoport.training.formats import Layout
from algoport.training.formats.record import message
from algoport.training.formats.recordio import frame, frames
from tests.conformance.conftest import STANDINS
from tests.conformance.example import CLOSE, Example, same
from tests.conformance.folder import Folder, ml_folder, typed_folder

JSON, LINES, FRAMES, PROTOBUF = (
    *("application/json", "application/jsonlines", "application/x-recordio"),
    "application/x-recordio-protobuf",
)


@pytest.fixture(autouse=True)
def reachable_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-ins lie where algorithms do."""
    monkeypatch.setenv("ALGORITHM_PATH", str(STANDINS))


def piped(folder: Folder, pipes: Mapping[str, bytes], **entries: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Trains on channels that come through pipes: the bytes of each, by the pipe's name."""
    usual = {"TrainingInputMode": "Pipe", "S3DistributionType": "FullyReplicated"}
    config = {name: {**usual, **entry} for name, entry in entries.items()}
    folder.put("input/config/inputdataconfig.json", json.dumps(config).encode())
    for name, data in pipes.items():
        path = folder.path / "input/data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(path)
        threading.Thread(target=path.write_bytes, args=(data,), daemon=True).start()
    return folder.train()


def settings_of(path: Path, example: Example) -> Folder:
    folder = Folder(path, example)
    folder.hyperparameters(example.given)
    return folder


@pytest.mark.parametrize("media", [FRAMES, LINES])
def test_an_augmented_manifest_of_texts_is_trained_on_through_a_pipe(tmp_path: Path, media: str) -> None:
    """A frame for each text and each label, whatever of the two types the channel is said to have."""
    example = Example("label-words")
    data = formats.find(FRAMES, "lines").write(example.rows()["train"])
    entry = {"ContentType": media, "RecordWrapperType": "RecordIO"}

    run = piped(settings_of(tmp_path, example), {"train_0": data, "train_1": data}, train=entry)

    assert run.returncode == 0, run.stdout + run.stderr
    same(example.answers(example.fit()), example.answers(example.Model.load(tmp_path / "model")), **CLOSE)


def test_files_of_text_are_trained_on_through_a_pipe_with_and_without_frames(tmp_path: Path) -> None:
    example = Example("label-words")
    rows = example.rows()["train"]
    files = [formats.find("text/plain", "lines").write(part) for part in (rows[:20], rows[20:])]
    whole, framed = b"".join(files), b"".join(map(frame, files))
    ways: Iterator[tuple[bytes, dict[str, str]]] = iter([(whole, {}), (framed, {"RecordWrapperType": "RecordIO"})])

    for number, (data, more) in enumerate(ways):
        folder = settings_of(tmp_path / str(number), example)
        run = piped(folder, {"train_0": data, "train_1": data}, train={"ContentType": "text/plain", **more})
        assert run.returncode == 0, run.stdout + run.stderr
        same(example.answers(example.fit()), example.answers(folder.model()), **CLOSE)


def test_a_vocabulary_comes_through_a_pipe_by_any_name(tmp_path: Path) -> None:
    example = Example("token-pairs")
    data = formats.find(PROTOBUF, "sequences").write(example.rows()["train"])
    vocabulary = example.job().files["vocab"].read("vocab.json", limit=1 << 20)
    pipes = {"train_0": data, "train_1": data, "vocab_0": vocabulary}

    run = piped(settings_of(tmp_path, example), pipes, train={"ContentType": PROTOBUF}, vocab={})

    assert run.returncode == 0, run.stdout + run.stderr
    same(example.answers(example.fit()), example.answers(example.Model.load(tmp_path / "model")), **CLOSE)


def test_a_vocabulary_that_is_not_there_or_has_another_name_is_a_sentence(tmp_path: Path) -> None:
    example = Example("token-pairs")
    for name, sentence in {
        "": "Channel 'vocab' is required and has no files.",
        "vocab.jsn": "Channel 'vocab': must hold a file 'vocab.json'; it holds vocab.jsn. Was 'vocab.jsn' meant?",
    }.items():
        folder = ml_folder(tmp_path / (name or "none"), example)
        file = folder.path / "input/data/vocab/vocab.json"
        file.rename(file.with_name(name)) if name else file.unlink()

        assert folder.train().returncode == 2
        assert folder.failure.startswith(f"ClientError: {sentence}")


def test_checking_a_job_says_how_many_records_of_a_kind_and_which_files_there_are(tmp_path: Path) -> None:
    notes = {}
    for name in ("label-words", "pair-weights", "token-pairs"):
        example = Example(name)
        channel = example.algorithm.channel("train")
        assert channel is not None
        folder = typed_folder(tmp_path / name, example, channel.content_types[0])
        report = validate.findings(name, folder.path, 30)
        assert not report.faults
        notes[name] = report.notes

    for name, seen in (("label-words", "37 lines"), ("pair-weights", "41 rows of 3 columns")):
        assert any(note.startswith(f"Channel 'train': {seen}, all readable. 2 files; ") for note in notes[name])
    assert "Channel 'vocab': vocab.json; for the algorithm." in notes["token-pairs"]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"{", "vocab/vocab.json: must be an object from token to number; it is not JSON"),
        (b'{"a": 1}', "vocab/vocab.json: must be an object from token to number, from 0 without a gap"),
        (b" " * (1 << 20) + b"{}", "vocab/vocab.json: must have at most 1,048,576 bytes; it has more"),
        (b'{"a": 0}', "token 1. of 'source' must be below the vocabulary's size, 1"),
    ],
)
def test_what_is_wrong_with_an_auxiliary_file_is_the_algorithm_s_sentence(data: bytes, sentence: str) -> None:
    example = Example("token-pairs")
    job = example.job()
    files = {"vocab": Auxiliary.of("vocab", {"vocab.json": data})}

    with pytest.raises(UserError, match=sentence.replace("1.", r"\d+")):
        algorithms.part(example.name, "train").fit(replace(job, files=files))


def answered(name: str, body: bytes, media: str, accept: str = JSON) -> Any:
    example = Example(name)
    return Predictor.of(name).answer(example.fit(), body, media, accept).body


def test_each_text_is_answered_with_as_many_labels_as_it_asks_for() -> None:
    """Once for the whole body, or beside a text."""
    once = b'{"instances": ["Tor Ball", {"source": "Wahl says"}], "configuration": {"k": 2}}'
    each = b'{"source": "Tor Ball"}\n{"source": "Wahl says", "k": 2}\n'

    whole = json.loads(answered("label-words", once, JSON))
    lines = [json.loads(line) for line in answered("label-words", each, LINES, LINES).splitlines()]

    assert [entry["label"] for entry in whole] == [
        ["__label__sport", "__label__news"],
        ["__label__news", "__label__sport"],
    ]
    assert [len(entry["label"]) for entry in lines] == [1, 2]
    assert lines[1] == whole[1]
    with pytest.raises(Refusal, match="kk: "):
        answered("label-words", b'{"source": "a", "kk": 2}\n', LINES)


def test_pairs_are_asked_about_in_csv_and_in_both_forms_of_json() -> None:
    csv = b'"Smith, John", 10.0.0.1, 1\n007,10.0.0.3,\n'
    forms = b'{"instances": [{"data": {"features": {"values": ["Smith, John", "10.0.0.1", 1]}}},' + (
        b'{"features": ["007", "10.0.0.3", null]}]}'
    )

    assert answered("pair-weights", csv, "text/csv") == answered("pair-weights", forms, JSON)
    with pytest.raises(Refusal, match="line 1: weight must be a number that float32 can hold; it is 'x'"):
        answered("pair-weights", b"a,b,x\n", "text/csv")


def test_sequences_are_answered_in_recordio_as_int32_features() -> None:
    example = Example("token-pairs")
    body = formats.find(PROTOBUF, "sequences").write(example.requests())
    want = json.loads(answered("token-pairs", body, PROTOBUF))["predictions"]

    payloads = list(frames(io.BytesIO(answered("token-pairs", body, PROTOBUF, PROTOBUF)), Layout("it")))

    records = [message().FromString(payload) for payload in payloads]
    assert [list(each.features["target"].int32_tensor.values) for each in records] == [each["target"] for each in want]
    assert not any(each.label for each in records)
