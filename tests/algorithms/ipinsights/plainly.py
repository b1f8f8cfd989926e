"""The network in a few lines of NumPy, in float64, pair by pair."""

import numpy as np

from algoport.algorithms.shared.randomness import draws

ROUNDS = 4


def bits(addresses):
    """(n, 33): -1 or 1 a bit, the highest first, and 1 for the bias."""
    shifted = (np.asarray(addresses, np.int64)[:, None] >> np.arange(31, -1, -1)) & 1
    return np.concatenate([2.0 * shifted - 1, np.ones((len(shifted), 1))], axis=1)


def encode(addresses, parts):
    """The hidden units of all layers, and the vectors (n, d)."""
    first, inner, outer, bias = (np.asarray(part, np.float64) for part in parts)
    linear = bits(addresses) @ first
    if not len(outer):
        return [linear], linear
    hidden = [np.maximum(linear, 0)]
    for layer in inner:
        hidden.append(hidden[-1] + np.maximum(hidden[-1] @ layer[:-1] + layer[-1], 0))
    return hidden, hidden[-1] @ outer + bias


def loss(rows, addresses, labels, entities, parts):
    """The sum of the cross entropies of pairs, and how many are told apart rightly."""
    vectors = encode(addresses, parts)[1][:, : entities.shape[1]]
    scores = (entities[rows].astype(np.float64) * vectors).sum(axis=1)
    return np.logaddexp(0, np.where(labels, -scores, scores)).sum(), int(((scores > 0) == labels).sum())


def permuted(place, count, key):
    """One entry of a permutation, as `negatives.permuted` has it."""
    half = 1
    while 1 << (2 * half) < count:
        half += 1
    while True:
        left, right = place >> half, place & ((1 << half) - 1)
        for turn in range(ROUNDS):
            key_of_turn = np.uint64((int(key) + turn) % (1 << 64))
            left, right = right, left ^ (int(draws(key_of_turn, right)) >> (64 - half))
        place = left << half | right
        if place < count:
            return place


def pairs(rows, own, places, others, random, shuffled, keys):
    """All pairs of a batch: rows of entities, addresses, and which are real."""
    who, where, real = [], [], []
    for row, address, place in zip(rows, own, places, strict=True):
        for k in range(1 + random + shuffled):
            if k == 0:
                other = address
            elif k <= random:
                other = int(draws(keys[0], int(place) * random + k - 1)) >> 32
            else:
                key = (int(keys[1]) + 4 * k) % (1 << 64)
                other = others[permuted(int(place), len(others), key)]
            who.append(row)
            where.append(other)
            real.append(k == 0)
    return np.array(who), np.array(where, np.int64), np.array(real)
