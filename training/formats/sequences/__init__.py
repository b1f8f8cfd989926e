"""Formats of sequences of whole numbers."""
