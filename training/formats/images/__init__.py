"""Formats of pictures: packed in records, or one a file. Nothing is decoded here; a picture stays as it was sent."""
