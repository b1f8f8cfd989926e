"""How schemathesis serializes bodies that are pictures: they are sent as the bytes they are."""

from __future__ import annotations

from typing import Any

import schemathesis


@schemathesis.serializer("application/x-image", "image/jpeg", "image/png")
def as_it_is(context: schemathesis.SerializationContext, value: Any) -> dict[str, Any]:
    """Bytes, or the text of a body that is none."""
    return {"data": value if isinstance(value, bytes) else str(value).encode(errors="replace")}
