"""A task: items, classes, a ledger; what may be said of an item, and which comes next."""

from __future__ import annotations

import os
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared.vision import decoding
from algoport.containers.labels.items import Item, checked_name, checked_picture, read
from algoport.containers.labels.ledger import SOURCE, Ledger

KEYS = "123456789abcdefghijklmopqrtvwxyz"  # of the classes: without n, s and u, which the page needs
MOST_BOXES = 1000
MANIFEST = "output.manifest"
_NAME = re.compile(r"[A-Za-z0-9](-*[A-Za-z0-9]){0,62}")


@dataclass(frozen=True)
class Box:
    """Where an object is, in pixels, and of which class."""

    class_id: int
    left: int
    top: int
    width: int
    height: int


class Task:
    """What is labeled, in one folder."""

    def __init__(self, source: Path, kind: str, classes: list[str], output: Path, attribute: str) -> None:
        faults = []
        if not 1 <= len(classes) <= len(KEYS):
            faults.append(f"--label: there must be 1 to {len(KEYS)} classes, one a key; there are {len(classes)}.")
        faults += [f"--label: {name!r} is given twice." for name in sorted(set(classes)) if classes.count(name) > 1]
        faults += ["--label: a class must have a name." for name in classes if not name.strip()]
        if not _NAME.fullmatch(attribute):
            faults.append(f"--attribute: must have 1 to 63 letters, digits and hyphens; it is {attribute!r}.")
        if attribute == "source" or attribute.endswith(("-ref", "-metadata")):
            faults.append(
                "--attribute: must not be source, nor end with -ref or -metadata, which mean something else in "
                f"a manifest; it is {attribute!r}."
            )
        if faults:
            raise UserError(faults)
        for name in classes:
            checked_name(name, "--label")
        if source.exists() and source.resolve() == (output / MANIFEST).resolve():
            raise UserError(f"{source}: is where the result is written; give another --output.")
        self.items: list[Item] = read(source, kind)
        for item in self.items:
            double = next((name for name in (attribute, f"{attribute}-metadata") if name in item.line), None)
            if double is not None:
                raise UserError(f"{source}, line {item.number}: has `{double}` already; give another --attribute.")
        self.kind, self.classes, self.output, self.attribute = kind, classes, output, attribute
        place = Path(os.path.relpath(source.resolve(), output.resolve())).as_posix()
        self.ledger = Ledger(output, {"task": kind, "classes": classes, SOURCE: place})
        self.lock = threading.Lock()
        self._numbers = {item.key: number for number, item in enumerate(self.items)}
        self._sizes: dict[str, tuple[int, int]] = {}

    def size(self, item: Item) -> tuple[int, int]:
        """Width and height of a picture, as it is shown; `UserError` where it cannot be decoded."""
        if item.key not in self._sizes:
            assert item.picture is not None
            path = checked_picture(item.picture, item.key)
            try:
                pixels = decoding.decode(path.read_bytes(), 3, str(path))
            except OSError as error:
                raise UserError(f"{item.key}: {path} cannot be read: {error.strerror}.") from None
            self._sizes[item.key] = (int(pixels.shape[1]), int(pixels.shape[0]))
        return self._sizes[item.key]

    @property
    def labeled(self) -> int:
        """How many of the items have an answer; the ledger may know others, which are not there any more."""
        return len(self._numbers.keys() & self.ledger.keys())

    def fault(self, item: Item) -> str:
        """Why an item cannot be shown; "" where it can."""
        try:
            self.check(item)
        except UserError as error:
            return str(error)
        return ""

    def check(self, item: Item) -> None:
        """`UserError` where an item cannot be shown: its picture has gone, or cannot be decoded."""
        if self.kind == "boxes":
            self.size(item)
        elif item.picture is not None:
            checked_picture(item.picture, item.key)

    def following(self, number: int) -> int | None:
        """The first item from that number on of which nothing is said, round the end; None: there is none."""
        count = len(self.items)
        places = (place % count for place in range(number, number + count))
        return next((place for place in places if self.ledger.get(self.items[place].key) is None), None)

    def say(self, number: int, value: Any) -> None:
        """Write an answer; `UserError` where it cannot be one."""
        item = self.items[number]
        self.check(item)
        answer = self._boxes(item, value) if self.kind == "boxes" else self._class(value)
        self.ledger.say(item.key, answer)

    def undo(self) -> int | None:
        """Take the last answer back; the number of its item."""
        key = self.ledger.last(self._numbers)
        if key is None:
            return None
        self.ledger.say(key, None)
        return self._numbers[key]

    def _class(self, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < len(self.classes):
            raise UserError(f"class: must be a number from 0 to {len(self.classes) - 1}; it is {str(value)[:40]!r}.")
        return value

    def _boxes(self, item: Item, value: Any) -> list[dict[str, int]]:
        if not isinstance(value, list) or len(value) > MOST_BOXES:
            raise UserError(f"boxes: must be a list of at most {MOST_BOXES}.")
        wide, high = self.size(item)
        made = []
        for number, one in enumerate(value, 1):
            try:
                box = Box(**one)
                numbers = [box.left, box.top, box.width, box.height]
                whole = all(isinstance(each, int) and not isinstance(each, bool) for each in numbers)
            except TypeError:
                whole = False
            if not whole:
                raise UserError(f"boxes, {number}: must have class_id, left, top, width and height in whole pixels.")
            inside = box.left >= 0 and box.top >= 0 and box.width > 0 and box.height > 0
            if not (inside and box.left + box.width <= wide and box.top + box.height <= high):
                raise UserError(f"boxes, {number}: must lie within the picture, {wide} by {high} pixels.")
            made.append(vars(box) | {"class_id": self._class(box.class_id)})
        return made

    def close(self) -> None:
        """Let another process go on."""
        self.ledger.close()
