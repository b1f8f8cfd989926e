"""`algoport images`: pictures packed for training."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from algoport.algorithms.shared.vision.decoding import decode, encode
from algoport.training.formats import Layout
from algoport.training.formats.images import recordio
from tests.containers.conftest import ROOT


def run(place: Path, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "algoport.containers.cli", "images", *map(str, words)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=place, env=environment, text=True, capture_output=True, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(12):
        path = tmp_path / "pets" / ("cat", "dog", "fish")[number % 3] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(np.full((10, 14, 3), number, np.uint8)))
    return tmp_path


def read(path: Path):
    with open(path, "rb") as stream:
        (images,) = recordio.read(stream, Layout(name="a"))
    return images


def test_class_folders_become_a_file_that_trains(folder):
    said = run(folder, "pets", "pets.rec")

    assert said.returncode == 0, said.stderr
    images = read(folder / "pets.rec")
    numbers = [int(decode(data, 3, "")[0, 0, 0]) for data in images.encoded]
    assert sorted(numbers) == list(range(12)) != numbers
    assert [number % 3 for number in numbers] == images.label[:, 0].tolist()
    assert "3 classes: 0: 4, 1: 4, 2: 4" in said.stdout
    assert "num_classes=3 num_training_samples=12" in said.stdout


def test_a_list_names_the_pictures_and_gaps_in_its_labels_are_reported(folder):
    (folder / "some.lst").write_text("0\t4\tdog/1.png\n1\t0\tcat/0.png\n")

    said = run(folder, "pets", "pets.rec", "--list", "some.lst", "--ordered", "--resize", "5")

    assert said.returncode == 0, said.stderr
    images = read(folder / "pets.rec")
    assert images.label.tolist() == [[4], [0]]
    assert decode(images.encoded[0], 3, "").shape == (5, 7, 3) and images.encoded[0].startswith(b"\xff\xd8")
    assert "No picture is of class 1, 2, 3." in said.stdout


def test_pictures_that_cannot_be_read_are_all_reported_and_nothing_is_left(folder):
    for name in ("cat/0.png", "fish/2.png"):
        path = folder / "pets" / name
        path.write_bytes(path.read_bytes()[:40])

    said = run(folder, "pets", "pets.rec")

    assert said.returncode == 2
    assert "pets/cat/0.png: " in said.stderr and "pets/fish/2.png: " in said.stderr
    assert not list(folder.glob("*.rec*"))
