"""A channel of pictures that are a file each: their labels stand in a list, or their folders are the classes."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.joining import concatenate
from algoport.algorithms.contract.records import Images
from algoport.algorithms.shared.machine import memory_free
from algoport.training import log
from algoport.training.channels.blocks import WINDOW
from algoport.training.channels.files import Folder, Shard, shards
from algoport.training.channels.listing import Paths, entry, text
from algoport.training.channels.records import KEEP
from algoport.training.formats.layout import Notes

ENDINGS = (".jpg", ".jpeg", ".png", ".webp")
HIDDEN = ".", "__MACOSX"  # how names of folders begin that are no classes
_BLOCK = 256  # pictures handed on at a time
_READERS = 8  # files that are being read: over a network each has to be waited for
_SHOWN = 20  # classes whose names are logged


class Entry(Protocol):
    """A picture of a channel, and whatever else is known of it."""

    @property
    def shard(self) -> Shard:
        """Its file."""

    @property
    def size(self) -> int:
        """Bytes of all files that are read for it."""


I = TypeVar("I", bound=Images)  # noqa: E741 (images)
E = TypeVar("E", bound=Entry)


@dataclass(frozen=True)
class LabeledFile:
    """One file, and what is known of it."""

    shard: Shard
    label: NDArray[np.float32] | None  # (l,)

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.shard.size


class Pictures(Generic[I]):
    """The records of such a channel; what `records.Files` offers. `read` makes records of some of its pictures."""

    def __init__(self, entries: Sequence[E], read: Callable[[Sequence[E], ThreadPoolExecutor], I]) -> None:
        self.shards = [entry.shard for entry in entries]
        self.rows: int | None = len(entries)
        self.share: float | None = 0.0
        self._entries: Sequence[Any] = entries
        self._read: Callable[[Sequence[Any], ThreadPoolExecutor], I] = read
        self._bytes = sum(entry.size for entry in entries)
        self._cache: list[I] | None = None  # in the order of the list

    def blocks(self, shuffle: int | None, over: Callable[[], bool]) -> Iterator[I]:
        """A pass. Where all that is shuffled at a time is less than all, files are read in an order of their own."""
        if self._cache is not None:
            yield from self._cache
            return
        order = np.arange(len(self._entries))
        if shuffle is not None and self._bytes > WINDOW:
            order = np.random.default_rng(shuffle).permutation(len(order))
        keeps = self._bytes <= KEEP * (memory_free() or 0)
        blocks: list[I] = []
        with ThreadPoolExecutor(_READERS, thread_name_prefix="read") as pool:
            for first in range(0, len(order), _BLOCK):
                if over():
                    return
                block = self._read([self._entries[number] for number in order[first : first + _BLOCK]], pool)
                self.share = min(1.0, (first + len(block)) / len(order))
                if keeps:
                    blocks.append(block)
                yield block
        if keeps and bool((order == np.arange(len(order))).all()):
            self._cache = blocks

    def all(self) -> I | None:
        """All of them in one piece, which is kept, or None where there are none."""
        parts = list(self.blocks(None, lambda: False))
        if not parts:
            return None
        whole = concatenate(parts)
        self._cache = [whole]
        return whole


def open_channel(folder: Folder) -> Pictures[Images]:
    """Files of one picture each, by the list of another channel where it is given, else by their folders."""
    entries = (
        class_folders(folder.place, folder.channel, folder.reference, folder.layout.notes)
        if folder.lists is None
        else list_pictures(folder.place, folder.channel, *folder.lists)
    )
    return Pictures(entries, as_images)


def contents(entries: Sequence[Entry], pool: ThreadPoolExecutor) -> list[bytes]:
    """The files of some pictures, whatever is in them: `inspection` sees that, for all before the first pass."""
    return list(pool.map(lambda entry: entry.shard.path.read_bytes(), entries))


def as_images(pictures: Sequence[LabeledFile], pool: ThreadPoolExecutor) -> Images:
    """Some of the pictures, with their labels where all have one."""
    labels = [picture.label for picture in pictures if picture.label is not None]
    return Images(
        encoded=contents(pictures, pool),
        label=np.stack(labels) if len(labels) == len(pictures) else None,
        places=[picture.shard.name for picture in pictures],
    )


@dataclass(frozen=True)
class Line:
    """One line of a list of pictures."""

    source: str  # the list: "train_lst/a.lst"
    place: str  # "line 3"
    shard: Shard
    numbers: NDArray[np.float32]  # (l,) what stands between the picture's number and its path

    def fault(self, sentence: str) -> UserError:
        """The error that names the line."""
        return UserError(f"{self.source}, {self.place}: {sentence}")


def list_pictures(place: Path, channel: str, lists: Path, lists_channel: str) -> list[LabeledFile]:
    """The pictures of a channel that the only list names, in its order, each with a label or one a class."""
    pictures: list[LabeledFile] = []
    width = None
    for line in lines(place, channel, lists, lists_channel):
        width = width or len(line.numbers)
        if len(line.numbers) != width:
            raise line.fault(f"{len(line.numbers)} labels, where the first line has {width}.")
        pictures.append(LabeledFile(line.shard, line.numbers))
    return pictures


def lines(place: Path, channel: str, lists: Path, lists_channel: str) -> Iterator[Line]:
    """The lines of the only list of a channel; `UserError` names the line that is wrong.

    A line has the picture's number, one label or several, and the path within the channel, with tabs between them.
    """
    files = [shard for shard in shards(lists, lists_channel) if shard.path.suffix == ".lst"]
    if len(files) != 1:
        names = ", ".join(shard.name for shard in files) or "none"
        raise UserError(f"Channel '{lists_channel}': must hold one file that ends in .lst; it holds {names}.")
    name, paths = files[0].name, Paths(place, channel)
    for number, line in enumerate(text(files[0]).splitlines(), 1):
        if line.strip():
            where = f"{name}, line {number}"
            label, path = entry(line, where)
            inside, file = paths.file(path, where)
            yield Line(name, f"line {number}", Shard(f"{channel}/{inside}", file, file.stat().st_size), label)
    paths.note(name)


def class_folders(
    place: Path, channel: str, reference: Path | None = None, notes: Notes | None = None
) -> list[LabeledFile]:
    """The pictures of a channel whose folders are the classes, numbered in the order of their names, or as the names
    say where all are numbers. `reference`: the channel that says which classes there are, if that is another one.
    `notes` takes what is passed over."""
    names = _folders(reference if reference is not None and reference.is_dir() else place)
    notes = Notes() if notes is None else notes
    files = only_pictures(shards(place, channel, hidden=HIDDEN, notes=notes), notes)
    if not files:
        return []
    if not names:
        raise UserError(
            f"Channel '{channel}': pictures must lie in a folder for each class, or channel '{channel}_lst' must list "
            f"them; {files[0].name} lies in none."
        )
    numbers = {name: int(name) if _are_numbers(names) else number for number, name in enumerate(names)}
    for one, other in itertools.pairwise(names):
        if numbers[one] == numbers[other]:
            raise UserError(
                f"Channel '{channel}': folders {one} and {other} are both class {numbers[one]}; rename one."
            )
    pictures = []
    for shard in files:
        folder, _, rest = shard.name.removeprefix(f"{channel}/").partition("/")
        if not rest or folder not in numbers:
            raise UserError(f"{shard.name}: must lie in a folder of a class, {', '.join(names[:_SHOWN])}; it does not.")
        pictures.append(LabeledFile(shard, np.array([numbers[folder]], np.float32)))
    shown = ", ".join(f"{numbers[name]}: {name}" for name in names[:_SHOWN])
    log.note(f"Channel '{channel}': {len(pictures)} pictures in folders of {len(names)} classes, {shown}.")
    return pictures


def only_pictures(files: Sequence[Shard], notes: Notes) -> list[Shard]:
    """Those that are pictures by their names; others are noted."""
    chosen = []
    for shard in files:
        if shard.path.suffix.lower() in ENDINGS:
            chosen.append(shard)
        else:
            notes.add(shard.name, f"a file that is no picture by its name, as none of {', '.join(ENDINGS)} ends it")
    return chosen


def _folders(place: Path) -> list[str]:
    """Those of classes, in order. One whose name begins with an underscore is one if there is a picture in it, for
    programs leave such folders of their own behind."""
    names = [
        each.name
        for each in place.iterdir()
        if each.is_dir() and not each.name.startswith(HIDDEN) and (each.name[0] != "_" or _has_picture(each))
    ]
    return sorted(names, key=int) if _are_numbers(names) else sorted(names)


def _has_picture(folder: Path) -> bool:
    return any(path.suffix.lower() in ENDINGS for path in folder.rglob("*"))


def _are_numbers(names: Sequence[str]) -> bool:
    return all(re.fullmatch(r"\d{1,6}", name, re.ASCII) for name in names)
