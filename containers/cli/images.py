"""Pictures of a folder packed for training: `algoport images FOLDER OUT.rec`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from algoport import algorithms
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.hyperparameters import Settings
from algoport.containers.labels import imports, manifests
from algoport.containers.labels.imports import Annotations
from algoport.containers.labels.packing import Packing, write, write_boxes
from algoport.training.channels.pictures import LabeledFile, class_folders, list_pictures
from algoport.training.formats.images.frames import pack

Folder = Annotated[Path, typer.Argument(help="Pictures, in a folder for each class or as --list names them.")]
Out = Annotated[Path, typer.Argument(help="The file to write; with the ending .rec by custom.")]
List = Annotated[
    Path | None,
    typer.Option("--list", help="A .lst file: number, label or labels, and path, with tabs between them."),
]
Coco = Annotated[Path | None, typer.Option(help="Boxes of the pictures: COCO's file of instances.")]
Voc = Annotated[Path | None, typer.Option(help="Boxes of the pictures: a folder of Pascal VOC's files.")]
Manifest = Annotated[Path | None, typer.Option(help="Labels or boxes of the pictures: an augmented manifest.")]
Attribute = Annotated[str | None, typer.Option(help="Of --manifest: which label, where it has several.")]
Classes = Annotated[str | None, typer.Option(help="Of --voc, in the order of their numbers: cat,dog.")]
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
    coco: Coco = None,
    voc: Voc = None,
    classes: Classes = None,
    manifest: Manifest = None,
    attribute: Attribute = None,
    resize: Resize = None,
    quality: Quality = 95,
    seed: Seed = 0,
    ordered: Ordered = False,
) -> None:
    """Pack pictures and their labels, or boxes, into a RecordIO file.

    Both are checked first.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: must be a folder with pictures; there is none.")
    if sum(given is not None for given in (list_, coco, voc, manifest)) > 1:
        raise UserError("--list, --coco, --voc and --manifest: at most one of them can be given.")
    if attribute is not None and manifest is None:
        raise UserError("--attribute: is for --manifest.")
    if classes is not None and voc is None:
        raise UserError("--classes: is for --voc, as elsewhere classes have numbers or an order.")
    packing = Packing(resize, quality, seed, ordered)
    known: Annotations | list[LabeledFile] | None = None
    if manifest is not None:
        known = manifests.manifest(manifest, folder, attribute)
    elif voc is not None:
        known = imports.voc(voc, None if classes is None else _class_names(classes))
    elif coco is not None:
        known = imports.coco(coco)
    if isinstance(known, Annotations):
        widths = write_boxes(known, folder, out, packing)
        print("\n".join(_summary_of_boxes(known, widths, out)))
        return
    if known is not None:
        labeled = known
    else:
        labeled = list_pictures(folder, folder.name, list_, list_.name) if list_ else class_folders(folder, folder.name)
    if not labeled:
        raise UserError(f"{folder}: holds no pictures, files that end in .jpg, .jpeg or .png.")

    def record(number: int) -> bytes:
        picture = labeled[number]
        assert picture.label is not None
        data, _ = packing.picture(picture.shard.path, picture.shard.name)
        return pack(data, picture.label, number)

    write(out, len(labeled), record, packing)
    print("\n".join(_summary(labeled, out)))


def _class_names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if "" in names or twice:
        raise UserError(f"--classes: must be names with commas between them, each once; it is {text!r}.")
    return names


def _summary_of_boxes(known: Annotations, widths: NDArray[np.int64], out: Path) -> Iterator[str]:
    """How many pictures and boxes of which class there are."""
    counts = Counter(box["class_id"] for picture in known.pictures for box in picture.boxes)
    empty = sum(not picture.boxes for picture in known.pictures)
    yield f"{out}: {len(known.pictures)} pictures, {empty} of them without objects, {out.stat().st_size:,} bytes."
    classes = ", ".join(f"{number} {name}: {counts[number]:,}" for number, name in enumerate(known.classes))
    yield f"{sum(counts.values()):,} boxes of {len(known.classes)} classes: {classes}"
    yield f"The longest label has {widths.max()} numbers."
    yield from _settings("boxes", len(known.classes), len(known.pictures))


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
    yield from _settings("images", len(counts), len(labeled))


def _settings(kind: str, classes: int, pictures: int) -> Iterator[str]:
    """What an algorithm that trains on pictures needs to know of them, in the words of its own settings."""
    for name in algorithms.names():
        if not any(channel.kind == kind for channel in algorithms.find(name).channels):
            continue
        declared: type[Settings] = algorithms.part(name, "hyperparameters").Hyperparameters
        known = ((declared.with_role("classes"), classes), (declared.with_role("records"), pictures))
        words = " ".join(f"{setting.name}={number}" for setting, number in known if setting)
        if words:
            yield f"Hyperparameters of {name}: {words}"
