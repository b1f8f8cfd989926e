"""Labels of lines, as fastText learns them (Joulin et al., Bag of Tricks for Efficient Text Classification, 2016).

v words   b buckets of word n-grams   l labels   w width of a row

A line is the mean of the rows of its words and of its n-grams, and a softmax over all labels follows.
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
from algoport.algorithms.blazingtext.kernels.words import END, MIX
from algoport.algorithms.shared.randomness import draw, share
from algoport.algorithms.shared.threads import share as share_out

SOFTMAX, SIGMOID = range(2)  # what becomes of scores
_compiled = numba.njit(nogil=True, cache=True, error_model="numpy")


def learn(team, tokens, words, tables, settings, rates, seed) -> None:
    """One block of lines, in as many stretches as the team has threads.

    `tokens` (t,) int32: of each line its words, its labels and its end; `words`: (numbers (u,) int32, hashes (u,)
    uint32, label numbers int32); `tables`: (inputs, outputs) float32; `settings`: (w, v, n of n-grams, b, l); `rates`:
    (at the first token, less for each further); `seed` uint64.
    """
    parts = max(1, min(team[1], len(tokens) // 64))
    _learn(team, tokens, np.int64(parts), words, tables, settings, rates, np.uint64(seed))


@_compiled
def _learn(team, tokens, parts, words, tables, settings, rates, seed):
    share_out(team, _stretch, parts, (tokens, parts, words, tables, settings, rates, seed))


@_compiled
def line_rows(words, own, first, last, v, n, buckets, width, rows, used):
    """The rows of a line's words from `first` to `last`, of which those unknown are below 0, and of its n-grams, from
    rows[used] on; they are called for. Unknown words are in n-grams. Returns how many there are."""
    for i in range(first, last):
        if words[i] >= 0:
            rows[used] = np.int64(words[i]) * width
            used += 1
    for i in range(first, last) if n > 1 and buckets > 0 else range(0):
        state = np.uint64(np.int64(np.int32(own[i])))
        for j in range(i + 1, min(last, i + n)):
            state = state * MIX + np.uint64(np.int64(np.int32(own[j])))
            rows[used] = (v + np.int64(state % np.uint64(buckets))) * width
            used += 1
    return used


@_compiled
def next_line(tokens, place, last, words, settings, room):
    """Reads a line from `place` on: its rows and labels into `room`. Returns where the next begins, how many rows and
    how many labels there are, and the room, which may have grown."""
    numbers, hashes, known = words
    width, v, n, buckets, _ = settings
    end = place
    while end < last and tokens[end] != END:
        end += 1
    size = end - place
    rows, line, own, labels = room
    need = size * min(n, size)  # there are no longer n-grams than the line
    if need > len(rows):
        rows, line = np.empty(2 * need, np.int64), np.empty(2 * need, np.int32)
        own, labels = np.empty(2 * need, np.uint32), np.empty(2 * need, np.int32)
    count = marked = 0
    for i in range(place, end):
        token = tokens[i]
        if token >= 0:
            line[count], own[count] = numbers[token], hashes[token]
            count += 1
        else:
            label = known[-2 - token]
            if label >= 0:
                labels[marked] = label
                marked += 1
    used = line_rows(line, own, 0, count, v, n, buckets, width, rows, 0)
    return end + 1, used, marked, (rows, line, own, labels)


@_compiled
def room_of(size):
    """Where `next_line` puts a line of so many words and n-grams: rows, words, hashes and labels."""
    return np.empty(size, np.int64), np.empty(size, np.int32), np.empty(size, np.uint32), np.empty(size, np.int32)


@_compiled
def _stretch(part, tokens, parts, words, tables, settings, rates, seed):
    """The part-th stretch; it begins and ends with a line. The rows of a line are called for while the one before it is
    computed."""
    first, last = part * len(tokens) // parts, (part + 1) * len(tokens) // parts
    while 0 < first < len(tokens) and tokens[first - 1] != END:
        first += 1
    while last < len(tokens) and tokens[last - 1] != END:
        last += 1
    inputs, outputs = tables
    width, _, _, _, l = settings  # noqa: E741
    groups = (l + GROUP - 1) // GROUP
    places = np.arange(groups * GROUP) * width
    for k in range(l, groups * GROUP):
        places[k] = l * width
    hidden, before, change = np.zeros(width, np.float32), np.zeros(width, np.float32), np.zeros(width, np.float32)
    scores = np.zeros(groups * SLOTS, np.float32)
    zero = np.zeros(1, np.int64)
    one, other = room_of(1024), room_of(1024)
    key = draw(seed, np.uint64(part))
    if first >= last:
        return
    start = first
    following, used, marked, one = next_line(tokens, first, last, words, settings, one)
    while True:
        begin, count, labeled = start, used, marked
        more = following < last
        if more:
            start = following
            following, used, marked, other = next_line(tokens, start, last, words, settings, other)
            for i in range(min(used, 512)):
                fetch_row(inputs, other[0][i], width)
        if count > 0 and labeled > 0:
            rate = np.float32(max(rates[0] - rates[1] * begin, 0.0))
            label = one[3][np.int64(share(draw(key, np.uint64(begin))) * labeled)]
            gather_rows(inputs, one[0], count, np.float32(1.0) / np.float32(count), width, hidden)
            _softmax_step(hidden, before, change, zero, outputs, places, groups, l, label, rate, width, scores)
            scatter_rows(inputs, one[0], count, np.float32(1.0) / np.float32(count), width, change)
        if not more:
            return
        one, other = other, one


@_compiled
def _softmax_step(
    line,  # in (w,) what labels are scored by; in between it changes
    before,  # sets (w,)
    change,  # sets (w,) what it changes by
    zero,  # in (1,) int64
    outputs,  # in/out
    places,  # in (l, and what the last group lacks) int64
    groups,
    l,  # noqa: E741
    label,
    rate,
    width,
    scores,  # sets
):
    """Scores of all labels, and the step down the gradient of minus the logarithm of the right one's probability."""
    for g in range(groups):
        score_rows(line, zero, 1, outputs, places, g * GROUP, width, scores[g * SLOTS :])
    softmax(scores, l)
    for k in range(groups * GROUP):
        place = k // GROUP * SLOTS + k % GROUP
        scores[place] = rate * (np.float32(k == label) - scores[place]) if k < l else np.float32(0.0)
    before[:] = line
    change[:] = 0.0
    for g in range(groups):
        update_rows(line, zero, 1, outputs, places, g * GROUP, width, scores[g * SLOTS :])
        for d in range(width):  # all groups see the line as it was
            change[d] += line[d] - before[d]
            line[d] = before[d]


