"""Word2Vec with negative sampling (Mikolov et al., 2013), one stretch of text a thread.

v words   r rows of the input table: v, and the buckets of subwords   w width of a row   g groups of output rows

Tables are flat; the output table has a row of zeros behind the last word, which stands for what a group lacks. Threads
change the same tables without locks (Niu et al., Hogwild, 2011); of one thread, the same bits come every time.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from algoport.algorithms.blazingtext.kernels.products import (
    GROUP,
    SLOTS,
    fetch_row,
    gather_rows,
    scatter_rows,
    score_rows,
    update_rows,
)
from algoport.algorithms.shared.linalg.fastmath import FAST
from algoport.algorithms.shared.neural.kernels.recurrence import tanh
from algoport.algorithms.shared.randomness import draw, share
from algoport.algorithms.shared.sampling.alias import draw_outcome
from algoport.algorithms.shared.threads import share as share_out

BATCH, SKIP, BAG = range(3)  # batch_skipgram, skipgram, cbow
SENTENCE = 1000  # words at most that count as one, as in word2vec; a line may be a whole book
TRIES = 8  # draws of a negative sample that differs from all before
_compiled = numba.njit(nogil=True, cache=True, error_model="numpy")


def learn(team, tokens, places, mode, words, tables, settings, rates, seed) -> None:
    """One block of text, in as many stretches as the team has threads.

    `tokens` (t,) int32 raw numbers; `words`: (numbers (u,) int32, keep (v,) float32, negatives (v, 2) uint32, offsets
    (v + 1,) int64, rows int64 of subwords); `tables`: (inputs, outputs) float32; `settings`: (w, window, negatives,
    batch, subwords); `rates`: (at the first token, less for each further); `seed` uint64.
    """
    parts = max(1, min(team[1], len(tokens) // 64))
    _learn(team, tokens, np.int64(parts), np.int64(mode), words, tables, settings, rates, np.uint64(seed))


@_compiled
def _learn(team, tokens, parts, mode, words, tables, settings, rates, seed):
    share_out(team, _stretch, parts, (tokens, parts, mode, words, tables, settings, rates, seed))


@_compiled
def _stretch(part, tokens, parts, mode, words, tables, settings, rates, seed):
    """The part-th stretch, sentence by sentence."""
    first, last = part * len(tokens) // parts, (part + 1) * len(tokens) // parts
    numbers, keep = words[0], words[1]
    width, _, negatives, batch, _ = settings
    groups = (negatives + GROUP) // GROUP
    sentence = np.empty(SENTENCE, np.int64)
    targets = np.empty(2 * groups * GROUP, np.int64)
    most = max(batch, 1)
    scratch = np.empty(most * SLOTS * groups, np.float32), np.empty(2 * width, np.float32)
    contexts = np.empty(most, np.int64)
    key = draw(seed, np.uint64(part))
    state = np.zeros(1, np.uint64)
    place = first
    while place < last:
        rate = np.float32(max(rates[0] - rates[1] * place, 0.0))
        place, count = read_sentence(tokens, place, last, numbers, keep, key, state, sentence)
        if count > 1:
            if mode == BATCH:
                _batches(sentence, count, words, tables, settings, rate, key, state, targets, contexts, scratch)
            else:
                _pairs(mode, sentence, count, words, tables, settings, rate, key, state, targets, scratch)


@_compiled
def read_sentence(tokens, place, last, numbers, keep, key, state, sentence):
    """The words of a sentence that are known and not thinned out, into `sentence`. Returns where the next one begins,
    and how many words there are."""
    count = read = 0
    while place < last and read < SENTENCE:
        token = tokens[place]
        place += 1
        if token < 0:
            if token == -1:
                break
            continue
        read += 1
        word = numbers[token]
        if word < 0:
            continue
        if keep[word] < 1.0:
            state[0] += np.uint64(1)
            if share(draw(key, state[0])) >= keep[word]:
                continue
        sentence[count] = word
        count += 1
    return place, count


@_compiled
def draw_targets(word, negatives, v, table, width, key, state, targets, at):
    """The output rows of a word and its negative samples, all of them different, from targets[at] on; what a group
    lacks is the row behind the last."""
    targets[at] = word * width
    count = 1
    for _ in range(negatives):
        for _ in range(TRIES):
            state[0] += np.uint64(1)
            row = draw_outcome(table, draw(key, state[0])) * width
            new = True
            for i in range(count):
                new = new and targets[at + i] != row
            if new:
                targets[at + count] = row
                count += 1
                break
    groups = (negatives + GROUP) // GROUP
    for i in range(count, groups * GROUP):
        targets[at + i] = v * width


@numba.njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def _errors(scores, first, count, rate, label):
    """From scores to factors, (label - sigmoid) * rate; only the first column of the first group has the label 1."""
    half = np.float32(0.5)
    for i in range(first, first + count * SLOTS):
        scores[i] = (-half - half * tanh(half * scores[i])) * rate
    if label:
        for i in range(count):
            scores[first + i * SLOTS] += rate


@_compiled
def _train(inputs, rows, count, outputs, targets, at, groups, dummy, width, rate, scores):
    """One step: all scores first, and then the updates group by group."""
    for g in range(groups):
        score_rows(inputs, rows, count, outputs, targets, at + g * GROUP, width, scores[g * count * SLOTS :])
    for g in range(groups):
        _errors(scores, g * count * SLOTS, count, rate, g == 0)
        for k in range(GROUP):
            if targets[at + g * GROUP + k] == dummy:
                for i in range(count):
                    scores[(g * count + i) * SLOTS + k] = 0.0
        update_rows(inputs, rows, count, outputs, targets, at + g * GROUP, width, scores[g * count * SLOTS :])


@_compiled
def _batches(sentence, count, words, tables, settings, rate, key, state, targets, contexts, scratch):
    """Batch skip-gram: of each word its context is a batch, with one set of negative samples (Ji et al., 2016)."""
    inputs, outputs = tables
    width, window, negatives, batch, _ = settings
    v = len(words[1])
    groups = (negatives + GROUP) // GROUP
    size = groups * GROUP
    draw_targets(sentence[0], negatives, v, words[2], width, key, state, targets, 0)
    for i in range(count):
        now, after = (i & 1) * size, ((i + 1) & 1) * size
        if i + 1 < count:  # the rows of the next word come while this one is computed
            draw_targets(sentence[i + 1], negatives, v, words[2], width, key, state, targets, after)
            for k in range(negatives + 1):
                fetch_row(outputs, targets[after + k], width)
            if i + 1 + window < count:
                fetch_row(inputs, sentence[i + 1 + window] * width, width)
        state[0] += np.uint64(1)
        radius = 1 + np.int64(share(draw(key, state[0])) * window)
        filled = 0
        for j in range(max(0, i - radius), min(count, i + radius + 1)):
            if j != i:
                contexts[filled] = sentence[j] * width
                filled += 1
            if filled == batch:
                _train(inputs, contexts, filled, outputs, targets, now, groups, v * width, width, rate, scratch[0])
                filled = 0
                draw_targets(sentence[i], negatives, v, words[2], width, key, state, targets, now)
        if filled:
            _train(inputs, contexts, filled, outputs, targets, now, groups, v * width, width, rate, scratch[0])


@_compiled
def _pairs(mode, sentence, count, words, tables, settings, rate, key, state, targets, scratch):
    """Skip-gram, where a word predicts each of its context, and CBOW, where the mean of the context predicts the word.
    With subwords a word is the mean of its rows, to each of which is added what is learned (Bojanowski et al., 2016).
    """
    inputs, outputs = tables
    width, window, negatives, _, subwords = settings
    _, keep, table, offsets, subrows = words
    v = len(keep)
    groups = (negatives + GROUP) // GROUP
    hidden, before = scratch[1][:width], scratch[1][width:]
    zero = np.zeros(1, np.int64)
    rows = np.empty(64, np.int64)
    for i in range(count):
        state[0] += np.uint64(1)
        radius = 1 + np.int64(share(draw(key, state[0])) * window)
        low, high = max(0, i - radius), min(count, i + radius + 1)
        used = 0
        for j in range(low if mode == BAG else i, high if mode == BAG else i + 1):
            if mode == BAG and j == i:
                continue
            word = sentence[j]
            first, last = (offsets[word], offsets[word + 1]) if subwords else (0, 1)
            while used + last - first > len(rows):
                longer = np.empty(2 * len(rows), np.int64)
                longer[:used] = rows[:used]
                rows = longer
            for place in range(first, last):
                rows[used] = (subrows[place] if subwords else word) * width
                used += 1
        gather_rows(inputs, rows, used, np.float32(1.0) / np.float32(used), width, hidden)
        before[:] = hidden
        for j in range(i if mode == BAG else low, i + 1 if mode == BAG else high):
            if mode == SKIP and j == i:
                continue
            draw_targets(sentence[j], negatives, v, table, width, key, state, targets, 0)
            _train(hidden, zero, 1, outputs, targets, 0, groups, v * width, width, rate, scratch[0])
        for d in range(width):
            hidden[d] -= before[d]
        scatter_rows(inputs, rows, used, np.float32(1.0), width, hidden)


@_compiled
def fill_rows(
    table,  # sets (r, w) float32
    dim,  # numbers of a row that count; the others are 0
    seed,  # uint64
):
    """Numbers from -1/dim to 1/dim, each a function of its place."""
    for row in range(len(table)):
        key = draw(seed, np.uint64(row))
        for d in range(dim):
            table[row, d] = np.float32((2.0 * share(draw(key, np.uint64(d))) - 1.0) / dim)
        table[row, dim:] = 0.0


def keep_probabilities(counts, threshold: float):
    """With which probability an occurrence of each word is used (v,): min(1, sqrt(t / f) + t / f)."""
    shares = np.asarray(counts, np.float64) / max(float(np.sum(counts)), 1.0)
    ratio = threshold / np.maximum(shares, math.ulp(0.0) * 2**60)
    return np.minimum(np.sqrt(ratio) + ratio, 1.0).astype(np.float32)
