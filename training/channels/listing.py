"""Lists of pictures, `.lst` files: a line is the picture's number, labels and a path within the channel, with tabs.

What is plainly meant is read: a byte order mark, a path that begins with the channel's name or with the folder that the
channel is mounted at, and the slashes of Windows. Of anything else the line is named, and what is wrong with it.
"""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract import numbers as border
from algoport.algorithms.contract.errors import UserError
from algoport.training import log
from algoport.training.channels.files import Shard

_MUST = "must be a number, labels and a path with tabs between them"
_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
_SHOWN = 300  # characters of a path in a message
_NAMES = 20_000  # files among which a near name is looked for


def text(file: Shard) -> str:
    """The list, without a byte order mark; `UserError` where it is no text."""
    data = file.path.read_bytes()
    encoding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise UserError(f"{file.name}: must be text in UTF-8; it is not. Save it anew in that encoding.") from None


def entry(line: str, where: str) -> tuple[NDArray[np.float32], str]:
    """Labels (l,) and path of a line; `UserError` says which column is wrong."""
    columns = [column.strip() for column in line.rstrip("\r\n").split("\t")]
    if len(columns) < 3:
        raise UserError(f"{where}: {_MUST}; it is {line[:60]!r}{_reason(line, columns)}.")
    if not re.fullmatch(r"[+-]?\d{1,18}(\.0*)?", columns[0], re.ASCII):
        hint = " A list has no line of names." if columns[0].isidentifier() else ""
        raise UserError(f"{where}, column 1: must be the picture's number; it is {columns[0][:60]!r}.{hint}")
    labels = [_label(column, f"{where}, column {number}") for number, column in enumerate(columns[1:-1], 2)]
    if not columns[-1]:
        raise UserError(f"{where}, column {len(columns)}: must be a path; it is empty.")
    return np.array(labels, np.float32), columns[-1]


def _reason(line: str, columns: list[str]) -> str:
    """What stands between the columns instead of tabs, where that is plain."""
    if len(columns) == 2:
        return ", which has two columns: is the label missing?"
    if len(line.split(",")) > 2:
        return ", which has commas between its columns"
    return ", which has blanks between its columns" if len(line.split()) > 2 else ""


def _label(column: str, place: str) -> float:
    number = border.number(column)
    if number is None or not abs(number) <= border.LARGEST:
        raise UserError(
            f"{place}: must be a label, a number; it is {column[:60]!r}. Classes are numbered from 0 in a list."
        )
    return number


class Paths:
    """The files of a channel by the paths of a list."""

    def __init__(self, place: Path, channel: str) -> None:
        self._root, self._channel = place.resolve(), channel
        self._adjusted: list[str] = []
        self._names: list[str] | None = None

    def file(self, path: str, where: str) -> tuple[str, Path]:
        """Path within the channel and the file; `UserError` where there is none, which says what is there instead."""
        for inside in self._readings(path):
            file = Path(os.path.realpath(self._root / inside))
            if file.is_relative_to(self._root) and os.path.isfile(file):
                if inside != path.lstrip("/"):
                    self._adjusted.append(path)
                return inside, file
        shown = path[:_SHOWN].replace("\0", "")
        if not Path(os.path.realpath(self._root / path.replace("\0", "").lstrip("/"))).is_relative_to(self._root):
            raise UserError(f"{where}: must name a file of channel '{self._channel}'; it names '{shown}'.")
        raise UserError(
            f"{where}: names '{shown}', and there is no such file in channel '{self._channel}'{self._instead(path)}."
        )

    def note(self, name: str) -> None:
        """Say in the log that paths were read as they were meant."""
        if self._adjusted:
            log.note(
                f"{name}: {len(self._adjusted):,} paths are read from the folder of channel '{self._channel}' on, such "
                f"as '{self._adjusted[0][:_SHOWN]}'."
            )

    def _readings(self, path: str) -> list[str]:
        """What a path may mean, the likeliest first: as it is, with slashes, without what leads to the channel."""
        if "\0" in path:
            return []
        plain = [path.lstrip("/"), path.replace("\\", "/").lstrip("/")]
        readings = list(dict.fromkeys(plain))
        for each in plain:
            for folder in (f"input/data/{self._channel}/", f"{self._channel}/"):
                _, mark, rest = f"/{each}".rpartition(f"/{folder}")
                if mark and (each.startswith(folder) or path.startswith(("/", "\\")) or ":" in path[:8]):
                    readings.append(rest)
        return readings

    def _instead(self, path: str) -> str:
        """What is there and may be meant: a file of the same name, another case, or one that is spelled nearly so."""
        if self._names is None:
            every = (Path(root, name) for root, _, names in os.walk(self._root) for name in names)
            self._names = sorted(
                file.relative_to(self._root).as_posix() for _, file in zip(range(_NAMES), every, strict=False)
            )
        plain = path.replace("\\", "/").strip("/")
        parts = plain.split("/")
        for first in range(len(parts)):
            end = "/".join(parts[first:]).lower()
            near = next((name for name in self._names if f"/{name}".lower().endswith(f"/{end}")), None)
            if near is not None:
                return f", but {near} is there"
        close = difflib.get_close_matches(plain, self._names, n=1, cutoff=0.8)
        return f", but {close[0]} is there" if close else ""
