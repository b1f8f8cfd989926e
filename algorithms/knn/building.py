"""From the sampled rows to an index.    n rows   d features   l lists   m codes of a row"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.group import Group
from algoport.algorithms.knn import kernels
from algoport.algorithms.knn.hyperparameters import Hyperparameters
from algoport.algorithms.knn.index import ENTRIES, Flat, Index, Inverted
from algoport.algorithms.knn.sketch import sketch
from algoport.algorithms.shared.clustering.kernels import nearest
from algoport.algorithms.shared.clustering.lloyd import lloyd
from algoport.algorithms.shared.randomness import seed_of

Rows = NDArray[np.float32]
# Passes of Lloyd's method over the rows for the centers of lists, and over what they leave for codebooks: as faiss.
LIST_PASSES, BOOK_PASSES = 10, 25
# Rows a center that these passes see at most, as faiss; with 64 for a codebook, recall was .605 and not .612.
LIST_ROWS, BOOK_ROWS = 256, 256
LISTS, BOOKS = 11, 12  # streams of random numbers


def build(
    rows: Rows, settings: Hyperparameters, seed: int, group: Group, note: Callable[[str], None] = lambda text: None
) -> Index:
    """The index that the settings ask for; exchanges of what is learned, so that it is the same at every member."""
    metric = kernels.SQUARES if settings.index_metric == "L2" else kernels.PRODUCTS
    start = time.monotonic()
    note("Training index...")
    if settings.index_type == "faiss.Flat":
        learned = sketch(rows, metric, settings.k, group)
        note(f"...Finished training index in {round(time.monotonic() - start)} second(s)")
        note("Adding data to index...")
        start = time.monotonic()
        index: Index = Flat.of(rows, metric, learned)
    else:
        centers = _centers(rows, settings, seed, group)
        quantizer = Flat.of(centers, metric)
        own = quantizer.search(rows, 1)[1][:, 0]
        coded = settings.index_type == "faiss.IVFPQ"
        books = _books(rows, centers, own, settings.parts, seed, group) if coded else _no_books()
        note(f"...Finished training index in {round(time.monotonic() - start)} second(s)")
        note("Adding data to index...")
        start = time.monotonic()
        index = _inverted(rows, quantizer, own, books, settings.nprobe)
    note(f"...Finished adding data to index in {round(time.monotonic() - start)} second(s)")
    return index


def lists_of(settings: Hyperparameters, n: int) -> int:
    """How many lists there are: at most one a row."""
    asked = settings.faiss_index_ivf_nlists
    lists = round(math.sqrt(settings.sample_size)) if asked == "auto" else int(asked)
    return max(1, min(lists, n))


def _centers(rows: Rows, settings: Hyperparameters, seed: int, group: Group) -> Rows:
    """The centers of the lists, (l, d)."""
    lists = lists_of(settings, len(rows))
    random = np.random.default_rng(seed_of(seed, LISTS))
    some = _some(rows, lists * LIST_ROWS, random)
    start = some[random.choice(len(some), lists, replace=False)]
    centers = np.ascontiguousarray(lloyd(some, start, passes=LIST_PASSES, tol=0).centers, np.float32)
    if settings.index_metric == "COSINE":
        lengths = np.linalg.norm(centers, axis=1, keepdims=True)
        centers = np.ascontiguousarray(np.divide(centers, lengths, out=centers.copy(), where=lengths > 0), np.float32)
    group.broadcast_(centers)
    return centers


def _some(rows: Rows, most: int, random: np.random.Generator) -> Rows:
    if len(rows) <= most:
        return rows
    return rows[np.sort(random.choice(len(rows), most, replace=False))]


def _no_books() -> Rows:
    return np.empty((0, ENTRIES, 0), np.float32)


def _books(rows: Rows, centers: Rows, own: NDArray[np.int64], m: int, seed: int, group: Group) -> Rows:
    """The codebooks (m, 256, d / m) of what rows differ from their centers by; with fewer rows than entries some
    entries are alike."""
    random = np.random.default_rng(seed_of(seed, BOOKS))
    order = np.sort(random.permutation(len(rows))[: ENTRIES * BOOK_ROWS])
    rests = rows[order] - centers[own[order]]
    width = rows.shape[1] // m
    books = np.empty((m, ENTRIES, width), np.float32)
    first = random.choice(len(rests), ENTRIES, replace=len(rests) < ENTRIES)
    for j in range(m):
        part = np.ascontiguousarray(rests[:, j * width : (j + 1) * width])
        books[j] = lloyd(part, part[first], passes=BOOK_PASSES, tol=0).centers
    group.broadcast_(books)
    return books


def _inverted(rows: Rows, quantizer: Flat, own: NDArray[np.int64], books: Rows, probes: int) -> Inverted:
    """The rows in the order of their lists, within a list as they came; or their codes."""
    lists = len(quantizer.rows)
    order = np.argsort(own, kind="stable")
    begins = np.zeros(lists + 1, np.int64)
    np.cumsum(np.bincount(own, minlength=lists), out=begins[1:])
    d = rows.shape[1]
    if not len(books):
        codes = np.empty((0, 0), np.uint8)
        return Inverted.of(quantizer.rows, begins, order, rows[order], codes, books, quantizer.metric, probes)
    codes = _codes(rows, quantizer.rows, own, order, books)
    nothing = np.empty((0, d), np.float32)
    return Inverted.of(quantizer.rows, begins, order, nothing, codes, books, quantizer.metric, probes)


def _codes(
    rows: Rows, centers: Rows, own: NDArray[np.int64], order: NDArray[np.int64], books: Rows
) -> NDArray[np.uint8]:
    """The numbers (n, m) of the nearest entries, in the order of the lists; some thousand rows at a time."""
    m, _, width = books.shape
    codes = np.empty((len(rows), m), np.uint8)
    for start in range(0, len(rows), 1 << 14):
        some = order[start : start + (1 << 14)]
        rests = rows[some] - centers[own[some]]
        for j in range(m):
            part = np.ascontiguousarray(rests[:, j * width : (j + 1) * width])
            codes[start : start + len(some), j] = nearest(part, books[j])[0]
    return codes
