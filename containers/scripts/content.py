"""Bodies of requests and answers as scripts get and give them where they have no functions for it (contract, 3.6)."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np

from algoport.serving.refusals import EVALUATE, Refusal

JSON, CSV, NPY, NPZ = "application/json", "text/csv", "application/x-npy", "application/x-npz"
MOST = 1 << 30  # bytes of an archive when unpacked
READ, WRITTEN = (JSON, CSV, NPY, NPZ), (JSON, CSV, NPY)


def media(content_type: str | None) -> str:
    """A content type without its parameters."""
    return (content_type or "").partition(";")[0].strip().lower()


def as_given(body: bytes, content_type: str) -> str | bytes:
    """A body as `input_fn` gets it: text where it is JSON or CSV."""
    if media(content_type) not in (JSON, CSV) and not media(content_type).startswith("text/"):
        return body
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refusal(400, f"{EVALUATE}the body must be UTF-8; byte {error.start} begins no letter.") from None


def decode(body: bytes, content_type: str) -> Any:
    """An array, or a sparse matrix, of a body."""
    kind = media(content_type)
    try:
        if kind == JSON:
            return np.array(json.loads(body))
        if kind == CSV:
            text = io.StringIO(str(as_given(body, content_type)))
            return np.loadtxt(text, delimiter=",", ndmin=2, converters=_number)
        if kind == NPY:
            return np.load(io.BytesIO(body), allow_pickle=False)
        if kind == NPZ:
            from scipy import sparse

            with zipfile.ZipFile(io.BytesIO(body)) as packed:
                size = sum(entry.file_size for entry in packed.infolist())
            if size > MOST:
                raise Refusal(413, f"{EVALUATE}the body has {size:,} bytes when unpacked, where {MOST:,} are read.")
            return sparse.load_npz(io.BytesIO(body))
    except Refusal:
        raise
    except Exception as error:  # of whatever the library makes of bytes that are none of its own
        raise Refusal(400, f"{EVALUATE}the body cannot be read as {kind}: {error}.") from None
    raise Refusal(
        415, f"{EVALUATE}Content-Type '{kind[:80]}' is not one that is read without an input_fn: {', '.join(READ)}."
    )


def _number(field: str) -> float:
    return float(field) if field.strip() else np.nan  # an empty field is a missing value


def wanted(accept: str | None, default: str) -> str:
    """The first type that a request asks for; the default where it takes any."""
    first = (accept or "").partition(",")[0]
    return default if media(first) in ("", "*/*", "*") else first.strip()


def encode(prediction: Any, accept: str) -> tuple[bytes, str]:
    """A body of a prediction, and its content type."""
    kind = media(accept)
    if kind not in WRITTEN:
        raise Refusal(
            406, f"{EVALUATE}Accept '{kind[:80]}' is not one that is given without an output_fn: {', '.join(WRITTEN)}."
        )
    value = _plain(prediction)
    if kind == JSON:
        listed = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        return json.dumps(listed).encode(), JSON
    rows = np.asarray(value)
    if kind == NPY:
        stream = io.BytesIO()
        np.save(stream, rows, allow_pickle=False)
        return stream.getvalue(), NPY
    table = rows.reshape(1, -1) if rows.ndim == 0 else rows.reshape(len(rows), -1)
    return "".join(",".join(map(str, row)) + "\n" for row in table.tolist()).encode(), CSV


def _plain(value: Any) -> Any:
    """A prediction without a framework: tensors as arrays, frames as their values."""
    if hasattr(value, "detach"):
        return value.detach().cpu().numpy()
    if hasattr(value, "to_numpy"):
        return value.to_numpy()
    return value.toarray() if hasattr(value, "toarray") else value
