"""Early stopping: the best figure of the epochs so far, and for how long none was better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass
class Patience:
    """Hears one figure an epoch, of which more is better; a loss comes with its sign turned."""

    best: float | None = None
    epoch: int = -1  # the best figure's
    since: int = 0  # epochs without an improvement that counts
    held: float | None = None  # the figure that an improvement is measured from

    def hear(self, figure: float, epoch: int, tolerance: float = 0.0) -> bool:
        """Whether it is the best so far. An improvement counts from the share `tolerance` of what it improves."""
        if self.held is None or _gains(figure, self.held, tolerance):
            self.held, self.since = figure, 0
        else:
            self.since += 1
        if self.best is not None and figure <= self.best:
            return False
        self.best, self.epoch = figure, epoch
        return True

    def facts(self) -> dict[str, Any]:
        """All of it, as JSON has it."""
        return dict(vars(self))

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Self:
        """What `facts` told."""
        return cls(**facts)


def _gains(figure: float, held: float, tolerance: float) -> bool:
    gain = figure - held
    return gain > 0 and gain >= tolerance * abs(held)
