"""Pictures packed into one RecordIO file, with what is known of each: made side by side, whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared.machine import cores
from algoport.algorithms.shared.vision import decoding
from algoport.algorithms.shared.vision.transforms import shorter_side
from algoport.containers.labels.imports import Annotated, Annotations
from algoport.training.formats.boxes.objects import of_json, to_label
from algoport.training.formats.images.frames import pack
from algoport.training.formats.layout import Layout
from algoport.training.formats.recordio import frame

MOST_FAULTS = 20  # that are named one by one
_BLOCK = 256  # records that are made together


@dataclass(frozen=True)
class Packing:
    """In which order, and how large."""

    resize: int | None = None  # pixels of the shorter side; None: files stay as they are
    quality: int = 95  # of those that are encoded anew
    seed: int = 0
    ordered: bool = False

    def picture(self, path: Path, name: str) -> tuple[bytes, tuple[int, int]]:
        """The file, or its picture made smaller or larger, and height and width before that; `UserError` where it is no
        picture."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UserError(f"{name}: cannot be read: {error.strerror}.") from None
        pixels = decoding.decode(data, 3, name)
        if self.resize is not None:
            data = decoding.encode(shorter_side(pixels, self.resize), self.quality)
        return data, (pixels.shape[0], pixels.shape[1])


def write(out: Path, count: int, record: Callable[[int], bytes], packing: Packing) -> None:
    """Records of the numbers 0 to count - 1, in the order of the packing. `UserError` has the faults of all of them,
    and then nothing is written."""
    order = np.arange(count) if packing.ordered else np.random.default_rng(packing.seed).permutation(count)
    if not out.name or out.is_dir():
        raise UserError(f"{out}: must be the name of a file to write; it is a folder.")
    beside = out.with_name(f".{out.name}.part")
    faults: list[str] = []
    try:
        with open(beside, "wb") as file:
            for data in _made(order, record, faults):
                if not faults:
                    file.write(frame(data))
        refuse(faults)
        os.replace(beside, out)
    except OSError as error:
        raise UserError(f"{out}: cannot be written: {error.strerror}.") from None
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


def refuse(faults: list[str]) -> None:
    """`UserError` with the first of them, where there are any."""
    if faults:
        more = len(faults) - MOST_FAULTS
        raise UserError([*faults[:MOST_FAULTS], *([f"{more:,} more are like these."] if more > 0 else [])])


def write_boxes(known: Annotations, folder: Path, out: Path, packing: Packing) -> NDArray[np.int64]:
    """Pictures below the folder, each with its boxes; how many numbers the label of each has."""
    widths = np.zeros(len(known.pictures), np.int64)
    faults = list(known.faults)
    if not known.pictures:
        faults.append(f"{folder}: the annotations name no pictures.")

    def record(number: int) -> bytes:
        picture = known.pictures[number]
        data, size = packing.picture(picture.below(folder), f"{picture.place}, {picture.file}")
        label = to_label(_objects(picture, data, size, len(known.classes)))
        widths[number] = len(label)
        return pack(data, label, number)

    if faults:  # those of the pictures are told with them
        for number in range(len(known.pictures)):
            try:
                record(number)
            except UserError as error:
                faults += error.findings
        refuse(faults)
    write(out, len(known.pictures), record, packing)
    return widths


def _objects(picture: Annotated, data: bytes, actual: tuple[int, int], classes: int) -> NDArray[np.float32]:
    """The objects, as training reads them; where one is wrong, all that are. `actual` are height and width of the file,
    in whose pixels boxes are where the annotation says no size."""
    layout = Layout(name=picture.place, classes=classes)

    def read(boxes: list[dict[str, object]]) -> NDArray[np.float32]:
        return of_json(json.dumps({"image_size": [size], "annotations": boxes}).encode(), data, layout, "")

    size = picture.size or {"width": actual[1], "height": actual[0]}
    try:
        return read(picture.boxes)
    except UserError as error:
        faults = []
        for number, box in enumerate(picture.boxes, 1):
            try:
                read([box])
            except UserError as own:
                faults += [sentence.replace("object 1", f"object {number}", 1) for sentence in own.findings]
        raise (UserError(faults) if faults else error) from None


def _made(order: NDArray[np.int64], record: Callable[[int], bytes], faults: list[str]) -> Iterator[bytes]:
    def one(number: np.int64) -> bytes | list[str]:
        try:
            return record(int(number))
        except UserError as error:
            return error.findings

    with ThreadPoolExecutor(cores()) as pool:
        for first in range(0, len(order), _BLOCK):
            for made in pool.map(one, order[first : first + _BLOCK]):
                if isinstance(made, bytes):
                    yield made
                else:
                    faults += made
