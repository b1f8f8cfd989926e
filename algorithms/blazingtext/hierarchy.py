"""fastText's hierarchical softmax: labels are leaves of a Huffman tree, and each inner node is a yes or no.

Models that were trained so are served; our own have a softmax over all labels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.blazingtext.fasttext_file import Content

_LARGE = 10**15  # the count of a node that is not made yet


def probabilities(content: Content, rows: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.float32]:
    """(n, l) the probabilities of the labels of texts whose features are these rows."""
    paths, codes = _tree(content.label_counts.tolist())
    n, dim = len(ends) - 1, content.arguments.dim
    hidden = np.zeros((n, dim), np.float32)
    for i in range(n):
        own = rows[ends[i] : ends[i + 1]]
        if len(own):
            hidden[i] = content.inputs[own, :dim].mean(axis=0)
    yes = 1 / (1 + np.exp(-(hidden @ content.outputs[:-1, :dim].T).astype(np.float64)))
    out = np.ones((n, len(paths)))
    for label, (path, code) in enumerate(zip(paths, codes, strict=True)):
        for node, right in zip(path, code, strict=True):
            out[:, label] *= yes[:, node] if right else 1 - yes[:, node]
    return out.astype(np.float32)


def _tree(counts: list[int]) -> tuple[list[list[int]], list[list[bool]]]:
    """Of each label the inner nodes from the leaf to the root, and at each whether it lies on the right. Labels are in
    the order of falling counts."""
    size = len(counts)
    parent, right = [-1] * (2 * size - 1), [False] * (2 * size - 1)
    weight = [*counts, *[_LARGE] * (size - 1)]
    leaf, node = size - 1, size
    for new in range(size, 2 * size - 1):
        least = []
        for _ in range(2):
            if leaf >= 0 and weight[leaf] < weight[node]:
                least.append(leaf)
                leaf -= 1
            else:
                least.append(node)
                node += 1
        weight[new] = weight[least[0]] + weight[least[1]]
        parent[least[0]] = parent[least[1]] = new
        right[least[1]] = True
    paths, codes = [], []
    for label in range(size):
        path, code, at = [], [], label
        while parent[at] != -1:
            path.append(parent[at] - size)
            code.append(right[at])
            at = parent[at]
        paths.append(path)
        codes.append(code)
    return paths, codes
