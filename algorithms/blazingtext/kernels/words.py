"""Words of texts and the numbers they have.    v words   t tokens   s slots, a power of two

The hash is fastText's, so that its files and ours agree on every bucket. Slots hold a word's number and -1 where they
are empty; a word lies in the first empty slot behind the one of its hash.
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.shared.text.fnv import BASIS_32, hash_more_32

MIX = np.uint64(116049371)  # with which fastText makes one hash of several words'
END = -1  # of a line, in a stream of numbers of words; what is less is a label, -2 - its number
LINE, BYTE, TOKENS, WORDS, BYTES = range(5)  # of `state`
_inlined = numba.njit(nogil=True, cache=True, error_model="numpy", inline="always")
_compiled = numba.njit(nogil=True, cache=True, error_model="numpy")


@_inlined
def is_blank(byte):
    """Whether it separates words, as fastText has it."""
    return byte == 32 or (9 <= byte <= 13) or byte == 0


@_compiled
def slot_of(text, first, last, state, slots, hashes, starts, letters):
    """The slot of the word text[first:last] whose hash is `state`, or the empty one in which it would lie."""
    mask = len(slots) - 1
    slot = np.int64(state) & mask
    while True:
        word = slots[slot]
        if word < 0:
            return slot
        if hashes[word] == state and starts[word + 1] - starts[word] == last - first:
            i = 0
            while i < last - first and letters[starts[word] + i] == text[first + i]:
                i += 1
            if i == last - first:
                return slot
        slot = (slot + 1) & mask


@_compiled
def number_words(
    text,  # in     (b,) uint8
    offsets,  # in     (n + 1,) int64 of the lines
    labels,  # in     (l,) int32 numbers of the lines' labels
    label_offsets,  # in     (n + 1,) int64
    closing,  # in     the word that stands at the end of every line; -1: none
    state,  # in/out (5,) int64 line, byte, tokens, words, bytes of words
    slots,  # in/out (s,) int32
    hashes,  # in/out (c,) uint32
    starts,  # in/out (c + 1,) int64
    letters,  # in/out (a,) uint8
    counts,  # in/out (c,) int64
    tokens,  # sets   (t,) int32
):
    """Numbers the words of lines in the order in which they first come. Returns whether it came to the end; where it
    did not, the tables must grow, and it takes up where it was."""
    for line in range(state[LINE], len(offsets) - 1):
        place, end = max(state[BYTE], offsets[line]), offsets[line + 1]
        while True:
            while place < end and is_blank(text[place]):
                place += 1
            if place >= end:
                break
            first, hashed = place, BASIS_32
            while place < end and not is_blank(text[place]):
                hashed = hash_more_32(hashed, text[place])
                place += 1
            slot = slot_of(text, first, place, hashed, slots, hashes, starts, letters)
            word = slots[slot]
            if word < 0:
                word = state[WORDS]
                size = place - first
                full = word >= len(counts) or 2 * word >= len(slots) or state[BYTES] + size > len(letters)
                if full:
                    state[LINE], state[BYTE] = line, first
                    return False
                slots[slot] = word
                hashes[word] = hashed
                letters[state[BYTES] : state[BYTES] + size] = text[first:place]
                state[WORDS], state[BYTES] = word + 1, state[BYTES] + size
                starts[word + 1] = state[BYTES]
            counts[word] += 1
            tokens[state[TOKENS]] = word
            state[TOKENS] += 1
        if closing >= 0:
            counts[closing] += 1
            tokens[state[TOKENS]] = closing
            state[TOKENS] += 1
        for i in range(label_offsets[line], label_offsets[line + 1]):
            tokens[state[TOKENS]] = -2 - labels[i]
            state[TOKENS] += 1
        tokens[state[TOKENS]] = END
        state[TOKENS] += 1
    state[LINE] = len(offsets) - 1
    return True


@_compiled
def find_words(
    text,  # in   (b,) uint8
    offsets,  # in   (n + 1,) int64 of the lines
    slots,  # in   (s,) int32
    hashes,  # in   (v,) uint32
    starts,  # in   (v + 1,) int64
    letters,  # in   (a,) uint8
    words,  # sets (t,) int32 the words; -1: unknown
    own,  # sets (t,) uint32 their hashes
    places,  # sets (t,) int64 where they begin
    ends,  # sets (n + 1,) int64 of each line's words
):
    """Looks words up. Returns how many there are."""
    count = 0
    for line in range(len(offsets) - 1):
        place, end = offsets[line], offsets[line + 1]
        while True:
            while place < end and is_blank(text[place]):
                place += 1
            if place >= end:
                break
            first, hashed = place, BASIS_32
            while place < end and not is_blank(text[place]):
                hashed = hash_more_32(hashed, text[place])
                place += 1
            words[count] = slots[slot_of(text, first, place, hashed, slots, hashes, starts, letters)]
            own[count], places[count] = hashed, first
            count += 1
        ends[line + 1] = count
    return count


@_compiled
def place_words(
    slots,  # sets (s,) int32
    hashes,  # in   (v,) uint32
    count,
):
    """Fills the slots."""
    mask = len(slots) - 1
    slots[:] = -1
    for word in range(count):
        slot = np.int64(hashes[word]) & mask
        while slots[slot] >= 0:
            slot = (slot + 1) & mask
        slots[slot] = word


@_compiled
def hash_words(
    letters,  # in   (a,) uint8
    starts,  # in   (v + 1,) int64
    hashes,  # sets (v,) uint32
):
    """The hash of each word."""
    for word in range(len(hashes)):
        state = BASIS_32
        for i in range(starts[word], starts[word + 1]):
            state = hash_more_32(state, letters[i])
        hashes[word] = state


@_inlined
def _continues(byte):
    return (byte & 0xC0) == 0x80


@_compiled
def subwords(
    text,  # in   (a,) uint8
    first,  # of the word's bytes
    last,  # behind them
    least,  # characters
    most,
    buckets,
    rows,  # sets (r,) int64 the buckets
):
    """The buckets of the n-grams of characters of a word between < and >, in fastText's order; how many there are."""
    size, count = last - first + 2, 0
    for i in range(size):
        if 0 < i < size - 1 and _continues(text[first + i - 1]):
            continue
        state, j, n = BASIS_32, i, 1
        while j < size and n <= most:
            state = hash_more_32(state, 60 if j == 0 else 62 if j == size - 1 else text[first + j - 1])
            j += 1
            while 0 < j < size - 1 and _continues(text[first + j - 1]):
                state = hash_more_32(state, text[first + j - 1])
                j += 1
            if n >= least and not (n == 1 and (i == 0 or j == size)):
                if count < len(rows):
                    rows[count] = np.int64(state % np.uint32(buckets))
                count += 1
            n += 1
    return count


@_compiled
def all_subwords(
    letters,  # in   (a,) uint8
    starts,  # in   (v + 1,) int64
    least,
    most,
    buckets,
    offsets,  # sets (v + 1,) int64
    rows,  # sets (r,) int64: of each word its own row, and v + the bucket of each n-gram
):
    """The rows that each word is the mean of. Returns how many there are; with too short `rows` it only counts."""
    none = np.empty(0, np.int64)
    v, total = len(starts) - 1, 0
    for word in range(v):
        first, last = starts[word], starts[word + 1]
        # A line's end has no characters.
        closes = last - first == 4 and letters[first] == 60 and letters[first + 1] == 47 and letters[first + 2] == 115
        closes = closes and letters[first + 3] == 62
        grams = 0 if closes or most < 1 else subwords(letters, first, last, least, most, buckets, none)
        if total + grams + 1 <= len(rows):
            rows[total] = word
            if grams:
                subwords(letters, first, last, least, most, buckets, rows[total + 1 : total + 1 + grams])
                rows[total + 1 : total + 1 + grams] += v
        total += grams + 1
        offsets[word + 1] = total
    return total
