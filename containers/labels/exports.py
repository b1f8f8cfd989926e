"""Files that others read: manifests as Ground Truth writes them, COCO, Pascal VOC, CSV. Each is whole or absent."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from algoport.algorithms.contract.errors import UserError
from algoport.containers.labels.items import Item
from algoport.containers.labels.ledger import Entry
from algoport.containers.labels.task import MANIFEST, Task

FORMATS = ("manifest", "coco", "voc", "csv")
_TYPES = {
    "classify": "groundtruth/image-classification",
    "boxes": "groundtruth/object-detection",
    "text": "groundtruth/text-classification",
}


def export(task: Task, form: str) -> Path:
    """Write what is labeled so far; where it lies."""
    if form not in FORMATS:
        raise UserError(f"--export: must be one of {', '.join(FORMATS)}; it is {form!r}.")
    if form in ("coco", "voc") and task.kind != "boxes":
        raise UserError(f"--export: {form} is for boxes, and the task is {task.kind}.")
    if form == "voc":
        return _voc(task)
    name = {"manifest": MANIFEST, "coco": "coco.json", "csv": "labels.csv"}[form]
    text = {"manifest": _manifest, "coco": _coco, "csv": _csv}[form](task)
    _put(task.output / name, text.encode())
    return task.output / name


def _labeled(task: Task) -> Iterator[tuple[Item, Entry]]:
    for item in task.items:
        entry = task.ledger.get(item.key)
        if entry is not None:
            yield item, entry


def _manifest(task: Task) -> str:
    lines = []
    for item, entry in _labeled(task):
        metadata: dict[str, Any] = {
            "job-name": f"labeling-job/{task.attribute}",
            "type": _TYPES[task.kind],
            "human-annotated": "yes",
            "creation-date": time.strftime("%Y-%m-%dT%H:%M:%S.000000", time.gmtime(entry.time)),
        }
        value = entry.value
        if task.kind == "boxes":
            width, height = task.size(item)
            used = sorted({box["class_id"] for box in value})
            metadata |= {
                "objects": [{"confidence": 1} for _ in value],
                "class-map": {str(number): task.classes[number] for number in used},
            }
            value = {"image_size": [{"width": width, "height": height, "depth": 3}], "annotations": value}
        else:
            metadata |= {"class-name": task.classes[value], "confidence": 1}
        line = {**item.line, task.attribute: value, f"{task.attribute}-metadata": metadata}
        lines.append(json.dumps(line, ensure_ascii=False))
    return "".join(f"{line}\n" for line in lines)


def _coco(task: Task) -> str:
    pictures: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, (item, entry) in enumerate(_labeled(task), 1):
        width, height = task.size(item)
        pictures.append({"id": number, "file_name": item.key, "width": width, "height": height})
        for box in entry.value:
            place = [box["left"], box["top"], box["width"], box["height"]]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": box["class_id"] + 1,  # COCO's begin at 1
                    "bbox": place,
                    "area": place[2] * place[3],
                    "iscrowd": 0,
                }
            )
    categories = [{"id": number, "name": name} for number, name in enumerate(task.classes, 1)]
    return json.dumps({"images": pictures, "annotations": annotations, "categories": categories}, indent=1)


def _csv(task: Task) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    first = "source" if task.kind == "text" else "file"
    if task.kind == "boxes":
        writer.writerow([first, "class", "left", "top", "width", "height"])
        for item, entry in _labeled(task):
            for box in entry.value:
                place = [box["left"], box["top"], box["width"], box["height"]]
                writer.writerow([item.key, task.classes[box["class_id"]], *place])
        return text.getvalue()
    writer.writerow([first, "class"])
    for item, entry in _labeled(task):
        writer.writerow([item.text if task.kind == "text" else item.key, task.classes[entry.value]])
    return text.getvalue()


def _voc(task: Task) -> Path:
    """A file a picture, below the folder `voc`, called as the picture is."""
    folder = task.output / "voc"
    places = _places(task)
    for item, _ in _labeled(task):
        task.size(item)  # all of them, before the first is written
    for item, entry in _labeled(task):
        width, height = task.size(item)
        root = ElementTree.Element("annotation")
        ElementTree.SubElement(root, "filename").text = item.key
        size = ElementTree.SubElement(root, "size")
        for name, number in (("width", width), ("height", height), ("depth", 3)):
            ElementTree.SubElement(size, name).text = str(number)
        for box in entry.value:
            one = ElementTree.SubElement(root, "object")
            ElementTree.SubElement(one, "name").text = task.classes[box["class_id"]]
            place = ElementTree.SubElement(one, "bndbox")
            # Pascal's pixels begin at 1, and the last one is inside.
            corners = (box["left"] + 1, box["top"] + 1, box["left"] + box["width"], box["top"] + box["height"])
            for name, number in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True):
                ElementTree.SubElement(place, name).text = str(number)
        _put(folder / places.pop(item.key), ElementTree.tostring(root))
    for path in places.values():  # what was taken back
        (folder / path).unlink(missing_ok=True)
    return folder


def _places(task: Task) -> dict[str, Path]:
    """Where the annotation of each item lies; those of pictures that differ in their endings alone keep them."""
    paths = {item.key: _inside(item.key) for item in task.items}
    stems = Counter(path.with_suffix("") for path in paths.values())
    made = {
        key: path.with_suffix(".xml") if stems[path.with_suffix("")] == 1 else path.with_name(f"{path.name}.xml")
        for key, path in paths.items()
    }
    double = [path for path, count in Counter(made.values()).items() if count > 1]
    if double:
        first, second, *_ = (key for key, path in made.items() if path == double[0])
        raise UserError(f"--export: {first} and {second} would both be voc/{double[0]}.")
    return made


def _inside(key: str) -> Path:
    """A manifest may name pictures of several folders: what leads out of them is no part of the name."""
    return Path(*(step for step in Path(key.removeprefix("file://")).parts if step not in ("/", "..")))


def _put(path: Path, data: bytes) -> None:
    beside = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(beside, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise UserError(f"{path}: cannot be written: {error.strerror}.") from None
