"""Formats of pictures with boxes: RecordIO with headers or annotations, and one picture a body."""
