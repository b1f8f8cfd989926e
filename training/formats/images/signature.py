"""What the first bytes of a file say that it is."""

from __future__ import annotations

JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
# What else people send, for the message that says so.
_OTHERS = {b"GIF8": "a GIF", b"BM": "a BMP", b"II*\0": "a TIFF", b"MM\0*": "a TIFF", b"%PDF": "a PDF", b"<": "text"}


def is_picture(data: bytes) -> bool:
    """True where the bytes begin as those of a JPEG or PNG file do."""
    return data.startswith((JPEG, PNG))


def description(data: bytes) -> str:
    """What is there instead of a picture, to stand after "it is"."""
    if not data:
        return "empty"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "a WebP file"
    name = next((name for start, name in _OTHERS.items() if data.startswith(start)), None)
    if name is None:
        return f"something that begins {data[:8]!r}"
    return name if name == "text" else f"{name} file"
