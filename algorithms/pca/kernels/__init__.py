"""Inner loops of PCA: products over rows, projections."""

from algorithms.pca.kernels.products import PANEL, multiply, multiply_sparse, pack, spread
from algorithms.pca.kernels.projection import packed, project
from algorithms.pca.kernels.tiles import STRIP

__all__ = ["PANEL", "STRIP", "multiply", "multiply_sparse", "pack", "packed", "project", "spread"]
