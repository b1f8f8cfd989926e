"""Bytes from somebody who means harm: what may come of them is an answer or a sentence."""
