"""Blocks of records on their way from a decoder to an algorithm: ahead of it, in another order, in batches."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from algoport.algorithms.contract.joining import Records, concatenate
from algoport.algorithms.contract.kinds import Kind

T = TypeVar("T")
R = TypeVar("R", bound=Records)

# Bytes of records that are put in order at a time: a true shuffle below this many bytes, and beyond it a
# shuffle of the files and then within such windows. Not a share of the memory there is, for the order must be a
# function of the seed and the data only.
WINDOW = 256 << 20


@dataclass(frozen=True)
class _Failure:
    error: BaseException


def ahead(
    make: Callable[[Callable[[], bool]], Iterator[T]], depth: int = 2, asked: Callable[[], bool] = lambda: False
) -> Generator[T, None, None]:
    """The items of an iterator, made in a thread that is at most `depth` items ahead.

    `make` is given a function that says whether anybody still wants them. Ends early where `asked` is true and
    nothing comes, so that a job that waits for data can be stopped.
    """
    line: queue.Queue[T | _Failure | None] = queue.Queue(depth)
    over = threading.Event()

    def put(item: T | _Failure | None) -> bool:
        while not over.is_set():
            try:
                line.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def fetch() -> None:
        items = make(over.is_set)
        try:
            for item in items:
                if not put(item):
                    return
            put(None)
        except BaseException as error:
            put(_Failure(error))
        finally:
            close(items)

    thread = threading.Thread(target=fetch, name="decode", daemon=True)
    thread.start()
    try:
        yield from _Taker(line, asked)
    finally:
        over.set()
        thread.join()


@dataclass(frozen=True)
class _Taker(Generic[T]):
    line: queue.Queue[T | _Failure | None]
    asked: Callable[[], bool]

    def __iter__(self) -> Iterator[T]:
        while True:
            try:
                item = self.line.get(timeout=0.25)
            except queue.Empty:
                if self.asked():
                    return
                continue
            if item is None:
                return
            if isinstance(item, _Failure):
                raise item.error
            yield item


def close(items: Iterator[T]) -> None:
    """Let go of what a half-used generator holds."""
    if isinstance(items, Generator):
        items.close()


def every(records: R, first: int, step: int) -> R:
    """Every `step`-th record from number `first` on, in memory of their own."""
    if step == 1 and first == 0:
        return records
    return records.take(np.arange(first, len(records), step))


def stride(blocks: Iterator[R], first: int, step: int) -> Iterator[R]:
    """Every `step`-th record of all blocks together."""
    position = 0
    for block in blocks:
        yield every(block, (first - position) % step, step)
        position += len(block)


def skip(blocks: Iterator[R], count: int) -> Iterator[R]:
    """All but the first records."""
    for block in blocks:
        if count >= len(block):
            count -= len(block)
            continue
        yield block[count:] if count else block
        count = 0


def rebatch(blocks: Iterator[R], rows: int) -> Iterator[R]:
    """The same records, so many at a time; the last batch has what is left.

    A batch of rows that lies within a block is a view of it, and only one across a border is copied.
    """
    parts: list[R] = []
    have = 0
    for block in blocks:
        first = 0
        while have + len(block) - first >= rows:
            cut = first + rows - have
            parts.append(block[first:cut])
            have, first = 0, cut
            yield _emptied(parts)
        if first < len(block):
            parts.append(block[first:])
            have += len(block) - first
    if parts:
        yield concatenate(parts)


def shuffle_windows(blocks: Iterator[R], seed: int, kind: Kind) -> Iterator[R]:
    """The records in an order that the seed gives, window by window."""
    random = np.random.default_rng(seed)
    first = next(blocks, None)
    if first is None:
        return
    every_block = _chain(first, blocks)
    count = kind.window(first, WINDOW)
    windows = _windows(every_block) if count is None else rebatch(every_block, count)
    for records in windows:
        shuffled = records.take(random.permutation(len(records)))
        del records  # two copies of a window are enough
        yield shuffled


def _emptied(parts: list[R]) -> R:
    """All parts as one, of which no second copy is held while it is used."""
    whole = concatenate(parts)
    parts.clear()
    return whole


def _windows(blocks: Iterator[R]) -> Iterator[R]:
    """As many whole blocks at a time as fill a window; what records take differs from one to the next."""
    parts: list[R] = []
    size = 0
    for block in blocks:
        parts.append(block)
        size += block.nbytes
        if size >= WINDOW:
            size = 0
            yield _emptied(parts)
    if parts:
        yield concatenate(parts)


def _chain(first: T, rest: Iterator[T]) -> Iterator[T]:
    yield first
    yield from rest
