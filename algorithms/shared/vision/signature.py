"""What the first bytes of a file say that it is."""

from __future__ import annotations

from algoport.algorithms.shared.vision.headers import JPEG, PNG, is_webp

KNOWN = "a JPEG, PNG or WebP file"
# What else people send, for the message that says so.
_OTHERS = {b"GIF8": "a GIF", b"BM": "a BMP", b"II*\0": "a TIFF", b"MM\0*": "a TIFF", b"%PDF": "a PDF", b"<": "text"}


def is_picture(data: bytes) -> bool:
    """True where the bytes begin as those of a JPEG, PNG or WebP file do."""
    return data.startswith((JPEG, PNG)) or is_webp(data)


def description(data: bytes) -> str:
    """What is there instead of a picture, to stand after "it is"."""
    if not data:
        return "empty"
    name = next((name for start, name in _OTHERS.items() if data.startswith(start)), None)
    if name is None:
        return f"something that begins {data[:8]!r}"
    return name if name == "text" else f"{name} file"
