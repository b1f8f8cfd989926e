"""How many instances a load needs: up at once, down when it has been quiet for a while."""

from __future__ import annotations

import math
from collections import deque

RISE = 3.0  # seconds over which the load is averaged
SLACK = 0.1  # of an instance, by which the load may exceed what there is


class Scaler:
    """By requests in flight, as a mean over seconds, for one variant."""

    def __init__(self, *, target: float, cool_down: float) -> None:
        """`target`: requests in flight of an instance; `cool_down`: seconds after which there are fewer."""
        self._target, self._cool_down = target, cool_down
        self._loads: deque[tuple[float, int]] = deque()
        self._needs: deque[tuple[float, int]] = deque()

    def wanted(self, now: float, load: int, *, lowest: int, highest: int) -> int:
        """So many instances, after this look at the load: what the last seconds need, and no less than what any moment
        of the cool-down has needed."""
        _push(self._loads, now, load, RISE)
        mean = sum(each for _, each in self._loads) / len(self._loads)
        need = max(math.ceil(mean / self._target - SLACK), int(mean > 0))
        _push(self._needs, now, need, self._cool_down)
        return min(max(lowest, *(each for _, each in self._needs)), highest)


def _push(values: deque[tuple[float, int]], now: float, value: int, seconds: float) -> None:
    values.append((now, value))
    while now - values[0][0] > seconds:
        values.popleft()
