"""A channel of pictures that are a file each: their labels stand in a list, or their folders are the classes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Images, joined
from algoport.algorithms.shared.machine import memory_free
from algoport.training import log
from algoport.training.channels.blocks import WINDOW
from algoport.training.channels.files import Folder, Shard, shards
from algoport.training.channels.records import KEEP
from algoport.training.formats.images.signature import is_picture, told

ENDINGS = (".jpg", ".jpeg", ".png")
_BLOCK = 256  # pictures handed on at a time
_READERS = 8  # files that are being read: over a network each has to be waited for
_SHOWN = 20  # classes that the log tells the names of


@dataclass(frozen=True)
class Labeled:
    """One file, and what is known of it."""

    shard: Shard
    label: NDArray[np.float32] | None  # (l,)


class Pictures:
    """The records of such a channel; what `records.Files` offers."""

    def __init__(self, pictures: Sequence[Labeled]) -> None:
        self.shards = [picture.shard for picture in pictures]
        self.rows: int | None = len(pictures)
        self.share: float | None = 0.0
        self._pictures = list(pictures)
        self._bytes = sum(shard.size for shard in self.shards)
        self._kept: list[Images] | None = None  # in the order of the list

    def blocks(self, shuffle: int | None, over: Callable[[], bool]) -> Iterator[Images]:
        """A pass. Where all that is shuffled at a time is less than all, files are read in an order of their own."""
        if self._kept is not None:
            yield from self._kept
            return
        order = np.arange(len(self._pictures))
        if shuffle is not None and self._bytes > WINDOW:
            order = np.random.default_rng(shuffle).permutation(len(order))
        keeps = self._bytes <= KEEP * (memory_free() or 0)
        kept: list[Images] = []
        with ThreadPoolExecutor(_READERS, thread_name_prefix="read") as pool:
            for first in range(0, len(order), _BLOCK):
                if over():
                    return
                block = _read([self._pictures[number] for number in order[first : first + _BLOCK]], pool)
                self.share = min(1.0, (first + len(block)) / len(order))
                if keeps:
                    kept.append(block)
                yield block
        if keeps and bool((order == np.arange(len(order))).all()):
            self._kept = kept

    def all(self) -> Images | None:
        """All of them in one piece, which is kept, or None where there are none."""
        parts = list(self.blocks(None, lambda: False))
        if not parts:
            return None
        whole = joined(parts)
        self._kept = [whole]
        return whole


def opened(folder: Folder) -> Pictures:
    """Files of one picture each, by the list of another channel where it is given, else by their folders."""
    if not folder.place.is_dir():
        raise UserError(f"Channel '{folder.channel}': pictures that are a file each come as files, not in a pipe.")
    if folder.lists is not None:
        return Pictures(listed(folder.place, folder.channel, *folder.lists))
    return Pictures(in_classes(folder.place, folder.channel, folder.reference))


def _read(pictures: Sequence[Labeled], pool: ThreadPoolExecutor) -> Images:
    encoded = list(pool.map(lambda picture: picture.shard.path.read_bytes(), pictures))
    for picture, data in zip(pictures, encoded, strict=True):
        if not is_picture(data):
            raise UserError(f"{picture.shard.name}: must be a JPEG or PNG file; it is {told(data)}.")
    labels = [picture.label for picture in pictures if picture.label is not None]
    return Images(
        encoded=encoded,
        label=np.stack(labels) if len(labels) == len(pictures) else None,
        places=[picture.shard.name for picture in pictures],
    )


def listed(place: Path, channel: str, lists: Path, lists_channel: str) -> list[Labeled]:
    """The pictures of a channel that the only list names, in its order; `UserError` names the line that is wrong.

    A line has the picture's number, a label or one a class, and the path within the channel, with tabs between them.
    """
    files = [shard for shard in shards(lists, lists_channel) if shard.path.suffix == ".lst"]
    if len(files) != 1:
        found = ", ".join(shard.name for shard in files) or "none"
        raise UserError(f"Channel '{lists_channel}': must hold one file that ends in .lst; it holds {found}.")
    name, root = files[0].name, place.resolve()
    pictures: list[Labeled] = []
    lines = files[0].path.read_text("utf-8", "replace").splitlines()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{name}, line {number}"
        label, path = _entry(line, where)
        file = Path(os.path.realpath(root / path.replace("\0", "")))
        if not file.is_relative_to(root):
            raise UserError(f"{where}: must name a file of channel '{channel}'; it names '{path[:300]}'.")
        if "\0" in path or not os.path.isfile(file):
            raise UserError(f"{where}: names '{path[:300]}', and there is no such file in channel '{channel}'.")
        if pictures and pictures[0].label is not None and len(pictures[0].label) != len(label):
            raise UserError(f"{where}: {len(label)} labels, where the first line has {len(pictures[0].label)}.")
        pictures.append(Labeled(Shard(f"{channel}/{path}", file, file.stat().st_size), label))
    return pictures


def _entry(line: str, where: str) -> tuple[NDArray[np.float32], str]:
    columns = line.rstrip("\r\n").split("\t")
    try:
        if len(columns) < 3:
            raise ValueError
        int(columns[0])
        label = np.array([float(column) for column in columns[1:-1]], np.float32)
        if not np.isfinite(label).all():
            raise ValueError
    except ValueError:
        raise UserError(
            f"{where}: must be a number, labels and a path with tabs between them; it is {line[:60]!r}."
        ) from None
    return label, columns[-1].lstrip("/")


def in_classes(place: Path, channel: str, reference: Path | None = None) -> list[Labeled]:
    """The pictures of a channel whose folders are the classes, numbered in the order of their names, or as the names
    say where all are numbers. `reference`: the channel that says which classes there are, if that is another one."""
    names = _folders(reference if reference is not None and reference.is_dir() else place)
    found = [shard for shard in shards(place, channel) if shard.path.suffix.lower() in ENDINGS]
    if not found:
        return []
    if not names:
        raise UserError(
            f"Channel '{channel}': pictures must lie in a folder for each class, or channel '{channel}_lst' must list "
            f"them; {found[0].name} lies in none."
        )
    numbers = {name: int(name) if _numbered(names) else number for number, name in enumerate(names)}
    pictures = []
    for shard in found:
        folder, _, rest = shard.name.removeprefix(f"{channel}/").partition("/")
        if not rest or folder not in numbers:
            raise UserError(f"{shard.name}: must lie in a folder of a class, {', '.join(names[:_SHOWN])}; it does not.")
        pictures.append(Labeled(shard, np.array([numbers[folder]], np.float32)))
    shown = ", ".join(f"{numbers[name]}: {name}" for name in names[:_SHOWN])
    log.note(f"Channel '{channel}': {len(pictures)} pictures in folders of {len(names)} classes, {shown}.")
    return pictures


def _folders(place: Path) -> list[str]:
    names = [each.name for each in place.iterdir() if each.is_dir() and each.name[0] not in "._"]
    return sorted(names, key=int) if _numbered(names) else sorted(names)


def _numbered(names: Sequence[str]) -> bool:
    return all(re.fullmatch(r"\d{1,6}", name) for name in names)
