"""Thresholds and ranks of two classes, from the scores of each in ascending order.    p positives   q negatives"""

import numba
import numpy as np

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
            if below < natural <= above:
                place = natural
            elif below == -np.inf:
                place = np.float64(above)
            elif above == np.inf:
                place = np.float64(below) + 1.0
            else:
                place = (np.float64(below) + np.float64(above)) / 2
            far = abs(place - natural)
            if (value, further, -far) > (highest, second, -nearest):
                highest, second, nearest, threshold = value, further, far, place
        if i == 0 and j == 0:
            return highest, threshold
        while i > 0 and positives[i - 1] == below:
            i -= 1
        while j > 0 and negatives[j - 1] == below:
            j -= 1


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
