"""Formats of tables of texts and numbers."""
