"""A model on disk: arrays in `model.safetensors`, all else in `model.json`. Nothing runs when it is read."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algorithms.errors import UserError

ARRAYS, FACTS = "model.safetensors", "model.json"
FORMAT_VERSION = 1


def save(folder: Path, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
    """Write both files; each is complete or not there, and the facts, written last, say that all is."""
    from safetensors.numpy import save as serialized

    folder.mkdir(parents=True, exist_ok=True)
    whole = {name: np.require(array, array.dtype.newbyteorder("="), "C") for name, array in arrays.items()}
    # An older model's facts go first: a death between the two writes must not leave them beside new arrays.
    (folder / FACTS).unlink(missing_ok=True)
    put(folder / ARRAYS, serialized(whole))
    text = json.dumps({"format_version": FORMAT_VERSION, **facts}, indent=1)
    put(folder / FACTS, text.encode())


def load(folder: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays and facts of an artifact; `UserError` names the file that is missing or damaged."""
    facts = _facts(folder / FACTS)
    path = folder / ARRAYS
    try:
        from safetensors.numpy import load_file

        arrays = load_file(path)
    except FileNotFoundError:
        raise UserError(f"{ARRAYS}: is missing beside {FACTS}.") from None
    except Exception as error:
        raise UserError(f"{ARRAYS}: cannot be read as safetensors: {error}.") from None
    return arrays, facts


def exists(folder: Path) -> bool:
    """True where `save` has written here."""
    return (folder / FACTS).is_file()


def _facts(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{FACTS}: there is no model in this folder.") from None
    except OSError as error:
        raise UserError(f"{FACTS}: cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{FACTS}: is not JSON: {error}.") from None
    if not isinstance(facts, dict):
        raise UserError(f"{FACTS}: must be an object.")
    version = facts.get("format_version", FORMAT_VERSION)
    if type(version) is not int or version < 1:
        raise UserError(f"{FACTS}: format_version must be a whole number at least 1; it is {version!r}.")
    if version > FORMAT_VERSION:
        raise UserError(f"{FACTS}: has format version {version}; this release reads up to {FORMAT_VERSION}.")
    return facts


def put(path: Path, data: bytes) -> None:
    """Write a file that is whole or not there: beside it first, then renamed."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(beside, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
