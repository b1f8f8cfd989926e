"""State as arrays."""

import numpy as np
import torch
from torch import nn

from algoport.algorithms.shared.neural import snapshots


def test_state_is_kept_bit_for_bit_in_any_order_of_memory():
    module = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)).to(memory_format=torch.channels_last)
    module(torch.randn(4, 2, 5, 5))
    again = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))

    kept = snapshots.over("own.", snapshots.arrays(module.state_dict().items()))
    snapshots.fill(again.state_dict().items(), snapshots.under("own.", {**kept, "other": np.zeros(1)}))

    for name, tensor in again.state_dict().items():
        assert torch.equal(tensor, module.state_dict()[name]), name
    assert all(array.flags.c_contiguous for array in kept.values())


def test_kept_arrays_are_copies():
    module = nn.Linear(2, 2)
    kept = snapshots.arrays(module.state_dict().items())
    before = kept["weight"].copy()

    torch.nn.init.zeros_(module.weight)

    np.testing.assert_array_equal(kept["weight"], before)
