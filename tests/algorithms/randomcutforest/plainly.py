"""The forest as the paper and its formula say it, one point at a time."""

import math

import numpy as np


def score(forest, tree, row):
    """What one tree says of one row: the expectation of 1 / (depth + 1), from the root down."""
    return _from(forest, forest.roots[tree], np.asarray(row, np.float64), 0)


def scores(forest, rows):
    """On the scale of the original."""
    scale = math.log2(forest.size + 1)
    trees = range(len(forest.roots))
    return np.array([scale * np.mean([score(forest, tree, row) for tree in trees]) for row in rows])


def points_of(forest, node):
    """The points (m, d) below a node."""
    first = forest.first[node]
    return forest.points[first : first + forest.mass[node]].astype(np.float64)


def _from(forest, node, row, depth):
    points = points_of(forest, node)
    high, low = points.max(axis=0), points.min(axis=0)
    beyond = np.maximum(row - high, 0).sum() + np.maximum(low - row, 0).sum()
    if forest.feature[node] < 0:
        mass = len(points)
        seen = (1 - mass / (2 * forest.size)) / (depth + math.log2(mass + 1))
        return 1 / (depth + 1) if beyond > 0 else seen
    chance = beyond / ((high - low).sum() + beyond)
    right = row[forest.feature[node]] > forest.cut[node]
    further = _from(forest, forest.child[node] + right, row, depth + 1)
    return chance / (depth + 1) + (1 - chance) * further
