"""Thresholds and ranks of two classes, from the scores of each in ascending order.    p positives   q negatives"""

import numba
import numpy as np

BINS = 2048
PARTS = 4  # of the rows that are counted side by side; what they count does not depend on the number of threads
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
    margins,  # in (n, m) float32, all finite
    positive,  # in (n,) bool
    criterion,
    beta,
    target,
    natural,
    values,  # sets (m,) float64
    thresholds,  # sets (m,) float64
):
    """As `best`, of all models at once, but thresholds are tried only at the edges of `BINS` bins of margins.

    The bins are of x / (1 + |x|), which is finer where probabilities change fast. No sorting: two passes over the
    margins. The value is that of the threshold found, and at most a bin's share of the rows below the best there is.
    """
    n, m = margins.shape
    counts = np.zeros((PARTS, m, BINS, 2), np.int32)
    for part in numba.prange(PARTS):
        for r in range(np.int64(part) * n // PARTS, (np.int64(part) + 1) * n // PARTS):
            which = 1 if positive[r] else 0
            for c in range(m):
                counts[part, c, _bin(margins[r, c]), which] += 1
    for model in numba.prange(m):
        c = np.int64(model)
        total = np.zeros((BINS, 2), np.int64)
        for part in range(PARTS):
            total += counts[part, c]
        q, p = total[:, 0].sum(), total[:, 1].sum()
        true, false, edge = np.int64(0), np.int64(0), np.int64(BINS)
        middle = _bin(np.float32(natural))
        highest, second = _worth(true, false, p, q, criterion, beta, target)
        for b in range(BINS - 1, -1, -1):
            false, true = false + total[b, 0], true + total[b, 1]
            value, further = _worth(true, false, p, q, criterion, beta, target)
            better = (value, further, -abs(b - middle)) > (highest, second, -abs(edge - middle))
            if better and total[b, 0] + total[b, 1] > 0:
                highest, second, edge = value, further, np.int64(b)
        below, above = -np.inf, np.inf
        for r in range(n):
            x = np.float64(margins[r, c])
            if _bin(margins[r, c]) < edge:
                below = max(below, x)
            else:
                above = min(above, x)
        values[c], thresholds[c] = highest, _between(below, above, natural)


@numba.njit(nogil=True, cache=True)
def _bin(margin):
    """Which of `BINS` bins a margin falls into; the order of margins is that of their bins."""
    place = margin / (np.float32(1) + abs(margin))
    return min(np.int64((place + np.float32(1)) * np.float32(BINS // 2)), BINS - 1)


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
