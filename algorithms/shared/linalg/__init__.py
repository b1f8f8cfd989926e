"""Distances, SIMD helpers and the fast-math flags of kernels."""
