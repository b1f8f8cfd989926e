"""Early stopping: the best figure so far, and for how many evaluations none improved on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

# Fields by the names that checkpoints of earlier releases have.
_EARLIER = {"epoch": "best_epoch", "since": "wait", "held": "reference"}


@dataclass
class EarlyStopping:
    """Follows one figure an evaluation, of which more is better; a loss comes with its sign turned."""

    best: float | None = None
    best_epoch: int = -1
    wait: int = 0  # evaluations since the last improvement that counts
    reference: float | None = None  # the figure that an improvement is measured from

    def update(self, figure: float, epoch: int, tolerance: float = 0.0) -> bool:
        """Whether the figure is the best so far.

        An improvement counts, and ends the wait, from the share `tolerance` of the figure that it is measured from.
        """
        if self.reference is None or _improves(figure, self.reference, tolerance):
            self.reference, self.wait = figure, 0
        else:
            self.wait += 1
        if self.best is not None and figure <= self.best:
            return False
        self.best, self.best_epoch = figure, epoch
        return True

    def facts(self) -> dict[str, Any]:
        """All of it, as JSON has it."""
        return dict(vars(self))

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Self:
        """The state that `facts` wrote, in this release or an earlier one."""
        return cls(**{_EARLIER.get(name, name): value for name, value in facts.items()})


def _improves(figure: float, reference: float, tolerance: float) -> bool:
    gain = figure - reference
    return gain > 0 and gain >= tolerance * abs(reference)
