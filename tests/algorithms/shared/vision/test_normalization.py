"""Normalization against torch's own, alone and shared out between members."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from algoport.algorithms.shared.vision.normalization import EPS, MOVING, BatchNorm
from tests.groups import together


def nothing(sums: np.ndarray) -> None:
    """The exchange of one member."""


def layer(channels: int, exchange, **how) -> BatchNorm:
    made = BatchNorm(channels, exchange, **how)
    with torch.no_grad():
        made.shift.copy_(torch.linspace(-0.5, 0.5, channels))
        made.scale.copy_(torch.linspace(0.5, 1.5, channels))
    return made


def plainly(x: torch.Tensor, own: BatchNorm, gradient: torch.Tensor):
    x = x.clone().requires_grad_()
    scale, shift = own.scale.detach().clone().requires_grad_(), own.shift.detach().clone().requires_grad_()
    y = functional.batch_norm(x, None, None, scale, shift, True, 0.0, EPS)
    if own.rectified:
        y = torch.relu(y)
    y.backward(gradient)
    return y.detach(), x.grad, scale.grad, shift.grad


@pytest.mark.parametrize("rectified", [True, False])
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("shape", [(4, 3, 5, 5), (2, 16, 8, 8), (1, 20, 3, 1)])
def test_it_is_what_torch_computes(shape, order, rectified):
    random = torch.Generator().manual_seed(0)
    x = (torch.randn(shape, generator=random) * 3 + 100).contiguous(memory_format=order)
    gradient = torch.randn(shape, generator=random)
    own = layer(shape[1], nothing, rectified=rectified)
    given = x.clone().requires_grad_()

    y = own(given)
    y.backward(gradient)

    want = plainly(x, own, gradient)
    for mine, theirs in zip((y.detach(), given.grad, own.scale.grad, own.shift.grad), want, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=2e-4, atol=2e-4)


def test_moving_averages_follow_the_batch():
    x = torch.randn(8, 3, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 + 5
    own = layer(3, nothing)

    own(x)

    values = x.permute(1, 0, 2, 3).reshape(3, -1)
    torch.testing.assert_close(own.mean, (1 - MOVING) * values.mean(dim=1))
    torch.testing.assert_close(own.variance, MOVING + (1 - MOVING) * values.var(dim=1, correction=0))
    own.eval()
    want = torch.relu(
        (x - own.mean.view(1, -1, 1, 1)) / (own.variance.view(1, -1, 1, 1) + EPS).sqrt() * own.scale.view(1, -1, 1, 1)
        + own.shift.view(1, -1, 1, 1)
    )
    torch.testing.assert_close(own(x).detach(), want.detach(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("cut", [3, 0, 7, 8])
def test_shared_out_between_members_it_is_what_one_computes(cut):
    """Also where a member has no picture."""
    random = torch.Generator().manual_seed(1)
    x, gradient = torch.randn(8, 4, 3, 3, generator=random) + 2, torch.randn(8, 4, 3, 3, generator=random)

    def member(group):
        own = layer(4, group.sum_)
        mine = (slice(0, cut), slice(cut, None))[group.rank]
        given = x[mine].clone().requires_grad_()
        y = own(given)
        y.backward(gradient[mine])
        return y.detach(), given.grad, own.scale.grad, own.shift.grad, own.mean

    (y0, x0, scale0, shift0, mean0), (y1, x1, scale1, shift1, mean1) = together(2, member)

    y, back, scale, shift = plainly(x, layer(4, nothing), gradient)
    torch.testing.assert_close(torch.cat([y0, y1]), y, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(torch.cat([x0, x1]), back, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(scale0 + scale1, scale, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(shift0 + shift1, shift, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(mean0, mean1, rtol=0, atol=0)


def test_without_a_learned_scale_only_the_shift_learns():
    own = BatchNorm(3, nothing, rectified=False, scaled=False)

    own(torch.randn(4, 3, 2, 2)).sum().backward()

    assert [name for name, _ in own.named_parameters()] == ["shift"]
    torch.testing.assert_close(own.shift.grad, torch.full((3,), 16.0))


def test_reduced_precision_stays_close_to_float32():
    x = torch.randn(16, 8, 6, 6, generator=torch.Generator().manual_seed(2))
    own = layer(8, nothing)

    long, short = own(x), own(x.to(torch.bfloat16))

    assert short.dtype == torch.bfloat16
    torch.testing.assert_close(short.float(), long, rtol=0.02, atol=0.02)
