"""The page in a real browser, by its keys; what was said lies in the ledger at once."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from algoport.algorithms.shared.vision.decoding import encode, pixels
from tests.containers.labels.browser import Browser

ROOT = Path(__file__).parents[3]
CLASSES = ["--label", "cat", "--label", "dog", "--label", "a bird's nest"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    made = Browser()
    yield made
    made.close()


def pictures(folder: Path, count: int = 3) -> Path:
    (folder / "in").mkdir(parents=True)
    for number in range(count):
        colors = np.full((120, 200, 3), 40 + 60 * number, np.uint8)
        colors[30:90, 50:150] = (230, 120, 30)
        (folder / f"{number}.png" if number else folder / "in" / "a b.png").write_bytes(encode(colors))
    return folder


@contextmanager
def served(folder: Path, source: Path, *words: str) -> Iterator[tuple[str, Path, list[str]]]:
    """The page of a command that runs, its ledger, and what the command has said when it has ended by Ctrl-C."""
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [sys.executable, "-m", "algoport.containers.cli", "label", str(source), "--port", str(port), *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    said: list[str] = []
    with subprocess.Popen(command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        said.append(child.stdout.readline())
        assert f"http://127.0.0.1:{port}/" in said[0]
        try:
            yield f"http://127.0.0.1:{port}/", folder / "labels" / "labels.jsonl", said
        finally:
            child.send_signal(signal.SIGINT)
            said += child.stdout.read().splitlines()
            assert child.wait(30) == 0


def ledger(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_key_labels_a_picture_and_shows_the_next(browser: Browser, tmp_path: Path) -> None:
    source = pictures(tmp_path / "pictures")
    with served(tmp_path, source, "--task", "classify", *CLASSES) as (url, path, said):
        browser.open(url)
        browser.until("document.querySelector('img').naturalWidth === 200")
        before = pixels(browser.picture(tmp_path / "classify.png"))
        assert before is not None and len(np.unique(before.reshape(-1, 3), axis=0)) > 20
        browser.press("2")
        browser.until("location.pathname === '/item/1'")
        assert [line["value"] for line in ledger(path)[1:]] == [1]
        browser.press("s")
        browser.until("location.pathname === '/item/2'")
        browser.press("3")
        browser.until("location.pathname === '/item/1'")
        browser.press("u")
        browser.until("location.pathname === '/item/2'")
        browser.press("1")
        browser.until("location.pathname === '/item/1'")
        assert not browser.faults()
    # Started again, it asks for what is left.
    assert said[-1] == "labels/output.manifest: 2 of 3 labeled."
    with served(tmp_path, source, "--task", "classify", *CLASSES) as (url, path, said):
        browser.open(url)
        browser.until("location.pathname === '/item/1'")
        browser.press("1")
        browser.until("document.body.innerText.includes('All are labeled')")
        browser.picture(tmp_path / "end.png")
    lines = [json.loads(line) for line in (tmp_path / "labels" / "output.manifest").read_text().splitlines()]
    assert [line["label"] for line in lines] == [1, 0, 0]
    assert lines[0]["label-metadata"]["class-name"] == "dog"
    assert [Path(line["source-ref"]).name for line in lines] == ["1.png", "2.png", "a b.png"]


def test_boxes_are_drawn_and_moved_by_keys(browser: Browser, tmp_path: Path) -> None:
    source = pictures(tmp_path / "pictures", 2)
    with served(tmp_path, source, "--task", "boxes", *CLASSES) as (url, path, _):
        browser.open(url)
        browser.until("document.getElementById('board').getScreenCTM().a > 1")
        # Drawn with the mouse around what is orange, at its place on the screen.
        corners = browser.run(
            "const m = document.getElementById('board').getScreenCTM();"
            "return [[50, 30], [150, 90]].map(([x, y]) => { const p = new DOMPoint(x, y).matrixTransform(m);"
            "return [Math.round(p.x), Math.round(p.y)]; })"
        )
        browser.drag(*map(tuple, corners))
        browser.press("3")
        browser.press("n")
        browser.press("1")
        for _number in range(4):
            browser.press("Left")
        browser.press("Shift", "Down")
        browser.press("Control", "Up")
        browser.picture(tmp_path / "boxes.png")
        browser.press("Enter")
        browser.until("location.pathname === '/item/1'")
        browser.press("n")
        browser.press("Delete")
        browser.press("Enter")
        browser.until("document.body.innerText.includes('All are labeled')")
        assert not browser.faults()
    first, second = (line["value"] for line in ledger(path)[1:])
    assert second == []
    drawn, made = first
    assert drawn["class_id"] == 2
    place = [drawn[name] for name in ("left", "top", "width", "height")]
    np.testing.assert_allclose(place, [50, 30, 100, 60], atol=2)
    assert made == {"class_id": 0, "left": 75 - 12, "top": 45 - 1, "width": 50, "height": 33}
    check_boxes(tmp_path)


def check_boxes(folder: Path) -> None:
    """The reader of training reads the stream that a pipe makes of the manifest; exports say the same."""
    from algoport.training.formats.boxes import recordio
    from algoport.training.formats.layout import Layout
    from algoport.training.formats.recordio import frame

    lines = [json.loads(line) for line in (folder / "labels" / "output.manifest").read_text().splitlines()]
    stream = b"".join(
        frame(Path(line["source-ref"]).read_bytes()) + frame(json.dumps(line["label"]).encode()) for line in lines
    )
    (boxes,) = recordio.read(io.BytesIO(stream), Layout("train"))
    assert boxes.objects is not None and [len(objects) for objects in boxes.objects] == [2, 0]
    words = ["pictures", "--task", "boxes", *CLASSES, "--export", "coco", "--export", "voc", "--export", "csv"]
    done = subprocess.run(
        [sys.executable, "-m", "algoport.containers.cli", "label", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    coco = json.loads((folder / "labels" / "coco.json").read_text())
    assert [one["category_id"] for one in coco["annotations"]] == [3, 1]
    assert coco["annotations"][1]["bbox"] == [63, 44, 50, 33] and coco["images"][0]["width"] == 200
    voc = (folder / "labels" / "voc" / "1.xml").read_text()
    assert re.findall(r"<(?:xmin|ymin|xmax|ymax)>(\d+)<", voc)[4:] == ["64", "45", "113", "77"]
    assert (folder / "labels" / "labels.csv").read_text().splitlines()[2] == "1.png,cat,63,44,50,33"


def test_texts_are_labeled_and_read_by_training(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("good\n\n<script>document.title = 'x'</script>\nöäü 日本\n")
    with served(tmp_path, tmp_path / "texts.txt", "--task", "text", *CLASSES, "--attribute", "mood") as (url, _, _said):
        browser.open(url)
        for number, key in enumerate("131"):
            browser.until(f"location.pathname === '/item/{number}'")
            if number == 1:
                assert browser.run("return document.querySelector('blockquote').innerText").startswith("<script>")
                browser.picture(tmp_path / "text.png")
            browser.press(key)
        browser.until("document.body.innerText.includes('All are labeled')")
        assert not browser.faults()
    lines = [json.loads(line) for line in (tmp_path / "labels" / "output.manifest").read_text().splitlines()]
    assert [line["mood"] for line in lines] == [0, 2, 0]
    assert lines[2]["source"] == "öäü 日本"
