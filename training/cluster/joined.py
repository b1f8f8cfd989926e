"""The exchanges of a group of processes, through gloo, and between GPUs through NCCL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from algoport.algorithms.contract.group import Array

if TYPE_CHECKING:
    from algoport.training.cluster.watch import Watch


class ExchangeError(Exception):
    """An exchange did not come about: a member is gone, or did not answer in time. gloo does not say which."""


class ProcessGroup:
    """The group of several processes. Arrays are NumPy's, of float64, float32, int64 or uint8."""

    def __init__(self, rank: int, size: int, watch: Watch, *, direct: bool = False) -> None:
        self.rank = rank
        self.size = size
        self._direct = direct  # whether GPUs can reach each other
        self._aside: Any = None  # torch's group for what goes on aside
        self._watch = watch

    def sum_(self, *arrays: Array) -> None:
        """Replace every array by its sum over the members, in one exchange for each dtype."""
        for whole in self._by_dtype(arrays):
            self._exchange("all_reduce", whole)

    def summing(self, array: Any) -> Callable[[], None]:
        """Begin a sum, which goes on while this member computes. A tensor of a GPU goes from GPU to GPU where every
        member has one, else by way of the processor.

        On connections of its own: a small sum that somebody waits for must not stand in line behind large ones.
        """
        import torch
        from torch import distributed

        if self._aside is None:
            with self._exchanging():
                self._aside = distributed.new_group()
        own = torch.from_numpy(array) if isinstance(array, np.ndarray) else array
        sent = own if own.device.type == "cpu" or self._direct else own.cpu()
        with self._exchanging():
            work = distributed.all_reduce(sent, group=self._aside, async_op=True)

        def end() -> None:
            with self._exchanging():
                work.wait()
            if sent is not own:
                own.copy_(sent)

        return end

    def broadcast_(self, *arrays: Array) -> None:
        """Replace every array by the first member's, in one exchange for each dtype."""
        for whole in self._by_dtype(arrays):
            self._exchange("broadcast", whole, 0)

    def gather(self, array: Array) -> list[Array]:
        """Every member's array, by rank. Two exchanges: of the lengths, and of the arrays made equally long.

        What is sent are bytes, as gloo knows few dtypes: no unsigned numbers of more than one, for example.
        """
        lengths = np.zeros(self.size, np.int64)
        lengths[self.rank] = len(array)
        self.sum_(lengths)
        parts = [np.empty((int(lengths.max()), *array.shape[1:]), array.dtype) for _ in range(self.size)]
        if not parts[0].size:
            return [part[:length] for part, length in zip(parts, lengths, strict=True)]
        mine = np.zeros_like(parts[0])
        mine[: len(array)] = array
        self._exchange(
            "all_gather", [part.reshape(-1).view(np.uint8) for part in parts], mine.reshape(-1).view(np.uint8)
        )
        return [part[:length] for part, length in zip(parts, lengths, strict=True)]

    def share(self, data: bytes | None) -> bytes:
        """The first member's bytes, at every member."""
        length = np.array([len(data or b"")], np.int64)
        self.broadcast_(length)
        whole = np.empty(int(length[0]), np.uint8)
        if self.rank == 0 and data:
            whole[:] = np.frombuffer(data, np.uint8)
        self.broadcast_(whole)
        return whole.tobytes()

    def barrier(self) -> None:
        """Wait until all members are here."""
        self.sum_(np.zeros(1))

    def _by_dtype(self, arrays: tuple[Array, ...]) -> Iterator[Array]:
        """One array a dtype with all numbers of that dtype, to be changed; the numbers go back when it was."""
        for _, same in groupby(sorted(arrays, key=lambda array: array.dtype.str), key=lambda array: array.dtype):
            members = [array for array in same if array.size]
            if len(members) == 1 and members[0].flags.c_contiguous and members[0].flags.writeable:
                yield members[0]  # in place, without a copy
            elif members:
                whole = np.concatenate([array.ravel() for array in members])
                yield whole
                first = 0
                for array in members:
                    array[...] = whole[first : first + array.size].reshape(array.shape)
                    first += array.size

    def _exchange(self, name: str, *what: Any) -> None:
        import torch
        from torch import distributed

        tensors = [
            [torch.from_numpy(part) for part in arg]
            if isinstance(arg, list)
            else torch.from_numpy(arg)
            if isinstance(arg, np.ndarray)
            else arg
            for arg in what
        ]
        with self._exchanging():
            getattr(distributed, name)(*tensors)

    @contextmanager
    def _exchanging(self) -> Iterator[None]:
        try:
            with self._watch.watching():
                yield
        except RuntimeError as error:
            raise ExchangeError(str(error).split("\n", 1)[0]) from None
