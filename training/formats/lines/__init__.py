"""Formats of lines of text: plain text with labels among the words, JSON, and the stream of an augmented manifest."""
