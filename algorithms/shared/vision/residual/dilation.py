"""Which layers a dilated residual network has (Yu, Koltun and Funkhouser 2017). Needs no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from algoport.algorithms.shared.vision.residual.design import UNITS

EPS = 1e-5  # of normalization
STRIDE = 8  # pixels a place of the last stage
_WIDTHS = (64, 256, 512, 1024, 2048)
_STRIDES, _DILATIONS = (1, 2, 1, 1), (1, 1, 2, 4)


class UnitShape(NamedTuple):
    """One unit: its name, channels before, within and behind, stride and dilation of the 3 x 3 convolution."""

    name: str
    before: int
    inner: int
    after: int
    stride: int
    dilation: int

    @property
    def projects(self) -> bool:
        """Whether the shortcut has a convolution."""
        return self.before != self.after or self.stride != 1


@dataclass(frozen=True, kw_only=True)
class DilatedDesign:
    """All that decides which layers there are."""

    num_layers: int  # 50 or 101
    width_multiplier: float = 1.0  # the share of the usual channels that there are

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the first convolution, and at the end of each stage."""
        first = max(1, round(_WIDTHS[0] * self.width_multiplier))
        return tuple(first * width // _WIDTHS[0] for width in _WIDTHS)

    def units(self) -> Iterator[tuple[int, UnitShape]]:
        """All units in their order, each behind the number of its stage, from 1."""
        before, *widths = self.widths
        spread = 1
        shapes = zip(UNITS[self.num_layers], widths, _STRIDES, _DILATIONS, strict=True)
        for stage, (count, after, stride, dilation) in enumerate(shapes, 1):
            for unit in range(count):
                name = f"layer{stage}.{unit}"
                step, own = (stride, spread) if unit == 0 else (1, dilation)
                yield stage, UnitShape(name, before, after // 4, after, step, own)
                before = after
            spread = dilation
