"""The network: a dilated residual encoder, and a decoder that scores the classes at an eighth of a picture's size.

n pictures   c channels   k classes   h, w an eighth of height and width

Layers are called as in torchvision's models of segmentation, so that these load the weights.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from algoport.algorithms.semantic_segmentation.layers import BINS, LEVEL, RATES, SLOPE
from algoport.algorithms.shared.vision.normalization import Exchange
from algoport.algorithms.shared.vision.residual.dilated import DilatedBackbone, convolution, normalization, parameters
from algoport.algorithms.shared.vision.residual.dilation import DilatedDesign

HEADS = ("classifier", "aux_classifier")


class Dropout(nn.Module):
    """Zeroes a share of the numbers of each picture, by a seed that is the picture's alone (Srivastava et al. 2014)."""

    def __init__(self, share: float, use: int) -> None:
        super().__init__()
        self.share, self.use = share, use
        self.seeds: Sequence[int] = ()

    def forward(self, x: Tensor) -> Tensor:
        """The same shape; in evaluation the same numbers."""
        if not self.training or not self.seeds:
            return x
        generator = torch.Generator()
        mask = torch.empty(x.shape, dtype=torch.bool)
        for own, seed in zip(mask, self.seeds, strict=True):
            generator.manual_seed((seed + self.use) & (2**63 - 1))
            own.bernoulli_(1 - self.share, generator=generator)
        return x * (mask.to(x.device).to(x.dtype, memory_format=torch.channels_last) / (1 - self.share))


class ConvolutionalHead(nn.Sequential):
    """A 3 x 3 convolution to a quarter of the channels, and scores (Shelhamer, Long and Darrell 2016)."""

    def __init__(self, before: int, inner: int, k: int, use: int, exchange: Exchange) -> None:
        super().__init__(
            convolution(before, inner, 3),
            normalization(inner, exchange),
            nn.Identity(),  # the rectifier, which normalization has in it
            Dropout(0.1, use),
            nn.Conv2d(inner, k, 1),
        )


class Pyramid(nn.Module):
    """Features beside their means over 1, 4, 9 and 36 parts of the picture (Zhao et al. 2017, section 3.2)."""

    def __init__(self, c: int, exchange: Exchange) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            nn.Sequential(convolution(c, c // 4, 1), normalization(c // 4, exchange)) for _ in BINS
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, 2 c, h, w)."""
        size = x.shape[2:]
        parts = [x]
        for bins, level in zip(BINS, self.levels, strict=True):
            pooled = level(functional.adaptive_avg_pool2d(x, bins))
            parts.append(functional.interpolate(pooled, size, mode="bilinear", align_corners=False))
        return torch.cat(parts, 1)


class AtrousPyramid(nn.Module):
    """Convolutions of several dilations side by side, and the mean of the picture (Chen et al. 2017, section 3.3)."""

    def __init__(self, c: int, inner: int, exchange: Exchange) -> None:
        super().__init__()
        branches = [nn.Sequential(convolution(c, inner, 1), normalization(inner, exchange))]
        for rate in RATES:
            branches.append(nn.Sequential(convolution(c, inner, 3, 1, rate), normalization(inner, exchange)))
        branches.append(
            nn.Sequential(nn.AdaptiveAvgPool2d(1), convolution(c, inner, 1), normalization(inner, exchange))
        )
        self.convs = nn.ModuleList(branches)
        self.project = nn.Sequential(
            convolution(len(branches) * inner, inner, 1),
            normalization(inner, exchange),
            nn.Identity(),
            Dropout(0.5, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, inner, h, w)."""
        parts = [branch(x) for branch in self.convs]
        parts[-1] = parts[-1].expand(-1, -1, *x.shape[2:])
        out: Tensor = self.project(torch.cat(parts, 1))
        return out


class Segmenter(nn.Module):
    """From pixels, (n, 3, 8 h, 8 w) from 0 to 255, to a score for each class at each place, (n, k, h, w)."""

    def __init__(self, design: DilatedDesign, decoder: str, k: int, exchange: Exchange, *, auxiliary: bool) -> None:
        super().__init__()
        *_, third, c = design.widths
        self.backbone = DilatedBackbone(design, exchange)
        # In the order of the backward pass, from its end: gradients of what stands last are exchanged first.
        self.aux_classifier = ConvolutionalHead(third, third // 4, k, 2, exchange) if auxiliary else None
        self.classifier: nn.Sequential
        if decoder == "fcn":
            self.classifier = ConvolutionalHead(c, c // 4, k, 0, exchange)
        elif decoder == "psp":
            self.classifier = nn.Sequential(Pyramid(c, exchange), *ConvolutionalHead(2 * c, c // 4, k, 0, exchange))
        else:
            inner = c // 8
            head = ConvolutionalHead(inner, inner, k, 0, exchange)
            self.classifier = nn.Sequential(AtrousPyramid(c, inner, exchange), head[0], head[1], head[3], head[4])

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor | None]:
        """The scores, and those of the auxiliary decoder where it is trained."""
        slope, level = (torch.tensor(each, device=pixels.device).view(1, 3, 1, 1) for each in (SLOPE, LEVEL))
        third, last = self.backbone(pixels * slope + level)
        scores: Tensor = self.classifier(last)
        beside = self.aux_classifier(third) if self.aux_classifier is not None and self.training else None
        return scores, beside

    def drop_by(self, seeds: Sequence[int]) -> None:
        """Let dropout be a function of these, one a picture of the next batch."""
        for module in self.modules():
            if isinstance(module, Dropout):
                module.seeds = seeds


def build(design: DilatedDesign, decoder: str, k: int, exchange: Exchange, *, auxiliary: bool) -> Segmenter:
    """A network whose weights are yet to be set: no random numbers are drawn for nothing."""
    with torch.device("meta"):
        network = Segmenter(design, decoder, k, exchange, auxiliary=auxiliary)
    return network.to_empty(device="cpu")


@functools.lru_cache(maxsize=32)
def shapes(design: DilatedDesign, decoder: str, k: int, auxiliary: bool) -> dict[str, tuple[int, ...]]:
    """The shape of all that a network holds, by name; nothing is allocated."""
    with torch.device("meta"):
        network = Segmenter(design, decoder, k, lambda sums: None, auxiliary=auxiliary)
    return {name: tuple(tensor.shape) for name, tensor in parameters(network)}
