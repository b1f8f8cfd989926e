"""State as arrays."""

import numpy as np
import torch
from torch import nn

from algoport.algorithms.shared.neural import tensors


def test_state_is_copied_bit_for_bit_in_any_order_of_memory():
    module = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)).to(memory_format=torch.channels_last)
    module(torch.randn(4, 2, 5, 5))
    again = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))

    copies = tensors.with_prefix("own.", tensors.arrays(module.state_dict().items()))
    tensors.fill(again.state_dict().items(), tensors.section("own.", {**copies, "other": np.zeros(1)}))

    for name, tensor in again.state_dict().items():
        assert torch.equal(tensor, module.state_dict()[name]), name
    assert all(array.flags.c_contiguous for array in copies.values())


def test_saved_arrays_are_copies():
    module = nn.Linear(2, 2)
    copies = tensors.arrays(module.state_dict().items())
    before = copies["weight"].copy()

    torch.nn.init.zeros_(module.weight)

    np.testing.assert_array_equal(copies["weight"], before)
