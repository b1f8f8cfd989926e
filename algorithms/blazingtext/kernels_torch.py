"""The steps of `kernels/vectors.py` and `kernels/labels.py` on a GPU, many at a time.

s steps   c places of a context   k target rows   r input rows   w width of a row

The draws come from a thread of the processor (`kernels/plans.py`), which plans the next steps while these are computed.
All steps of a batch see the tables as they were before it, and the changes of a row are added up; with batches of one
step the tables become what the kernels make of them. As changes that do not see each other go too far together, of a
row that has more than some of them their mean counts that often.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import embedding_bag

from algoport.algorithms.blazingtext.kernels import plans
from algoport.algorithms.blazingtext.kernels.products import GROUP
from algoport.algorithms.blazingtext.kernels.vectors import BAG, BATCH, SKIP
from algoport.algorithms.blazingtext.state import State
from algoport.algorithms.blazingtext.tables import too_large
from algoport.algorithms.shared.randomness import draws

# Steps of a batch: of a word and its context, of a pair of words, of a context; and lines. With four times as many the
# vectors of a small corpus are worse.
STEPS = {BATCH: 1024, SKIP: 4096, BAG: 1024}
LINES = 64
WHOLE = 64  # words of a block for each step of a batch: a short text has small batches, or it had few of them
MOST, MOST_OF_LINES = 64.0, 16.0  # how often the mean change of a row counts, at most
PLAN = 1 << 14  # steps that are planned at a time
Arrays = tuple[NDArray[Any], ...]
Plan = tuple[int, int, Arrays]  # steps, where the next sentence begins, and what is to be computed


class DeviceTables:
    """Both tables of a state on a device, where they change; `store` and `fetch` bring them here and there."""

    def __init__(self, state: State, device: str, *, deterministic: bool) -> None:
        self._state, self._device, self._deterministic = state, device, deterministic
        rows = len(state.inputs) + len(state.outputs)
        try:
            self.inputs, self.outputs = (
                torch.from_numpy(table).to(device, copy=True) for table in (state.inputs, state.outputs)
            )
            # How many changes a row has, in a batch; zeros between two.
            self._counts = torch.zeros(max(len(self.inputs), len(self.outputs)), device=device)
        except torch.OutOfMemoryError:
            raise too_large(rows, state.inputs.shape[1], torch.cuda.mem_get_info(device)[1]) from None

    def store(self) -> None:
        """Into the processor's memory."""
        torch.from_numpy(self._state.inputs).copy_(self.inputs)
        torch.from_numpy(self._state.outputs).copy_(self.outputs)

    def fetch(self) -> None:
        """What has been changed there."""
        self.inputs.copy_(torch.from_numpy(self._state.inputs))
        self.outputs.copy_(torch.from_numpy(self._state.outputs))

    def learn_vectors(
        self, tokens: NDArray[np.int32], mode: int, words: Any, settings: tuple[int, ...], rates: Any, seed: int
    ) -> None:
        """As `vectors.learn` on one thread, with its arguments."""
        key, state = draws(np.uint64(seed), np.uint64(0))[()], np.zeros(1, np.uint64)
        k = -(-(settings[2] + 1) // GROUP) * GROUP

        def plan(place: int, room: int) -> Plan:
            targets, speeds = np.empty((room, k), np.int64), np.empty(room, np.float32)
            given = tokens, place, words, settings, rates, key, state
            if mode == BATCH:
                contexts = np.empty((room, settings[3]), np.int64)
                count, _, after = plans.plan_batches(*given, contexts, targets, speeds)
                return count, after, (contexts, targets, speeds)
            starts, rows = np.empty(room + 1, np.int64), np.empty(16 * room, np.int64)
            count, _, after = plans.plan_pairs(mode, *given, starts, rows, targets, speeds)
            return count, after, (starts, rows, targets, speeds)

        for arrays in _batches(plan, len(tokens), STEPS[mode], ragged=mode != BATCH):
            if mode == BATCH:
                there = np.flatnonzero(arrays[0] >= 0)  # here, as a GPU would be waited for
                self._contexts(*self._moved((*arrays, there)))
            else:
                self._bags(*self._moved(arrays))

    def learn_labels(
        self, tokens: NDArray[np.int32], words: Any, settings: tuple[int, ...], rates: Any, seed: int
    ) -> None:
        """As `labels.learn` on one thread, with its arguments."""
        key = draws(np.uint64(seed), np.uint64(0))[()]

        def plan(place: int, room: int) -> Plan:
            starts, rows = np.empty(room + 1, np.int64), np.empty(32 * room, np.int64)
            own = starts, rows, np.empty(room, np.int64), np.empty(room, np.float32)
            count, _, after = plans.plan_lines(tokens, place, words, settings, rates, key, *own)
            return count, after, own

        for arrays in _batches(plan, len(tokens), LINES, ragged=True):
            self._lines(*self._moved(arrays))

    def _moved(self, arrays: Arrays) -> tuple[Tensor, ...]:
        return tuple(torch.from_numpy(np.ascontiguousarray(each)).to(self._device) for each in arrays)

    def _contexts(self, contexts: Tensor, targets: Tensor, rates: Tensor, there: Tensor) -> None:
        """Batch skip-gram: (s, c) and (s, k) rows, of which -1 and the last of the outputs stand for none; `there`: the
        places of contexts that are rows."""
        x, y = self.inputs[contexts.clamp(min=0)], self.outputs[targets]
        errors = self._errors(torch.bmm(x, y.mT), targets, rates) * (contexts >= 0)[..., None]
        change = torch.bmm(errors, y).flatten(0, 1)[there]
        self._add(self.inputs, contexts.reshape(-1)[there], change, MOST)
        self._add(self.outputs, targets.reshape(-1), torch.bmm(errors.mT, x).flatten(0, 1), MOST)

    def _bags(self, starts: Tensor, rows: Tensor, targets: Tensor, rates: Tensor) -> None:
        """Skip-gram and CBOW: the mean of rows, to each of which is added what is learned, and (s, k) rows."""
        x = embedding_bag(rows, self.inputs, starts[:-1], mode="mean")[:, None]
        y = self.outputs[targets]
        errors = self._errors(torch.bmm(x, y.mT), targets, rates)
        change = torch.bmm(errors, y)[:, 0]
        self._add(self.inputs, rows, change.repeat_interleave(starts.diff(), 0, output_size=len(rows)), MOST)
        self._add(self.outputs, targets.reshape(-1), torch.bmm(errors.mT, x).flatten(0, 1), MOST)

    def _errors(self, scores: Tensor, targets: Tensor, rates: Tensor) -> Tensor:
        """(label - sigmoid) * rate of each step's scores (s, c, k)."""
        errors = -torch.sigmoid(scores)
        errors[..., 0] += 1
        errors *= (targets < len(self.outputs) - 1)[:, None]
        return errors * rates[:, None, None]

    def _add(self, table: Tensor, rows: Tensor, changes: Tensor, most: float) -> None:
        """Adds changes to rows, of which each may come more than once."""
        self._counts.index_add_(0, rows, torch.ones(len(rows), device=rows.device))
        counts = self._counts[rows]
        self._counts[rows] = 0
        changes *= (most / counts.clamp(min=most))[:, None]
        if self._deterministic:  # by sorting: each row's changes are added up in their order
            table.index_put_((rows,), changes, accumulate=True)
        else:
            table.index_add_(0, rows, changes)

    def _lines(self, starts: Tensor, rows: Tensor, labels: Tensor, rates: Tensor) -> None:
        """A classifier: the mean of a line's rows, and a softmax over all labels."""
        x = embedding_bag(rows, self.inputs, starts[:-1], mode="mean")
        outputs = self.outputs[:-1]
        errors = -torch.softmax(x @ outputs.T, 1)
        errors[torch.arange(len(labels), device=labels.device), labels] += 1
        errors *= rates[:, None]
        counts = starts.diff()
        change = errors @ outputs / counts[:, None]
        outputs += errors.T @ x
        self._add(self.inputs, rows, change.repeat_interleave(counts, 0, output_size=len(rows)), MOST_OF_LINES)


def _batches(plan: Callable[[int, int], Plan], end: int, most: int, *, ragged: bool) -> Iterator[Arrays]:
    """The steps of a block, so many of them at a time; `ragged`: the first array says where the rows of each begin, and
    the second has these. What comes next is planned by a thread meanwhile."""

    def planned(place: int) -> Plan:
        room = PLAN
        while True:
            count, after, arrays = plan(place, room)
            if count or after >= end:
                return count, after, arrays
            room *= 2

    size = max(1, min(most, end // WHOLE))
    with ThreadPoolExecutor(1) as pool:
        place, future = 0, pool.submit(planned, 0)
        while place < end:
            count, place, arrays = future.result()
            if place < end:
                future = pool.submit(planned, place)
            for first in range(0, count, size):
                last = min(first + size, count)
                if ragged:
                    starts = arrays[0][first : last + 1]
                    rest = (each[first:last] for each in arrays[2:])
                    yield starts - starts[0], arrays[1][starts[0] : starts[-1]], *rest
                else:
                    yield tuple(each[first:last] for each in arrays)
