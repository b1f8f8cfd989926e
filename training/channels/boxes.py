"""A channel of pictures that are a file each, with boxes: by JSON files of another channel, or by a list."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records.boxes import Boxes
from algoport.training.channels.files import Folder, Shard
from algoport.training.channels.pairs import Pair, paired, unpaired
from algoport.training.channels.pictures import Pictures, contents, lines
from algoport.training.formats.boxes.objects import of_json, of_label
from algoport.training.formats.layout import Layout

ENDING = ".json"


@dataclass(frozen=True)
class ListedPicture:
    """A picture of a list, and the objects in it."""

    shard: Shard
    objects: NDArray[np.float32]

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.shard.size


def open_channel(folder: Folder) -> Pictures[Boxes]:
    """The pictures of a channel with their boxes, or without where nothing says any and none are required."""
    if folder.lists is not None:
        return Pictures(_list_pictures(folder), _with_objects)
    if folder.annotations is not None:
        pairs = paired(folder, folder.annotations, ENDING)
        return Pictures(pairs, lambda chosen, pool: _annotated(chosen, pool, folder.layout))
    pairs = unpaired(folder)
    if pairs and folder.labeled:
        raise UserError(
            f"Channel '{folder.channel}': its pictures need channel '{folder.annotating}' with their boxes, a JSON "
            "file for each; it is not given."
        )
    return Pictures(pairs, lambda chosen, pool: _annotated(chosen, pool, folder.layout))


def _list_pictures(folder: Folder) -> list[ListedPicture]:
    """The pictures that the list names, in its order. Its labels are as im2rec packs them."""
    assert folder.lists is not None
    return [
        ListedPicture(line.shard, of_label(line.numbers, b"", replace(folder.layout, name=line.source), line.place))
        for line in lines(folder.place, folder.channel, *folder.lists)
    ]


def _with_objects(chosen: Sequence[ListedPicture], pool: ThreadPoolExecutor) -> Boxes:
    return Boxes(
        encoded=contents(chosen, pool),
        objects=[entry.objects for entry in chosen],
        places=[entry.shard.name for entry in chosen],
    )


def _annotated(pairs: Sequence[Pair], pool: ThreadPoolExecutor, layout: Layout) -> Boxes:
    encoded = contents(pairs, pool)
    texts = list(pool.map(lambda pair: pair.annotation.path.read_bytes() if pair.annotation else b"", pairs))
    objects: list[NDArray[np.float32]] = []
    faults: list[str] = []
    for pair, text, data in zip(pairs, texts, encoded, strict=True):
        if pair.annotation is None:
            continue
        try:
            objects.append(of_json(text, data, replace(layout, name=pair.annotation.name), ""))
        except UserError as error:
            faults += error.findings
    if faults:  # all of those that are read together
        raise UserError(faults)
    return Boxes(encoded=encoded, objects=objects or None, places=[pair.shard.name for pair in pairs])
