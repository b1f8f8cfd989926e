"""Convolutions by tiles are those of the library, in both directions."""

from __future__ import annotations

import itertools

import numba
import pytest
import torch
from torch import nn
from torch.nn import functional

from algoport.algorithms.shared.vision import winograd
from algoport.algorithms.shared.vision.convolution import Convolution, RectifiedConvolution
from algoport.algorithms.shared.vision.packing import PackedConvolution

LAST = torch.channels_last

# n, c, o, h, w, dilation: whole tiles and parts of them, one block and several, one group of sums and several.
SHAPES = [
    (1, 32, 32, 8, 8, 1),
    (2, 32, 64, 13, 9, 1),
    (3, 64, 32, 21, 40, 1),
    (1, 64, 96, 30, 30, 2),
    (2, 64, 32, 31, 30, 4),
    (4, 32, 32, 19, 19, 6),
    (2, 32, 32, 75, 75, 1),
    (1, 192, 96, 36, 37, 1),
]


def layer(c: int, o: int, dilation: int, bias: bool) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(c, o, 3, padding=dilation, dilation=dilation, bias=bias).to(memory_format=LAST)


def given(n: int, c: int, h: int, w: int) -> torch.Tensor:
    torch.manual_seed(1)
    return torch.randn(n, c, h, w).to(memory_format=LAST)


def passes(plain: nn.Conv2d, x: torch.Tensor, rectified: bool) -> list[torch.Tensor]:
    """What comes out, and the gradients of all that goes in."""
    x = x.clone(memory_format=torch.preserve_format).requires_grad_()
    out = winograd.convolution(x, plain, rectified=rectified)
    assert out is not None
    torch.manual_seed(2)
    of = [x, *plain.parameters()]
    return [out.detach(), *torch.autograd.grad(out, of, torch.randn(out.shape))]


def exactly(plain: nn.Conv2d, x: torch.Tensor, open_: torch.Tensor | None) -> list[torch.Tensor]:
    """The same by the library in float64; `open_`: where the rectifier lets numbers through."""
    own = [x.double().requires_grad_(), *(each.detach().double().requires_grad_() for each in plain.parameters())]
    bias = own[2] if len(own) > 2 else None
    out = functional.conv2d(own[0], own[1], bias, 1, plain.padding, plain.dilation)
    out = out if open_ is None else out * open_
    torch.manual_seed(2)
    return [out.detach(), *torch.autograd.grad(out, own, torch.randn(out.shape).double())]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("bias", "rectified"), [(True, True), (False, False), (True, False)])
def test_both_directions_are_those_of_the_direct_convolution(shape, bias, rectified):
    n, c, o, h, w, dilation = shape
    plain, x = layer(c, o, dilation, bias), given(n, c, h, w)

    got = passes(plain, x, rectified)

    want = exactly(plain, x, got[0] > 0 if rectified else None)
    for mine, exact in zip(got, want, strict=True):
        assert float((mine - exact).abs().max() / exact.abs().max()) < 2e-5  # 4e-6 to 1e-5 are usual


@pytest.mark.parametrize("shape", [(2, 32, 64, 30, 29, 1), (1, 192, 96, 36, 37, 1)], ids=str)
def test_any_number_of_threads_gives_the_same_bits(shape):
    n, c, o, h, w, dilation = shape
    plain, x, most = layer(c, o, dilation, True), given(n, c, h, w), numba.get_num_threads()

    several = passes(plain, x, True)
    numba.set_num_threads(1)
    try:
        one = passes(plain, x, True)
    finally:
        numba.set_num_threads(most)

    for mine, other in zip(one, several, strict=True):
        assert torch.equal(mine, other)


def test_the_bits_of_a_picture_do_not_depend_on_those_beside_it():
    plain, x = layer(32, 32, 1, True), given(5, 32, 33, 35)

    whole, alone = (winograd.convolution(part, plain) for part in (x, x[3:4]))

    assert torch.equal(whole[3:4], alone)
    small = given(100, 128, 9, 9), layer(128, 128, 1, True)  # few places a picture, many of all
    assert winograd.convolution(*small) is None


@pytest.mark.parametrize(
    ("size", "how"),
    [
        ((2, 32, 20, 20), {"stride": 2, "padding": 1}),
        ((2, 32, 20, 20), {"padding": 0}),
        ((2, 32, 20, 20), {"padding": 1, "dilation": 2}),
        ((2, 32, 30, 30), {"padding": 12, "dilation": 12}),  # tiles would be nearly empty
        ((64, 32, 2, 3), {"padding": 1}),  # few places
        ((0, 32, 20, 20), {"padding": 1}),
        ((2, 24, 20, 20), {"padding": 1}),
    ],
    ids=str,
)
def test_what_the_library_does_faster_is_left_to_it(size, how):
    plain = nn.Conv2d(size[1], 32, 3, **how)

    assert winograd.convolution(torch.zeros(size).to(memory_format=LAST), plain) is None


def test_the_layer_that_the_refused_ones_differ_from_is_taken():
    assert winograd.convolution(given(2, 32, 20, 20), layer(32, 32, 1, True)) is not None


def test_other_types_and_orders_are_left_to_the_library():
    plain = layer(32, 32, 1, True)
    x = given(2, 32, 20, 20)

    assert winograd.convolution(x.contiguous(), plain) is None
    assert winograd.convolution(x.double(), plain.double()) is None
    with torch.autocast("cpu", torch.bfloat16):
        assert winograd.convolution(x, layer(32, 32, 1, True)) is None
        assert Convolution(32, 32, 3, padding=1)(x).dtype == torch.bfloat16


def test_a_network_learns_as_by_the_library(monkeypatch):
    """Layers whose inputs need gradients and layers whose do not, for some steps."""

    def losses() -> list[float]:
        torch.manual_seed(0)
        parts = [RectifiedConvolution(32, 32, 3, padding=1), Convolution(32, 64, 3, padding=2, dilation=2), nn.ReLU()]
        network = nn.Sequential(*parts, RectifiedConvolution(64, 32, 3, padding=1)).to(memory_format=LAST)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.2, momentum=0.9)
        x, want = given(2, 32, 24, 25), torch.rand(2, 32, 24, 25)
        curve = []
        for _ in range(20):
            loss = (network(x) - want).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            curve.append(float(loss.detach()))
        return curve

    ours = losses()
    monkeypatch.setattr(winograd, "convolution", lambda x, plain, *, rectified=False: None)
    theirs = losses()

    assert theirs[-1] < 0.6 * theirs[0]
    assert ours != theirs
    torch.testing.assert_close(torch.tensor(ours), torch.tensor(theirs), rtol=1e-4, atol=0)


@pytest.mark.parametrize(("summed", "rectified"), itertools.product([False, True], repeat=2))
def test_a_packed_convolution_is_by_tiles_too(summed, rectified):
    plain, x = layer(32, 64, 1, True), given(1, 32, 24, 24)
    plus = torch.randn(1, 64, 24, 24).to(memory_format=LAST) if summed else None
    packed = PackedConvolution.of(plain, x.shape, rectified=rectified)
    assert packed._points is not None

    with torch.inference_mode():
        for pictures in (x, given(2, 32, 20, 24).contiguous(), given(1, 32, 7, 9)):
            beside = None if plus is None else plus[:, :, : pictures.shape[2], : pictures.shape[3]]
            before = None if beside is None else beside.clone()
            want = plain(pictures) + (0 if beside is None else beside)
            want = want.relu() if rectified else want
            torch.testing.assert_close(packed(pictures, beside), want, rtol=1e-4, atol=1e-4)
            assert beside is None or torch.equal(beside, before)
