"""Channels of pictures that are a file each: a list names them, or their folders are the classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.training.channels import pictures as module
from algoport.training.channels.pictures import Pictures, as_images, class_folders, list_pictures
from algoport.training.formats.layout import Notes

PNG = b"\x89PNG\r\n\x1a\n"


def put(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(PNG + name.encode())
    return root


def read(source, shuffle=None):
    parts = list(Pictures(source, as_images).blocks(shuffle, lambda: False))
    encoded = [data.removeprefix(PNG).decode() for part in parts for data in part.encoded]
    return encoded, np.concatenate([part.label for part in parts]).tolist()


def lst(tmp_path: Path, text: str) -> Path:
    (tmp_path / "train_lst").mkdir(exist_ok=True)
    (tmp_path / "train_lst" / "a.lst").write_text(text)
    return tmp_path / "train_lst"


def test_a_list_says_which_pictures_there_are_in_which_order(tmp_path):
    root = put(tmp_path / "train", "b/2.jpg", "a.png", "left out.png")
    lists = lst(tmp_path, "5\t1.000\tb/2.jpg\r\n\n9\t0\ta.png\n")

    names, labels = read(list_pictures(root, "train", lists, "train_lst"))

    assert (names, labels) == (["b/2.jpg", "a.png"], [[1.0], [0.0]])


def test_a_list_can_have_a_label_for_each_class(tmp_path):
    root = put(tmp_path / "train", "a.png", "b.png")

    _, labels = read(list_pictures(root, "train", lst(tmp_path, "0\t1\t0\t1\ta.png\n1\t0\t0\t0\tb.png"), "train_lst"))

    assert labels == [[1, 0, 1], [0, 0, 0]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0\ta.png", "train_lst/a.lst, line 1: must be a number, labels and a path with tabs between them"),
        ("0\t1\ta.png\nx\t1\ta.png", "line 2, column 1: must be the picture's number; it is 'x'."),
        ("0\tcat\ta.png", "line 1, column 2: must be a label, a number; it is 'cat'. Classes are numbered"),
        ("0\tnan\ta.png", "line 1, column 2: must be a label, a number; it is 'nan'"),
        ("0\t1_0\ta.png", "line 1, column 2: must be a label, a number; it is '1_0'"),
        ("0\t\u0661\ta.png", "line 1, column 2: must be a label, a number; it is '\u0661'"),
        ("0\t1e39\ta.png", "line 1, column 2: must be a label, a number; it is '1e39'"),
        ("\u0661\t1\ta.png", "line 1, column 1: must be the picture's number; it is '\u0661'"),
        ("0\t1\t", "line 1, column 3: must be a path; it is empty"),
        ("index\tlabel\tpath", "it is 'index'. A list has no line of names."),
        ("0 1 a.png", "it is '0 1 a.png', which has blanks between its columns"),
        ("0,1,a.png", "it is '0,1,a.png', which has commas between its columns"),
        ("0\ta.png", "which has two columns: is the label missing?"),
        ("0\t1\tdata/pets/dog/a.png", "in channel 'train', but dog/a.png is there."),
        ("0\t1\tDOG/A.PNG", "in channel 'train', but dog/a.png is there."),
        ("0\t1\tdog/a.jpg", "in channel 'train', but dog/a.png is there."),
        ("0\t1\tb.png", "line 1: names 'b.png', and there is no such file in channel 'train'"),
        ("0\t1\t../train_lst/a.lst", "must name a file of channel 'train'"),
        ("0\t1\ta.png\n1\t1\t0\ta.png", "line 2: 2 labels, where the first line has 1"),
    ],
)
def test_a_line_that_is_wrong_is_reported(tmp_path, text, message):
    root = put(tmp_path / "train", "a.png", "dog/a.png")

    with pytest.raises(UserError) as caught:
        list_pictures(root, "train", lst(tmp_path, text), "train_lst")

    assert message in str(caught.value)


def test_there_is_one_list(tmp_path):
    root = put(tmp_path / "train", "a.png")
    lists = lst(tmp_path, "0\t1\ta.png")
    (lists / "b.lst").write_text("0\t1\ta.png")

    with pytest.raises(UserError, match=r"must hold one file that ends in \.lst; it holds train_lst/a\.lst"):
        list_pictures(root, "train", lists, "train_lst")


def test_folders_are_classes_by_their_names(tmp_path):
    root = put(tmp_path / "train", "dog/1.jpg", "cat/deep/2.JPG", "cat/1.png", "dog/notes.txt", ".hidden/1.png")

    names, labels = read(class_folders(root, "train"))

    assert (names, labels) == (["cat/1.png", "cat/deep/2.JPG", "dog/1.jpg"], [[0], [0], [1]])


def test_numbered_folders_are_those_classes(tmp_path):
    root = put(tmp_path / "train", "10/a.png", "2/a.png")

    assert read(class_folders(root, "train"))[1] == [[10], [2]]


def test_another_channel_says_which_classes_there_are(tmp_path):
    put(tmp_path / "train", "bird/1.png", "cat/1.png", "dog/1.png")
    root = put(tmp_path / "validation", "dog/1.png")

    assert read(class_folders(root, "validation", tmp_path / "train"))[1] == [[2]]
    put(root, "fish/1.png")
    with pytest.raises(UserError, match=r"validation/fish/1\.png: must lie in a folder of a class, bird, cat, dog"):
        class_folders(root, "validation", tmp_path / "train")


def test_pictures_without_folders_need_a_list(tmp_path):
    with pytest.raises(UserError, match=r"a folder for each class, or channel 'train_lst' must list them"):
        class_folders(put(tmp_path / "train", "1.png"), "train")


@pytest.mark.parametrize("path", ["train/dog/1.png", "/opt/ml/input/data/train/dog/1.png", "dog\\1.png", "/dog/1.png"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_path_that_is_plainly_meant_is_read(tmp_path, path, encoding):
    root = put(tmp_path / "train", "dog/1.png")
    lists = lst(tmp_path, "")
    (lists / "a.lst").write_bytes(f"0\t1\t{path}\n".encode(encoding))

    assert read(list_pictures(root, "train", lists, "train_lst")) == (["dog/1.png"], [[1.0]])


def test_a_folder_within_the_channel_comes_before_one_that_is_meant(tmp_path):
    root = put(tmp_path / "train", "train/1.png", "1.png")

    assert read(list_pictures(root, "train", lst(tmp_path, "0\t1\ttrain/1.png"), "train_lst"))[0] == ["train/1.png"]


def test_a_class_may_begin_with_an_underscore(tmp_path, caplog):
    """If there is a picture in it, for programs leave folders of that kind behind."""
    root = put(tmp_path / "train", "cat/1.png", "_other/1.png", "_temporary/0/part", "__MACOSX/cat/1.png", ".git/1.png")

    names, labels = read(class_folders(root, "train"))

    assert (names, labels) == (["_other/1.png", "cat/1.png"], [[0], [1]])


def test_files_that_are_no_pictures_are_noted(tmp_path):
    root = put(tmp_path / "train", "cat/1.png", "cat/Thumbs.db", "cat/a.gif", "README.md")
    (root / "cat/2.png").write_bytes(b"")
    notes = Notes()

    names, _ = read(class_folders(root, "train", notes=notes))

    assert names == ["cat/1.png"]
    assert list(notes) == [
        "an empty file (train/cat/2.png)",
        "a file that is no data, by its name (train/README.md and 1 more)",
        "a file that is no picture by its name, as none of .jpg, .jpeg, .png, .webp ends it (train/cat/a.gif)",
    ]


def test_folders_of_one_number_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"Channel 'train': folders 0?1 and 0?1 are both class 1; rename one"):
        class_folders(put(tmp_path / "train", "1/a.png", "01/b.png", "2/c.png"), "train")


def test_passes_are_kept_in_memory_and_shuffled_files_are_those_there_are(tmp_path, monkeypatch):
    """Where more is there than is shuffled at a time, files come in an order that the seed gives."""
    names = [f"{number % 3}/{number:03d}.png" for number in range(600)]
    root = put(tmp_path / "train", *names)
    source = Pictures(class_folders(root, "train"), as_images)

    first = [data for part in source.blocks(7, lambda: False) for data in part.encoded]
    for name in names:
        (root / name).unlink()
    again = [data for part in source.blocks(8, lambda: False) for data in part.encoded]

    assert first == again and len(first) == source.rows == 600
    monkeypatch.setattr(module, "WINDOW", 10)
    put(root, *names)
    other = Pictures(class_folders(root, "train"), as_images)
    one, two, same = (
        [data for part in other.blocks(seed, lambda: False) for data in part.encoded] for seed in (7, 8, 7)
    )
    assert one == same != two and sorted(one) == sorted(first)
    assert list(other.all().encoded) == first
