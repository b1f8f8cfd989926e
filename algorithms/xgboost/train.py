"""From rows to trees: `fit` stands in `rounds`, which tells of a round at a time."""

from algoport.algorithms.xgboost.rounds import fit

__all__ = ["fit"]
