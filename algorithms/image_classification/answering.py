"""A network that only answers.    n pictures   k classes"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from algoport.algorithms.image_classification.model import Model, design
from algoport.algorithms.shared.vision.residual import Convolution, Network, built, fill


class Answering:
    """The network of a model, ready to be asked."""

    def __init__(self, model: Model) -> None:
        self._network = built(design(model), lambda sums: None)
        fill(self._network, model.weights)
        self._network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._multiple = model.multi_label
        is_there: Any = torch.backends.mkldnn.is_available
        if is_there():
            _pack(self._network, torch.zeros(1, model.channels, model.height, model.width_))

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, k) from (n, h, w, c)."""
        with torch.inference_mode():
            scores = self._network(torch.from_numpy(pixels).permute(0, 3, 1, 2).float())
            found: Any = torch.sigmoid(scores) if self._multiple else torch.softmax(scores, dim=1)
            return np.asarray(found.numpy(), np.float32)


class _Packed(nn.Module):
    """A convolution whose weights lie as the processor's library wants them.

    It would otherwise bring them into that order for each request: of one picture of 224 x 224 and 18 layers, 27 ms
    with that and 20 ms without it, on one core.
    """

    def __init__(self, plain: Convolution, shape: torch.Size) -> None:
        super().__init__()
        stride, padding = list(plain.stride), [plain.kernel_size[0] // 2] * 2
        self._how: Any = (padding, stride, [1, 1], 1)
        reordered: Any = torch.ops.mkldnn._reorder_convolution_weight
        self._weight = reordered(plain.weight.detach(), *self._how, list(shape))

    def forward(self, x: Tensor) -> Tensor:
        """The convolution."""
        made: Tensor = torch.ops.mkldnn._convolution_pointwise(x, self._weight, None, *self._how, "none", [], "")
        return made


def _pack(network: Network, x: Tensor) -> None:
    """Replace the convolutions, each for the size of what reaches it."""
    sizes: dict[str, torch.Size] = {}
    hooks = []
    for name, module in network.named_modules():
        if isinstance(module, Convolution):
            note: Any = lambda _, given, name=name: sizes.__setitem__(name, given[0].shape)  # noqa: E731
            hooks.append(module.register_forward_pre_hook(note))
    with torch.inference_mode():
        network(x)
        for hook in hooks:
            hook.remove()
        for name, size in sizes.items():
            parent, _, own = name.rpartition(".")
            plain: Any = network.get_submodule(name)
            setattr(network.get_submodule(parent), own, _Packed(plain, size))
