"""What a parser or an unpacker of a library found wrong, in our words."""

from __future__ import annotations

import json


def json_fault(error: ValueError | RecursionError) -> str:
    """Why a text is no JSON, where Python's parser has raised that, in our words."""
    if isinstance(error, json.JSONDecodeError):
        return f"it stops to be JSON at line {error.lineno}, column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return f"its byte {error.start} begins no letter of UTF-8"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return "one of its numbers has thousands of digits"


def unpacking_fault(error: Exception) -> str:
    """Why an archive or a compressed file could not be unpacked, and the remedy: the system's word, or none of a
    library's."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    what = "cut off" if isinstance(error, EOFError) else "cut off, damaged or none"
    return f"it is {what}. Make it or copy it once more"
