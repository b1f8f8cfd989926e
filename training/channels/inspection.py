"""A look at all records of channels before the first pass, for kinds of which a single one may be unreadable."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from algoport.algorithms.contract import kinds
from algoport.algorithms.contract.errors import UserError
from algoport.training import log
from algoport.training.channels import Channel

MOST = 20  # faults, or notes, of a channel that are said one by one

Inspector = Callable[[Any], Iterable[tuple[str, str, bool]]]


@dataclass
class Inspection:
    """What was seen of one channel."""

    channel: str
    noun: str
    records: int = 0
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, records: Any, inspector: Inspector) -> None:
        """Look at some more."""
        self.records += len(records)
        for place, sentence, fatal in inspector(records):
            (self.faults if fatal else self.notes).append(f"{place}: {sentence}")

    def check(self) -> None:
        """`UserError` with all faults, or the first of many."""
        if self.faults:
            raise UserError(list(self._some(self.faults, "cannot be read")))

    def remarks(self) -> Iterator[str]:
        """What is no fault, or the first of many."""
        yield from self._some(self.notes, "are like that")

    def _some(self, sentences: list[str], rest: str) -> Iterator[str]:
        yield from sentences[:MOST]
        if len(sentences) > MOST:
            yield f"Channel '{self.channel}': {len(sentences) - MOST:,} more of {self.records:,} {self.noun} {rest}."


def inspector(kind: str) -> Inspector | None:
    """What looks at records of that kind; None where each reader sees all that there is to see."""
    name = kinds.find(kind).inspection
    if not name:
        return None
    look: Inspector = importlib.import_module(f"algoport.algorithms.shared.{name}").inspect
    return look


def inspect(channels: Iterable[Channel], over: Callable[[], bool]) -> None:
    """Look at all that lies in files; `UserError` with all faults of all channels. A pipe, which can be read but once,
    is left alone. `over` ends the look where a stop is asked for."""
    faults: list[str] = []
    for channel in channels:
        look = inspector(channel.kind)
        if look is None or channel.is_piped:
            continue
        start, seen = time.monotonic(), Inspection(channel.name, kinds.find(channel.kind).noun)
        for block in channel.blocks(over):
            seen.add(block, look)
        for remark in seen.remarks():
            log.note(remark)
        log.note(
            f"Channel '{channel.name}': {seen.records:,} {seen.noun} decoded once to see that they can be, in "
            f"{time.monotonic() - start:.1f} s; {len(seen.faults)} cannot."
        )
        try:
            seen.check()
        except UserError as error:
            faults += error.findings
    if faults:
        raise UserError(faults)
