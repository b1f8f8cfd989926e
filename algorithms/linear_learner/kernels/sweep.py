"""Thresholds and ranks of two classes, from the scores of each in ascending order.    p positives   q negatives"""

import numba
import numpy as np

from algoport.algorithms.linear_learner.kernels.writing import apart

BINS = 1024
PARTS = 4  # of the rows that are counted side by side; what they count does not depend on the number of threads
ROWS = 64  # whose bins are found at once
ACCURACY, F_BETA, PRECISION_AT_RECALL, RECALL_AT_PRECISION = range(4)


@numba.njit(nogil=True, cache=True)
def best(
    positives,  # in (p,) float32, ascending
    negatives,  # in (q,) float32, ascending
    criterion,
    beta,  # of F_BETA
    target,  # the recall or precision to keep
    natural,  # the threshold to take where it is as good as any
):
    """The best threshold: rows whose score is at least this are positive.

    It lies in the middle between two scores, unless the natural one does the same. Of thresholds that are as good as
    each other the one nearest to the natural one is taken. Where none keeps the target precision, the value is
    negative, and higher the nearer it comes.

    Returns the value of the criterion and the threshold.
    """
    p, q = len(positives), len(negatives)
    i, j = p, q  # where the rows that are positive begin
    highest, second, nearest, threshold = -np.inf, -np.inf, np.inf, natural
    while True:
        # Rows from i and j on are positive. The threshold is above all that are not, and not above those that are.
        below = max(positives[i - 1] if i > 0 else -np.inf, negatives[j - 1] if j > 0 else -np.inf)
        value, further = _worth(p - i, q - j, p, q, criterion, beta, target)
        if value > highest or (value == highest and further >= second):  # seldom, so that the rest costs nothing
            above = min(positives[i] if i < p else np.inf, negatives[j] if j < q else np.inf)
            place = _between(below, above, natural)
            far = abs(place - natural)
            if (value, further, -far) > (highest, second, -nearest):
                highest, second, nearest, threshold = value, further, far, place
        if i == 0 and j == 0:
            return highest, threshold
        while i > 0 and positives[i - 1] == below:
            i -= 1
        while j > 0 and negatives[j - 1] == below:
            j -= 1


@numba.njit(parallel=True, nogil=True, cache=True)
def coarse(
    margins,  # in (n, m) float32
    positive,  # in (n,) bool
    criterion,
    beta,
    target,
    values,  # sets (m,) float64
):
    """The value of `best`, of all models at once, but of thresholds at the edges of `BINS` bins of margins only.

    The bins are of x / (1 + |x|), which is finer where probabilities change fast. No sorting: one pass over the
    margins. It is at most a bin's share of the rows below the best there is, and minus infinity where a margin is
    missing or infinite.
    """
    n, m = margins.shape
    flat = margins.reshape(margins.size)
    counts = np.zeros((PARTS, (BINS + 1) * 2 * m), np.int32)
    for part in numba.prange(PARTS):
        _count(flat, positive, m, np.int64(part) * n // PARTS, (np.int64(part) + 1) * n // PARTS, counts[part])
    for part in range(1, PARTS):
        counts[0] += counts[part]
    histogram = counts[0].reshape((BINS + 1, 2, m))
    for j in range(m):
        values[j] = _highest(histogram[:, :, j], criterion, beta, target)


@numba.njit(nogil=True, cache=True)
def _count(margins, positive, m, first, last, counts):
    """Adds to `counts` (BINS + 1, 2, m) how many margins of some rows of each class fall into each bin."""
    bins = np.empty(ROWS * m, np.int32)
    for begin in range(first, last, ROWS):
        some = min(ROWS, last - begin)
        _bin(margins, begin * m, some * m, bins)
        for r in range(some):
            own = m if positive[begin + r] else 0
            for j in range(m):
                counts[bins[r * m + j] * 2 * m + own + j] += 1


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _bin(margins, first, some, bins):
    """Sets which of `BINS` bins margins fall into, in the order of margins; BINS where they are not finite."""
    apart()
    half = np.float32(BINS // 2)
    for i in range(some):
        x = margins[first + i]
        finite = abs(x) < np.float32(np.inf)
        known = x if finite else np.float32(0)
        place = np.int32((known / (np.float32(1) + abs(known)) + np.float32(1)) * half)
        bins[i] = min(place, np.int32(BINS - 1)) if finite else np.int32(BINS)


@numba.njit(nogil=True, cache=True)
def _highest(counts, criterion, beta, target):
    """The value at the best edge of the bins that hold so many rows (BINS + 1, 2) of each class."""
    if counts[BINS].any():
        return -np.inf
    q, p = np.int64(counts[:, 0].sum()), np.int64(counts[:, 1].sum())
    true, false = np.int64(0), np.int64(0)
    if criterion == ACCURACY:
        right, most = np.int64(0), np.int64(0)
        for b in range(BINS - 1, -1, -1):
            right += counts[b, 1] - counts[b, 0]
            most = max(most, right)
        return (most + q) / max(p + q, 1)
    highest, _ = _worth(true, false, p, q, criterion, beta, target)
    for b in range(BINS - 1, -1, -1):
        false, true = false + counts[b, 0], true + counts[b, 1]
        highest = max(highest, _worth(true, false, p, q, criterion, beta, target)[0])
    return highest


@numba.njit(nogil=True, cache=True)
def _between(below, above, natural):
    """The threshold above one score and not above another: the natural one if it can be."""
    if below < natural <= above:
        return np.float64(natural)
    if below == -np.inf:
        return np.float64(above)
    if above == np.inf:
        return np.float64(below) + 1.0
    return (np.float64(below) + np.float64(above)) / 2


@numba.njit(nogil=True, cache=True)
def _worth(true, false, p, q, criterion, beta, target):
    """The value of a threshold with so many true and false positives, and what decides where it is the same."""
    if criterion == ACCURACY:
        return (true + q - false) / max(p + q, 1), 0.0
    if criterion == F_BETA:
        weighted = (1 + beta**2) * true
        whole = weighted + beta**2 * (p - true) + false
        return (weighted / whole if whole > 0 else 0.0), 0.0
    recall = true / p if p > 0 else 0.0
    precision = true / (true + false) if true + false > 0 else 0.0
    if criterion == PRECISION_AT_RECALL:
        return (precision, recall) if recall >= target else (-1.0, recall)
    return (recall, precision) if precision >= target else (precision - 1.0, recall)


@numba.njit(nogil=True, cache=True)
def area(
    positives,  # in (p,) float32, ascending
    negatives,  # in (q,) float32, ascending
):
    """The area under the ROC curve: the share of pairs in which the positive scores higher, a tie counting half.

    0.5 where one of the classes has no row.
    """
    p, q = len(positives), len(negatives)
    if p == 0 or q == 0:
        return 0.5
    lower, level, pairs = 0, 0, 0.0  # negatives below this positive, and those that are not above it
    for i in range(p):
        while lower < q and negatives[lower] < positives[i]:
            lower += 1
        while level < q and negatives[level] <= positives[i]:
            level += 1
        pairs += 0.5 * (lower + level)
    return pairs / (np.float64(p) * q)
