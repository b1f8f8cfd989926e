"""The way in."""

from algorithms.image_classification.fitting import fit

__all__ = ["fit"]
