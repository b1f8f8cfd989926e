"""A step of beam search: the best continuations of the hypotheses of each sentence.

n rows, one of each hypothesis that goes on   v words   k hypotheses of a sentence (the beam)   i sentences
"""

from __future__ import annotations

import math

import numba
import numpy as np

from algoport.algorithms.seq2seq.kernels.softmax import sum_of_powers
from algoport.algorithms.shared.linalg.fastmath import FAST
from algoport.algorithms.shared.threads import share

BLOCK = 64  # words whose largest logit is looked at before they are
NEVER = (0, 2)  # ids that no sentence holds: <pad> and <s>
END = 3
ROWS = 4  # of a block
SLACK = 1e-5  # what sums of float32 may be off by


@numba.njit(nogil=True, cache=True, inline="always", error_model="numpy")
def _larger(x, y):
    return x if x > y else y


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _largest_of_block(line, bias, first, last):
    """Adds the bias to some numbers of a row; the largest of them."""
    a = b = c = d = np.float32(-np.inf)
    whole = first + (last - first) // 4 * 4
    for j in range(first, whole, 4):
        line[j] += bias[j]
        line[j + 1] += bias[j + 1]
        line[j + 2] += bias[j + 2]
        line[j + 3] += bias[j + 3]
        a, b = _larger(line[j], a), _larger(line[j + 1], b)
        c, d = _larger(line[j + 2], c), _larger(line[j + 3], d)
    for j in range(whole, last):
        line[j] += bias[j]
        a = _larger(line[j], a)
    return _larger(_larger(a, b), _larger(c, d))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _best_of_row(line, bias, values, words, maxima):
    """Sets the k largest numbers of a row with its bias, the largest first, and where they are; of equal ones the
    first. Returns the logarithm of the sum of all exponentials."""
    v, k = line.shape[0], values.shape[0]
    blocks = (v + BLOCK - 1) // BLOCK
    for block in range(blocks):
        maxima[block] = _largest_of_block(line, bias, block * BLOCK, min(v, (block + 1) * BLOCK))
    most = maxima[0]
    for block in range(1, blocks):
        most = _larger(maxima[block], most)
    log_sum = np.float64(most) + math.log(np.float64(sum_of_powers(line, most)))
    values[:] = -np.inf
    words[:] = -1
    for block in range(blocks):
        if maxima[block] <= values[k - 1]:
            continue
        for j in range(block * BLOCK, min(v, (block + 1) * BLOCK)):
            value = line[j]
            if value > values[k - 1] and j != NEVER[0] and j != NEVER[1]:
                place = k - 1
                while place > 0 and values[place - 1] < value:
                    values[place], words[place] = values[place - 1], words[place - 1]
                    place -= 1
                values[place], words[place] = value, j
    return log_sum


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _best_of_block(block, logits, bias, rows, values, words, log_sums):
    maxima = np.empty((logits.shape[1] + BLOCK - 1) // BLOCK, np.float32)
    for place in range(block * ROWS, min(logits.shape[0], (block + 1) * ROWS)):
        r = rows[place]
        log_sums[r] = _best_of_row(logits[place], bias, values[r], words[r], maxima)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def best_(
    team,  # who shares the rows
    logits,  # sets (m, v) float32  without bias; scratch afterwards
    bias,  # in   (v,) float32
    rows,  # in   (m,) int64  which of the n rows these are
    values,  # sets (n, k) float32  their largest logits
    words,  # sets (n, k) int64  whose these are
    log_sums,  # sets (n,) float64  the logarithm of the sum of all exponentials
):
    """The k likeliest words of some rows."""
    share(team, _best_of_block, (logits.shape[0] + ROWS - 1) // ROWS, (logits, bias, rows, values, words, log_sums))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _candidates(
    i,  # the sentence
    first,  # its first row
    last,  # behind its last one
    slots,  # in   (n,) int64
    length,  # tokens of a hypothesis behind this step
    values,  # in   (n, k) float32
    words,  # in   (n, k) int64
    log_sums,  # in   (n,) float64
    scores,  # in   (i, k) float64
    ended,  # in   (i, k) int64
    ranked,  # sets (all,) float64  scores divided by lengths
    totals,  # sets (all,) float64
    whose,  # sets (all,) int64  the hypothesis that each continues
    which,  # sets (all,) int64  by which word; -1 of one that has ended
):
    """All continuations of a sentence that are known; how many they are."""
    count, k = 0, scores.shape[1]
    for slot in range(k):
        if ended[i, slot] > 0:  # its score is final, divided by its own length
            totals[count], whose[count], which[count] = scores[i, slot], slot, -1
            ranked[count] = scores[i, slot] / ended[i, slot]
            count += 1
    for row in range(first, last):
        for j in range(k):
            if words[row, j] >= 0:
                totals[count] = scores[i, slots[row]] + np.float64(values[row, j]) - log_sums[row]
                ranked[count], whose[count], which[count] = totals[count] / length, slots[row], words[row, j]
                count += 1
    return count


@numba.njit(nogil=True, cache=True, error_model="numpy")
def hopeful_(
    firsts,  # in   (m + 1,) int64  the first row of each sentence that goes on
    sentences,  # in   (m,) int64  which these are
    slots,  # in   (n,) int64  the hypothesis that each row is of
    length,  # in   tokens of a hypothesis behind this step, </s> counted
    values,  # in   (n, k) float32
    words,  # in   (n, k) int64  -1 of rows whose words are not known yet
    log_sums,  # in   (n,) float64
    scores,  # in   (i, k) float64
    ended,  # in   (i, k) int64
    most,  # in   rows that are chosen of a sentence
    rows,  # sets (n,) int64  rows whose words are not known, and may be among the best
):
    """How many rows could still have one of the k best continuations: no word makes a hypothesis likelier, so that
    its score alone bounds them. A sentence's rows come from the likeliest to the least likely."""
    k = scores.shape[1]
    size = k * k + k
    ranked, totals = np.empty(size), np.empty(size)
    whose, which = np.empty(size, np.int64), np.empty(size, np.int64)
    chosen = 0
    for place in range(sentences.shape[0]):
        i, first, last = sentences[place], firsts[place], firsts[place + 1]
        count = _candidates(
            i, first, last, slots, length, values, words, log_sums, scores, ended, ranked, totals, whose, which
        )
        least = np.sort(ranked[:count])[count - k] if count >= k else -np.inf
        picks = 0
        for row in range(first, last):
            if words[row, 0] < 0 and picks < most and scores[i, slots[row]] / length > least - SLACK:
                rows[chosen] = row
                chosen, picks = chosen + 1, picks + 1
    return chosen


@numba.njit(nogil=True, cache=True, error_model="numpy")
def advance_(
    firsts,  # in   (m + 1,) int64  the first row of each sentence that goes on
    sentences,  # in   (m,) int64  which these are
    slots,  # in   (n,) int64  the hypothesis that each row is of
    length,  # in   tokens of a hypothesis behind this step, </s> counted
    values,  # in   (n, k) float32  the largest logits of each row
    words,  # in   (n, k) int64  whose these are; -1 of rows that have no hope
    log_sums,  # in   (n,) float64
    scores,  # sets (i, k) float64  sums of log probabilities
    ended,  # sets (i, k) int64  the length of a hypothesis that has ended, 0 of one that goes on, -1 of none
    parents,  # sets (i, k) int64  which hypothesis each continues
    tokens,  # sets (i, k) int64  by which token; -1 of one that had ended
):
    """Replace each sentence's hypotheses by their best k continuations, the best first: by the sum divided by the
    length. One that has ended stays with the score it has."""
    k = scores.shape[1]
    size = k * k + k
    ranked, totals = np.empty(size), np.empty(size)
    whose, which = np.empty(size, np.int64), np.empty(size, np.int64)
    new_scores, new_ended = np.empty(k), np.empty(k, np.int64)
    for place in range(sentences.shape[0]):
        i = sentences[place]
        count = _candidates(
            i, firsts[place], firsts[place + 1], slots, length, values, words, log_sums, scores, ended, ranked, totals,
            whose, which,
        )  # fmt: skip
        new_scores[:], new_ended[:] = -np.inf, -1
        for slot in range(k):
            best = -1
            for c in range(count):
                if whose[c] >= 0 and (best < 0 or ranked[c] > ranked[best]):
                    best = c
            if best < 0:
                parents[i, slot], tokens[i, slot] = -1, -1
                continue
            parents[i, slot], tokens[i, slot], new_scores[slot] = whose[best], which[best], totals[best]
            if which[best] < 0:
                new_ended[slot] = ended[i, whose[best]]
            else:
                new_ended[slot] = length if which[best] == END else 0
            whose[best] = -1
        scores[i], ended[i] = new_scores, new_ended
