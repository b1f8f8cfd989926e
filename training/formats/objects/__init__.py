"""Formats of objects: JSON, JSON Lines and Parquet, in which a record has named fields of any shape."""
