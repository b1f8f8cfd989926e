"""What a mask must be: a PNG file with one small number a pixel, as high and wide as its picture."""

from __future__ import annotations

from algoport.algorithms.shared.vision.headers import JPEG, PNG, head
from algoport.algorithms.shared.vision.orientation import upright_size
from algoport.algorithms.shared.vision.signature import description
from algoport.training.formats.layout import Layout

# Colour types of PNG (ISO/IEC 15948, 11.2.2): a gray level, or the number of a colour in a palette.
_GRAY, _PALETTE = 0, 3
_COLORS = {2: "red, green and blue", 4: "gray with alpha", 6: "red, green, blue and alpha"}
_DEPTH, _COLOR = 24, 25  # bytes of the head that say so


def check(mask: bytes, data: bytes, layout: Layout, place: str) -> bytes:
    """The mask of the picture `data`; `UserError` where it is none. Its pixels are not looked at."""
    if not mask.startswith(PNG):
        what = "a JPEG file" if mask.startswith(JPEG) else description(mask)
        raise layout.fault(place, f"must be a mask, a PNG file; it is {what}.")
    known = head(mask)
    if known is None or not known.whole:
        raise layout.fault(place, "its mask is cut off: the end of the PNG file is missing.")
    depth, color = mask[_DEPTH], mask[_COLOR]
    if color not in (_GRAY, _PALETTE) or depth > 8:
        has = f"{depth} bits of {_COLORS.get(color, 'gray')}"
        raise layout.fault(
            place, f"its mask must be gray or have a palette, with at most 8 bits a pixel; it has {has} a pixel."
        )
    actual = upright_size(data)
    if actual is not None and actual != (known.height, known.width):
        raise layout.fault(
            place,
            f"its mask must have the size of the picture, {actual[1]} x {actual[0]} pixels; it has "
            f"{known.width} x {known.height}.",
        )
    return mask
