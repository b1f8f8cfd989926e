"""Beam search beside a search of the plainest kind, whose scores come from the losses of training."""

import math

import numpy as np
import pytest

from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.seq2seq import gradients
from algoport.algorithms.seq2seq.beam import limit_of
from algoport.algorithms.seq2seq.pairs import Pairs
from tests.algorithms.seq2seq.jobs import SHAPES, drawn, network

END = 3


def following(model, source, targets):
    """(n, v) log probabilities of the token behind each of some targets of one length; <pad> and <s> are never it."""
    v, own = len(model.target), np.full((len(targets), len(model.target)), -np.inf)
    words = [token for token in range(v) if token not in (0, 2, END)]
    every = [[*target, token] for target in targets for token in words]
    pairs = Pairs(Ragged.of([source] * len(every)), Ragged.of(every))
    losses = gradients.losses(model.design, model.weights, pairs).losses.reshape(-1, len(targets), len(words))
    own[:, words] = -losses[len(targets[0])]
    ends = Pairs(Ragged.of([source] * len(targets)), Ragged.of(targets))
    own[:, END] = -gradients.losses(model.design, model.weights, ends).losses.reshape(-1, len(targets))[-1]
    return own


def plainly(model, source, beam, limit):
    """The target that beam search finds, hypothesis by hypothesis."""
    ended, going = [], [(0.0, [])]
    for step in range(1, limit + 2):
        behind = following(model, source, [target for _, target in going])
        candidates = list(ended)
        for (score, target), row in zip(going, behind, strict=True):
            candidates += [((score + own) / step, score + own, [*target, token]) for token, own in enumerate(row)]
        candidates = sorted(candidates, key=lambda each: -each[0])[:beam]
        candidates = [each for each in candidates if each[0] > -np.inf]
        ended = [each for each in candidates if each[2][-1] == END]
        going = [(score, target) for _, score, target in candidates if target[-1] != END]
        if not going:
            break
    if ended:
        return max(ended)[2][:-1]
    return max((score / (limit + 1), target) for score, target in going)[1][:limit]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("beam", [1, 3])
@pytest.mark.parametrize("exact", [False, True])
def test_it_finds_what_a_plain_search_finds(shape, beam, exact):
    model = network(**SHAPES[shape], seed=len(shape))
    source = drawn(9, seed=5, longest=5).tokens("source")

    answers = model.translate(source, beam_size=beam, max_length=5, exact=exact)

    want = [plainly(model, source[number].tolist(), beam, 5) for number in range(len(source))]
    assert [own.tokens for own in answers] == want
    assert len({tuple(own) for own in want}) > 3  # the sentences do differ


def test_one_hypothesis_is_the_likeliest_token_at_every_step():
    model = network(seed=2)
    source = drawn(6, seed=3).tokens("source")

    for number, own in enumerate(model.translate(source, beam_size=1, max_length=6)):
        target = []
        while len(target) < 6:
            token = int(following(model, source[number].tolist(), [target])[0].argmax())
            if token == END:
                break
            target.append(token)
        assert own.tokens == target


@pytest.mark.parametrize("seed", range(3))
def test_with_room_for_all_hypotheses_it_finds_the_best_of_all_targets(seed):
    model = network(words=2, seed=seed)
    source = drawn(3, seed=seed, longest=4).tokens("source")

    answers = model.translate(source, beam_size=100, max_length=3)

    every = [[]]
    for length in (1, 2, 3):
        every += [[*target, token] for target in every if len(target) == length - 1 for token in (1, 4, 5)]
    assert len(every) == 40
    for number, own in enumerate(answers):
        scores = []
        for target in every:
            pair = Pairs(Ragged.of([source[number].tolist()]), Ragged.of([target]))
            loss = gradients.losses(model.design, model.weights, pair).losses.sum()
            scores.append(-loss / (len(target) + 1))
        assert own.tokens == every[int(np.argmax(scores))]


def test_company_changes_nothing_and_no_tokens_are_answered_with_none():
    model = network()
    drawn_ones = drawn(150, seed=8).tokens("source")
    source = Ragged.of([[], *(drawn_ones[number].tolist() for number in range(150))])

    together = [own.tokens for own in model.translate(source)]

    assert together[0] == []
    alone = [model.translate(source.take(np.array([number])))[0].tokens for number in range(1, 151, 10)]
    assert together[1::10] == alone


@pytest.mark.parametrize("exact", [False, True])
def test_company_changes_no_bit_of_an_lstms_weights_of_attention(exact):
    model, source = network(rnn_num_hidden=40, seed=7), drawn(70, seed=4).tokens("source")

    together = model.translate(source, matrix=True, exact=exact)

    for number in range(0, 70, 9):
        (alone,) = model.translate(source.take(np.array([number])), matrix=True, exact=exact)
        assert alone.tokens == together[number].tokens
        np.testing.assert_array_equal(alone.matrix, together[number].matrix)


def test_weights_of_attention_are_shares_of_the_source_tokens():
    model = network(seed=4)
    source = drawn(8, seed=2).tokens("source")

    for own, length in zip(model.translate(source, matrix=True), source.lengths.tolist(), strict=True):
        assert own.matrix.shape == (len(own.tokens), length)
        np.testing.assert_allclose(own.matrix.sum(axis=1), 1, rtol=1e-5)


def test_where_time_is_over_the_rest_is_answered_with_nothing():
    model = network()
    looks = iter([False, True])

    every = model.translate(drawn(70).tokens("source"), max_length=3, over=lambda: next(looks))

    assert sum(bool(own.tokens) for own in every) <= 64


@pytest.mark.parametrize("length", [1, 4, 9])
def test_targets_are_as_long_as_lengths_of_training_make_likely(length):
    limit = limit_of(1.1, 0.2, 9)

    assert limit(length) == min(9, math.ceil(length * 1.5))
    model = network(seed=6)
    (own,) = model.translate(Ragged.of([[5] * length]), max_length=2)
    assert len(own.tokens) <= 2
