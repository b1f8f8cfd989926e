"""The folder of a model, which may come from anywhere: only plain files are opened, and not too many looked at."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared.log import note

MOST_ENTRIES = 10_000  # of a folder
UNFINISHED = ".unfinished"  # stands in a folder while the files of a model are put there
_KINDS = {stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
_KINDS |= {stat.S_IFDIR: "a folder"}


class NoModel(UserError):
    """There is nothing in a folder that looks like a model."""


def open_file(path: Path) -> BinaryIO:
    """A file for reading. `FileNotFoundError` where there is none, `UserError` where it cannot be read or is no plain
    file: opening a FIFO would wait for whoever writes to it."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        if path.is_socket():
            raise UserError(f"{path.name}: must be a plain file; it is a socket.") from None
        raise UserError(f"{path.name}: cannot be read: {error.strerror}.") from None
    kind = stat.S_IFMT(os.fstat(number).st_mode)
    if kind != stat.S_IFREG:
        os.close(number)
        raise UserError(f"{path.name}: must be a plain file; it is {_KINDS.get(kind, 'none')}.")
    return os.fdopen(number, "rb")


def read_file(path: Path, most: int | None = None) -> bytes:
    """What a file holds, of which `most` bytes are read; faults as those of `open_file`."""
    try:
        with open_file(path) as file:
            return file.read() if most is None else file.read(most)
    except IsADirectoryError:
        raise UserError(f"{path.name}: must be a plain file; it is a folder.") from None
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UserError(f"{path.name}: cannot be read: {error.strerror}.") from None


def entries(folder: Path) -> list[Path]:
    """What lies in a folder, by name, but for what begins with a dot. `UserError` where that is more than any model
    has, or where the folder cannot be read."""
    try:
        with os.scandir(folder) as listing:
            names = [entry.name for entry in islice(listing, MOST_ENTRIES + 1)]
    except OSError as error:
        raise UserError(f"{folder.name}: cannot be read: {error.strerror}.") from None
    if len(names) > MOST_ENTRIES:
        raise UserError(f"A model's folder must have at most {MOST_ENTRIES:,} entries; '{folder.name}' has more.")
    return [folder / name for name in sorted(names) if not name.startswith(".")]


def locate(folder: Path, holds: Callable[[Path], bool]) -> Path:
    """The folder itself where it holds a model, else the one below it that does, and itself where none does.

    `UserError` where several do, or where the one that does was not finished.
    """
    listed = entries(folder)
    if holds(folder):
        return folder
    below = [path for path in listed if path.is_dir() and holds(path)]
    if not below:
        return folder
    if len(below) > 1:
        names = ", ".join(f"'{path.name}'" for path in below[:5])
        raise UserError(f"One folder below must hold a model; {len(below)} do: {names}.")
    check_finished(below[0])
    note(f"The model is that of the folder '{below[0].name}' below; what lies beside it is passed over.")
    return below[0]


def check_finished(folder: Path) -> None:
    """`UserError` where only some files of a model stand there, for whoever put them there was interrupted."""
    if (folder / UNFINISHED).exists():
        raise UserError(f"{UNFINISHED}: must not stand beside a model; the job that wrote this one was interrupted.")
