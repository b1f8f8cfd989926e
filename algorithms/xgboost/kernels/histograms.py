"""Inner loops of histograms: sums of gradients and Hessians for every bin of every feature, in whole numbers.

n rows   d features   s bins a feature has room for

Gradients are rounded to whole numbers, so that sums do not depend on the order of the rows, on threads or on hosts.
A row's two numbers are packed into one, h * 2^32 + g, and added at once; after FLUSH rows the packed sums are taken
apart and added to wide ones before they could overflow.
"""

from __future__ import annotations

import numba
import numpy as np

FLUSH = 32768  # rows: times 2^16 that is less than 2^31
GROUP = 28  # features whose packed histograms of 256 bins stay near the first cache together


@numba.njit(parallel=True, nogil=True, cache=True)
def largest(
    gradients,  # in   (n, 2) float32
):
    """The greatest absolute gradient and the greatest absolute Hessian."""
    n = len(gradients)
    parts = 64
    most = np.zeros((parts, 2), np.float32)
    for p in numba.prange(parts):
        g, h = np.float32(0), np.float32(0)
        for i in range(n * p // parts, n * (p + 1) // parts):
            g = max(g, abs(gradients[i, 0]))
            h = max(h, abs(gradients[i, 1]))
        most[p, 0], most[p, 1] = g, h
    return most[:, 0].max(), most[:, 1].max()


@numba.njit(parallel=True, nogil=True, cache=True)
def packed(
    gradients,  # in   (n, 2) float32
    scale_g,
    scale_h,
    pairs,  # sets (n,) int64  h * 2^32 + g, both rounded
):
    """Round gradients times their scale and pack them."""
    for i in numba.prange(len(gradients)):
        g = np.int64(np.rint(gradients[i, 0] * scale_g))
        h = np.int64(np.rint(gradients[i, 1] * scale_h))
        pairs[i] = (h << 32) + g


@numba.njit(parallel=True, nogil=True, cache=True)
def totals(
    pairs,  # in   (n,) int64
    order,  # in   (m,) int32 which rows
):
    """The sums of g and of h over these rows."""
    m = len(order)
    parts = 64
    sums = np.zeros((parts, 2), np.int64)
    for p in numba.prange(parts):
        g, h = 0, 0
        for c in range(m * p // parts, m * (p + 1) // parts):
            v = pairs[order[c]]
            low = np.int64(np.int32(v & 0xFFFFFFFF))
            g += low
            h += (v - low) >> 32
        sums[p, 0], sums[p, 1] = g, h
    return sums.sum(axis=0)


@numba.njit(nogil=True, cache=True)
def _flush(own, wide):
    """Adds packed sums to wide ones, and sets them to 0."""
    for k in range(len(own)):
        v = own[k]
        if v != 0:
            low = np.int64(np.int32(v & 0xFFFFFFFF))
            wide[k, 0] += low
            wide[k, 1] += (v - low) >> 32
            own[k] = 0


@numba.njit(nogil=True, cache=True)
def _sum_rows(codes, pairs, order, begin, end, stride, own, wide):
    """Adds the rows order[begin:end] to a wide histogram (d * s, 2)."""
    d = codes.shape[1]
    for first in range(0, d, GROUP):
        last = min(d, first + GROUP)
        part = own[: (last - first) * stride]
        for start in range(begin, end, FLUSH):
            for c in range(start, min(end, start + FLUSH)):
                i = order[c]
                v = pairs[i]
                for f in range(first, last):
                    part[(f - first) * stride + codes[i, f]] += v
            _flush(part, wide[first * stride : last * stride])


@numba.njit(parallel=True, nogil=True, cache=True)
def build(
    codes,  # in   (n, d) unsigned
    pairs,  # in   (n,) int64
    order,  # in   (m,) int32
    begins,  # in   (k,) int64 where the rows of each node begin in `order`
    ends,  # in   (k,) int64
    slots,  # in   (k,) int64 which histogram each node fills
    pool,  # sets (slots, d * s, 2) int64
    threads,
):
    """The histograms of some nodes. Threads take equally many rows, whichever nodes these belong to."""
    k = len(begins)
    d = codes.shape[1]
    size = pool.shape[1]
    stride = size // max(d, 1)
    counts = np.zeros(k + 1, np.int64)
    for j in range(k):
        counts[j + 1] = counts[j] + ends[j] - begins[j]
    m = counts[k]
    edges = np.zeros((threads, size, 2), np.int64)
    edge_of = np.full(threads, -1)
    for j in numba.prange(k):
        pool[slots[j]] = 0
    for t in numba.prange(threads):
        own = np.zeros(min(d, GROUP) * stride, np.int64)
        first, last = m * t // threads, m * (t + 1) // threads
        for j in range(k):
            begin, end = max(first, counts[j]), min(last, counts[j + 1])
            if begin >= end:
                continue
            shift = begins[j] - counts[j]
            if begin == counts[j]:
                _sum_rows(codes, pairs, order, begin + shift, end + shift, stride, own, pool[slots[j]])
            else:  # another thread began this node, and both may be writing now
                edge_of[t] = j
                _sum_rows(codes, pairs, order, begin + shift, end + shift, stride, own, edges[t])
    for t in range(threads):
        if edge_of[t] >= 0:
            pool[slots[edge_of[t]]] += edges[t]


@numba.njit(parallel=True, nogil=True, cache=True)
def subtract(
    pool,  # sets (slots, size, 2) int64
    parents,  # in   (k,) int64 histograms that become what is left
    children,  # in   (k,) int64
):
    """A parent's histogram less one child's is the other child's."""
    for j in numba.prange(len(parents)):
        pool[parents[j]] -= pool[children[j]]


@numba.njit(parallel=True, nogil=True, cache=True)
def leaf_sums(
    gradients,  # in   (n, 2) float32
    order,  # in   (m,) int32
    begins,  # in   (k,) int64
    ends,  # in   (k,) int64
    scale_g,
    scale_h,
    sums,  # sets (k, 2) int64
):
    """The sums of some leaves, rounded far finer than a histogram's."""
    for j in numba.prange(len(begins)):
        g, h = 0, 0
        for c in range(begins[j], ends[j]):
            i = order[c]
            g += np.int64(np.rint(np.float64(gradients[i, 0]) * scale_g))
            h += np.int64(np.rint(np.float64(gradients[i, 1]) * scale_h))
        sums[j, 0], sums[j, 1] = g, h
