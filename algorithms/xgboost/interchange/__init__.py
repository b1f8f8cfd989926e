"""Model files that the XGBoost library and ours have in common: JSON and UBJSON, recognized by what they hold."""

from __future__ import annotations

import json
import struct
from typing import Any

import orjson

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.xgboost.booster import Booster
from algoport.algorithms.xgboost.interchange import schema, ubjson

_CONVERT = (
    "load it where it was made, with XGBoost 1.3 to 3.0, and save it again with "
    "Booster.save_model('xgboost-model.ubj') or '.json'"
)
_LEGACY = 136  # bytes of the struct with which a file of the old binary format begins


def read(data: bytes, name: str) -> Booster:
    """The booster that a file holds, in JSON or UBJSON whatever its name; `UserError` where it is none of these."""
    if data[:1] == b"\x80" and data[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        raise UserError(f"{name}: is a Python pickle, which could run code and is not read; {_CONVERT}.")
    if _is_old_binary(data):
        raise UserError(f"{name}: is in XGBoost's old binary format, which is not read; {_CONVERT}.")
    start = data[:4096].lstrip(b" \t\r\n")
    if start[:1] != b"{":
        raise UserError(f"{name}: is not an XGBoost model in JSON or UBJSON.")
    after = start[1:].lstrip(b" \t\r\n")[:1]
    document = _json(data, name) if after in (b'"', b"}") else ubjson.loads(data, name)
    return schema.booster(document, name)


def is_model(data: bytes) -> bool:
    """True where bytes may be a model that `read` reads: an object, which has a learner."""
    return data[:4096].lstrip(b" \t\r\n")[:1] == b"{" and (b'"learner"' in data or b"learner{" in data)


def write(booster: Booster, form: str = "ubj") -> bytes:
    """The file of that form, "ubj" or "json", as `xgboost.Booster().load_model` reads it."""
    document = schema.layout(booster)
    if form == "ubj":
        return ubjson.dumps(document)
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


def _json(data: bytes, name: str) -> Any:
    try:
        return orjson.loads(data)
    except ValueError as error:
        fault = error
    try:
        return json.loads(data)  # slower, but takes NaN and Infinity, which the library may write
    except (ValueError, RecursionError):
        raise UserError(f"{name}: is not whole JSON: {fault}.") from None


def _is_old_binary(data: bytes) -> bool:
    """True where a file begins with one of the old format's marks, or without a mark with its struct, which the name
    of the objective follows."""
    if data[:4] in (b"binf", b"bs64"):
        return True
    if len(data) < _LEGACY + 16 or data[:1] == b"{":
        return False
    (length,) = struct.unpack_from("<Q", data, _LEGACY)
    objective = data[_LEGACY + 8 : _LEGACY + 8 + length] if length <= 64 else b""
    return length > 0 and objective.isascii() and b":" in objective
