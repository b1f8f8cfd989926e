"""Gradients in one array, and their exchange while they are still being computed."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from algoport.algorithms.contract.group import Alone
from algoport.algorithms.shared.neural.weights import Weights
from tests.groups import together


def network(seed=0):
    torch.manual_seed(seed)
    layers = [nn.Conv2d(2, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 3, 3, padding=1), nn.Flatten(), nn.Linear(48, 5)]
    return nn.Sequential(*layers)


def pictures(count=8):
    return torch.randn((count, 2, 4, 4), generator=torch.Generator().manual_seed(3))


class Spy(Alone):
    """Notes what is sent, and what was waited for."""

    def __init__(self):
        self.sent, self.done = [], []

    def summing(self, array):
        self.sent.append(array)
        return lambda: self.done.append(array)


def test_parameters_and_gradients_are_views_of_one_array():
    own = network()
    want = [parameter.detach().clone() for parameter in own.parameters()]

    weights = Weights(own, Alone())

    for parameter, before in zip(own.parameters(), want, strict=True):
        torch.testing.assert_close(parameter.detach(), before)
    own(pictures()).sum().backward()
    assert float(weights.gradients.abs().sum()) > 0
    weights.values.zero_()
    assert all(not parameter.any() for parameter in own.parameters())


def test_gradients_are_those_of_the_network_as_it_was():
    plain, own = network(), network()
    plain(pictures()).square().sum().backward()
    weights = Weights(own, Alone())
    for _ in range(2):  # the second step does not add to the first
        weights.reset()
        own(pictures()).square().sum().backward()
        weights.exchange()

    for wanted, got in zip(plain.parameters(), own.parameters(), strict=True):
        torch.testing.assert_close(got.grad, wanted.grad)


@pytest.mark.parametrize("bucket", [1, 50, 10**9])
def test_all_gradients_are_sent_once_from_the_last_layer_to_the_first(bucket):
    own, spy = network(), Spy()
    weights = Weights(own, spy, bucket=bucket)

    weights.reset()
    own(pictures()).sum().backward()
    early = len(spy.sent)
    weights.exchange()

    places = [(sent.storage_offset(), len(sent)) for sent in spy.sent]
    assert sum(length for _, length in places) == len(weights.gradients)
    assert all(at == later + length for (at, _), (later, length) in pairwise(places))
    assert early == len(places)  # before `exchange` was called: in the backward pass
    assert len(spy.done) == len(places)
    assert len(places) == {1: 6, 50: 3, 10**9: 1}[bucket]


def test_what_is_sent_is_complete():
    """The hook of a bucket is called when all of its gradients are added up, not when the first is."""
    own = network()

    class Copying(Alone):
        def summing(self, array):
            copies.append(array.clone())
            return self.barrier

    copies = []
    weights = Weights(own, Copying(), bucket=50)
    weights.reset()
    own(pictures()).square().sum().backward()
    weights.exchange()

    torch.testing.assert_close(torch.cat(copies[::-1]), weights.gradients, rtol=0, atol=0)


def test_a_layer_without_a_part_in_the_loss_sends_zeros():
    own, spy = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 3)]), Spy()
    weights = Weights(own, spy, bucket=1)

    weights.reset()
    own[0](own[2](torch.ones(1, 3))).sum().backward()
    weights.exchange()

    assert sum(len(sent) for sent in spy.sent) == len(weights.gradients)
    assert not own[1].weight.grad.any()


@pytest.mark.parametrize("shares", [(4, 4), (8, 0), (3, 4, 1)])
def test_members_get_the_gradients_of_one(shares):
    """A member may have no pictures."""
    whole = network()
    alone = Weights(whole, Alone())
    alone.reset()
    whole(pictures()).square().sum().backward()
    alone.exchange()
    networks = [network() for _ in shares]
    parts = torch.split(pictures(), list(shares))

    def member(group):
        weights = Weights(networks[group.rank], group, bucket=50)
        weights.reset()
        networks[group.rank](parts[group.rank]).square().sum().backward()
        weights.exchange()
        return weights.gradients

    for gradients in together(len(shares), member):
        torch.testing.assert_close(gradients, alone.gradients, rtol=1e-4, atol=1e-4)
