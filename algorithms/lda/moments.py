"""Moments of documents, summed while they stream by, and the small tensor that they come to.

v words   l directions of the sketch   r whitened directions   L words of a document

Two passes: the first multiplies the second moment with random directions, whose span nearly holds its strongest ones
(Halko, Martinsson and Tropp, SIAM Review 2011, algorithm 4.1); the second has the moments along that span. Of the
moments (Anandkumar et al. 2014, section 3.2) nothing of size v² is ever formed.

A document counts by L - 2, as many triples of words as it has for its length, and not alike: an estimate of the same
moments, in which short documents, of few words each, add less noise.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.lda.kernels import symmetrized
from algoport.algorithms.shared import machine
from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.linalg.sparse_products import add_transposed, multiply, padded
from algoport.algorithms.shared.text.counts import Counts

Matrix = NDArray[np.float64]
Sums = dict[str, NDArray[Any]]
SPARE = 4  # directions of the sketch beyond the candidates, at least; these are a quarter more than the topics
GAP = 8.0  # how many times the next eigenvalue one is that ends what is more than noise
RUN = 2048  # rows of a product of triples, which the second cache holds
WIDE = 256  # columns of such a product, nearly: below that the calls take longer than the work
NEAR = 1e-10  # how far from orthonormal directions may be
_DIRECTIONS = 17  # the use of the seed


@dataclass(frozen=True, eq=False)
class Whitened:
    """The third moment in whitened directions, and the way from these to words."""

    tensor: Matrix  # (r, r, r) symmetric
    back: Matrix  # (v, r)


def width(candidates: int, words: int) -> int:
    """How many directions the sketch has."""
    return min(padded(candidates + SPARE), words)


def directions(words: int, columns: int, seed: int) -> NDArray[np.float32]:
    """(v, l) normal numbers, the same for a seed."""
    return np.random.default_rng([seed, _DIRECTIONS]).standard_normal((words, columns), np.float32)


def first_sums(words: int, columns: int) -> Sums:
    """Nothing summed yet, of the first pass."""
    return {"along": np.zeros((words, columns)), "mean": np.zeros(words), "weight": np.zeros(1)}


def second_sums(words: int, columns: int) -> Sums:
    """Nothing summed yet, of the second pass."""
    sums = {name: np.zeros((words, columns)) for name in ("pairs", "triples")}
    diagonals = {name: np.zeros(words) for name in ("pair_diagonal", "triple_diagonal", "mean")}
    return {**sums, **diagonals, "cube": np.zeros((columns,) * 3), "weight": np.zeros(1)}


def add_first(sums: Sums, along: NDArray[np.float32], counts: Counts) -> None:
    """The products of the documents' pairs of words with the directions; adds to `sums`."""
    one, two, _ = _weights(counts.lengths)
    products = _products(counts, along)
    _add_transposed(counts, two, products, sums["along"])
    sums["along"] -= counts.sums(two)[:, None] * along
    sums["mean"] += counts.sums(one)
    sums["weight"] += _weight(counts.lengths).sum()


def basis(sums: Sums, along: NDArray[np.float32], alpha0: float) -> NDArray[np.float32]:
    """(v, l) orthonormal columns that nearly hold the strongest directions of the second moment."""
    n = max(float(sums["weight"][0]), 1e-300)
    mean = sums["mean"] / n
    products = sums["along"] / n - alpha0 / (alpha0 + 1) * np.outer(mean, mean @ along)
    return np.ascontiguousarray(_orthonormal(products), np.float32)


def _orthonormal(columns: Matrix) -> Matrix:
    """Orthonormal columns of the same span, by Cholesky's factor of their products, twice (Yamamoto, Nakatsukasa,
    Yanagisawa and Fukaya, ETNA 2015): a sixth of the time of a QR decomposition, which is made where the columns are
    too nearly dependent."""
    basis = columns
    try:
        for _ in range(2):
            factor = np.linalg.cholesky(basis.T @ basis)
            basis = basis @ np.linalg.inv(factor).T
    except np.linalg.LinAlgError:
        return np.linalg.qr(columns)[0]
    error = float(abs(basis.T @ basis - np.eye(basis.shape[1])).max())
    return basis if error < NEAR else np.linalg.qr(columns)[0]


def add_second(sums: Sums, span: NDArray[np.float32], counts: Counts) -> None:
    """Pairs and triples of words along the span; adds to `sums`."""
    one, two, three = _weights(counts.lengths)
    rows = _products(counts, span)
    _add_transposed(counts, two, rows, sums["pairs"])
    _add_transposed(counts, three, rows, sums["triples"])
    _add_triples(rows, rows, const(three), sums["cube"])
    for name, weights in (("mean", one), ("pair_diagonal", two), ("triple_diagonal", three)):
        sums[name] += counts.sums(weights)
    sums["weight"] += _weight(counts.lengths).sum()


