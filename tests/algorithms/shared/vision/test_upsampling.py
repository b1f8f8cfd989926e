"""Losses, classes and probabilities against torch at full size."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from algoport.algorithms.shared.vision import upsampling

SIZES = [(1, 1, 1, 1), (1, 1, 8, 8), (3, 5, 24, 40), (4, 3, 29, 23), (30, 20, 17, 11)]


def scores(n, k, h, w, seed=0):
    return torch.randn(n, k, h, w, generator=torch.Generator().manual_seed(seed)) * 3


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("k", [2, 21])
def test_the_loss_and_its_gradient_are_those_of_torch_at_full_size(size, k):
    h, w, height, width = size
    random = np.random.default_rng(1)
    classes = random.integers(0, k, (2, height, width))
    classes[random.random(classes.shape) < 0.2] = 255
    ours, theirs = (scores(2, k, h, w).requires_grad_() for _ in range(2))

    loss, count = upsampling.cross_entropy(ours, torch.from_numpy(classes.astype(np.uint8)))
    (loss * 0.5).backward()

    whole = functional.interpolate(theirs, (height, width), mode="bilinear", align_corners=False)
    want = functional.cross_entropy(whole, torch.from_numpy(classes), ignore_index=255, reduction="sum")
    (want * 0.5).backward()
    assert count == (classes != 255).sum()
    torch.testing.assert_close(loss.float(), want, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-4)


def test_a_batch_of_which_nothing_counts_has_no_loss():
    own = scores(1, 3, 2, 2).requires_grad_()

    loss, count = upsampling.cross_entropy(own, torch.full((1, 16, 16), 255, dtype=torch.uint8))
    loss.backward()

    assert float(loss) == count == 0 and not own.grad.any()


def test_a_member_without_pictures_has_no_loss():
    own = torch.zeros(0, 3, 2, 2, requires_grad=True)

    loss, count = upsampling.cross_entropy(own, torch.zeros((0, 16, 16), dtype=torch.uint8))
    loss.backward()

    assert float(loss) == count == 0


@pytest.mark.parametrize("size", SIZES)
def test_classes_and_probabilities_are_those_of_torch_at_full_size(size):
    h, w, height, width = size
    own = scores(1, 7, h, w).contiguous(memory_format=torch.channels_last)

    classes = upsampling.classes(own, height, width)
    probabilities = upsampling.probabilities(own, height, width)

    want = functional.interpolate(own, (height, width), mode="bilinear", align_corners=False)
    np.testing.assert_allclose(probabilities, want.softmax(1)[0].numpy(), rtol=1e-4, atol=1e-6)
    reached = np.take_along_axis(want.numpy(), classes[:, None].astype(np.int64), 1)
    np.testing.assert_allclose(reached, want.numpy().max(1, keepdims=True), rtol=1e-5, atol=1e-5)


def test_of_equal_scores_the_first_class_wins():
    assert not upsampling.classes(torch.zeros(1, 5, 2, 2), 9, 9).any()
