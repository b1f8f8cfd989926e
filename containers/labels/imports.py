"""Boxes that other tools have written, in COCO's JSON or Pascal VOC's XML: read, and put as this project's annotations.

Nothing of the pictures is read here; `training.formats.boxes.objects` holds the boxes to them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from algoport.algorithms.contract.errors import UserError
from algoport.training.formats.layout import shown_json

MOST_BYTES = 1 << 32  # of COCO's file
MOST_XML = 1 << 24  # of a file of Pascal VOC
CORNERS = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True)
class Annotated:
    """A picture's file, and what an annotation says of it."""

    place: str  # where that stands, in front of a fault
    file: str  # its path, below the folder of pictures
    size: Mapping[str, float] | None  # its width and height in pixels, where that is said
    boxes: list[dict[str, Any]]  # class_id, left, top, width, height, difficult

    def below(self, folder: Path) -> Path:
        """The picture's file; an annotation, which others wrote, leads to none outside the folder."""
        path = folder / self.file
        try:
            is_below, is_there = path.resolve().is_relative_to(folder.resolve()), path.is_file()
        except (OSError, ValueError, RuntimeError):  # too long, with a zero in it, a link to itself
            raise UserError(f"{self.place}: there can be no file of that name: {self.file[:200]!r}.") from None
        if not is_below:
            raise UserError(f"{self.place}: its file must lie below {folder}; it is {self.file!r}.")
        if not is_there:
            raise UserError(f"{self.place}: there is no file {path}.")
        return path


@dataclass(frozen=True)
class Annotations:
    """All pictures of a set, the names of the classes, and what is wrong with the files that say so."""

    pictures: list[Annotated]
    classes: list[str]
    faults: list[str]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class _Picture(_Part):
    id: int | str
    file_name: str
    width: int | float | None = Field(None, gt=0)
    height: int | float | None = Field(None, gt=0)


class _Box(_Part):
    image_id: int | str
    category_id: int
    bbox: list[int | float] = Field(min_length=4, max_length=4)
    iscrowd: int = 0


class _Category(_Part):
    id: int
    name: str


class _Coco(_Part):
    images: list[_Picture]
    categories: list[_Category]
    annotations: list[_Box]


_MUST = {
    "id": "be a whole number or a text", "file_name": "be the path of a picture below the folder", "name": "be a text",
    "width": "be a number of pixels above 0", "height": "be a number of pixels above 0",
    "image_id": "be the id of one of the images", "category_id": "be the id of one of the categories",
    "bbox": "be a list of four numbers of pixels: left, top, width, height", "iscrowd": "be 0 or 1",
    "images": "be a list of objects", "annotations": "be a list of objects", "categories": "be a list of objects",
}  # fmt: skip


def coco(path: Path) -> Annotations:
    """COCO's file of instances. Classes are its categories by rising id, from 0; crowds are difficult objects.

    `UserError` names what in it is not of that form.
    """
    written = text(path, MOST_BYTES)
    try:
        given = _Coco.model_validate_json(written)
    except ValidationError as error:
        raise UserError(sorted({f"{path.name}{_sentence(fault)}" for fault in error.errors()})) from None
    categories = sorted(given.categories, key=lambda category: category.id)
    numbers = {category.id: number for number, category in enumerate(categories)}
    boxes: dict[int | str, list[dict[str, Any]]] = defaultdict(list)
    known = {picture.id for picture in given.images}
    faults = [
        f"{path.name}: {noun} {again} is given twice."
        for noun, ids in (("image", [one.id for one in given.images]), ("category", [one.id for one in categories]))
        for again in _repeated(ids)
    ]
    for number, box in enumerate(given.annotations):
        place = f"{path.name}, annotations[{number}]"
        if box.image_id not in known:
            faults.append(f"{place}: there is no image with the id {box.image_id!r}.")
        elif box.category_id not in numbers:
            faults.append(f"{place}: there is no category with the id {box.category_id}.")
        else:
            left, top, width, height = box.bbox
            boxes[box.image_id].append(
                _box(numbers[box.category_id], left, top, left + width, top + height, difficult=box.iscrowd)
            )
    pictures = [
        Annotated(
            place=f"{path.name}, image {picture.id}",
            file=picture.file_name,
            size=None
            if picture.width is None or picture.height is None
            else {"width": picture.width, "height": picture.height},
            boxes=boxes[picture.id],
        )
        for picture in given.images
    ]
    return Annotations(pictures, [category.name for category in categories], faults)


