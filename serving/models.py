"""The models in memory, by name: loaded and unloaded while others are asked."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from algoport.algorithms.contract import Model
from algoport.algorithms.contract.errors import UserError, lacks_memory
from algoport.algorithms.shared import heap, machine
from algoport.serving import log
from algoport.serving.refusals import LOAD, Refusal, not_found

PATIENCE = 360  # seconds that loading may take on the platform; as long a request waits for its model
PAGE = 100  # models of a listing, and the most there are
ROOM = 1.2  # what a model takes in memory, as a multiple of its files
FILES = 10_000  # that are looked at to know a model's size
MESSAGE = "Model {} is already registered."


@dataclass
class Entry:
    """A model, from the moment its loading begins to the end of its last request."""

    url: str
    model: Model | None = None  # None while it loads
    users: int = 0
    leaving: bool = False
    turn: threading.Semaphore | None = None


class Table:
    """Models by name. Every method may be called from any thread."""

    def __init__(
        self,
        load: Callable[[Path], Model],
        *,
        a_model: int | None = None,
        count: Callable[[int], None] = lambda number: None,
        free: Callable[[], int | None] = machine.memory_free,
    ) -> None:
        """`a_model`: how many predictions a model may make at a time."""
        self._load, self._a_model, self._count, self._free = load, a_model, count, free
        self._entries: dict[str, Entry] = {}
        self._changed = threading.Condition()
        self._promised = 0  # bytes of models that are being loaded

    def load(self, name: str, url: str) -> None:
        """Load what lies in a folder. Refused: 409 a name that is taken, 404 a folder that is not there, 507 what
        does not fit the memory that is free, 400 and 500 what cannot be loaded."""
        folder = _folder(url)
        entry = Entry(url, turn=threading.Semaphore(self._a_model) if self._a_model else None)
        with self._changed:
            self._wait(lambda: not (name in self._entries and self._entries[name].leaving))
            if name in self._entries:
                raise Refusal(409, MESSAGE.format(name), kind="ConflictStatusException")
            need = int(_size(folder) * ROOM)
            self._admit(need)
            self._entries[name] = entry
            self._promised += need
        model = None
        try:
            model = self._load_checked(folder)
        finally:
            with self._changed:
                self._promised -= need
                entry.model = model
                if model is None:
                    del self._entries[name]
                self._notify()

    def unload(self, name: str) -> None:
        """Forget a model once its running requests have ended; its memory is free on return. 404 if there is none."""
        with self._changed:
            self._wait(lambda: name not in self._entries or self._entries[name].model is not None)
            entry = self._entries.get(name)
            if entry is None or entry.leaving:
                raise not_found(name)
            entry.leaving = True
            try:
                self._wait(lambda: entry.users == 0)
            except Refusal:
                entry.leaving = False
                self._notify()
                raise
            entry.model = None
        _give_back()
        with self._changed:
            del self._entries[name]
            self._notify()

    @contextmanager
    def use(self, name: str) -> Iterator[Model]:
        """The model for the length of a request, which it waits for while it loads; 404 if there is none."""
        with self._changed:
            self._wait(lambda: name not in self._entries or self._entries[name].model is not None)
            entry = self._entries.get(name)
            if entry is None or entry.leaving or entry.model is None:
                raise not_found(name)
            entry.users += 1
            model = entry.model
        try:
            with _turn(entry):
                yield model
        finally:
            del model
            with self._changed:
                entry.users -= 1
                self._changed.notify_all()

    def describe(self, name: str) -> dict[str, str]:
        """A model's description; 404 if there is none."""
        with self._changed:
            entry = self._entries.get(name)
            if entry is None or entry.model is None or entry.leaving:
                raise not_found(name)
            return {"modelName": name, "modelUrl": entry.url}

    def listing(self, limit: int, start: int) -> dict[str, Any]:
        """A page of the models, in the order in which they were loaded."""
        with self._changed:
            there = [(name, entry.url) for name, entry in self._entries.items() if entry.model and not entry.leaving]
        page = [{"modelName": name, "modelUrl": url} for name, url in there[start : start + limit]]
        more = {"nextPageToken": str(start + limit)} if start + limit < len(there) else {}
        return {"models": page, **more}

    def _admit(self, need: int) -> None:
        free = self._free()
        if free is not None and need > free - self._promised:
            spare = max(0, free - self._promised)
            message = f"{LOAD}it needs {need:,} bytes of memory, of which {spare:,} are free."
            raise Refusal(507, message)

    def _load_checked(self, folder: Path) -> Model:
        try:
            return self._load(folder)
        except UserError as error:
            raise Refusal(400, LOAD + " ".join(error.findings)) from None
        except Exception as error:
            if lacks_memory(error):
                raise Refusal(507, f"{LOAD}there is not enough memory.") from None
            log.fault(f"{LOAD}{folder}", error)
            raise Refusal(500, f"{LOAD}{type(error).__name__}: {error}") from None

    def _wait(self, until: Callable[[], bool]) -> None:
        if not self._changed.wait_for(until, PATIENCE):
            raise Refusal(503, "The model is still being loaded, or still being asked.", retry=1)

    def _notify(self) -> None:
        self._changed.notify_all()
        self._count(sum(entry.model is not None for entry in self._entries.values()))


@contextmanager
def _turn(entry: Entry) -> Iterator[None]:
    """One of the model's own turns, where they are counted."""
    if entry.turn is None:
        yield
        return
    if not entry.turn.acquire(timeout=PATIENCE):
        raise Refusal(503, "The model is still being asked by others.", retry=1)
    try:
        yield
    finally:
        entry.turn.release()


def _folder(url: str) -> Path:
    path = Path(url)
    if not path.is_absolute():
        raise Refusal(400, f"url: must be an absolute path; it is '{url[:200]}'.")
    try:
        there = path.is_dir()
    except OSError:
        there = False
    if not there:
        raise Refusal(404, f"Model not found: there is no folder '{url[:1024]}'.", kind="ModelNotFoundException")
    return path


def _size(folder: Path) -> int:
    """Bytes of the files in a folder and those below it; of the first ones only, where it is no model but a tree."""
    size, seen = 0, 0
    for root, folders, files in os.walk(folder):
        for name in files:
            with suppress(OSError):
                size += os.lstat(os.path.join(root, name)).st_size
        seen += len(files) + len(folders) + 1
        if seen > FILES or root.count(os.sep) - str(folder).count(os.sep) > 8:
            break
    return size


def _give_back() -> None:
    """Return memory that is free within the process to the system, which the platform then sees as free."""
    gc.collect()
    heap.give_back()
