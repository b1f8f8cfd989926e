"""Where a job saves its state, and what it resumes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray


class Checkpoints(Protocol):
    """Where a job keeps its state, so that it can be resumed after an interruption."""

    def due(self, *, ended: bool = False) -> bool:
        """True at the first member where the next checkpoint should be saved: the last one is old enough, or a pass
        has ended. Never where none are kept, so that nobody gathers a state for nothing. No exchange."""

    def save(self, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
        """Keep the state, which is the same at all members: all or nothing, and the last few of them."""

    def latest(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
        """The state to resume from, the same at every member, or None; an exchange."""


class NoCheckpoints:
    """Keeps nothing."""

    def due(self, *, ended: bool = False) -> bool:
        """Never."""
        return False

    def save(self, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
        """Forgets it."""

    def latest(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
        """None."""
        return None
