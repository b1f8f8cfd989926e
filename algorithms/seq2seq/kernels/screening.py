"""The likeliest words of some rows: all logits in whole numbers of 8 bits, and those that may count again in float32.

n rows   h numbers of a row   v words   k words that are wanted of a row   q = h / 4, rounded up

A row's codes are its numbers divided by a scale of its own and rounded, from -127 to 127, or from -64 to 64 where the
processor adds products by pairs; so are a word's weights, from -127 to 127, plus 128. A bound by Cauchy's inequality
says how far a logit of codes may be from the true one: with a = a' + d of the row and w = w' + e of the word, |a.w -
a'.w'| <= |d| |w| + |a'| |e|. A word whose logit plus its bound is below k others' logits less theirs is none of the k
best. The few that are left are computed again, so that the k words and their logits are those of float32; the sum of
all exponentials has the exact ones of these words, and of the rest those of codes.

Whoever calls `best_` with codes beyond 64 must know that the processor has the instruction of `codes`.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from algoport.algorithms.seq2seq.kernels.codes import (
    BLOCK,
    FULL,
    HALF,
    HEIGHT,
    ROWS,
    SPAN,
    THIRD,
    WIDTH,
    high,
    high_of_pairs,
    largest,
    low,
    low_of_pairs,
    middle,
    middle_of_pairs,
)
from algoport.algorithms.seq2seq.kernels.softmax import sum_of_powers
from algoport.algorithms.shared.linalg.fastmath import FAST
from algoport.algorithms.shared.threads import share

NEVER = (0, 2)  # ids that no sentence holds: <pad> and <s>


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _codes(row, scale, whole):
    """Sets whole (4q,) int32 to a row's codes, 0 behind its end; squares of the length of what they stand for, and of
    what they leave out."""
    h, inverse = row.shape[0], np.float32(1) / scale if scale > 0 else np.float32(0)
    length, rest = np.float32(0), np.float32(0)
    for i in range(h):
        code = np.rint(row[i] * inverse)
        whole[i] = np.int32(code)
        value = code * scale
        length += value * value
        rest += (row[i] - value) * (row[i] - value)
    for i in range(h, whole.shape[0]):
        whole[i] = 0
    return length, rest


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _largest_size(row):
    most = np.float32(0)
    for i in range(row.shape[0]):
        most = max(most, abs(row[i]))
    return most


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _pack_words(
    panel,  # its number
    output,  # in   (v, h) float32
    bias,  # in   (v,) float32
    panels,  # sets (p, q, WIDTH) int32  four codes each, the lowest byte's first
    scales,  # sets (p * WIDTH,) float32  0 behind the last word
    shifts,  # sets (p * WIDTH,) float32  the bias, -inf behind the last word
    lengths,  # sets (p * WIDTH,) float32  of each word's weights
    rests,  # sets (p * WIDTH,) float32  of what codes leave out of them
):
    v, q = output.shape[0], panels.shape[1]
    whole = np.empty(4 * q, np.int32)
    for lane in range(WIDTH):
        j = panel * WIDTH + lane
        scales[j], shifts[j], lengths[j], rests[j] = 0, -np.inf, 0, 0
        if j >= v:
            for s in range(q):
                panels[panel, s, lane] = 0
            continue
        scale = _largest_size(output[j]) / np.float32(FULL)
        length, rest = _codes(output[j], scale, whole)
        scales[j], shifts[j] = scale, bias[j]
        rests[j] = np.float32(math.sqrt(rest))
        lengths[j] = np.float32(math.sqrt(length)) + rests[j]
        for s in range(q):
            four = np.uint32(0)
            for place in range(4):
                four |= np.uint32(whole[4 * s + place] + 128) << np.uint32(8 * place)
            panels[panel, s, lane] = np.int32(four)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def pack_words_(
    team,  # who shares the panels
    output,  # in   (v, h) float32
    bias,  # in   (v,) float32
    panels,  # sets (p, q, WIDTH) int32
    scales,  # sets (p * WIDTH,) float32
    shifts,  # sets (p * WIDTH,) float32
    lengths,  # sets (p * WIDTH,) float32
    rests,  # sets (p * WIDTH,) float32
):
    """Codes of an output layer; arguments as in `_pack_words`."""
    share(team, _pack_words, panels.shape[0], (output, bias, panels, scales, shifts, lengths, rests))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _logits(
    rows,  # how many
    most_code,  # the largest of a row
    codes,  # in   (ROWS, q) int32  four each
    starts,  # in   (ROWS,) int32  what sums begin with: -128 times the sum of a row's codes
    factors,  # in   (ROWS,) float32  scales of rows
    panels,  # in   (p, q, WIDTH) int32
    scales,  # in   (p * WIDTH,) float32
    shifts,  # in   (p * WIDTH,) float32
    first,  # word of the span
    words,  # how many
    out,  # sets (ROWS, SPAN) float32
):
    """Sets out (ROWS, SPAN) to the logits of some rows and of `words` words from the first one of a span."""
    q = panels.shape[1]
    flat, given, to = panels.reshape(-1), codes.reshape(-1), out.reshape(-1)
    for word in range(first, first + words, WIDTH):
        begin, place = word * q, word - first
        for row in range(0, rows, HEIGHT):
            at, into = row * q, row * SPAN + place
            if most_code > HALF:
                if rows - row > 2 * THIRD:
                    high(given, at, starts, factors, row, flat, begin, q, scales, shifts, word, to, into)
                elif rows - row > THIRD:
                    middle(given, at, starts, factors, row, flat, begin, q, scales, shifts, word, to, into)
                else:
                    low(given, at, starts, factors, row, flat, begin, q, scales, shifts, word, to, into)
            elif rows - row > 2 * THIRD:
                high_of_pairs(given, at, starts, factors, row, flat, begin, q, scales, shifts, word, to, into)
            elif rows - row > THIRD:
                middle_of_pairs(given, at, starts, factors, row, flat, begin, q, scales, shifts, word, to, into)
            else:
                low_of_pairs(given, at, starts, factors, row, flat, begin, q, scales, shifts, word, to, into)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _raise_(value, lows):
    """Puts a number among the largest, which stand from the largest to the least."""
    place = lows.shape[0] - 1
    while place > 0 and lows[place - 1] < value:
        lows[place] = lows[place - 1]
        place -= 1
    lows[place] = value


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _prune_(count, least, logits, bounds, words):
    """Leaves the candidates that may still be among the best; how many they are."""
    left = 0
    for c in range(count):
        if logits[c] + bounds[c] >= least:
            logits[left], bounds[left], words[left] = logits[c], bounds[c], words[c]
            left += 1
    return left


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _gather_(
    line,  # in   (SPAN,) float32
    at,  # where the block begins in it
    first,  # its first word
    bound,  # how far its logits may be from the true ones
    lows,  # sets (k,) float32  the largest lower bounds of logits
    count,  # candidates so far
    logits,  # sets (room,) float32  of candidates
    bounds,  # sets (room,) float32
    words,  # sets (room,) int64
):
    """Adds the words of a block that may be among the best to the candidates; how many they are then, -1 where there is
    no room for them."""
    k = lows.shape[0]
    for j in range(BLOCK):
        if line[at + j] - bound > lows[k - 1] and first + j != NEVER[0] and first + j != NEVER[1]:
            _raise_(line[at + j] - bound, lows)
    for j in range(BLOCK):
        logit = line[at + j]
        if logit + bound >= lows[k - 1] and logit > -np.inf and first + j != NEVER[0] and first + j != NEVER[1]:
            if count == words.shape[0]:
                count = _prune_(count, lows[k - 1], logits, bounds, words)
                if count == words.shape[0]:
                    return -1
            logits[count], bounds[count], words[count] = logit, bound, first + j
            count += 1
    return count


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _dot(x, y):
    total = np.float32(0)
    for i in range(x.shape[0]):
        total += x[i] * y[i]
    return total


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _settle_(
    count,  # candidates
    row,  # in   (h,) float32
    output,  # in   (v, h) float32
    bias,  # in   (v,) float32
    most,  # in   float64  what is taken from logits before they are exponents
    total,  # in   float64  the sum of all exponentials of logits of codes
    logits,  # in   (room,) float32  of the candidates, of codes
    some,  # in   (room,) int64  the candidates
    values,  # sets (k,) float32
    words,  # sets (k,) int64
):
    """Sets the k best of the candidates by their logits in float32, the largest first, of equal ones the first word;
    the logarithm of the sum of all exponentials, these among them."""
    k = values.shape[0]
    values[:] = -np.inf
    words[:] = -1
    for c in range(count):
        word = some[c]
        logit = _dot(row, output[word]) + bias[word]
        total += math.exp(np.float64(logit) - most) - math.exp(np.float64(logits[c]) - most)
        if logit > values[k - 1]:
            place = k - 1
            while place > 0 and values[place - 1] < logit:
                values[place], words[place] = values[place - 1], words[place - 1]
                place -= 1
            values[place], words[place] = logit, word
    return most + math.log(total)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _best_of_block(
    block,  # of ROWS rows
    rows,  # in   (n, h) float32
    picks,  # in   (m,) int64  which of them these are
    output,  # in   (v, h) float32
    bias,  # in   (v,) float32
    panels,  # in   (p, q, WIDTH) int32
    scales,  # in   (p * WIDTH,) float32
    shifts,  # in   (p * WIDTH,) float32
    lengths,  # in   (p * WIDTH / BLOCK,) float32  the largest of each block's words
    rests,  # in   (p * WIDTH / BLOCK,) float32
    base,  # in   float32  a bound for the rest of rounding
    most_code,  # in   int64  the largest of a row
    values,  # sets (n, k) float32  their largest logits
    words,  # sets (n, k) int64  whose these are
    log_sums,  # sets (n,) float64  the logarithm of the sum of all exponentials
    is_open,  # sets (m,) bool  whether there were too many candidates, and nothing of a row is set
):
    k, q, first = values.shape[1], panels.shape[1], block * ROWS
    count = min(ROWS, picks.shape[0] - first)
    codes, starts, factors = np.zeros((ROWS, q), np.int32), np.zeros(ROWS, np.int32), np.zeros(ROWS, np.float32)
    sizes, gaps = np.zeros(ROWS, np.float32), np.zeros(ROWS, np.float32)
    whole = np.empty(4 * q, np.int32)
    for r in range(count):
        row = rows[picks[first + r]]
        factors[r] = _largest_size(row) / np.float32(most_code)
        length, rest = _codes(row, factors[r], whole)
        sizes[r], gaps[r] = np.float32(math.sqrt(length)), np.float32(math.sqrt(rest))
        for s in range(q):
            four = np.uint32(0)
            for place in range(4):
                starts[r] -= 128 * whole[4 * s + place]
                four |= np.uint32(whole[4 * s + place] & 255) << np.uint32(8 * place)
            codes[r, s] = np.int32(four)
    out, room = np.empty((ROWS, SPAN), np.float32), 4 * k + 2 * BLOCK
    lows, counts = np.full((ROWS, k), -np.inf, np.float32), np.zeros(ROWS, np.int64)
    logits, bounds, some = (
        np.empty((ROWS, room), np.float32),
        np.empty((ROWS, room), np.float32),
        np.empty((ROWS, room), np.int64),
    )
    most, totals = np.full(ROWS, -np.inf, np.float32), np.zeros(ROWS)
    for begin in range(0, scales.shape[0], SPAN):
        here = min(SPAN, scales.shape[0] - begin)
        _logits(count, most_code, codes, starts, factors, panels, scales, shifts, begin, here, out)
        for r in range(count):
            line, new = out[r], most[r]
            for at in range(0, here, BLOCK):
                peak, own = largest(line, at), (begin + at) // BLOCK
                new = max(new, peak)
                bound = gaps[r] * lengths[own] + sizes[r] * rests[own] + base
                if counts[r] >= 0 and peak + bound >= lows[r, k - 1]:
                    counts[r] = _gather_(
                        line, at, begin + at, bound, lows[r], counts[r], logits[r], bounds[r], some[r]
                    )  # fmt: skip
            if new > most[r]:
                totals[r] *= math.exp(np.float64(most[r]) - np.float64(new))
                most[r] = new
            totals[r] += sum_of_powers(line[:here], most[r])
    for r in range(count):
        pick = picks[first + r]
        is_open[first + r] = counts[r] < 0 or not sizes[r] + gaps[r] < np.inf
        if not is_open[first + r]:
            left = _prune_(counts[r], lows[r, k - 1], logits[r], bounds[r], some[r])
            log_sums[pick] = _settle_(
                left, rows[pick], output, bias, np.float64(most[r]), totals[r], logits[r], some[r], values[pick],
                words[pick],
            )  # fmt: skip


@numba.njit(nogil=True, cache=True, error_model="numpy")
def best_(
    team,  # who shares the rows
    rows,  # in   (n, h) float32
    picks,  # in   (m,) int64  which of them these are
    output,  # in   (v, h) float32
    bias,  # in   (v,) float32
    panels,  # in   (p, q, WIDTH) int32
    scales,  # in   (p * WIDTH,) float32
    shifts,  # in   (p * WIDTH,) float32
    lengths,  # in   (p * WIDTH / BLOCK,) float32  the largest of each block's words
    rests,  # in   (p * WIDTH / BLOCK,) float32
    base,  # in   float32  a bound for the rest of rounding
    most_code,  # in   int64  the largest of a row
    values,  # sets (n, k) float32  their largest logits
    words,  # sets (n, k) int64  whose these are
    log_sums,  # sets (n,) float64  the logarithm of the sum of all exponentials
    is_open,  # sets (m,) bool  whether there were too many candidates, and nothing of a row is set
):
    """The k likeliest words of some rows. A row's answer does not depend on which others there are."""
    share(
        team,
        _best_of_block,
        (picks.shape[0] + ROWS - 1) // ROWS,
        (
            rows,
            picks,
            output,
            bias,
            panels,
            scales,
            shifts,
            lengths,
            rests,
            base,
            most_code,
            values,
            words,
            log_sums,
            is_open,
        ),
    )
