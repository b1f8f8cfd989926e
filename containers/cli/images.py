"""Pictures of a folder packed for training: `algoport images FOLDER OUT.rec`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from algoport import algorithms
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.hyperparameters import Settings
from algoport.algorithms.shared.machine import cores
from algoport.algorithms.shared.vision import decoding as pictures
from algoport.algorithms.shared.vision.transforms import shorter_side
from algoport.training.channels.pictures import LabeledFile, class_folders, list_pictures
from algoport.training.formats.images.recordio import pack
from algoport.training.formats.recordio import frame

MOST_FAULTS = 20  # that are named one by one
_BLOCK = 256

Folder = Annotated[Path, typer.Argument(help="Pictures, in a folder for each class or as --list names them.")]
Out = Annotated[Path, typer.Argument(help="The file to write; with the ending .rec by custom.")]
List = Annotated[
    Path | None,
    typer.Option("--list", help="A .lst file: number, label or labels, and path, with tabs between them."),
]
Resize = Annotated[
    int | None, typer.Option(help="Pixels that the shorter side gets; pictures are then encoded anew, as JPEG.", min=1)
]
Quality = Annotated[int, typer.Option(help="Of JPEG files that are encoded anew.", min=1, max=100)]
Seed = Annotated[int, typer.Option(help="The order of the pictures is drawn from it.")]
Ordered = Annotated[bool, typer.Option("--ordered", help="Keep the order of the list or of the names.")]


def images(
    folder: Folder,
    out: Out,
    list_: List = None,
    resize: Resize = None,
    quality: Quality = 95,
    seed: Seed = 0,
    ordered: Ordered = False,
) -> None:
    """Pack pictures and their labels into a RecordIO file.

    Both are checked first.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: must be a folder with pictures; there is none.")
    labeled = list_pictures(folder, folder.name, list_, list_.name) if list_ else class_folders(folder, folder.name)
    if not labeled:
        raise UserError(f"{folder}: holds no pictures, files that end in .jpg, .jpeg or .png.")
    order = np.arange(len(labeled)) if ordered else np.random.default_rng(seed).permutation(len(labeled))
    beside = out.with_name(f".{out.name}.part")
    faults: list[str] = []
    try:
        with open(beside, "wb") as file:
            chosen = [labeled[number] for number in order]
            for number, data in enumerate(_check_files(chosen, resize, quality, faults)):
                label = chosen[number].label
                assert label is not None
                if not faults:
                    file.write(frame(pack(data, label, int(order[number]))))
        if faults:
            more = f"{len(faults) - MOST_FAULTS} more pictures cannot be read."
            raise UserError([*faults[:MOST_FAULTS], *([more] if len(faults) > MOST_FAULTS else [])])
        os.replace(beside, out)
    finally:
        beside.unlink(missing_ok=True)
    print("\n".join(_summary(labeled, out)))


def _check_files(
    labeled: Sequence[LabeledFile], resize: int | None, quality: int, faults: list[str]
) -> Iterator[bytes]:
    """The files, decoded to see whether they can be; adds a sentence for each that cannot."""

    def one(picture: LabeledFile) -> bytes | str:
        data = picture.shard.path.read_bytes()
        try:
            pixels = pictures.decode(data, 3, picture.shard.name)
        except UserError as error:
            return str(error)
        return data if resize is None else pictures.encode(shorter_side(pixels, resize), quality)

    with ThreadPoolExecutor(cores()) as pool:
        for first in range(0, len(labeled), _BLOCK):
            for made in pool.map(one, labeled[first : first + _BLOCK]):
                if isinstance(made, str):
                    faults.append(made)
                yield b"" if isinstance(made, str) else made


def _summary(labeled: Sequence[LabeledFile], out: Path) -> Iterator[str]:
    """How many pictures of which class there are, and what is odd about the labels."""
    labels = np.stack([picture.label for picture in labeled if picture.label is not None])
    yield f"{out}: {len(labeled)} pictures, {out.stat().st_size:,} bytes."
    if labels.shape[1] > 1:
        counts = labels.sum(axis=0).astype(int)
        yield f"{labels.shape[1]} labels each. True of: " + ", ".join(f"{k}: {n}" for k, n in enumerate(counts))
        if not np.isin(labels, (0, 1)).all():
            yield "Some labels are neither 0 nor 1, as they must be where several can be true of a picture."
        return
    column = labels[:, 0]
    if (column < 0).any() or (column != np.floor(column)).any():
        yield "Some labels are not whole numbers from 0 on, which is what classes are called by."
        return
    counts = np.bincount(column.astype(np.int64))
    yield f"{len(counts)} classes: " + ", ".join(f"{k}: {n}" for k, n in enumerate(counts))
    missing = [str(k) for k, n in enumerate(counts) if not n]
    if missing:
        yield f"No picture is of class {', '.join(missing)}."
    yield from _settings(len(counts), len(labeled))


def _settings(classes: int, pictures: int) -> Iterator[str]:
    """What an algorithm that trains on pictures needs to know of them, in the words of its own settings."""
    for name in algorithms.names():
        if not any(channel.kind == "images" for channel in algorithms.find(name).channels):
            continue
        declared: type[Settings] = algorithms.part(name, "hyperparameters").Hyperparameters
        known = ((declared.with_role("classes"), classes), (declared.with_role("records"), pictures))
        words = " ".join(f"{setting.name}={number}" for setting, number in known if setting)
        if words:
            yield f"Hyperparameters of {name}: {words}"
