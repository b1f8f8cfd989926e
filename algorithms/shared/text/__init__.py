"""Texts as what is learned from them: hashes, vocabularies, counts of words, and what topics look like as words."""
