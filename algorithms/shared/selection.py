"""The best k of a stream, in compiled loops.    q queries   k best of each   p places

Two ways: a heap of exact distances, of which ties go to the lower number; and a list with more places than k, of which
the worst are dropped when it is full, which takes a comparison and a store an entry where many are better than the
k-th so far.
"""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(nogil=True, cache=True)
def replace_worst(distances, numbers, q, distance, number):
    """Puts an entry into the place of the worst of the heap of a query, which is at its top; (q, k) each."""
    k = distances.shape[1]
    place = 0
    while True:
        child = 2 * place + 1
        if child >= k:
            break
        other = child + 1
        if other < k and _is_worse(distances, numbers, q, other, child):
            child = other
        far, who = distances[q, child], numbers[q, child]
        if far < distance or (far == distance and who < number):
            break
        distances[q, place], numbers[q, place] = far, who
        place = child
    distances[q, place], numbers[q, place] = distance, number


@numba.njit(nogil=True, cache=True)
def _is_worse(distances, numbers, q, one, other):
    first, second = distances[q, one], distances[q, other]
    return first > second or (first == second and numbers[q, one] > numbers[q, other])


@numba.njit(nogil=True, cache=True)
def offer(distances, numbers, q, distance, number):
    """Takes an entry into the heap of a query if it is better than the worst there; whether it was."""
    worst = distances[q, 0]
    if distance < worst or (distance == worst and number < numbers[q, 0]):
        replace_worst(distances, numbers, q, distance, number)
        return True
    return False


@numba.njit(nogil=True, cache=True)
def sort_heap(distances, numbers, q):
    """Puts the heap of a query in order, the best first."""
    for last in range(distances.shape[1] - 1, 0, -1):
        distance, number = distances[q, last], numbers[q, last]
        distances[q, last], numbers[q, last] = distances[q, 0], numbers[q, 0]
        place = 0
        while True:
            child = 2 * place + 1
            if child >= last:
                break
            if child + 1 < last and _is_worse(distances, numbers, q, child + 1, child):
                child += 1
            far, who = distances[q, child], numbers[q, child]
            if far < distance or (far == distance and who < number):
                break
            distances[q, place], numbers[q, place] = far, who
            place = child
        distances[q, place], numbers[q, place] = distance, number


@numba.njit(nogil=True, cache=True)
def cut_down(keys, numbers, q, count, k):
    """Puts the k lowest of the first `count` keys of a query to the front, with their numbers; the greatest of them.

    Quickselect (Hoare, Algorithm 65: Find, 1961) with the median of three; equal keys do not slow it down.
    """
    low, high = 0, count - 1
    while low < high:
        one, two, three = keys[q, low], keys[q, (low + high) // 2], keys[q, high]
        pivot = max(min(one, two), min(max(one, two), three))
        i, j = low, high
        while i <= j:
            while keys[q, i] < pivot:
                i += 1
            while keys[q, j] > pivot:
                j -= 1
            if i <= j:
                keys[q, i], keys[q, j] = keys[q, j], keys[q, i]
                numbers[q, i], numbers[q, j] = numbers[q, j], numbers[q, i]
                i += 1
                j -= 1
        if k - 1 <= j:
            high = j
        elif k - 1 >= i:
            low = i
        else:
            break
    greatest = np.float32(-np.inf)
    for place in range(k):
        greatest = max(greatest, keys[q, place])
    return greatest


@numba.njit(nogil=True, cache=True)
def merge(parts, part_numbers, distances, numbers, q):
    """The best of the sorted lists of several parts (s, q, k), sorted, into those of the query (q, k)."""
    count, _, k = parts.shape
    at = np.zeros(count, np.int64)
    for place in range(k):
        best = -1
        for part in range(count):
            if at[part] == k:
                continue
            if best < 0:
                best = part
                continue
            one, other = parts[part, q, at[part]], parts[best, q, at[best]]
            less = part_numbers[part, q, at[part]] < part_numbers[best, q, at[best]]
            if one < other or (one == other and less):
                best = part
        distances[q, place], numbers[q, place] = parts[best, q, at[best]], part_numbers[best, q, at[best]]
        at[best] += 1
