"""COCO's and Pascal VOC's boxes, packed for training by `algoport images`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from algoport.algorithms.shared.vision.decoding import encode
from algoport.containers.cli import main
from algoport.training.formats import Layout
from algoport.training.formats.boxes import recordio

VOC = """<annotation><folder>x</folder><filename>{file}</filename>
<size><width>40</width><height>20</height><depth>3</depth></size>
<object><name>{name}</name><difficult>1</difficult><bndbox><xmin>1</xmin><ymin>5</ymin><xmax>20</xmax><ymax>20</ymax>
</bndbox></object></annotation>"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures/deep").mkdir(parents=True)
    for number, name in enumerate(("a.png", "deep/b.png", "c.png")):
        (tmp_path / "pictures" / name).write_bytes(encode(np.full((20, 40, 3), number, np.uint8)))
    return tmp_path


def coco(place: Path, **changes: Any) -> None:
    images = [
        {"id": 7, "file_name": "a.png", "width": 40, "height": 20},
        {"id": 3, "file_name": "deep/b.png", "width": 80, "height": 40},
        {"id": 4, "file_name": "c.png", "width": 40, "height": 20},
    ]
    annotations = [
        {"id": 1, "image_id": 7, "category_id": 90, "bbox": [0, 4, 20, 16], "iscrowd": 1, "area": 320},
        {"id": 2, "image_id": 7, "category_id": 2, "bbox": [10.5, 0, 10, 10], "iscrowd": 0},
        {"id": 3, "image_id": 3, "category_id": 90, "bbox": [0, 0, 80, 40]},
    ]
    categories = [{"id": 90, "name": "cat"}, {"id": 2, "name": "dog", "supercategory": "pet"}]
    whole = {"info": {}, "images": images, "annotations": annotations, "categories": categories, **changes}
    (place / "instances.json").write_text(json.dumps(whole))


def boxes(path: Path) -> list[list[list[float]]]:
    with open(path, "rb") as stream:
        (read,) = recordio.read(stream, Layout(name="a"))
    assert read.objects is not None
    return [np.round(objects.astype(float), 4).tolist() for objects in read.objects if objects is not None]


def test_a_set_in_the_form_of_coco_is_packed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    coco(place)

    assert main(["images", "pictures", "set.rec", "--coco", "instances.json", "--ordered"]) == 0

    assert boxes(place / "set.rec") == [
        [[1, 0, 0.2, 0.5, 1, 1], [0, 0.2625, 0, 0.5125, 0.5, 0]],
        [[1, 0, 0, 1, 1]],
        [],
    ]
    said = capsys.readouterr().out
    assert "3 pictures, 1 of them without objects" in said
    assert "3 boxes of 2 classes: 0 dog: 1, 1 cat: 2" in said and "The longest label has 14 numbers." in said
    assert "num_classes=2 num_training_samples=3" in said


def test_a_set_in_the_form_of_pascal_voc_is_packed(place: Path) -> None:
    (place / "voc").mkdir()
    (place / "voc/1.xml").write_text(VOC.format(file="a.png", name="cat"))
    (place / "voc/2.xml").write_text(VOC.format(file="deep/b.png", name="dog"))

    assert main(["images", "pictures", "set.rec", "--voc", "voc", "--ordered"]) == 0
    numbers = [objects[0][0] for objects in boxes(place / "set.rec")]
    assert main(["images", "pictures", "set.rec", "--voc", "voc", "--ordered", "--classes", "dog, cat"]) == 0

    objects = boxes(place / "set.rec")
    assert objects[0] == [[1, 0, 0.2, 0.5, 1, 1]]
    assert (numbers, [one[0][0] for one in objects]) == ([0, 1], [1, 0])


def test_boxes_are_of_the_file_where_no_size_is_said_and_pictures_become_smaller(place: Path) -> None:
    (place / "voc").mkdir()
    text = VOC.format(file="a.png", name="cat")
    (place / "voc/1.xml").write_text(text[: text.index("<size>")] + text[text.index("</size>") + len("</size>") :])

    assert main(["images", "pictures", "set.rec", "--voc", "voc", "--resize", "10"]) == 0

    assert boxes(place / "set.rec") == [[[0, 0, 0.2, 0.5, 1, 1]]]


