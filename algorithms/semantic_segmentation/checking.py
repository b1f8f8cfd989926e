"""A look at all masks before the first epoch, so that all that is wrong with them is said together."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract import Reporter
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.group import Group
from algoport.algorithms.contract.records.masks import Masks
from algoport.algorithms.contract.source import Source
from algoport.algorithms.semantic_segmentation.label_map import DEFAULT, UNKNOWN, LabelMap
from algoport.algorithms.shared.machine import cores
from algoport.algorithms.shared.vision.masks import IGNORED, Mask, decode_mask
from algoport.algorithms.shared.vision.orientation import upright_size

MOST = 20  # faults of a channel that are said one by one
_BLOCK = 256  # pictures that are looked at together


@dataclass
class Census:
    """What the masks of a channel hold."""

    pictures: int = 0
    numbers: NDArray[np.float64] = field(default_factory=lambda: np.zeros(256))  # pixels of each number in the files
    smallest: int = 1 << 30  # pixels of the shortest side
    faults: list[str] = field(default_factory=list)


def check(
    channels: dict[str, Source[Masks]], maps: dict[str, LabelMap], num_classes: int, group: Group, reporter: Reporter
) -> None:
    """`UserError` with all faults of all channels that can be read more than once. One exchange."""
    faults: list[str] = []
    for name, source in channels.items():
        if source.rows is None:  # a pipe, which begins a new pass each time
            continue
        census = take_census(source.batches(_BLOCK * group.size), maps[name], num_classes)
        own = _senseless(name, census, maps[name]) or _shown(name, census)
        faults += own
        if not own and census.numbers.any() and not (census.numbers[1:IGNORED]).any():
            reporter.note(
                f"Channel '{name}': its masks hold 0 and 255 alone, and 255 counts for nothing. Where it is a class, "
                f'a label map says so: {{"map": {{"0": 0, "1": 255}}}} as label_map/{name}_label_map.json.'
            )
    seen = np.array([float(len(faults))])
    group.sum_(seen)
    if faults:
        raise UserError(faults)
    if seen[0]:
        raise UserError("Masks at another host are faulty; its own log names them.")


def take_census(batches: Iterator[Masks], labels: LabelMap, num_classes: int) -> Census:
    """Decode all masks of a pass."""
    census = Census()
    with ThreadPoolExecutor(cores(), thread_name_prefix="masks") as pool:
        for masks in batches:
            looks = pool.map(lambda number, own=masks: _look(own, number, labels, num_classes), range(len(masks)))
            for counts, smallest, fault in looks:
                census.pictures += 1
                census.numbers += counts
                census.smallest = min(census.smallest, smallest)
                census.faults += [fault] if fault else []
    return census


def _look(masks: Masks, number: int, labels: LabelMap, num_classes: int) -> tuple[NDArray[np.float64], int, str]:
    """How often each number is in a mask, its shortest side, and what is wrong with it."""
    place = masks.place(number)
    try:
        mask = mask_of(masks, number)
    except UserError as error:
        return np.zeros(256), 1 << 30, error.findings[0]
    counts = np.bincount(mask.ravel(), minlength=256).astype(np.float64)
    return counts, min(mask.shape), unknown_numbers(counts, labels, num_classes, place)


def mask_of(masks: Masks, number: int) -> Mask:
    """The numbers of a picture's mask; `UserError` where it has none, or one that is no mask of this picture."""
    place = masks.place(number)
    data = masks.masks[number] if masks.masks is not None else None
    if data is None:
        raise UserError(
            f"{place}: must have a mask, a PNG file of the same name in the channel of annotations; it has none."
        )
    mask, size = decode_mask(data, place), upright_size(masks.encoded[number])
    if size is not None and size != mask.shape:
        raise UserError(
            f"{place}: its mask must have the size of the picture, {size[1]} x {size[0]} pixels; it has "
            f"{mask.shape[1]} x {mask.shape[0]}."
        )
    return mask


def unknown_numbers(counts: NDArray[np.float64], labels: LabelMap, num_classes: int, place: str) -> str:
    """The sentence on numbers of a mask that are no class; empty where there are none."""
    wrong = np.flatnonzero((counts > 0) & (labels.table == UNKNOWN))
    if not len(wrong):
        return ""
    more = f", and {len(wrong) - 1} more values" if len(wrong) > 1 else ""
    rule = (
        f"the label map names {labels.numbers}"
        if labels.named
        else f"num_classes ({num_classes}) and the scale {labels.text} allow {labels.numbers}"
        if labels.text != DEFAULT
        else f"num_classes ({num_classes}) allows 0 to {num_classes - 1}"
    )
    return (
        f"{place}: its mask has the value {wrong[0]} in {int(counts[wrong[0]]):,} pixels{more}, where {rule}, and "
        f"{IGNORED} for what does not count."
    )


def _shown(name: str, census: Census) -> list[str]:
    more = len(census.faults) - MOST
    rest = [f"Channel '{name}': {more:,} more of {census.pictures:,} masks are faulty."] if more > 0 else []
    return census.faults[:MOST] + rest


def _senseless(name: str, census: Census, labels: LabelMap) -> list[str]:
    """Faults of the channel as a whole."""
    there = census.numbers > 0
    if not there.any():
        return []
    known = there & (labels.table != UNKNOWN) & (labels.table != IGNORED)
    if known.any():
        return []
    numbers = ", ".join(map(str, np.flatnonzero(there)[:10]))
    if labels.named:
        return [
            f"label_map/{name}_label_map.json: must name numbers of the masks, which hold {numbers}; it names "
            f"{labels.numbers}, none of them. The key of an entry is the class, and its value the number in the mask."
        ]
    return [] if census.faults else [f"Channel '{name}': no pixel has a class; its masks hold {numbers} alone."]
