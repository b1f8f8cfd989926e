"""What is known of a stream before it is read, and how its faults are worded."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from algoport.algorithms.contract.algorithm import Field
from algoport.algorithms.contract.errors import UserError

MOST_NOTES = 50  # different ones: names that a sender makes up must not fill the memory or the log
# Columns of sparse rows: what is numbered with 32 bits, by kernels and in model files. Of the one beyond, formats of
# trees take the last for the mark of a node that is gone.
MOST_COLUMNS = (1 << 31) - 1


class Notes:
    """What readers passed over, each sentence once, with the first place and the number of places."""

    def __init__(self, say: Callable[[str], None] | None = None) -> None:
        self._places: dict[str, tuple[str, int]] = {}
        self._say = say

    def add(self, place: str, sentence: str) -> None:
        """Remember a sentence ("column 'id', the index of pandas"), and say it where it is new."""
        if sentence in self._places:
            first, count = self._places[sentence]
            self._places[sentence] = (first, count + 1)
        elif len(self._places) < MOST_NOTES:
            self._places[sentence] = (place, 1)
            if self._say:
                self._say(f"{place}: passed over {sentence}.")

    def __iter__(self) -> Iterator[str]:
        """Each with where it was first, and how many more there were."""
        for sentence, (place, count) in self._places.items():
            yield f"{sentence} ({place}{f' and {count - 1:,} more' if count > 1 else ''})"


@dataclass(frozen=True)
class Layout:
    """How the rows of one file, FIFO or request are laid out. Equal widths of several files are the caller's care."""

    name: str  # stands in front of every fault: "train/part-3.csv"
    parameters: Mapping[str, str] = field(default_factory=dict)  # of the content type
    labels: int = 0  # leading label columns, where neither parameters nor format say
    weighted: bool = False  # whether a column with the row's weight follows the labels, in formats of bare columns
    weighted_name: str = "weights"  # the setting that says so
    width: int | None = None  # features a row must have; where None, the first row decides
    width_name: str = "the width"  # what a user calls that
    block: int = 1 << 24  # bytes decoded at a time
    limit: int | None = None  # bytes that decoding may fill, where the sender is not trusted
    first: int = 0  # the number of the first feature, where the model was trained on keys that count from 1
    classes: int | None = None  # how many a label may name, where that is known
    fields: Sequence[Field] = ()  # what records have by name, where the algorithm declares it
    answered: bool = False  # whether it is a request, of which every record must have an answer
    notes: Notes = field(default_factory=Notes, compare=False)  # what is passed over
    missing: bool = True  # whether a feature may be missing or infinite; where False, such a row is a fault

    @property
    def label_size(self) -> int:
        """Leading label columns of formats that do not mark them: the parameter `label_size`, else `labels`."""
        text = self.parameters.get("label_size")
        if text is None:
            return self.labels
        if not text.isascii() or not text.isdigit() or len(text) > 6:
            raise UserError(
                f"{self.name}: label_size of the content type must be a whole number at least 0; it is '{text}'."
            )
        return int(text)

    def record(self, number: int) -> str:
        """Where a record of that number stands, for `fault`."""
        return f"record {number}"

    def note(self, sentence: str) -> None:
        """Say what is passed over, as a noun: "column 'id', the index of pandas"."""
        self.notes.add(self.name, sentence)

    def fault(self, place: str, sentence: str) -> UserError:
        """The error that names the place: "line 3", "record 7"; an empty place is the whole stream."""
        return UserError(f"{self.name}, {place}: {sentence}" if place else f"{self.name}: {sentence}")

    def misfit(self, place: str, count: int, expected: int, remedy: str = "", noun: str = "features") -> UserError:
        """The error of a row that is too short or too long."""
        if self.first and self.width == expected and count == expected - self.first:
            remedy = (
                "The data that the model was trained on counts its keys from 1, so that feature 0 is empty: put a "
                "missing value in front of each row, an empty field in CSV and null in JSON."
            )
        norm = f"{self.width_name} is {expected}" if self.width == expected else f"the first row has {expected}"
        return self.fault(place, f"{count} {noun}, where {norm}.{' ' if remedy else ''}{remedy}")

    def label_remedy(self, media: str, count: int, expected: int) -> str:
        """What helps where features were taken for a label, or a label for a feature; empty where that is not it."""
        if expected != self.width:
            return ""
        labels = self.label_size
        if labels and count + labels == expected:
            return f"If the rows have no label, their content type is {media};label_size=0."
        if not labels and count == expected + 1:
            return f"If the first of them is a label, their content type is {media};label_size=1."
        return ""

    def incomplete(self, place: str, column: int, value: float, text: str = "") -> UserError:
        """The error of a row with a feature that is missing or infinite; `text`: what stands in its place."""
        if math.isnan(value):
            has = f"has no value ({excerpt(text)})" if text.strip() else "has no value"
            return self.fault(place, f"feature {column + 1} {has}, and this algorithm takes no missing values.")
        return self.fault(place, f"feature {column + 1} must be a finite float32 number; it is {value}.")

    def too_wide(self, place: str, what: str, number: int) -> UserError:
        """The error of a row of more columns than a model can number; `what` says so of that number."""
        most = f"must be at most {MOST_COLUMNS:,}" if "shape" in what else f"must be below {MOST_COLUMNS:,}"
        remedy = f"Hash features to smaller numbers, modulo {1 << 24:,}, say."
        return self.fault(place, f"{what} {number}, which {most}, the columns that a model can tell apart. {remedy}")

    def spend(self, size: int) -> None:
        """UserError where decoding would fill more bytes than the limit."""
        if self.limit is not None and size > self.limit:
            raise self.fault("", f"decodes to {size:,} bytes, where at most {self.limit:,} are allowed.")


def excerpt(value: object, limit: int = 60) -> str:
    """The beginning of a piece of the data, quoted, for a message."""
    if isinstance(value, bytes):
        value = value[: 4 * limit].decode("utf-8", "replace")
    try:
        text = str(value).strip()
    except RecursionError:
        return "nested too deeply to be shown"
    return repr(text if len(text) <= limit else text[: limit - 3] + "...")


def shown_json(value: object, limit: int = 60) -> str:
    """The beginning of a parsed value as JSON has it, for a message."""
    import orjson

    if isinstance(value, float) and not math.isfinite(value):  # as Python writes it, and as it was read
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    try:
        text = orjson.dumps(value).decode()
    except (TypeError, RecursionError):  # nested too deeply
        return f"{'a list' if isinstance(value, list) else 'an object'} of many levels"
    return text if len(text) <= limit else text[: limit - 3] + "..."
