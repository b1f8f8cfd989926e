"""Channels of pictures that are a file each, with boxes or masks in files of another channel, or in a list."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records.images import png
from algoport.training.formats.recordio import frame
from tests.groups import together
from tests.training.annotated import IMAGE, MASK, PICTURE, annotation, opening, put, read


def test_a_json_file_of_the_same_name_tells_the_boxes_of_a_picture(tmp_path: Path) -> None:
    put(
        tmp_path,
        train__a_png=PICTURE,
        train__deep__b_JPG=PICTURE,
        train__notes_txt=b"no picture",
        notes__a_json=annotation((1, 10, 0, 25, 20), (2, 0, 0, 50, 40)),
        notes__deep__b_json=annotation(),
        notes__readme_md=b"no annotation",
    )

    boxes = read(tmp_path, "boxes")

    assert boxes.places == ["train/a.png", "train/deep/b.JPG"]
    assert boxes.objects[0].tolist() == np.float32([[1, 0.2, 0, 0.7, 0.5], [2, 0, 0, 1, 1]]).tolist()
    assert boxes.objects[1].shape == (0, 5)
    assert boxes.label is None and [boxes.label_width(0), boxes.label_width(1)] == [12, 2]


def test_a_png_file_of_the_same_name_is_the_mask_of_a_picture(tmp_path: Path) -> None:
    put(tmp_path, train__a_png=PICTURE, train__b_png=PICTURE, notes__b_png=MASK, notes__a_png=png(40, 50, b"", "gray"))

    masks = read(tmp_path, "masks")

    assert masks.places == ["train/a.png", "train/b.png"]
    assert masks.masks == [png(40, 50, b"", "gray"), MASK]


def test_a_list_has_labels_of_boxes_of_differing_counts(tmp_path: Path) -> None:
    """As im2rec takes them: number, header and objects, path."""
    text = "7\t2\t5\t1\t0.25\t0\t1\t1\t2\t0\t0\t0.5\t0.5\tb.png\r\n\n3\t2\t6\ta.png\n"
    put(tmp_path, train__a_png=PICTURE, train__b_png=PICTURE, train__c_png=PICTURE, lst__train_lst=text)

    boxes = read(tmp_path, "boxes")

    assert boxes.places == ["train/b.png", "train/a.png"]
    assert boxes.objects[0].tolist() == [[1, 0.25, 0, 1, 1], [2, 0, 0, 0.5, 0.5]]
    assert boxes.objects[1].shape == (0, 6)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("0\t2\t5\t3\t0\t0\t1\t1\ta.png", "line 1, object 1: its class must be a whole number from 0 to 2; it is 3."),
        ("0\t2\t5\t1\t0\t0\t1\ta.png", "line 1: has 4 numbers of objects behind its header, which is no multiple of 5"),
        ("0\t1\ta.png", "line 1: must have a label of boxes"),
        ("0\ta.png", "line 1: must be a number, labels and a path with tabs between them"),
        ("0\t2\t5\t../../../a.png", "line 1: must name a file of channel 'train'; it names '../../../a.png'"),
        ("0\t2\t5\t../lst/train.lst", "line 1: must name a file of channel 'train'"),
        ("0\t2\t5\tb.png", "line 1: names 'b.png', and there is no such file in channel 'train'"),
        ("0\t2\tinf\ta.png", "line 1, column 3: must be a label, a number; it is 'inf'"),
    ],
)
def test_a_line_that_is_wrong_is_named(tmp_path: Path, line: str, sentence: str) -> None:
    put(tmp_path, train__a_png=PICTURE, lst__train_lst=line)

    with pytest.raises(UserError) as caught:
        read(tmp_path, "boxes")

    assert str(caught.value).startswith("lst/train.lst, ") and sentence in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "files", "sentence"),
    [
        ("boxes", {"train__a_png": PICTURE}, "Channel 'train': its pictures need channel 'notes' with their boxes"),
        ("masks", {"train__a_png": PICTURE}, "Channel 'train': its pictures need channel 'notes' with their masks"),
        (
            "boxes",
            {"train__a_png": PICTURE, "train__b_png": PICTURE, "train__c_png": PICTURE, "notes__a_json": annotation()},
            "train/b.png: must have an annotation, notes/b.json; there is none. 1 more picture has none.",
        ),
        (
            "masks",
            {"train__a_png": PICTURE, "notes__a_png": MASK, "notes__b_png": MASK},
            "notes/b.png: must be of a picture, train/b with .jpg or .jpeg or .png or .webp; there is none.",
        ),
        (
            "boxes",
            {"train__a_png": PICTURE, "train__a_jpg": PICTURE, "notes__a_json": annotation()},
            "train/a.png: must differ from train/a.jpg in more than its ending.",
        ),
        (
            "boxes",
            {"train__a_png": PICTURE, "notes__a_json": annotation(width=64)},
            "notes/a.json: image_size is 64 x 40, where the picture has 50 x 40 pixels",
        ),
        (
            "boxes",
            {"train__a_png": PICTURE, "notes__a_json": annotation((0, 0, 0, 1, 1), (3, 0, 0, 1, 1))},
            'notes/a.json, object 2: "class_id" must be a whole number from 0 to 2; it is 3.',
        ),
        (
            "boxes",
            {"train__a_png": PICTURE, "notes__a_json": annotation((0, 0, 30, 50, 20))},
            "notes/a.json, object 1: its box must lie within the picture",
        ),
        ("boxes", {"train__a_png": PICTURE, "notes__a_json": b"{"}, "notes/a.json: is not JSON"),
        ("masks", {"train__a_png": PICTURE, "notes__a_png": PICTURE}, "notes/a.png: its mask must be gray or"),
        (
            "masks",
            {"train__a_png": PICTURE, "notes__a_png": png(50, 40, b"", "gray")},
            "notes/a.png: its mask must have the size of the picture, 50 x 40 pixels; it has 40 x 50.",
        ),
        ("masks", {"train__a_png": PICTURE, "notes__a_png": b"\xff\xd8\xff"}, "notes/a.png: must be a mask, a PNG"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, kind: str, files: dict[str, bytes], sentence: str) -> None:
    put(tmp_path, **files)

    with pytest.raises(UserError) as caught:
        read(tmp_path, kind)

    assert sentence in str(caught.value)


def test_all_annotations_that_are_read_together_are_named_in_one_run(tmp_path: Path) -> None:
    put(tmp_path, train__a_png=PICTURE, train__b_png=PICTURE, train__c_png=PICTURE)
    put(tmp_path, notes__a_json=annotation((9, 0, 0, 1, 1)), notes__b_json=annotation(), notes__c_json=b"{")

    with pytest.raises(UserError) as caught:
        read(tmp_path, "boxes")

    assert [finding.split(":")[0] for finding in caught.value.findings] == ["notes/a.json, object 1", "notes/c.json"]


def test_a_set_of_another_form_is_told_how_to_be_packed(tmp_path: Path) -> None:
    whole = b'{"images": [], "annotations": [], "categories": []}'
    put(tmp_path, train__a_png=PICTURE, notes__instances_json=whole)
    with pytest.raises(UserError, match=r"there is none\. Sets in the form of COCO .* packed by `algoport images"):
        read(tmp_path, "boxes")

    put(tmp_path, notes__a_json=whole)
    (tmp_path / "input/data/notes/instances.json").unlink()
    with pytest.raises(UserError, match=r"notes/a\.json: is COCO's file of a whole set.*--coco FILE"):
        read(tmp_path, "boxes")


def test_links_are_followed_and_hidden_files_are_no_pictures(tmp_path: Path) -> None:
    put(tmp_path, elsewhere__a_png=PICTURE, notes__linked__a_json=annotation(), train__b_png=PICTURE)
    put(tmp_path, notes__b_json=annotation(), train___hidden__c_png=PICTURE)
    (tmp_path / "input/data/train/.d.png").write_bytes(PICTURE)
    os.symlink(tmp_path / "input/data/elsewhere", tmp_path / "input/data/train/linked")

    assert read(tmp_path, "boxes").places == ["train/b.png", "train/linked/a.png"]


def test_a_host_that_has_some_pictures_reads_the_annotations_of_these(tmp_path: Path) -> None:
    """Pictures are shared out by key, and the annotations are all at every host."""
    put(tmp_path, train__b_png=PICTURE, notes__a_json=annotation(), notes__b_json=annotation())

    assert read(tmp_path, "boxes", sharded=True).places == ["train/b.png"]
    with pytest.raises(UserError, match=r"notes/a\.json: must be of a picture"):
        read(tmp_path, "boxes")


def test_two_members_have_each_picture_once_with_what_belongs_to_it(tmp_path: Path) -> None:
    for number in range(7):
        box = (number % 3, number, 0, 10, 10)
        put(tmp_path, **{f"train__{number}_png": PICTURE, f"notes__{number}_json": annotation(box)})

    def seen(member: Any) -> list[tuple[str, float]]:
        source = opening(tmp_path, "boxes", group=member).sources()["train"]
        batches = list(source.batches(4, shuffle=3))
        return [
            (place, float(objects[0, 1] * 50))
            for batch in batches
            for place, objects in zip(batch.places, batch.objects, strict=True)
        ]

    parts = together(2, seen)

    every = sorted(pair for part in parts for pair in part)
    assert [place for place, _ in every] == [f"train/{number}.png" for number in range(7)]
    np.testing.assert_allclose([left for _, left in every], range(7), atol=1e-5)
    assert {len(part) for part in parts} == {3, 4}


@pytest.mark.parametrize("kind", ["boxes", "masks", "images"])
def test_pictures_alone_are_read_where_nothing_needs_to_be_known_of_them(tmp_path: Path, kind: str) -> None:
    put(tmp_path, train__0__a_png=PICTURE)

    pictures = read(tmp_path, kind, labeled=False)

    assert list(pictures.encoded) == [PICTURE]
    assert getattr(pictures, {"boxes": "objects", "masks": "masks"}.get(kind, "uid")) is None


def piped(base: Path, data: bytes) -> threading.Thread:
    """The pipe of the first pass."""
    path = base / "input/data/train_0"
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)
    thread = threading.Thread(target=path.write_bytes, args=(data,), daemon=True)
    thread.start()
    return thread


WRAPPED = {"mode": "Pipe", "wrapped": True}


@pytest.mark.parametrize(
    ("kind", "item", "known"), [("boxes", annotation((1, 0, 0, 50, 40)), "objects"), ("masks", MASK, "masks")]
)
@pytest.mark.parametrize("mode", ["Pipe", "File"])
def test_an_augmented_manifest_comes_in_a_pipe_and_lies_in_a_file(
    tmp_path: Path, kind: str, item: bytes, known: str, mode: str
) -> None:
    """Frames of a picture and what is known of it, by turns; the first frame tells."""
    stream = b"".join(frame(part) for part in (PICTURE, item) * 5)
    if mode == "Pipe":
        piped(tmp_path, stream)
    else:
        put(tmp_path, train__part_bin=stream)

    records = read(tmp_path, kind, content_type="application/x-recordio", mode=mode, wrapped=mode == "Pipe")

    assert list(records.encoded) == [PICTURE] * 5
    assert len(getattr(records, known)) == 5


@pytest.mark.parametrize("kind", ["boxes", "masks", "images"])
def test_pictures_in_a_pipe_are_objects_that_are_wrapped(tmp_path: Path, kind: str) -> None:
    piped(tmp_path, frame(PICTURE) + frame(png(1, 1)))

    pictures = read(tmp_path, kind, labeled=False, content_type=IMAGE, **WRAPPED)

    assert list(pictures.encoded) == [PICTURE, png(1, 1)]
    assert pictures.places == ["train_0, object 1", "train_0, object 2"]


@pytest.mark.parametrize(("labeled", "wrapped"), [(True, True), (False, False)])
def test_pictures_in_a_pipe_without_ends_or_labels_are_refused(tmp_path: Path, labeled: bool, wrapped: bool) -> None:
    piped(tmp_path, frame(PICTURE))

    with pytest.raises(UserError, match="pictures that are a file each come as files, not in a pipe"):
        read(tmp_path, "boxes", labeled=labeled, content_type=IMAGE, mode="Pipe", wrapped=wrapped)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (
            {"train__a_png": PICTURE, "notes__a_json": b""},
            "train/a.png: must have an annotation, notes/a.json; notes/a.json is empty.",
        ),
        (
            {"train__a_webp": b"", "notes__a_json": annotation()},
            "train/a with .jpg or .jpeg or .png or .webp; train/a.webp is empty.",
        ),
    ],
)
def test_a_file_that_is_there_without_a_byte_is_named_as_empty(
    tmp_path: Path, files: dict[str, bytes], sentence: str
) -> None:
    with pytest.raises(UserError) as caught:
        read(put(tmp_path, **files), "boxes")

    assert str(caught.value).endswith(sentence)


@pytest.mark.parametrize("kind", ["boxes", "masks", "images"])
def test_a_channel_without_a_folder_or_that_is_a_file_is_no_pipe(tmp_path: Path, kind: str) -> None:
    put(tmp_path, other__a_png=PICTURE)
    with pytest.raises(UserError, match=r"^Channel 'train' is required and has no records\. .* there is other/\.$"):
        read(tmp_path, kind, content_type=IMAGE)
    put(tmp_path, train_png=PICTURE)
    (tmp_path / "input/data/train.png").rename(tmp_path / "input/data/train")
    with pytest.raises(
        UserError, match=r"^Channel 'train': pictures that are a file each lie in a folder, and this is a file\.$"
    ):
        read(tmp_path, kind, content_type=IMAGE)


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ((PICTURE, annotation(), PICTURE), "train_0, record 3: is a picture, and no annotation follows it."),
        ((PICTURE, b"x"), "train_0, record 2: is not JSON"),
        ((b"x" * 24, b"x"), "train_0, record 1: says that 2,021,161,080 labels follow"),
    ],
)
def test_a_pipe_that_is_wrong_is_named_with_its_record(tmp_path: Path, parts: tuple[bytes, ...], sentence: str) -> None:
    piped(tmp_path, b"".join(frame(part) for part in parts))

    with pytest.raises(UserError, match=sentence):
        read(tmp_path, "boxes", content_type="application/x-recordio", **WRAPPED)


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path) -> Iterator[None]:
    """The folder of the channels."""
    (tmp_path / "input/data").mkdir(parents=True)
    yield
