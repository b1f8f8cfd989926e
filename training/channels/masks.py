"""A channel of pictures that are a file each, with masks: the PNG files of the same names in another channel."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records.masks import Masks
from algoport.training.channels.files import Folder
from algoport.training.channels.pairs import Pair, paired, unpaired
from algoport.training.channels.pictures import Pictures, contents
from algoport.training.formats.layout import Layout
from algoport.training.formats.masks.mask import check

ENDING = ".png"


def open_channel(folder: Folder) -> Pictures[Masks]:
    """The pictures of a channel with their masks, or without where no channel holds any and none are required."""
    if folder.annotations is not None:
        pairs = paired(folder, folder.annotations, ENDING)
    else:
        pairs = unpaired(folder)
        if pairs and folder.labeled:
            raise UserError(
                f"Channel '{folder.channel}': its pictures need channel '{folder.annotating}' with their masks, a PNG "
                "file for each; it is not given."
            )
    return Pictures(pairs, lambda chosen, pool: _masked(chosen, pool, folder.layout))


def _masked(pairs: Sequence[Pair], pool: ThreadPoolExecutor, layout: Layout) -> Masks:
    encoded = contents(pairs, pool)
    files = list(pool.map(lambda pair: pair.annotation.path.read_bytes() if pair.annotation else b"", pairs))
    masks: list[bytes] = []
    faults: list[str] = []
    for pair, mask, data in zip(pairs, files, encoded, strict=True):
        if pair.annotation is None:
            continue
        try:
            masks.append(check(mask, data, replace(layout, name=pair.annotation.name), ""))
        except UserError as error:
            faults += error.findings
    if faults:  # all of those that are read together
        raise UserError(faults)
    return Masks(encoded=encoded, masks=masks or None, places=[pair.shard.name for pair in pairs])
