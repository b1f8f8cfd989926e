"""What a device is to compute, as arrays: the steps of word vectors and of a classifier, without their arithmetic.

s steps   c places of a step's context   k target rows of a step   r rows   v words

The draws are those of `vectors.py` and `labels.py`: same text and seed, same sentences, windows and negative samples. A
call plans whole sentences or lines until its arrays have no room for one more, and says where it stopped.
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.blazingtext.kernels.labels import next_line, room_of
from algoport.algorithms.blazingtext.kernels.vectors import BAG, SENTENCE, draw_targets, read_sentence
from algoport.algorithms.shared.randomness import draw, share

_compiled = numba.njit(nogil=True, cache=True, error_model="numpy")


@_compiled
def plan_batches(
    tokens,  # in     (t,) int32
    place,  # where the next sentence begins
    words,  # in     (numbers (u,) int32, keep (v,) float32, negatives (v, 2) uint32, ...)
    settings,  # (w, window, negatives, batch, subwords)
    rates,  # (at the first token, less for each further)
    key,  # uint64
    state,  # in/out (1,) uint64 how many draws there were
    contexts,  # sets   (s, c) int64 input rows; -1: none
    targets,  # sets   (s, k) int64 output rows, the word's own first; v: none
    step_rates,  # sets   (s,) float32
):
    """Steps of batch skip-gram. Returns how many there are, 0, and where the next sentence begins; without a step and
    before the end the arrays are too short."""
    numbers, keep, table = words[0], words[1], words[2]
    _, window, negatives, batch, _ = settings
    v, size = len(keep), targets.shape[1]
    sentence, drawn = np.empty(SENTENCE, np.int64), np.empty(2 * size, np.int64)
    steps = 0
    while place < len(tokens):
        rate = np.float32(max(rates[0] - rates[1] * place, 0.0))
        begin, draws, before = place, state[0], steps
        place, count = read_sentence(tokens, place, len(tokens), numbers, keep, key, state, sentence)
        if count < 2:
            continue
        draw_targets(sentence[0], negatives, v, table, 1, key, state, drawn, 0)
        for i in range(count):
            now, after = (i & 1) * size, ((i + 1) & 1) * size
            if i + 1 < count:
                draw_targets(sentence[i + 1], negatives, v, table, 1, key, state, drawn, after)
            state[0] += np.uint64(1)
            radius = 1 + np.int64(share(draw(key, state[0])) * window)
            low, high = max(0, i - radius), min(count, i + radius + 1)
            if steps + (high - low - 2) // batch + 1 > len(step_rates):  # this sentence is the next call's
                state[0] = draws
                return before, 0, begin
            filled = 0
            for j in range(low, high):
                if j != i:
                    contexts[steps, filled] = sentence[j]
                    filled += 1
                if filled == batch:
                    targets[steps], step_rates[steps] = drawn[now : now + size], rate
                    steps, filled = steps + 1, 0
                    draw_targets(sentence[i], negatives, v, table, 1, key, state, drawn, now)
            if filled:
                contexts[steps, filled:] = -1
                targets[steps], step_rates[steps] = drawn[now : now + size], rate
                steps += 1
    return steps, 0, place


@_compiled
def plan_pairs(
    mode,  # SKIP or BAG
    tokens,
    place,
    words,  # in     as above, and offsets (v + 1,) int64, rows int64 of subwords
    settings,
    rates,
    key,
    state,
    starts,  # sets   (s + 1,) int64 where the rows of each step begin
    rows,  # sets   (r,) int64 input rows, whose mean predicts
    targets,  # sets   (s, k) int64
    step_rates,  # sets   (s,) float32
):
    """Steps of skip-gram, each a word and one of its context, or of CBOW, each a context and its word. Returns how many
    steps and rows there are, and where the next sentence begins; without a step and before the end the arrays are too
    short."""
    numbers, keep, table, offsets, subrows = words
    _, window, negatives, _, subwords = settings
    v, steps, used = len(keep), 0, 0
    sentence = np.empty(SENTENCE, np.int64)
    while place < len(tokens):
        rate = np.float32(max(rates[0] - rates[1] * place, 0.0))
        begin, draws, before = place, state[0], (steps, used)
        place, count = read_sentence(tokens, place, len(tokens), numbers, keep, key, state, sentence)
        for i in range(count if count > 1 else 0):
            state[0] += np.uint64(1)
            radius = 1 + np.int64(share(draw(key, state[0])) * window)
            low, high = max(0, i - radius), min(count, i + radius + 1)
            for other in range(i if mode == BAG else low, i + 1 if mode == BAG else high):
                if mode != BAG and other == i:
                    continue
                need = 0
                for j in range(low if mode == BAG else i, high if mode == BAG else i + 1):
                    if mode != BAG or j != i:
                        need += offsets[sentence[j] + 1] - offsets[sentence[j]] if subwords else 1
                if steps == len(step_rates) or used + need > len(rows):  # this sentence is the next call's
                    state[0] = draws
                    return before[0], before[1], begin
                starts[steps] = used
                for j in range(low if mode == BAG else i, high if mode == BAG else i + 1):
                    if mode == BAG and j == i:
                        continue
                    word = sentence[j]
                    first, last = (offsets[word], offsets[word + 1]) if subwords else (0, 1)
                    for at in range(first, last):
                        rows[used] = subrows[at] if subwords else word
                        used += 1
                draw_targets(sentence[other], negatives, v, table, 1, key, state, targets[steps], 0)
                step_rates[steps] = rate
                steps += 1
                starts[steps] = used
    return steps, used, place


@_compiled
def plan_lines(
    tokens,
    place,
    words,  # in     (numbers (u,) int32, hashes (u,) uint32, label numbers int32)
    settings,  # (w, v, n of n-grams, b, l)
    rates,
    key,
    starts,  # sets   (s + 1,) int64
    rows,  # sets   (r,) int64
    labels,  # sets   (s,) int64
    step_rates,  # sets   (s,) float32
):
    """Lines with the label that each is learned as. Returns how many lines and rows there are, and where the next line
    begins; without a line and before the end the arrays are too short."""
    steps = used = 0
    room = room_of(1024)
    one = (1, settings[1], settings[2], settings[3], settings[4])  # a row is its number
    while place < len(tokens):
        begin = place
        place, count, marked, room = next_line(tokens, place, len(tokens), words, one, room)
        if count == 0 or marked == 0:
            continue
        if steps == len(step_rates) or used + count > len(rows):
            return steps, used, begin
        starts[steps], labels[steps] = used, room[3][np.int64(share(draw(key, np.uint64(begin))) * marked)]
        rows[used : used + count] = room[0][:count]
        step_rates[steps] = np.float32(max(rates[0] - rates[1] * begin, 0.0))
        steps, used = steps + 1, used + count
        starts[steps] = used
    return steps, used, place
