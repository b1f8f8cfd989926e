"""Augmented manifests, as Ground Truth and `algoport label` write them: pictures with classes or boxes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from algoport.algorithms.contract.errors import UserError
from algoport.containers.labels.imports import Annotated, Annotations, text
from algoport.training.channels.files import Shard
from algoport.training.channels.pictures import LabeledFile
from algoport.training.formats.layout import shown_json

MOST_BYTES = 1 << 32
MOST_CLASSES = 1 << 16
ASIDE = "-metadata"


@dataclass(frozen=True)
class _Line:
    place: str  # "a.manifest, line 3"
    file: str  # of the picture, below the folder of pictures
    label: Any
    names: Mapping[str, str]  # of classes, by their numbers


def manifest(path: Path, folder: Path, attribute: str | None) -> Annotations | list[LabeledFile]:
    """The pictures of a manifest with what the attribute says of them; without one it is the only label that all have.

    Several classes of a picture are numbers of classes, which become a label a class. `UserError` names all lines that
    are not as they should be.
    """
    faults: list[str] = []
    lines = list(_lines(path, folder, attribute, faults))
    if not lines and not faults:
        faults.append(f"{path}: has no lines.")
    if faults:
        raise UserError(faults[:20])
    kinds = {_kind(line.label) for line in lines}
    if len(kinds) > 1:
        first = _kind(lines[0].label)
        other = next(line for line in lines if _kind(line.label) != first)
        raise UserError(f"{other.place}: must have {first}, as the first line has; it is {shown_json(other.label)}.")
    names = {number: name for line in lines for number, name in line.names.items()}
    return _boxes(lines, names) if kinds == {BOXES} else _classes(lines, folder, names)


CLASS, CLASSES, BOXES = "a class", "a list of classes", "boxes"


def _kind(label: Any) -> str:
    return BOXES if isinstance(label, dict) else CLASSES if isinstance(label, list) else CLASS


def _lines(path: Path, folder: Path, attribute: str | None, faults: list[str]) -> Iterator[_Line]:
    try:
        rows = text(path, MOST_BYTES).decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: must be text in UTF-8; byte {error.start} begins no letter.") from None
    for number, row in enumerate(rows, 1):
        if row.strip():
            try:
                yield _line(f"{path.name}, line {number}", row, path.absolute().parent, folder, attribute)
            except UserError as error:
                faults += error.findings


def _line(place: str, row: str, base: Path, folder: Path, attribute: str | None) -> _Line:
    try:
        entries = json.loads(row)
    except (ValueError, RecursionError):
        entries = None
    if not isinstance(entries, dict) or not isinstance(entries.get("source-ref"), str):
        raise UserError(f"{place}: must be an object of JSON with the place of a picture as `source-ref`.")
    source = entries["source-ref"]
    if "://" in source and not source.startswith("file://"):
        raise UserError(f"{place}: the picture must lie on this machine; it is {source}.")
    known = sorted(name for name in entries if f"{name}{ASIDE}" in entries)
    if attribute is None and len(known) != 1:
        has = f"it has {', '.join(known)}: which is it? --attribute NAME" if known else "it has none"
        raise UserError(f"{place}: must have one label, NAME beside NAME{ASIDE}; {has}.")
    name = attribute or known[0]
    if name not in entries:
        raise UserError(f"{place}: has no `{name}`.")
    aside = entries.get(f"{name}{ASIDE}")
    names = aside.get("class-map") if isinstance(aside, dict) else None
    names = dict(names) if isinstance(names, dict) else {}
    if isinstance(aside, dict) and "class-name" in aside and type(entries[name]) is int:
        names[str(entries[name])] = aside["class-name"]
    _check(entries[name], place, name)
    file = os.path.relpath(base / source.removeprefix("file://"), folder.absolute())
    return _Line(place, file, entries[name], {number: str(one) for number, one in names.items()})


def _check(label: Any, place: str, name: str) -> None:
    numbers = [label] if not isinstance(label, list) else label
    if isinstance(label, dict):
        numbers = [one.get("class_id") if isinstance(one, dict) else None for one in label.get("annotations") or ()]
        good = isinstance(label.get("annotations"), list) and isinstance(label.get("image_size"), list)
    else:
        good = True
    if not good or not all(type(one) is int and 0 <= one < MOST_CLASSES for one in numbers):
        raise UserError(
            f"{place}: `{name}` must be the number of a class, a list of such, or an object with image_size and "
            f"annotations, each with its class_id; it is {shown_json(label)}."
        )


def _boxes(lines: list[_Line], names: Mapping[str, str]) -> Annotations:
    most = max((box["class_id"] for line in lines for box in line.label["annotations"]), default=-1)
    count = max([most + 1, *(int(number) + 1 for number in names if number.isdecimal() and len(number) < 6)])
    pictures = []
    for line in lines:
        (size, *_) = line.label["image_size"] or [None]
        boxes = [{"difficult": 0, **box} for box in line.label["annotations"]]
        pictures.append(Annotated(line.place, line.file, size if isinstance(size, dict) else None, boxes))
    return Annotations(pictures, [names.get(str(number), str(number)) for number in range(count)], [])


def _classes(lines: list[_Line], folder: Path, names: Mapping[str, str]) -> list[LabeledFile]:
    several = _kind(lines[0].label) == CLASSES
    count = 1 + max((number for line in lines for number in (line.label if several else [line.label])), default=0)
    made, faults = [], []
    for line in lines:
        label = np.zeros(count, np.float32) if several else np.array([line.label], np.float32)
        if several:
            label[line.label] = 1
        try:
            path = Annotated(line.place, line.file, None, []).below(folder)
        except UserError as error:
            faults += error.findings
            continue
        made.append(LabeledFile(Shard(f"{line.place}, {line.file}", path, path.stat().st_size), label))
    if faults:
        raise UserError(faults[:20])
    return made