def whitened(sums: Sums, span: NDArray[np.float32], alpha0: float, topics: int, candidates: int) -> Whitened:
    """The third moment along directions in which the second is the identity (Anandkumar et al. 2014, section 4.3)."""
    n, q = max(float(sums["weight"][0]), 1e-300), span.astype(np.float64)
    mean = sums["mean"] / n
    pairs = (sums["pairs"] - sums["pair_diagonal"][:, None] * q) / n  # (v, l) E[x1 x2] Q
    along = mean @ q
    less = alpha0 / (alpha0 + 1) * along
    second = pairs - np.outer(mean, less)  # (v, l) M2 Q
    inner = q.T @ pairs
    small = inner - np.outer(along, less)
    values, vectors = np.linalg.eigh((small + small.T) / 2)
    values, vectors = values[::-1], vectors[:, ::-1]
    r = rank(values, topics, candidates)
    whiten = vectors[:, :r] / np.sqrt(values[:r])  # (l, r)
    tensor = _turned(symmetrized(sums["cube"], False), whiten)
    tensor += _of_words(q @ whiten, sums["triples"] @ whiten, sums["triple_diagonal"])
    both = whiten.T @ inner @ whiten
    m = along @ whiten
    mixed = np.multiply.outer((both + both.T) / 2, m)
    tensor = tensor / n - alpha0 / (alpha0 + 2) * (mixed + mixed.transpose(0, 2, 1) + mixed.transpose(2, 0, 1))
    tensor += 2 * alpha0**2 / ((alpha0 + 1) * (alpha0 + 2)) * np.multiply.outer(np.outer(m, m), m)
    return Whitened(tensor, second @ whiten)


def rank(values: Matrix, topics: int, candidates: int) -> int:
    """How many eigenvalues, in descending order, are whitened: as many as candidates, but none that is not positive;
    and where there is a gap, none behind it, which would be noise made large. At least one."""
    positive = values[: candidates + 1]
    positive = positive[positive > values[0] * 1e-9]
    first = max(1, topics // 2)
    if len(positive) > first:
        ratios = positive[first - 1 : -1] / positive[first:]
        if ratios.max() > GAP:
            return first + int(ratios.argmax())
    return max(1, min(candidates, len(positive)))


def _weight(lengths: Matrix) -> Matrix:
    """How much each document counts."""
    return np.asarray(np.where(lengths >= 3, lengths - 2, 0.0), np.float64)


def _weights(lengths: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    """Factors that make sums over a document's words, pairs and triples of them averages, times its weight."""
    one = _weight(lengths) / np.maximum(lengths, 1)
    two = one / np.maximum(lengths - 1, 1)
    return one, two, two / np.maximum(lengths - 2, 1)


def _products(counts: Counts, matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    product = np.empty((len(counts), matrix.shape[1]), np.float32)
    multiply(counts.indptr, counts.words, counts.values, const(matrix), product)
    return const(product)


def _add_transposed(counts: Counts, weights: Matrix, rows: NDArray[np.float32], sums: Matrix) -> None:
    add_transposed(*counts.by_word, counts.values, const(weights), rows, sums)


def _add_triples(
    rows: NDArray[np.float32], others: NDArray[np.float32], weights: NDArray[np.float32], sums: Matrix
) -> None:
    """sums[i, j, m] += the sum over the rows of weight * row[i] * row[j] * other[m], where j >= i; and m >= i, where
    the others are the rows. 2 n l³ / 3 flops, or as many again by half.

    A matrix product for some i together, on one thread each: a loop of our own took twelve times as long.
    """
    same, many = others is rows, max(1, WIDE // rows.shape[1])
    length = RUN // many

    def add(i: int) -> None:
        """All i up to i + many; where j < i among these, the sum is one that nobody reads."""
        for run in range(0, len(rows), length):
            some = slice(run, run + length)
            left = (rows[some, i : i + many] * weights[some, None])[:, :, None] * rows[some, None, i:]
            right = others[some, i:] if same else others[some]
            product = left.reshape(len(left), -1).T @ right
            sums[i : i + many, i:, sums.shape[2] - right.shape[1] :] += product.reshape(*left.shape[1:], -1)

    with ThreadPoolExecutor(machine.cores()) as threads:
        list(threads.map(add, range(0, rows.shape[1], many)))


def _turned(tensor: Matrix, whiten: Matrix) -> Matrix:
    """A symmetric tensor along other directions."""
    once = np.tensordot(tensor, whiten, (0, 0))
    twice = np.tensordot(once, whiten, (0, 0))
    return np.asarray(np.tensordot(twice, whiten, (0, 0)), np.float64)


def _of_words(words: Matrix, triples: Matrix, diagonal: Matrix) -> Matrix:
    """What has to be taken from products of a document with itself, in which a word meets itself."""
    rows = np.ascontiguousarray(words, np.float32)
    others = np.ascontiguousarray(2 / 3 * diagonal[:, None] * words - triples, np.float32)
    sums = np.zeros((words.shape[1],) * 3)
    _add_triples(rows, others, np.ones(len(rows), np.float32), sums)
    return np.asarray(symmetrized(sums, True), np.float64)
