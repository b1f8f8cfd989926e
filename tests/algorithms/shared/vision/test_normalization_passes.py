"""The kernels of normalization beside torch's own operations."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from algoport.algorithms.shared.vision.normalization_passes import CompiledPasses, TorchPasses, passes

SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 70), st.integers(1, 9), st.integers(1, 9))
CLOSE = {torch.float32: 1e-5, torch.bfloat16: 1e-2}


def made(shape, kind, seed, mean=0.0):
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=random) * 2 + mean
    return x.to(kind).contiguous(memory_format=torch.channels_last)


def channels(shape, seed):
    random = torch.Generator().manual_seed(seed)
    return [torch.randn(shape[1], generator=random) for _ in range(6)]


@settings(max_examples=60, deadline=None)
@given(SHAPES, st.sampled_from(list(CLOSE)), st.booleans(), st.integers(0, 99))
def test_kernels_are_what_torch_computes(shape, kind, rectified, seed):
    x, gradient = made(shape, kind, seed), made(shape, kind, seed + 1)
    mean, slope, level, f, g, h = channels(shape, seed)
    near = {"rtol": CLOSE[kind], "atol": CLOSE[kind]}
    own, want = CompiledPasses(), TorchPasses()

    for mine, theirs in zip(own.moments(x), want.moments(x.float()), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-4)
    given_ = x, slope, level, rectified
    torch.testing.assert_close(own.normalize(*given_), want.normalize(*given_), **near)
    # Where the line passes near 0, rounding decides what the rectifier lets through: such values are put aside.
    clear = (x.float() * slope.view(1, -1, 1, 1) + level.view(1, -1, 1, 1)).abs() > 1e-4
    gradient = torch.where(clear, gradient, 0).contiguous(memory_format=torch.channels_last)
    given_ = gradient, x, mean, slope, level, rectified
    torch.testing.assert_close(own.slopes(*given_), want.slopes(*given_), rtol=1e-3, atol=1e-3)
    given_ = gradient, x, slope, level, rectified, torch.stack([f, g, h])
    torch.testing.assert_close(own.backward(*given_), want.backward(*given_), **near)


def test_bfloat16_is_rounded_to_the_nearest_and_of_two_to_the_even_one():
    x = torch.arange(0x3F80, 0x4080, dtype=torch.int32).to(torch.int16).view(torch.bfloat16).view(1, 1, 16, 16)
    x = x.contiguous(memory_format=torch.channels_last)
    for slope in (1.0, 1.0 + 2.0**-8, 1.0 + 2.0**-9, -3.14159):
        line = torch.tensor([slope]), torch.tensor([0.0])

        output = CompiledPasses().normalize(x, *line, False)

        assert torch.equal(output, (x.float() * slope).to(torch.bfloat16))


def test_a_mean_that_dwarfs_the_spread_keeps_its_digits():
    x = made((8, 5, 9, 9), torch.float32, 0, mean=3e4)

    mean, variance = CompiledPasses().moments(x)

    values = x.double().permute(1, 0, 2, 3).reshape(5, -1)
    np.testing.assert_allclose(mean, values.mean(1), rtol=1e-7)
    np.testing.assert_allclose(variance, values.var(1, correction=0), rtol=1e-4)


@pytest.mark.parametrize("kind", list(CLOSE))
def test_what_is_no_number_stays_none(kind):
    x = made((2, 16, 3, 3), kind, 0)
    x[0, 3, 1, 1] = float("nan")

    mean, _ = CompiledPasses().moments(x)
    out = CompiledPasses().normalize(x, torch.ones(16), torch.zeros(16), False)

    assert np.isnan(mean[3]) and np.isfinite(np.delete(mean, 3)).all()
    assert out.isnan().sum() == 1


def test_other_orders_and_types_are_left_to_torch():
    x = torch.randn(2, 4, 3, 3)

    assert isinstance(passes(x.contiguous(memory_format=torch.channels_last)), CompiledPasses)
    for other in (x, x.double().contiguous(memory_format=torch.channels_last), x[:0]):
        assert isinstance(passes(other), TorchPasses)