def test_all_that_is_wrong_is_said_in_one_run(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "pictures/d.png").write_bytes(b"no picture")
    (place / "outside.png").write_bytes((place / "pictures/a.png").read_bytes())
    files = ("a.png", "d.png", "gone.png", "../outside.png", "c.png")
    images = [{"id": n, "file_name": file, "width": 40, "height": 20} for n, file in enumerate(files)]
    images[4]["width"] = 20
    given = [(0, 0, [0, 0, 9, 0]), (0, 0, [1, 1, 5, 5]), (0, 0, [30, 0, 20, 5]), (0, 9, [0, 0, 1, 1]), (8, 0, [0] * 4)]
    annotations = [{"image_id": one, "category_id": kind, "bbox": box} for one, kind, box in given]
    coco(place, images=images, annotations=annotations, categories=[{"id": 0, "name": "cat"}])

    assert main(["images", "pictures", "set.rec", "--coco", "instances.json"]) == 2

    said = capsys.readouterr().err.splitlines()
    assert said == [
        "instances.json, annotations[3]: there is no category with the id 9.",
        "instances.json, annotations[4]: there is no image with the id 8.",
        'instances.json, image 0, object 1: "height" must be a number of pixels above 0; it is 0.',
        "instances.json, image 0, object 3: its box must lie within the picture, from 0 to 1 of width and height; "
        "its corners are 0.75, 0, 1.25, 0.25.",
        *[line for line in said if line.startswith("instances.json, image 1, d.png")],
        "instances.json, image 2: there is no file pictures/gone.png.",
        "instances.json, image 3: its file must lie below pictures; it is '../outside.png'.",
        "instances.json, image 4: image_size is 20 x 20, where the picture has 40 x 20 pixels: the boxes do not belong "
        "to it.",
    ]
    assert len(said) == 8 and not (place / "set.rec").exists() and not list(place.glob(".*"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"images": None}, "instances.json, images: must be a list of objects; it is null."),
        ({"images": [{"id": 1}]}, "instances.json, images[0].file_name: is required; it must be the path of a picture"),
        (
            {"annotations": [{"image_id": 7, "category_id": 2, "bbox": [1, 2, "3", 4]}]},
            "instances.json, annotations[0].bbox: must be a list of four numbers of pixels",
        ),
        ({"categories": [{"id": "1", "name": "x"}]}, "instances.json, categories[0].id: must be a whole number or"),
        (
            {"annotations": [{"image_id": 7, "category_id": 2, "bbox": [1, 2, float("nan"), 4]}]},
            "instances.json, annotations[0].bbox: must be a list of four numbers of pixels: left, top, width, height",
        ),
        (
            {"annotations": [{"image_id": 7, "category_id": 2, "bbox": [1, float("-inf"), 3, 4]}]},
            "instances.json, annotations[0].bbox: must be a list of four numbers of pixels: left, top, width, height",
        ),
        (
            {"annotations": [{"image_id": 7, "category_id": 2, "bbox": [1, 2, 1e308, 1e308]}]},
            'instances.json, image 7, object 1: "width" must be a number of pixels above 0; it is 1e+308.',
        ),
        (
            {"images": [{"id": 7, "file_name": "a\0.png"}], "annotations": []},
            "instances.json, image 7: there can be no file of that name: 'a\\x00.png'.",
        ),
        (
            {"images": [{"id": 7, "file_name": "\ud800.png"}], "annotations": []},
            "instances.json",
        ),
        (
            {"images": [{"id": 7, "file_name": "a" * 300}], "annotations": []},
            "instances.json, image 7: there can be no file of that name: 'aaa",
        ),
    ],
)
def test_what_is_not_of_the_form_is_one_sentence(
    change: dict[str, Any], sentence: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    coco(place, **change)

    assert main(["images", "pictures", "set.rec", "--coco", "instances.json"]) == 2

    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(sentence), said


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("<annotation>", "1.xml, line 1: is no XML."),
        ("<annotation></annotation>", "1.xml: must be an <annotation> with the <filename> of a picture."),
        (VOC.format(file="a.png", name=""), "1.xml, object 1: must have a <name>, its class."),
        (
            VOC.format(file="a.png", name="x").replace("<xmin>1", "<xmin>one"),
            "1.xml, object 1: <xmin> must be a number",
        ),
        (
            VOC.format(file="a.png", name="x").replace("<xmin>1", "<xmin>nan"),
            "1.xml, object 1: <xmin> must be a number of pixels; it is 'nan'.",
        ),
        (VOC.format(file="a.png", name="x").replace("<width>40", "<width>inf"), "1.xml: <width> must be a number"),
        (VOC.format(file="a.png", name="x"), "1.xml, object 1: its class must be one of --classes; it is 'x'."),
    ],
)
def test_a_fault_of_pascal_voc_names_its_file(
    text: str, sentence: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "voc").mkdir()
    (place / "voc/1.xml").write_text(text)

    assert main(["images", "pictures", "set.rec", "--voc", "voc", "--classes", "cat"]) == 2

    assert capsys.readouterr().err.splitlines()[0].startswith(sentence)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["set.rec", "--voc", "voc", "--classes", "cat,cat"],
            "--classes: must be names with commas between them, each",
        ),
        (
            ["set.rec", "--voc", "voc", "--classes", "cat,,dog"],
            "--classes: must be names with commas between them, each",
        ),
        (["pictures", "--voc", "voc"], "pictures: must be the name of a file to write; it is a folder."),
        (["voc/1.xml/set.rec", "--voc", "voc"], "voc/1.xml/set.rec: cannot be written: Not a directory."),
        (["set.rec", "--voc", "nowhere"], "nowhere: holds no annotation of Pascal VOC"),
        (["set.rec", "--coco", "nowhere"], "nowhere: cannot be read: No such file or directory."),
        (["set.rec", "--coco", "pictures"], "pictures: cannot be read: Is a directory."),
    ],
)
def test_what_cannot_be_packed_is_one_sentence(
    words: list[str], sentence: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "voc").mkdir()
    (place / "voc/1.xml").write_text(VOC.format(file="a.png", name="cat"))

    assert main(["images", "pictures", *words]) == 2

    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(sentence) and not list(place.rglob("*.rec")) and not list(place.rglob(".*")), said
