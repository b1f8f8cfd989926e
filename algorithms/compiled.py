"""Compiled kernels: which processor they are compiled for, where they are kept."""

from __future__ import annotations


def prepare() -> None:
    """Make numba ready. To be called once in each process that computes, before numba is imported."""
