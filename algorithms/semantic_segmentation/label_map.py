"""Which number of a mask is which class: the label maps of the original, `{"scale": 3}` or `{"map": {"0": 5, "1": 0}}`.

In a map the key is the class and the value the number in the file. As an addition a value may be a list of numbers, and
the key 255 names numbers that count for nothing. 255 itself counts for nothing unless a map names it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.auxiliary import Auxiliary
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.explanations import json_fault
from algoport.algorithms.shared.vision.masks import IGNORED

CHANNEL = "label_map"
UNKNOWN = 254  # the entry of numbers that are no class: num_classes is at most that
DEFAULT = '{"scale": 1}'  # where no map is given
_LIMIT = 1 << 20  # bytes of a file


@dataclass(frozen=True, eq=False)
class LabelMap:
    """The class of each number of a channel's masks."""

    table: NDArray[np.uint8]  # (256,) a class, IGNORED or UNKNOWN
    text: str  # as the log has it
    named: bool = False  # whether it is a map, which names numbers one by one

    @property
    def numbers(self) -> str:
        """The numbers that are classes, for a message."""
        known = np.flatnonzero((self.table != UNKNOWN) & (self.table != IGNORED)).tolist()
        if known == list(range(known[0] if known else 0, (known[-1] if known else -1) + 1)) and len(known) > 2:
            return f"{known[0]} to {known[-1]}"
        return ", ".join(map(str, known[:20])) + (" and others" if len(known) > 20 else "")


def read(files: Mapping[str, Auxiliary], channel: str, num_classes: int) -> LabelMap | None:
    """The map of a channel; None where none is given. `UserError` where it is not what it must be."""
    source, name = files.get(CHANNEL), f"{channel}_label_map.json"
    if source is None or name not in source.names:
        return None
    place = f"{CHANNEL}/{name}"
    try:
        value = json.loads(source.read(name, limit=_LIMIT))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{place}: is no JSON: {json_fault(error)}.") from None
    if isinstance(value, dict) and set(value) == {"map"} and isinstance(value["map"], dict) and value["map"]:
        return _mapped(value["map"], place, num_classes)
    if isinstance(value, dict) and set(value) == {"scale"}:
        return scaled(value["scale"], place, num_classes)
    raise UserError(
        f'{place}: must be {{"scale": s}} or {{"map": {{"class": number in the mask, …}}}}; it is {str(value)[:60]}.'
    )


def scaled(given: Any, place: str, num_classes: int) -> LabelMap:
    """Classes are numbers divided by the scale, rounded down."""
    try:
        scale = float(given) if isinstance(given, int | float | str) and not isinstance(given, bool) else math.nan
    except (ValueError, OverflowError):  # a whole number of hundreds of digits
        scale = math.nan
    if not (math.isfinite(scale) and scale > 0):
        raise UserError(f"{place}: scale must be a number above 0; it is {str(given)[:60]}.")
    classes = np.floor(np.arange(256) / scale)
    table = np.where(classes < num_classes, classes, UNKNOWN).astype(np.uint8)
    table[IGNORED] = IGNORED
    return LabelMap(table, json.dumps({"scale": int(scale) if scale == int(scale) else scale}))


def _mapped(given: Mapping[str, Any], place: str, num_classes: int) -> LabelMap:
    table, owner = np.full(256, UNKNOWN, np.uint8), dict[int, str]()
    table[IGNORED] = IGNORED
    for key, values in given.items():
        if not (key.isascii() and key.isdigit() and len(key) < 4 and (int(key) < num_classes or int(key) == IGNORED)):
            raise UserError(
                f"{place}: the keys of map must be classes from 0 to {num_classes - 1}, or {IGNORED} for what does not "
                f"count; one is '{key[:60]}'. The key is the class, and its value the number in the mask."
            )
        for value in _values(values, key, place):
            if value in owner:
                raise UserError(f"{place}: a number must be of one class; {value} is of {owner[value]} and of {key}.")
            owner[value], table[value] = key, int(key)
    return LabelMap(table, json.dumps({"map": dict(given)}), named=True)


def _values(values: Any, key: str, place: str) -> Iterator[int]:
    for value in values if isinstance(values, list) else [values]:
        text = str(value).strip()
        if isinstance(value, bool | float) or not (text.isascii() and text.isdigit() and int(text[:9]) < 256):
            raise UserError(
                f"{place}: the values of map must be numbers of pixels, from 0 to 255; that of '{key}' is "
                f"{str(value)[:60]}."
            )
        yield int(text)
