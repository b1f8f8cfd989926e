"""The recurrence over ragged sequences, both ways: against torch's LSTM, sequence by sequence."""

from __future__ import annotations

import itertools

import numba
import numpy as np
import pytest
import torch

from algoport.algorithms.shared.neural.kernels import packed_lstm
from algoport.algorithms.shared.sequences.lengths import Steps


@pytest.mark.parametrize("n, h, longest", [(1, 1, 1), (3, 5, 6), (30, 33, 17), (14, 520, 3)])
def test_states_and_gradients_are_those_of_torch(n: int, h: int, longest: int) -> None:
    random, d = np.random.default_rng(n), 4
    offsets = np.concatenate([[0], np.cumsum(random.integers(1, longest + 1, n))])
    p, steps = int(offsets[-1]), Steps.of(offsets)
    inputs, states, x, by_out = (
        random.normal(0, 0.3, size).astype(np.float32)
        for size in ((2, d, 4 * h), (2, h, 4 * h), (p, d), (p, 2 * h))
    )  # fmt: skip
    orders = steps.rows, steps.reversed_rows
    gates, hidden, cells, given = (np.empty((2, p, width), np.float32) for width in (4 * h, h, h, h))
    for way, rows in enumerate(orders):
        gates[way][rows] = x @ inputs[way]
        given[way][rows] = by_out[:, way * h : (way + 1) * h]

    packed_lstm.forward_(gates, states, steps.begins, hidden, cells)
    out = np.concatenate([hidden[way][rows] for way, rows in enumerate(orders)], axis=1)
    packed_lstm.backward_(gates, states, steps.begins, cells, given)
    by_x = sum((gates[way] @ inputs[way].T)[rows] for way, rows in enumerate(orders))

    want, want_by_x = _by_torch(offsets, inputs, states, x, by_out)
    np.testing.assert_allclose(out, want, atol=1e-5)
    np.testing.assert_allclose(by_x, want_by_x, atol=1e-4, rtol=1e-3)


def test_bits_do_not_depend_on_the_number_of_threads() -> None:
    random, h = np.random.default_rng(1), 24
    steps = Steps.of(np.concatenate([[0], np.cumsum(random.integers(1, 9, 60))]))
    p = int(steps.begins[-1])
    first, states = random.normal(size=(2, p, 4 * h)), random.normal(size=(2, h, 4 * h)).astype(np.float32)
    before, results = numba.get_num_threads(), []
    for threads in (1, before):
        numba.set_num_threads(threads)
        gates = first.astype(np.float32)
        hidden, cells = np.empty((2, p, h), np.float32), np.empty((2, p, h), np.float32)
        packed_lstm.forward_(gates, states, steps.begins, hidden, cells)
        packed_lstm.backward_(gates, states, steps.begins, cells, hidden.copy())
        results.append((hidden, gates))
    numba.set_num_threads(before)

    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def _by_torch(offsets, inputs, states, x, by_out):  # type: ignore[no-untyped-def]
    network = torch.nn.LSTM(x.shape[1], states.shape[1], bidirectional=True)
    with torch.no_grad():
        for way, suffix in enumerate(("", "_reverse")):
            getattr(network, f"weight_ih_l0{suffix}").copy_(torch.from_numpy(inputs[way].T.copy()))
            getattr(network, f"weight_hh_l0{suffix}").copy_(torch.from_numpy(states[way].T.copy()))
            getattr(network, f"bias_ih_l0{suffix}").zero_()
            getattr(network, f"bias_hh_l0{suffix}").zero_()
    rows = torch.from_numpy(x).requires_grad_()
    outs = [network(rows[a:b][:, None])[0][:, 0] for a, b in itertools.pairwise(offsets)]
    whole = torch.cat(outs)
    (whole * torch.from_numpy(by_out)).sum().backward()
    assert rows.grad is not None
    return whole.detach().numpy(), rows.grad.numpy()
