"""Algorithms of a few lines, one for each kind of records that no real one has yet."""
