"""Sequences of differing lengths, computed with without padding."""
