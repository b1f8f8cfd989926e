"""Fuzzing: whatever the bytes, what comes of them is an answer or a sentence that says why not."""
