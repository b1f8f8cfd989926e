"""Inner loops of LDA: what topics a document has, and symmetric tensors."""

from algoport.algorithms.lda.kernels.inference import infer, log_likelihoods
from algoport.algorithms.lda.kernels.moments import pair_products, symmetrized

__all__ = ["infer", "log_likelihoods", "pair_products", "symmetrized"]
