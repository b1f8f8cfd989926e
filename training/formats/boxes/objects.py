"""The objects of one picture, from the numbers of a label or from a JSON annotation.

o objects   e further numbers of an object
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.vision.orientation import upright_size
from algoport.training.formats.json import load
from algoport.training.formats.layout import Layout, excerpt, shown_json
from algoport.training.formats.text import BOM

Objects = NDArray[np.float32]  # (o, 5 + e): class, xmin, ymin, xmax, ymax in fractions of width and height, others

HEADER, OBJECT = 2, 5  # numbers of a label's header, and of an object, at least
# How far a corner may lie outside, in fractions of the side, and still be what rounding left: it is moved to the edge.
SLACK = 0.01
MOST_CLASSES = 1 << 24  # whole numbers beyond this are not all float32
MOST_OBJECTS = 1 << 18  # of a picture
MOST_TEXT = 1 << 26  # bytes of an annotation
_PIXELS = ("left", "top", "width", "height")


def of_label(numbers: NDArray[np.float32], data: bytes, layout: Layout, place: str) -> Objects:
    """From a label as MXNet's im2rec packs it: how many numbers its header has, how many an object has, further
    numbers of the header, and the objects. What is filled up with -1 is no object.

    `data`, the picture, has no part in it.
    """
    count = len(numbers)
    if count < HEADER:
        raise layout.fault(
            place,
            f"must have a label of boxes, which begins with the numbers of its header and of an object, such as 2, 5; "
            f"it has {count} number{'s' * (count != 1)}.",
        )
    header, each = (float(number) for number in numbers[:HEADER])
    whole = header.is_integer() and each.is_integer()
    if not whole or not HEADER <= header <= count or not OBJECT <= each <= MOST_OBJECTS:
        raise layout.fault(
            place,
            f"its label must begin with the numbers of its header, from {HEADER} to {count}, and of an object, at "
            f"least {OBJECT}; it begins {header:g}, {each:g}.",
        )
    start, width = int(header), int(each)
    if (count - start) % width:
        raise layout.fault(
            place, f"has {count - start} numbers of objects behind its header, which is no multiple of {width}."
        )
    rows = numbers[start:].reshape(-1, width)
    return check_objects(rows[~(rows[:, :OBJECT] == -1).all(axis=1)], layout, place)


def to_label(objects: Objects) -> NDArray[np.float32]:
    """The numbers of the same label."""
    return np.concatenate([np.array([HEADER, objects.shape[1]], np.float32), objects.ravel()])


def of_json(text: bytes, data: bytes, layout: Layout, place: str) -> Objects:
    """From an annotation as labeling tools write it: `image_size`, and `annotations` with class and pixels of each.

    Pixels are divided by `image_size`, which must have the proportions of the picture `data`. A sixth number says
    `difficult`, where some object does.
    """
    value = _parse(text, layout, place)
    if isinstance(value, Mapping) and {"images", "categories"} <= value.keys():
        raise layout.fault(
            place,
            "is COCO's file of a whole set, where each picture has a JSON file of its own: `algoport images "
            "FOLDER OUT.rec --coco FILE` packs such a set for training.",
        )
    if not isinstance(value, Mapping) or not isinstance(value.get("annotations"), list):
        raise layout.fault(
            place, f'must be an object with "image_size" and a list "annotations"; it is {excerpt(text)}.'
        )
    entries = value["annotations"]
    if len(entries) > MOST_OBJECTS:
        raise layout.fault(place, f"has {len(entries):,} annotations, where at most {MOST_OBJECTS:,} are allowed.")
    height, width = _image_size(value, data, layout, place)
    rows = [_object(entry, height, width, layout, _within(place, n)) for n, entry in enumerate(entries)]
    table = np.array(rows, np.float64).reshape(-1, OBJECT + 1)
    return check_objects(table if table[:, OBJECT].any() else table[:, :OBJECT], layout, place)


def check_objects(rows: NDArray[Any], layout: Layout, place: str) -> Objects:
    """The objects, with corners within the picture; `UserError` names the first that is none."""

    def check(wrong: NDArray[np.bool_], sentence: Callable[[NDArray[Any]], str]) -> None:
        if wrong.any():
            number = int(np.argmax(wrong))
            raise layout.fault(_within(place, number), sentence(rows[number]))

    check(~np.isfinite(rows).all(axis=1), lambda _: "must have finite numbers only.")
    classes, named = layout.classes or MOST_CLASSES, rows[:, 0]
    check(
        (named != np.floor(named)) | (named < 0) | (named >= classes),
        lambda row: f"its class must be a whole number from 0 to {classes - 1}; it is {row[0]:.10g}.",
    )
    for low, high, names in ((1, 3, ("xmin", "xmax")), (2, 4, ("ymin", "ymax"))):
        check(
            rows[:, low] >= rows[:, high],
            lambda row, low=low, high=high, names=names: (  # type: ignore[misc]
                f"{names[0]} must be below {names[1]}; they are {row[low]:g} and {row[high]:g}."
            ),
        )
    corners = rows[:, 1:OBJECT]
    inside = np.clip(corners, 0, 1)
    check(
        ((corners < -SLACK) | (corners > 1 + SLACK)).any(axis=1) | (inside[:, :2] >= inside[:, 2:]).any(axis=1),
        lambda row: (
            "its box must lie within the picture, from 0 to 1 of width and height; its corners are "
            f"{', '.join(f'{corner:g}' for corner in row[1:OBJECT])}."
        ),
    )
    objects = np.array(rows, np.float32)
    objects[:, 1:OBJECT] = inside
    return objects


def _within(place: str, number: int) -> str:
    """Where the object of that number stands, from 0."""
    return f"{place}, object {number + 1}" if place else f"object {number + 1}"


def _parse(text: bytes, layout: Layout, place: str) -> Any:
    """Parsed JSON, also within a JSON string."""
    if len(text) > MOST_TEXT:
        raise layout.fault(place, f"has {len(text):,} bytes, where an annotation has at most {MOST_TEXT:,}.")
    value = load(text.removeprefix(BOM), layout, place)
    return load(value.encode(), layout, place) if isinstance(value, str) else value


def _image_size(value: Mapping[str, Any], data: bytes, layout: Layout, place: str) -> tuple[float, float]:
    """Height and width that the pixels are measured in."""
    sizes = value.get("image_size")
    known = sizes[0] if isinstance(sizes, list) and len(sizes) == 1 else sizes
    height, width = (known.get("height"), known.get("width")) if isinstance(known, Mapping) else (None, None)
    if not _is_number(height) or not _is_number(width) or not 1 <= min(height, width) <= max(height, width) < 1 << 31:
        raise layout.fault(
            place,
            f'"image_size" must be a list of one object with "width" and "height" in pixels; it is '
            f"{shown_json(sizes)}.",
        )
    actual = upright_size(data)  # as decoding will give it
    if actual is not None and not _fits(height, width, *actual):
        raise layout.fault(
            place,
            f"image_size is {width:g} x {height:g}, where the picture has {actual[1]} x {actual[0]} pixels: the boxes "
            "do not belong to it.",
        )
    return float(height), float(width)


def _fits(height: float, width: float, actual_height: int, actual_width: int) -> bool:
    """Whether one is the other, or a scaled copy of it, whose sides were rounded."""
    scaled = actual_width * height / width
    return abs(scaled - actual_height) <= max(1.0, height / width, actual_height / height, actual_width / width)


def _object(entry: Any, height: float, width: float, layout: Layout, place: str) -> list[float]:
    """Class, corners in fractions, and whether it is difficult."""
    if not isinstance(entry, Mapping):
        raise layout.fault(place, f'must be an object with "class_id" and pixels; it is {shown_json(entry)}.')
    number = entry.get("class_id")
    classes = layout.classes or MOST_CLASSES
    if not _is_number(number) or number != int(number) or not 0 <= number < classes:
        raise layout.fault(
            place, f'"class_id" must be a whole number from 0 to {classes - 1}; it is {shown_json(number)}.'
        )
    left, top, wide, high = (_pixels(entry, name, layout, place) for name in _PIXELS)
    difficult = entry.get("difficult", 0)
    if not isinstance(difficult, bool | int) or difficult not in (0, 1):
        raise layout.fault(place, f'"difficult" must be 0 or 1; it is {shown_json(difficult)}.')
    corners = [left / width, top / height, (left + wide) / width, (top + high) / height]
    return [float(number), *corners, float(difficult)]


def _pixels(entry: Mapping[str, Any], name: str, layout: Layout, place: str) -> float:
    """A place or an extent of a box."""
    pixels, extent = entry.get(name), name in ("width", "height")
    if not _is_number(pixels) or abs(pixels) >= 1 << 31 or (extent and pixels <= 0):
        norm = "a number of pixels above 0" if extent else "a number of pixels"
        raise layout.fault(place, f'"{name}" must be {norm}; it is {shown_json(pixels)}.')
    return float(pixels)


def _is_number(value: Any) -> TypeGuard[int | float]:
    """A finite number, and no truth value. JSON has no others, but Python's NaN and Infinity are read."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -math.inf < value < math.inf
