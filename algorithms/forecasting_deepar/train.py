"""Where the platform finds `fit`; the algorithm is in `fitting`."""

from algoport.algorithms.forecasting_deepar.fitting import fit

__all__ = ["fit"]
