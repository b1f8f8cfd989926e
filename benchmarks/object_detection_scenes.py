"""Pictograms pasted on photographs, with the box of each: pictures to learn to detect ten classes from.

Pictograms are those of the npm package emoji-datasource-google, in the folder that NODE_MODULES names; photographs are
parts of those in scikit-image. Pictures to test on lie on photographs that no training picture shows.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data import Missing, package

CLASSES = ("dog", "cat", "pizza", "car", "soccer", "banana", "airplane", "rose", "guitar", "hamburger")
SIDE = 300
MOST, SMALLEST, LARGEST, TURN = 5, 28, 120, 30.0  # pictograms of a picture, their sides in pixels, degrees either way
TRAINING, TEST = ("astronaut.png", "coffee.png", "ihc.png", "hubble_deep_field.jpg"), ("chelsea.png", "rocket.jpg")


def training(count: int, seed: int = 0) -> Any:
    """Pictures on the photographs to train on."""
    return scenes(count, seed, TRAINING)


def test(count: int, seed: int = 1000) -> Any:
    """Pictures on other photographs, which nothing is chosen by."""
    return scenes(count, seed, TEST)


def scenes(count: int, seed: int, names: tuple[str, ...]) -> Any:
    """So many pictures as JPEG files, each with one to five pictograms that do not overlap."""
    from algoport.algorithms.contract.records.boxes import Boxes
    from algoport.algorithms.shared.vision.decoding import encode

    random = np.random.default_rng(seed)
    photographs = [photograph(name) for name in names]
    files, objects = [], []
    for _ in range(count):
        pixels, boxes = scene(random, photographs[int(random.integers(len(photographs)))])
        files.append(encode(pixels, 95))
        objects.append(np.array(boxes, np.float32).reshape(-1, 5) / [1, SIDE, SIDE, SIDE, SIDE])
    return Boxes(encoded=files, objects=[each.astype(np.float32) for each in objects])


def scene(random: np.random.Generator, photograph_: Any) -> tuple[Any, list[tuple[int, ...]]]:
    """A part of a photograph with pictograms on it, (h, w, 3), and class and corners of each in pixels."""
    from PIL import Image

    y, x = (int(random.integers(0, size - SIDE + 1)) for size in photograph_.shape[:2])
    whole, boxes = Image.fromarray(photograph_[y : y + SIDE, x : x + SIDE]), []
    for _ in range(int(random.integers(1, MOST + 1))):
        number, side = int(random.integers(len(CLASSES))), int(random.integers(SMALLEST, LARGEST))
        turned = pictograms()[number].resize((side, side)).rotate(float(random.uniform(-TURN, TURN)), expand=True)
        own = turned.crop(turned.getbbox())
        left, top = int(random.integers(0, SIDE - own.width)), int(random.integers(0, SIDE - own.height))
        box = (left, top, left + own.width, top + own.height)
        if not any(_touch(box, other[1:]) for other in boxes):
            whole.paste(own, (left, top), own)
            boxes.append((number, *box))
    return np.array(whole), boxes


def _touch(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return min(one[2], other[2]) > max(one[0], other[0]) and min(one[3], other[3]) > max(one[1], other[1])


@cache
def pictograms() -> tuple[Any, ...]:
    """One a class, with what is transparent."""
    from PIL import Image

    root = Path(os.environ.get("NODE_MODULES", "node_modules")) / "emoji-datasource-google"
    if not (root / "emoji.json").is_file():
        raise Missing("The pictograms are not here: npm install emoji-datasource-google, and NODE_MODULES its folder")
    files = {entry["short_name"]: entry["image"] for entry in json.loads((root / "emoji.json").read_text())}
    return tuple(Image.open(root / "img/google/64" / files[name]).convert("RGBA") for name in CLASSES)


@cache
def photograph(name: str) -> Any:
    """One of scikit-image's, (h, w, 3)."""
    from PIL import Image

    path = package("skimage") / "data" / name
    if not path.is_file():
        raise Missing(f"{name} is not in scikit-image: pip install --no-deps scikit-image")
    return np.array(Image.open(path).convert("RGB"))
