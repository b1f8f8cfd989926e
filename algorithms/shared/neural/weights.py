"""The parameters of a network and their gradients, each in one array.    p parameters

So an optimizer's step is a few passes over arrays, and the gradient exchange (all-reduce) is of a few large buckets. A
bucket is sent as soon as the backward pass is through its layers, while the layers before them are still being computed
(Li et al. 2020, "PyTorch Distributed", section 3.2.3).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from algoport.algorithms.contract.group import Group

BUCKET = 1 << 20  # numbers of a bucket at least: 4 MB, which take some ten milliseconds to send


class Weights:
    """The network's own parameters and gradients become views of `values` and `gradients`, (p,) each.

    A step is `reset`, a forward and a backward pass, `exchange`, and an optimizer's step. Made when the network is
    where it stays; parameters lie in the order in which the network names them, which must be that of its forward pass
    for the exchange to be early.
    """

    def __init__(
        self,
        network: nn.Module,
        group: Group,
        *,
        decays: Callable[[str], bool] = lambda name: True,  # which parameters, by name, weight decay pulls to zero
        bucket: int = BUCKET,
    ) -> None:
        parameters = list(network.named_parameters())
        device = parameters[0][1].device
        size = sum(parameter.numel() for _, parameter in parameters)
        self.values = torch.empty(size, device=device)
        self.gradients = torch.zeros(size, device=device)
        self.decaying = torch.zeros(size, device=device)  # 1 where weight decay applies
        self._group = group
        spans: list[slice] = []
        for name, parameter in parameters:
            at = spans[-1].stop if spans else 0
            span = slice(at, at + parameter.numel())
            values, gradients = (_view(whole[span], parameter) for whole in (self.values, self.gradients))
            values.copy_(parameter.data)
            parameter.data, parameter.grad = values, gradients
            self.decaying[span] = float(decays(name))
            spans.append(span)
        self._buckets, owner = _buckets(spans, bucket)
        self._members = [owner.count(number) for number in range(len(self._buckets))]
        for (_, parameter), number in zip(parameters, owner, strict=True):
            parameter.register_post_accumulate_grad_hook(self._hook(number))  # type: ignore[no-untyped-call]
        self.reset()

    def reset(self) -> None:
        """Set gradients to zero for a new step; nothing is being sent."""
        self.gradients.zero_()
        self._missing = list(self._members)
        self._waits: list[Callable[[], None]] = []

    def exchange(self, *sums: NDArray[Any]) -> None:
        """Wait until gradients are the sums over all members, and replace arrays beside them by theirs."""
        while len(self._waits) < len(self._buckets):  # of layers that had no part in the loss
            self._send()
        self._group.sum_(*sums)
        for wait in self._waits:
            wait()

    def _hook(self, number: int) -> Callable[[Tensor], None]:
        def ready(_: Tensor) -> None:
            """A parameter's gradient is there. Buckets are sent in one order, the same at every member."""
            self._missing[number] -= 1
            while len(self._waits) < len(self._buckets) and self._missing[len(self._waits)] <= 0:
                self._send()

        return ready

    def _send(self) -> None:
        self._waits.append(self._group.summing(self.gradients[self._buckets[len(self._waits)]]))


def _buckets(spans: list[slice], least: int) -> tuple[list[slice], list[int]]:
    """Buckets of the whole array, from its end to its beginning, and each parameter's bucket."""
    buckets: list[slice] = []
    owner = [0] * len(spans)
    stop = spans[-1].stop
    for place in reversed(range(len(spans))):
        owner[place] = len(buckets)
        if stop - spans[place].start >= least or place == 0:
            buckets.append(slice(spans[place].start, stop))
            stop = spans[place].start
    return buckets, owner


def _view(flat: Tensor, like: Tensor) -> Tensor:
    """A part of the array in a parameter's shape; that of a convolution in channels-last order."""
    if like.dim() != 4:
        return flat.view(like.shape)
    outer, inner, height, width = like.shape
    return flat.view(outer, height, width, inner).permute(0, 3, 1, 2)
