"""From labels to training: what the page has written is what algorithms learn from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared.vision.decoding import encode
from algoport.containers.cli import main
from algoport.containers.labels import exports
from algoport.containers.labels.task import Task
from algoport.training.formats import Layout
from algoport.training.formats.boxes import recordio as boxes_recordio
from algoport.training.formats.images import recordio
from algoport.training.formats.lines import jsonlines

BOX = {"class_id": 1, "left": 10, "top": 5, "width": 20, "height": 10}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures/deep").mkdir(parents=True)
    for number, name in enumerate(("a.png", "b.png", "deep/c.png")):
        (tmp_path / "pictures" / name).write_bytes(encode(np.full((20, 40, 3), number, np.uint8)))
    return tmp_path


def labeled(source: Path, kind: str, answers: list[Any], attribute: str = "label", output: str = "labels") -> Path:
    work = Task(source, kind, ["cat", "dog", "bird"], source.parent / output, attribute)
    for number, answer in enumerate(answers):
        if answer is not None:
            work.say(number, answer)
    path = exports.export(work, "manifest")
    work.close()
    return path


def test_texts_are_learned_from_their_manifest(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["warm", "funny", "moving", "dull", "loud", "slow"]
    random = np.random.default_rng(0)
    answers = random.integers(0, 2, 60).tolist()
    lines = [" ".join([*random.choice(words[3 * mood : 3 * mood + 3], 3), "film", "plot"]) for mood in answers]
    (place / "texts.txt").write_text("\n".join(lines))
    manifest = labeled(place / "texts.txt", "text", answers, attribute="mood")
    (place / "asked.jsonl").write_text('{"source": "a warm moving film"}\n{"source": "loud dull plot"}\n')

    settings = ["mode=supervised", "min_count=1", "epochs=20", "vector_dim=8", "learning_rate=0.5"]
    given = [word for setting in settings for word in ("--hp", setting)]
    assert main(["train", "blazingtext", "--train", str(manifest), *given, "--output", "job"]) == 0
    capfd.readouterr()
    assert main(["predict", "job", "asked.jsonl"]) == 0

    said = capfd.readouterr().out
    assert said.index("__label__0") < said.index("__label__1") and said.count("__label__") == 2, said


def test_a_label_is_what_has_metadata_beside_it(place: Path) -> None:
    text = '{"source": "one", "id": 7, "mood": 2, "mood-metadata": {}}\n{"source": "two", "label": ["a", "b"]}\n'
    (place / "a.manifest").write_text(text)

    with open(place / "a.manifest", "rb") as stream:
        (lines,) = jsonlines.read(stream, Layout(name="a.manifest"))

    assert list(lines.labels()) == ["2", "a b"] or list(lines.labels()) == [["2"], ["a", "b"]]
    assert lines.configuration is not None and lines.configuration[0] == {"id": 7}
    (place / "a.manifest").write_text('{"source": "one", "x": 1, "x-metadata": {}, "y": 1, "y-metadata": {}}\n')
    with (
        open(place / "a.manifest", "rb") as stream,
        pytest.raises(UserError, match="several labels, 'x, y': the one"),
    ):
        list(jsonlines.read(stream, Layout(name="a.manifest")))


def test_pictures_and_classes_are_packed_from_their_manifest(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labeled(place / "pictures", "classify", [2, None, 0], attribute="kind")

    assert main(["images", "pictures", "set.rec", "--manifest", "labels/output.manifest", "--ordered"]) == 0

    said = capsys.readouterr().out
    assert "set.rec: 2 pictures" in said and "num_classes=3 num_training_samples=2" in said
    with open(place / "set.rec", "rb") as stream:
        (images,) = recordio.read(stream, Layout(name="a"))
    assert images.label is not None and images.label.tolist() == [[2], [0]]


def test_boxes_are_packed_from_their_manifest(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labeled(place / "pictures", "boxes", [[BOX], [], None])

    assert main(["images", "pictures", "set.rec", "--manifest", "labels/output.manifest", "--ordered"]) == 0

    assert "1 boxes of 2 classes: 0 0: 0, 1 dog: 1" in capsys.readouterr().out
    with open(place / "set.rec", "rb") as stream:
        (read,) = boxes_recordio.read(stream, Layout(name="a"))
    assert read.objects is not None
    assert [objects.tolist() for objects in read.objects if objects is not None] == [[[1, 0.25, 0.25, 0.75, 0.75]], []]


def test_several_classes_of_a_picture_are_a_label_a_class(place: Path) -> None:
    lines = [("a.png", [1, 0, 3]), ("deep/c.png", [])]
    text = [json.dumps({"source-ref": f"pictures/{file}", "t": label, "t-metadata": {}}) for file, label in lines]
    (place / "in.manifest").write_text("\n".join(text))

    assert main(["images", "pictures", "set.rec", "--manifest", "in.manifest", "--ordered"]) == 0

    with open(place / "set.rec", "rb") as stream:
        (images,) = recordio.read(stream, Layout(name="a"))
    assert images.label is not None and images.label.tolist() == [[1, 1, 0, 1], [0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("[]", "m, line 1: must be an object of JSON with the place of a picture as `source-ref`."),
        (
            '{"source-ref": "s3://b/a.png", "x": 1}',
            "m, line 1: the picture must lie on this machine; it is s3://b/a.png.",
        ),
        (
            '{"source-ref": "pictures/a.png", "x": 1}',
            "m, line 1: must have one label, NAME beside NAME-metadata; it has",
        ),
        (
            '{"source-ref": "pictures/a.png", "x": 1, "x-metadata": {}, "y": 1, "y-metadata": {}}',
            "m, line 1: must have one label, NAME beside NAME-metadata; it has x, y: which is it? --attribute NAME.",
        ),
        (
            '{"source-ref": "pictures/a.png", "x": NaN, "x-metadata": {}}',
            "m, line 1: `x` must be the number of a class",
        ),
        ('{"source-ref": "pictures/a.png", "x": -1, "x-metadata": 3}', "m, line 1: `x` must be the number"),
        (
            '{"source-ref": "pictures/a.png", "x": [1e9], "x-metadata": {}}',
            "m, line 1: `x` must be the number of a class",
        ),
        ('{"source-ref": "pictures/a.png", "x": {"annotations": [1]}, "x-metadata": {}}', "m, line 1: `x` must be the"),
        ('{"source-ref": "../x.png", "x": 1, "x-metadata": {}}', "m, line 1: its file must lie below pictures; it is"),
        ('{"source-ref": "pictures/no.png", "x": 1, "x-metadata": {}}', "m, line 1: there is no file pictures/no.png."),
        (
            '{"source-ref": "pictures/\\u0000", "x": 1, "x-metadata": {}}',
            "m, line 1: there can be no file of that name",
        ),
        (
            '{"source-ref": "pictures/a.png", "x": {"image_size": [{"width": 40, "height": 20}], "annotations": '
            '[{"class_id": 0, "left": NaN, "top": 0, "width": 1, "height": 1}]}, "x-metadata": {}}',
            "m, line 1, object 1: ",
        ),
        ("", "m: has no lines."),
    ],
)
def test_a_manifest_that_is_none_is_one_sentence(
    place: Path, line: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "m").write_text(line + "\n")

    assert main(["images", "pictures", "set.rec", "--manifest", "m"]) == 2

    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(sentence) and not (place / "set.rec").exists()
