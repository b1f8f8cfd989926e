"""The likeliest words by codes, beside the same in double precision."""

import numpy as np
import pytest

from algoport.algorithms.seq2seq import screening
from algoport.algorithms.seq2seq.kernels.codes import BLOCK, FULL, HALF, ROWS
from algoport.algorithms.seq2seq.screening import Screen

pytestmark = pytest.mark.skipif(not screening.is_available(), reason="this processor has no products of codes")
NEVER = [0, 2]


@pytest.fixture(autouse=True, params=[HALF, FULL])
def most_code(request, monkeypatch):
    """Each way of this processor to multiply."""
    if request.param > screening.most_code():
        pytest.skip("this processor has no instruction for four products at once")
    monkeypatch.setattr(screening, "most_code", lambda: request.param)


def drawn(n, h, v, sharp=1.0, seed=0):
    random = np.random.default_rng(seed)
    rows = np.tanh(random.normal(size=(n, h))).astype(np.float32)
    output = (sharp * random.normal(size=(v, h))).astype(np.float32)
    return rows, output, random.normal(size=v).astype(np.float32)


def answers(screen, rows, k, picks=None):
    """Values, words, logarithms of sums, and rows that are left over."""
    n = len(rows)
    values, words, sums = np.full((n, k), -np.inf, np.float32), np.full((n, k), -1, np.int64), np.zeros(n)
    left = screen.best_(rows, np.arange(n) if picks is None else picks, values, words, sums)
    return values, words, sums, left


def plainly(rows, output, bias, k):
    """The same of all rows, in double precision."""
    logits = rows.astype(float) @ output.T.astype(float) + bias
    sums = np.log(np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1)) + logits.max(axis=1)
    logits[:, NEVER] = -np.inf
    words = np.argsort(-logits, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(logits, words, axis=1), words, sums


@pytest.mark.parametrize("n", [1, ROWS, ROWS + 1, 3 * ROWS - 1])
@pytest.mark.parametrize("h, v, k", [(1, 5, 2), (12, 14, 3), (33, BLOCK, 5), (64, 1001, 1), (256, 1500, 5)])
def test_the_best_words_and_their_logits_are_those_of_float32(n, h, v, k):
    rows, output, bias = drawn(n, h, v, seed=n)

    values, words, sums, left = answers(Screen.of(output, bias), rows, k)

    want = plainly(rows, output, bias, k)
    assert not len(left)
    gaps = np.diff(plainly(rows, output, bias, k + 1)[0])
    clear = (-gaps > 1e-4 * (1 + np.abs(want[0]))).all(axis=1) if v > k + 2 else np.ones(n, bool)
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(words[clear], want[1][clear])
    np.testing.assert_allclose(values, want[0], rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(sums, want[2], atol=0.05)  # other words' logits are of 8 bits


def test_of_words_that_are_equally_likely_the_first_is_chosen():
    rows, output, bias = drawn(5, 16, 400)
    output[100:] = output[:300]
    bias[100:] = bias[:300]

    _, words, _, left = answers(Screen.of(output, bias), rows, 4)

    logits = rows.astype(float) @ output.T.astype(float) + bias
    logits[:, NEVER] = -np.inf
    assert not len(left)
    assert (np.sort(words[:, :1], axis=1) % 100 == words[:, :1] % 100).all()
    chosen = np.take_along_axis(logits, words, axis=1)
    for row, own in zip(chosen, words, strict=True):
        assert (np.diff(row) <= 1e-5).all()
        assert all(one < two for one, two, gap in zip(own, own[1:], np.diff(row), strict=False) if abs(gap) < 1e-9)


def test_where_too_many_words_may_be_the_best_a_row_is_left_to_others():
    rows, output, bias = drawn(6, 16, 3000)
    output[:] = 0.001 * output  # all words are alike
    bias[:] = 0
    rows[2] = 0

    values, words, _, left = answers(Screen.of(output, bias), rows, 2)

    assert left.tolist() == [2]  # whose logits are all 0
    want = plainly(rows, output, bias, 2)
    others = [0, 1, 3, 4, 5]
    np.testing.assert_array_equal(words[others], want[1][others])
    assert (words[2] == -1).all()
    assert np.isneginf(values[2]).all()


def test_company_changes_no_bit():
    rows, output, bias = drawn(70, 100, 700, seed=3)
    screen = Screen.of(output, bias)

    values, words, sums, _ = answers(screen, rows, 5)

    for number in (0, 13, 69):
        own = answers(screen, rows[number : number + 1], 5)
        np.testing.assert_array_equal(own[0][0], values[number])
        np.testing.assert_array_equal(own[1][0], words[number])
        assert own[2][0] == sums[number]


def test_only_the_rows_that_are_named_are_set():
    rows, output, bias = drawn(9, 20, 50)

    values, words, sums, _ = answers(Screen.of(output, bias), rows, 3, np.array([7, 2]))

    assert np.flatnonzero(words[:, 0] >= 0).tolist() == [2, 7]
    assert np.flatnonzero(sums).tolist() == [2, 7]
    np.testing.assert_array_equal(words[[2, 7]], plainly(rows, output, bias, 3)[1][[2, 7]])
    assert np.isfinite(values[[2, 7]]).all()


def test_weights_or_rows_without_codes_are_left_to_others():
    rows, output, bias = drawn(3, 8, 40)
    rows[1, 3] = np.nan

    left = answers(Screen.of(output, bias), rows, 2)[3]

    assert left.tolist() == [1]
    huge = output.copy()
    huge[5] = 3e38
    assert Screen.of(huge, bias) is None
    assert Screen.of(np.zeros((5, screening.MOST + 1), np.float32), np.zeros(5, np.float32)) is None


def test_the_largest_codes_overflow_nowhere():
    """All products of neighbors are as large as they can be, and of one sign; a bias tells one word from its equals."""
    rows, output = np.ones((2, 4096), np.float32), np.ones((70, 4096), np.float32)
    rows[1], output[40:] = -1, -1
    bias = np.zeros(70, np.float32)
    bias[[7, 50]] = 1000

    values, words, _, left = answers(Screen.of(output, bias), rows, 1)

    assert not len(left)
    assert values.tolist() == [[5096], [5096]] and words.tolist() == [[7], [50]]