def voc(folder: Path, classes: Sequence[str] | None) -> Annotations:
    """A folder of Pascal VOC's files, one a picture. Classes are numbered as they are given, else by name.

    Its pixels are counted from 1, and the last of a box is inside.
    """
    paths = sorted(folder.rglob("*.xml"))
    if not paths:
        raise UserError(f"{folder}: holds no annotation of Pascal VOC, a file that ends in .xml.")
    faults: list[str] = []
    read: list[tuple[Path, str, Mapping[str, float] | None, list[tuple[str, list[float], int]]]] = []
    for path in paths:
        try:
            read.append((path, *_voc(path, path.relative_to(folder).as_posix())))
        except UserError as error:
            faults += error.findings
    names = list(classes or sorted({name for *_, objects in read for name, _, _ in objects}))
    numbers = {name: number for number, name in enumerate(names)}
    pictures = []
    for path, file, size, objects in read:
        place, boxes = path.relative_to(folder).as_posix(), []
        for number, (name, (xmin, ymin, xmax, ymax), difficult) in enumerate(objects, 1):
            if name not in numbers:
                faults.append(f"{place}, object {number}: its class must be one of --classes; it is {name!r}.")
                continue
            boxes.append(_box(numbers[name], xmin - 1, ymin - 1, xmax, ymax, difficult=difficult))
        pictures.append(Annotated(place=place, file=file, size=size, boxes=boxes))
    return Annotations(pictures, names, faults)


def _voc(path: Path, place: str) -> tuple[str, Mapping[str, float] | None, list[tuple[str, list[float], int]]]:
    try:
        root = ElementTree.fromstring(text(path, MOST_XML))  # noqa: S314 (expat bounds how far entities expand)
    except ElementTree.ParseError as error:
        raise UserError(f"{place}, line {error.position[0]}: is no XML.") from None
    file = (root.findtext("filename") or "").strip()
    if root.tag != "annotation" or not file:
        raise UserError(f"{place}: must be an <annotation> with the <filename> of a picture.")
    sides = {name: root.findtext(f"size/{name}") for name in ("width", "height")}
    size = {name: _pixels(text, place, name) for name, text in sides.items() if text is not None}
    objects = []
    for number, entry in enumerate(root.iterfind("object"), 1):
        within, name = f"{place}, object {number}", (entry.findtext("name") or "").strip()
        if not name:
            raise UserError(f"{within}: must have a <name>, its class.")
        corners = [_pixels(entry.findtext(f"bndbox/{corner}"), within, corner) for corner in CORNERS]
        objects.append((name, corners, int((entry.findtext("difficult") or "0").strip() == "1")))
    return file, size if len(size) == len(sides) else None, objects


def _pixels(text: str | None, place: str, name: str) -> float:
    try:
        number = float(text or "")
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UserError(f"{place}: <{name}> must be a number of pixels; it is {text!r}.")
    return number


def _box(number: int, xmin: float, ymin: float, xmax: float, ymax: float, *, difficult: int) -> dict[str, Any]:
    extent = {"left": xmin, "top": ymin, "width": xmax - xmin, "height": ymax - ymin}
    return {"class_id": number, **extent, "difficult": int(difficult != 0)}


def text(path: Path, most: int) -> bytes:
    """What a file holds; `UserError` where it cannot be read, or is longer than that."""
    try:
        size = path.stat().st_size
        if size > most:
            raise UserError(f"{path}: has {size:,} bytes, where at most {most:,} are read.")
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}.") from None


def _repeated(ids: Sequence[Any]) -> list[Any]:
    seen: set[Any] = set()
    return [one for one in ids if one in seen or seen.add(one)]  # type: ignore[func-returns-value]


def _sentence(fault: Any) -> str:
    """Where in COCO's file, and what must stand there."""
    if fault["type"] == "json_invalid":
        return ": is no JSON."
    steps = [step for step in fault["loc"] if step not in ("int", "float", "str")]
    names = [step for step in steps if isinstance(step, str)]
    if not names:
        return ': must be an object with "images", "annotations" and "categories", as COCO\'s instances are.'
    if names[-1] == "bbox" or isinstance(steps[-1], int):
        steps = steps[: steps.index(names[-1]) + (1 if names[-1] == "bbox" else 2)]
    where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")
    if fault["type"] == "missing":
        return f", {where}: is required; it must {_MUST[names[-1]]}."
    return f", {where}: must {_MUST[names[-1]]}; it is {shown_json(fault['input'])}."
