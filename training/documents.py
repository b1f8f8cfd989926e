"""The JSON files of `input/config`, which come from outside: one object each, or one sentence on what is wrong."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

from algoport.algorithms.contract.errors import UserError

# The platform's own limits (100 settings of 2,500 characters, 20 channels) end far below.
MOST_BYTES = 16 << 20


def read(path: Path) -> dict[str, Any]:
    """The object in a file; empty where there is no file. `UserError` says in our words why there is none in it."""
    try:
        data = _content(path)
        value = json.loads(data.decode(json.detect_encoding(data)), object_pairs_hook=_once)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UserError(f"{path.name}: cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path.name}: must be UTF-8; byte {error.start} begins no letter.") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise UserError(f"{path.name}: must be a JSON object; at {where} it is none.") from None
    except RecursionError:
        raise UserError(f"{path.name}: must be a flat JSON object; it is nested too deeply.") from None
    except _Twice as error:
        raise UserError(f"{path.name}: must have each name once; '{error}' is there twice.") from None
    except ValueError:  # the only other: a number of more digits than Python reads
        raise UserError(f"{path.name}: must hold numbers that can be read; one has thousands of digits.") from None
    if not isinstance(value, dict):
        raise UserError(f"{path.name}: must be a JSON object; it is {describe(value)}.")
    return value


class _Twice(ValueError):
    """A name that an object has twice."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    for name, value in pairs:
        if name in whole and whole[name] != value:
            raise _Twice(name)
        whole[name] = value
    return whole


def _content(path: Path) -> bytes:
    """The bytes of a plain file; a pipe in its place is not waited for."""
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError("it is no plain file")
        if status.st_size > MOST_BYTES:
            raise OSError(f"it has {status.st_size:,} bytes, where {MOST_BYTES:,} are the most")
        return file.read(MOST_BYTES + 1)


def describe(value: object) -> str:
    """What a value of JSON is, in JSON's words."""
    if value is None:
        return "null"
    names = {bool: "true or false", dict: "an object", list: "a list", str: "text"}
    return next((name for kind, name in names.items() if isinstance(value, kind)), "a number")
