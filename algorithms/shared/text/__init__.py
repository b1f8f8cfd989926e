"""Texts as what is learned from them: hashes."""
