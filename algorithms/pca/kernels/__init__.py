"""Inner loops of PCA: products over rows, projections."""

from algoport.algorithms.pca.kernels.products import PANEL, multiply, multiply_sparse, pack, spread
from algoport.algorithms.pca.kernels.projection import pack_components, project
from algoport.algorithms.pca.kernels.tiles import STRIP

__all__ = ["PANEL", "STRIP", "multiply", "multiply_sparse", "pack", "pack_components", "project", "spread"]
