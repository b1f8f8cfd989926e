"""How far a job is, in the original's words."""

from __future__ import annotations

from collections.abc import Callable

SECONDS = 10.0  # between two lines


class Progress:
    """Says at times how large steps are, how much is done and how fast."""

    def __init__(self, note: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._note, self._clock = note, clock
        self._begin = self._last = clock()
        self.words = 0

    def step(self, words: int, alpha: float, share: float, *, now: bool = False) -> None:
        """So many more words were used; a line where it is time, or `now`."""
        self.words += words
        time = self._clock()
        if not now and time - self._last < SECONDS:
            return
        self._last = time
        self._note(
            f"##### Alpha: {alpha:.4f}  Progress: {100 * share:.2f}%  Million Words/sec: {self._speed(time):.2f} #####"
        )

    def close(self, finished: str) -> None:
        """The last lines of training."""
        time = self._clock()
        self._note(finished)
        self._note(f"Average throughput in Million words/sec: {self._speed(time):.2f}")
        self._note(f"Total training time in seconds: {time - self._begin:.2f}")

    def _speed(self, time: float) -> float:
        return self.words / 1e6 / max(time - self._begin, 1e-9)