@_compiled
def softmax(scores, l):  # noqa: E741
    """Probabilities of l scores that lie in groups."""
    most = np.float32(-np.inf)
    for k in range(l):
        most = max(most, scores[k // GROUP * SLOTS + k % GROUP])
    total = np.float32(0.0)
    for k in range(l):
        place = k // GROUP * SLOTS + k % GROUP
        scores[place] = np.float32(math.exp(scores[place] - most))
        total += scores[place]
    for k in range(l):
        scores[k // GROUP * SLOTS + k % GROUP] /= total


@_compiled
def count_right(tokens, words, tables, settings):
    """How many of the lines with a label have the best-scored label among theirs, and how many there are, with those of
    labels that are not known."""
    inputs, outputs = tables
    width, _, _, _, l = settings  # noqa: E741
    hidden, room = np.zeros(width, np.float32), room_of(1024)
    right = count = place = 0
    while place < len(tokens):
        begin = place
        place, used, marked, room = next_line(tokens, place, len(tokens), words, settings, room)
        some = False
        for i in range(begin, place - 1):
            some = some or tokens[i] < END
        if not some or used == 0:
            continue
        count += 1
        gather_rows(inputs, room[0], used, np.float32(1.0) / np.float32(used), width, hidden)
        best, most = -1, np.float32(-np.inf)
        for k in range(l):
            score = np.float32(0.0)
            for d in range(width):
                score += hidden[d] * outputs[k * width + d]
            if score > most:
                best, most = k, score
        for i in range(marked):
            if room[3][i] == best:
                right += 1
                break
    return right, count


@_compiled
def score_lines(rows, ends, inputs, outputs, width, l, kind, out):  # noqa: E741
    """Sets out (n, l) float32 to the probabilities of lines that are the means of rows (offsets); `kind`: SOFTMAX or
    SIGMOID."""
    hidden = np.zeros(width, np.float32)
    for i in range(len(ends) - 1):
        used = ends[i + 1] - ends[i]
        hidden[:] = 0.0
        if used:
            gather_rows(inputs, rows[ends[i] : ends[i + 1]], used, np.float32(1.0) / np.float32(used), width, hidden)
        most = np.float32(-np.inf)
        for k in range(l):
            score = np.float32(0.0)
            for d in range(width):
                score += hidden[d] * outputs[k * width + d]
            out[i, k] = score
            most = max(most, score)
        total = np.float32(0.0)
        for k in range(l):
            if kind == SOFTMAX:
                out[i, k] = np.float32(math.exp(out[i, k] - most))
                total += out[i, k]
            else:
                out[i, k] = np.float32(1.0 / (1.0 + math.exp(-out[i, k])))
        if kind == SOFTMAX:
            for k in range(l):
                out[i, k] /= total
