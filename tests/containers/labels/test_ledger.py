"""Ledgers, sources and requests that are not as they should be."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared.vision.decoding import encode
from algoport.containers.cli import main
from algoport.containers.labels import exports
from algoport.containers.labels.page import application
from algoport.containers.labels.task import Task

BOX = [{"class_id": 1, "left": 1, "top": 2, "width": 3, "height": 4}]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.png").write_bytes(encode(np.full((40, 50, 3), 50 * number, np.uint8)))
    return folder


def task(source: Path, kind: str = "classify") -> Task:
    return Task(source, kind, ["a", "b"], source.parent / "labels", "label")


def test_an_answer_that_was_cut_off_is_asked_for_again(source: Path) -> None:
    first = task(source)
    first.say(0, 1)
    first.say(1, 0)
    first.close()
    path = source.parent / "labels" / "labels.jsonl"
    whole = path.read_bytes()
    for length in range(len(whole), whole.rfind(b"\n", 0, -1) + 1, -1):
        path.write_bytes(whole[: length - 1])
        second = task(source)
        assert second.following(0) == 1 and second.labeled == 1
        second.close()
        assert path.read_bytes() == whole[: whole.rfind(b"\n", 0, -1) + 1]


def test_two_processes_do_not_write_one_ledger_and_classes_stay(source: Path) -> None:
    first = task(source)
    with pytest.raises(UserError, match="another process writes to it"):
        task(source)
    first.close()
    with pytest.raises(UserError, match="was begun with classes"):
        Task(source, "classify", ["b", "a"], source.parent / "labels", "label")
    task(source).close()  # who was refused has let go of it


def test_undo_goes_back_answer_by_answer(source: Path) -> None:
    work = task(source)
    for number in range(3):
        work.say(number, 1)

    assert [work.undo(), work.undo(), work.undo(), work.undo()] == [2, 1, 0, None]
    assert work.following(0) == 0 and work.labeled == 0


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("classify", 2),
        ("classify", -1),
        ("classify", True),
        ("classify", "1"),
        ("classify", None),
        ("boxes", {}),
        ("boxes", [{}]),
        ("boxes", [{"class_id": 0, "left": 0, "top": 0, "width": 51, "height": 1}]),
        ("boxes", [{"class_id": 0, "left": -1, "top": 0, "width": 1, "height": 1}]),
        ("boxes", [{"class_id": 0, "left": 0.5, "top": 0, "width": 1, "height": 1}]),
        ("boxes", [{"class_id": 5, "left": 0, "top": 0, "width": 1, "height": 1}]),
        ("boxes", [{"class_id": 0, "left": 0, "top": 0, "width": 0, "height": 1}]),
        ("boxes", [{"class_id": 0, "left": 0, "top": 0, "width": 1, "height": 1, "more": 1}]),
    ],
)
def test_what_cannot_be_said_is_not_written(source: Path, kind: str, value: Any) -> None:
    work = task(source, kind)
    before = work.ledger.path.read_bytes()
    client = application(work).test_client()
    token = token_of(client)

    answer = client.post("/item/0", data={"token": token, "value": json.dumps(value)}, base_url="http://localhost:8090")

    assert answer.status_code == 400 and 'role="alert"' in answer.text
    assert work.ledger.path.read_bytes() == before


def token_of(client: Any) -> str:
    page = client.get("/item/0", base_url="http://localhost:8090").text
    return str(page.partition('name="token" value="')[2].partition('"')[0])


def test_requests_of_other_sites_and_other_paths_are_refused(source: Path) -> None:
    work = task(source)
    client = application(work).test_client()
    here = "http://127.0.0.1:8090"
    data = {"token": token_of(client), "value": "1"}

    assert client.get("/", base_url="http://evil.example").status_code == 403
    assert client.post("/item/0", data={"value": "1"}, base_url=here).status_code == 403
    assert client.post("/item/0", data=data | {"token": "ä"}, base_url=here).status_code == 403
    assert client.post("/item/3", data=data, base_url=here).status_code == 404
    assert client.post("/item/0", data=data | {"value": "{"}, base_url=here).status_code == 400
    assert client.post("/item/0", data=data | {"value": "[" * 2_000_000}, base_url=here).status_code == 413
    for path in ("/picture/-1", "/picture/3", "/picture/..%2f..%2fetc%2fpasswd", "/static/../page.py"):
        assert client.get(path, base_url=here).status_code == 404, path
    assert work.labeled == 0
    answer = client.get("/picture/0", base_url=here)
    assert answer.content_type == "image/png" and answer.headers["X-Content-Type-Options"] == "nosniff"
    assert client.post("/item/0", data=data, base_url=here).status_code == 303 and work.labeled == 1


def test_a_manifest_keeps_what_stood_in_it(source: Path) -> None:
    file = source / "in.manifest"
    file.write_text('{"source-ref": "0.png", "weather": "wet"}\n{"source-ref": "1.png"}\n')
    work = task(file, "boxes")
    work.say(0, [{"class_id": 1, "left": 1, "top": 2, "width": 3, "height": 4}])

    (line,) = [json.loads(text) for text in exports.export(work, "manifest").read_text().splitlines()]

    assert line["weather"] == "wet" and line["source-ref"] == "0.png"
    assert line["label"]["image_size"] == [{"width": 50, "height": 40, "depth": 3}]
    assert line["label-metadata"]["class-map"] == {"1": "b"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere", "--task", "classify"], "nowhere: there is nothing here."),
        (["pictures", "--task", "masks"], "--task: must be classify, boxes or text; it is 'masks'."),
        (["pictures", "--task", "text"], "texts come from a file with one a line"),
        (["bad.manifest", "--task", "classify"], "bad.manifest, line 1: must be an object of JSON"),
        (["remote.manifest", "--task", "boxes"], "the picture must lie on this machine; it is s3://bucket/0.png."),
        (["remote.manifest", "--task", "text"], "line 1: must have the text as `source`."),
        (["text.manifest", "--task", "classify"], "is neither JPEG nor PNG by its first bytes."),
        (["pictures", "--task", "classify", "--label", "a"], "--label: 'a' is given twice."),
        (["pictures", "--task", "classify", "--attribute", "a b"], "--attribute: must have 1 to 63"),
        (["pictures", "--task", "classify", "--attribute", "source"], "--attribute: must not be source, nor"),
        (
            ["pictures", "--task", "classify", "--attribute", "source-ref"],
            "--attribute: must not be source, nor end with",
        ),
        (
            ["twice.manifest", "--task", "classify"],
            "twice.manifest, line 1: has `label` already; give another --attribute.",
        ),
        (
            ["twice.manifest", "--task", "classify", "--label", "a\tb"],
            "--label: must be UTF-8 without control characters",
        ),
        (["labels/output.manifest", "--task", "text"], "labels/output.manifest: is where the result is written;"),
        (["zero.manifest", "--task", "classify"], "zero.manifest, line 1: `source-ref`: must be UTF-8 without"),
        (
            ["half.manifest", "--task", "text"],
            "half.manifest, line 1: must be text; it has a zero character, or half of",
        ),
        (["latin.txt", "--task", "text"], "latin.txt: must be text in UTF-8; byte 1 begins no letter."),
        (
            ["device.manifest", "--task", "classify"],
            "device.manifest, line 1: /dev/zero must be a file with a picture.",
        ),
        (["/dev/zero", "--task", "text"], "/dev/zero: must be a folder or a file; it is a device or a pipe."),
        (["pictures", "--task", "classify", "--export", "coco"], "coco is for boxes, and the task is classify."),
        (["pictures", "--task", "classify", "--export", "yolo"], "must be one of manifest, coco, voc, csv"),
    ],
)
def test_what_cannot_be_labeled_is_one_sentence(
    words: list[str], said: str, source: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(source.parent)
    Path("bad.manifest").write_text("[1]\n")
    Path("remote.manifest").write_text('{"source-ref": "s3://bucket/0.png"}\n')
    Path("twice.manifest").write_text('{"source-ref": "pictures/0.png", "label": 1}\n')
    Path("zero.manifest").write_text('{"source-ref": "pictures/\\u0000.png"}\n')
    Path("half.manifest").write_text('{"source": "\\ud800"}\n')
    Path("device.manifest").write_text('{"source-ref": "/dev/zero"}\n')
    Path("latin.txt").write_bytes(b"k\xe4se\n")
    Path("labels").mkdir()
    Path("labels/output.manifest").write_text('{"source": "a"}\n')
    Path("text.manifest").write_text('{"source-ref": "bad.manifest"}\n')

    assert main(["label", *words, "--label", "a", "--label", "b"]) == 2

    captured = capsys.readouterr()
    assert said in captured.err and not captured.out


def test_an_answer_does_not_pass_to_another_text_or_another_set(source: Path) -> None:
    texts = source.parent / "texts.txt"
    texts.write_text("\ufeffgood\nbad\ngood\n")
    first = task(texts, "text")
    first.say(1, 1)
    first.say(2, 0)
    first.close()
    texts.write_text("new\ngood\nbad\ngood\n")
    second = task(texts, "text")
    answers = [second.ledger.get(item.key) for item in second.items]
    second.close()
    assert [entry and entry.value for entry in answers] == [None, None, 1, 0] and second.labeled == 2
    other = source.parent / "other.txt"
    other.write_text("bad\n")

    with pytest.raises(UserError, match=r'was begun with source "../texts.txt"; it cannot go on with "../other.txt"'):
        task(other, "text")


def test_the_file_of_somebody_else_stays_as_it_is(source: Path) -> None:
    path = source.parent / "labels" / "labels.jsonl"
    path.parent.mkdir()
    for text in ("my own notes", '{"mine": 1}\nand more'):
        path.write_text(text)
        with pytest.raises(UserError, match="labels.jsonl"):
            task(source)
        assert path.read_text() == text


def test_an_answer_that_the_disk_does_not_take_leaves_nothing(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = task(source)
    client = application(work).test_client()
    data, here = {"token": token_of(client), "value": "1"}, "http://localhost:8090"
    before, write = work.ledger.path.read_bytes(), os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:9]))

    answer = client.post("/item/0", data=data, base_url=here)

    assert answer.status_code == 507 and "labels.jsonl: cannot be written: No space left on device." in answer.text
    assert work.ledger.path.read_bytes() == before and work.labeled == 0
    monkeypatch.undo()
    assert client.post("/item/0", data=data, base_url=here).status_code == 303
    work.close()
    assert task(source).labeled == 1


@pytest.mark.parametrize("kind", ["classify", "boxes"])
def test_a_picture_that_has_gone_is_said_and_passed_over(source: Path, kind: str) -> None:
    work = task(source, kind)
    work.say(1, [] if kind == "boxes" else 1)
    (source / "0.png").unlink()
    (source / "2.png").write_bytes((source / "1.png").read_bytes()[:60])
    client = application(work).test_client()
    here, token = "http://localhost:8090", token_of(client)

    page = client.get("/item/0", base_url=here)
    answer = client.post("/item/0", data={"token": token, "value": "[]" if kind == "boxes" else "1"}, base_url=here)

    assert page.status_code == 200 and "0.png cannot be read: No such file or directory." in page.text
    assert "board" not in page.text and 'href="/item/1"' in page.text
    assert answer.status_code == 400 and work.labeled == 1
    assert client.get("/picture/0", base_url=here).status_code == 404
    assert client.get("/item/2", base_url=here).status_code == 200
    assert len(exports.export(work, "manifest").read_text().splitlines()) == 1


def test_two_browsers_do_not_mix_their_answers(source: Path) -> None:
    work = task(source)
    app = application(work)
    token = token_of(app.test_client())

    def client(number: int) -> None:
        own = app.test_client()
        for turn in range(30):
            data = {"token": token, "value": str(turn % 2)}
            assert own.post(f"/item/{number}", data=data, base_url="http://localhost:8090").status_code == 303

    threads = [threading.Thread(target=client, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    work.close()
    lines = [json.loads(line) for line in work.ledger.path.read_text().splitlines()[1:]]
    for number in range(3):
        assert [line["value"] for line in lines if line["item"] == f"{number}.png"] == [0, 1] * 15


def test_names_are_shown_as_they_are_and_are_no_part_of_the_page(source: Path) -> None:
    name = "a\"'><img src=x onerror=alert(1)>&amp;日本.png"
    (source / "0.png").rename(source / name)
    work = Task(source, "boxes", ["</script><script>alert(1)</script>", "b'\""], source.parent / "labels", "label")
    work.say(work.items.index(next(item for item in work.items if item.key == name)), BOX)

    page = application(work).test_client().get("/item/2", base_url="http://localhost:8090").text

    assert "<img src=x" not in page and page.count("<script") == 2 and "&lt;img src=x" in page
    assert ElementTree.parse(exports.export(work, "voc") / f"{name[:-4]}.xml").findtext("filename") == name
    assert exports.export(work, "csv").read_text().count(name.replace('"', '""')) == 1


def test_pictures_that_differ_in_their_endings_keep_their_annotations(source: Path) -> None:
    (source / "0.jpg").write_bytes((source / "0.png").read_bytes())
    work = task(source, "boxes")
    for number in range(4):
        work.say(number, BOX if number else [])

    folder = exports.export(work, "voc")

    assert sorted(path.name for path in folder.iterdir()) == ["0.jpg.xml", "0.png.xml", "1.xml", "2.xml"]
    assert "<object>" not in (folder / "0.jpg.xml").read_text() and "<object>" in (folder / "0.png.xml").read_text()
    work.undo()
    exports.export(work, "voc")
    assert sorted(path.name for path in folder.iterdir()) == ["0.jpg.xml", "0.png.xml", "1.xml"]
