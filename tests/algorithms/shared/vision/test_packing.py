"""A packed network says what it said before, by the library's fused convolutions and without them."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from algoport.algorithms.shared.vision.packing import PackedConvolution, PackedUnit, pack
from algoport.algorithms.shared.vision.residual.design import Design
from algoport.algorithms.shared.vision.residual.network import Backbone, initialize, parameters
from algoport.algorithms.shared.vision.vgg import Backbone as Plain


class Features(nn.Module):
    """The last of a network's maps."""

    def __init__(self, base: nn.Module) -> None:
        super().__init__()
        self.base = base

    def forward(self, x):
        return self.base.features(x)[-1]


def made(kind: str) -> Features:
    """A network whose normalizations have something to do."""
    torch.manual_seed(0)
    if kind == "vgg":
        base: nn.Module = Plain(0.0625)
    else:
        base = Backbone(Design(num_layers=int(kind), channels=3, height=40 if int(kind) > 20 else 8), lambda sums: None)
        initialize(base, 0)
        with torch.no_grad():
            for name, tensor in parameters(base):
                if not name.endswith("_weight"):
                    tensor.copy_(torch.rand_like(tensor) + (0.5 if name.endswith(("_gamma", "_moving_var")) else 0))
    return Features(base).eval().to(memory_format=torch.channels_last)


@pytest.fixture(params=[True, False], ids=["fused", "plain"])
def library(request, monkeypatch):
    """With the library of fused convolutions, and as if there were none."""
    if not request.param:
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)


@pytest.mark.parametrize("kind", ["vgg", "20", "34", "50"])
def test_a_packed_network_says_the_same(kind, library):
    network = made(kind)
    packed = copy.deepcopy(network)
    x = torch.rand(1, 3, 40, 40).mul_(255).to(memory_format=torch.channels_last)

    pack(packed, x)

    assert not any(isinstance(module, nn.Conv2d) for module in packed.modules())
    assert any(isinstance(module, PackedUnit) for module in packed.modules()) == (kind != "vgg")
    with torch.inference_mode():
        for given in (x, torch.rand(3, 3, 40, 40).mul_(255), torch.rand(1, 3, 56, 48).mul_(255)):
            want = network(given)
            torch.testing.assert_close(packed(given), want, rtol=1e-3, atol=float(1e-4 * want.abs().max()))


def test_a_sum_comes_before_the_rectifier(library):
    weight, x = torch.randn(4, 3, 3, 3), torch.randn(2, 3, 6, 6).to(memory_format=torch.channels_last)
    plus = torch.randn(2, 4, 6, 6).to(memory_format=torch.channels_last)
    before = plus.clone()

    packed = PackedConvolution(weight, torch.ones(4), x.shape, padding=1, rectified=True)
    with torch.inference_mode():
        out = packed(x, plus)

    want = (nn.functional.conv2d(x, weight, torch.ones(4), padding=1) + plus).relu()
    torch.testing.assert_close(out, want, rtol=1e-4, atol=1e-4)
    assert torch.equal(plus, before)
