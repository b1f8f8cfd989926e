"""The detector: a base network, further maps behind it, and of each anchor a score a class and four offsets.

n pictures   s side   a anchors   k classes, the background not counted
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from algoport.algorithms.object_detection.layers import NORMALIZED, SCALE, Layers
from algoport.algorithms.shared.neural import tensors
from algoport.algorithms.shared.vision import vgg
from algoport.algorithms.shared.vision.convolution import RectifiedConvolution
from algoport.algorithms.shared.vision.normalization import Exchange
from algoport.algorithms.shared.vision.residual.network import Backbone
from algoport.algorithms.shared.vision.residual.network import parameters as residual_parameters

# How much smaller first weights are: VGG's first layer has pixels and not their deviations, of about 64, and heads must
# not begin with certainties, as features of a residual network's sums are large.
FIRST, LAST = 1 / 64, 0.1
NEAR = 1e-10  # what is added to a sum of squares before its root


class Detector(nn.Module):
    """From pixels, (n, 3, s, s) from 0 to 255, to scores (n, a, k + 1), the background's first, and offsets (n, a, 4).

    Its parts are named after MXNet's layers, and lie in the order of the forward pass.
    """

    def __init__(self, layers: Layers, exchange: Exchange) -> None:
        super().__init__()
        self.layers = layers
        self.base: Any
        if layers.base == "vgg-16":
            self.base = vgg.Backbone(layers.share)
            self.relu4_3_scale = nn.Parameter(torch.empty(1, layers.base_maps[0][1], 1, 1))
        else:
            self.base = Backbone(layers.design, exchange)
        before = layers.base_maps[-1][1]
        for extra in layers.extras:
            self.add_module(f"{extra.name}_conv_1x1_conv", RectifiedConvolution(before, extra.inner, 1))
            wide = RectifiedConvolution(extra.inner, extra.width, 3, extra.stride, extra.padding)
            self.add_module(f"{extra.name}_conv_3x3_conv", wide)
            before = extra.width
        for (name, width), count in zip(layers.maps, layers.counts, strict=True):
            self.add_module(f"{name}_loc_pred_conv", nn.Conv2d(width, 4 * count, 3, padding=1))
            self.add_module(f"{name}_cls_pred_conv", nn.Conv2d(width, (layers.num_classes + 1) * count, 3, padding=1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scores and offsets."""
        scores: list[Tensor] = []
        offsets: list[Tensor] = []
        for (name, _), features in zip(self.layers.maps, self.maps(x), strict=True):
            for kind, width, out in (("cls", self.layers.num_classes + 1, scores), ("loc", 4, offsets)):
                head: Any = getattr(self, f"{name}_{kind}_pred_conv")
                each: Tensor = head(features).permute(0, 2, 3, 1)
                out.append(each.reshape(len(x), math.prod(each.shape[1:]) // width, width).float())
        return torch.cat(scores, 1), torch.cat(offsets, 1)

    def maps(self, x: Tensor) -> list[Tensor]:
        """The features that anchors lie on."""
        features: list[Tensor] = self.base.features(x)[-2:]
        x = features[-1]
        for extra in self.layers.extras:
            for size in ("1x1", "3x3"):
                x = getattr(self, f"{extra.name}_conv_{size}_conv")(x)
            features.append(x)
        if self.layers.maps[0][0] == NORMALIZED:
            first = features[0].float()
            features[0] = first * (first.square().sum(1, keepdim=True) + NEAR).rsqrt() * self.relu4_3_scale
        return features


def build(layers: Layers, exchange: Exchange) -> Detector:
    """A network whose weights are yet to be set: no random numbers are drawn for nothing."""
    with torch.device("meta"):
        network = Detector(layers, exchange)
    return network.to_empty(device="cpu")


def parameters(network: Detector) -> Iterator[tuple[str, Tensor]]:
    """Weights and moving averages, by the names of MXNet's layers."""
    for name, tensor in residual_parameters(network):
        yield name.removeprefix("base_"), tensor
    if network.layers.base == "vgg-16":
        yield f"{NORMALIZED}_scale", network.relu4_3_scale


@functools.lru_cache(maxsize=32)
def shapes(layers: Layers) -> dict[str, tuple[int, ...]]:
    """The shape of all that a network holds, by name; nothing is allocated."""
    with torch.device("meta"):
        network = Detector(layers, lambda sums: None)
    return {name: tuple(tensor.shape) for name, tensor in parameters(network)}


def is_of_base(name: str) -> bool:
    """Whether a weight of that name is of the base network."""
    return "_pred_conv_" not in name and not name.startswith(("multi_feat_", NORMALIZED))


def initialize(network: Detector, seed: int) -> None:
    """Weights from a normal distribution by the number of inputs (He et al. 2015), smaller at both ends of the network;
    scales of normalization are 1, other numbers 0."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in parameters(network):
            if name.endswith("_weight"):
                size = FIRST if name == "conv1_1_weight" else LAST if name.endswith("_pred_conv_weight") else 1.0
                deviation = size * math.sqrt(2.0 / tensor[0].numel())
                tensor.copy_(torch.randn(tensor.shape, generator=random) * deviation)
            elif name == f"{NORMALIZED}_scale":
                tensor.fill_(SCALE)
            else:
                tensor.fill_(float(name.endswith(("_gamma", "_moving_var"))))


def arrays(network: Detector) -> dict[str, NDArray[Any]]:
    """Copies of `parameters`."""
    return tensors.arrays(parameters(network))


def fill(network: Detector, values: Mapping[str, NDArray[Any]]) -> None:
    """Set `parameters`; names and shapes must be right."""
    tensors.fill(parameters(network), values)
