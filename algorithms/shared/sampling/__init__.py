"""Samples of streams."""
