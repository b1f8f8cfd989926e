"""Recurrent layers over ragged batches beside torch's own over packed ones."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from algoport.algorithms.shared.neural.recurrent import Cell, Recurrent, orthogonal_

LENGTHS = torch.tensor([7, 1, 4, 7, 2, 6, 3, 5, 7])


def batch(inputs: int) -> torch.Tensor:
    return torch.randn(len(LENGTHS), 7, inputs, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_outputs_and_gradients_are_torch_s(kind, bidirectional):
    """What stands past a sequence's length counts for nothing."""
    own = Recurrent(kind, 5, 6, bidirectional=bidirectional)
    layer = nn.LSTM if kind == "lstm" else nn.GRU
    peer = layer(5, 6, batch_first=True, bidirectional=bidirectional)
    peer.load_state_dict(own.layer.state_dict())
    x, y = batch(5).requires_grad_(), batch(5).requires_grad_()
    weights = torch.randn(len(LENGTHS), 7, 12 if bidirectional else 6, generator=torch.Generator().manual_seed(1))

    outputs, last = own(x, LENGTHS)
    ((outputs * weights).sum() + last.square().sum()).backward()
    packed, state = peer(pack_padded_sequence(y, LENGTHS, batch_first=True, enforce_sorted=False))
    want, _ = pad_packed_sequence(packed, batch_first=True)
    final = (state[0] if kind == "lstm" else state).transpose(0, 1).reshape(len(y), -1)
    ((want * weights).sum() + final.square().sum()).backward()

    torch.testing.assert_close(outputs, want, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(last, final, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(x.grad, y.grad, rtol=1e-3, atol=1e-4)
    for (name, mine), theirs in zip(own.layer.named_parameters(), peer.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_steps_of_a_cell_are_those_of_a_layer(kind):
    layer, cell = Recurrent(kind, 5, 6), Cell(kind, 5, 6)
    cell.cell.load_state_dict({name.removesuffix("_l0"): own for name, own in layer.layer.state_dict().items()})
    x = batch(5)
    state = (torch.zeros(len(x), 6),) * (2 if kind == "lstm" else 1)

    steps = []
    for step in range(7):
        output, state = cell(x[:, step], state)
        steps.append(output)

    outputs, _ = layer(x, torch.full((len(x),), 7))
    torch.testing.assert_close(torch.stack(steps, 1), outputs, rtol=1e-4, atol=1e-5)


def test_recurrent_weights_are_orthogonal_a_gate():
    layer = Recurrent("lstm", 5, 6)

    orthogonal_(layer, 0)

    for gate in layer.layer.weight_hh_l0.detach().split(6):
        torch.testing.assert_close(gate @ gate.T, torch.eye(6), rtol=0, atol=1e-5)
    assert not layer.layer.bias_ih_l0.any() and layer.layer.weight_ih_l0.abs().max() <= (3 / 5) ** 0.5
