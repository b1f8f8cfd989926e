"""The way in."""

from algoport.algorithms.image_classification.fitting import fit

__all__ = ["fit"]
