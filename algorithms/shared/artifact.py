"""A model on disk: arrays in `model.safetensors`, all else in `model.json`. Nothing runs when it is read."""

from __future__ import annotations

import contextlib
import json
import math
import os
import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.explanations import json_fault
from algoport.algorithms.shared.model_folder import UNFINISHED, NoModel, check_finished, locate, open_file, read_file

ARRAYS, FACTS = "model.safetensors", "model.json"
FORMAT_VERSION = 1
# Of arrays that can be mapped.
_TYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "I64": "<i8",
    "I32": "<i4",
    "U16": "<u2",
    "U8": "u1",
}  # of arrays that can be mapped

__all__ = ["ARRAYS", "FACTS", "UNFINISHED", "check_finished", "exists", "find", "load", "put", "save", "writing"]


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


def load(
    folder: Path, algorithm: str | None = None, *, mapped: Collection[str] = ()
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays and facts of an artifact; `UserError` names the file that is missing or damaged, or that is of
    another algorithm than the one that is asked for.

    Those named in `mapped` stay on disk until they are looked at: what only further training needs costs a server
    no memory. They can be read after the file is gone.
    """
    facts = _facts(folder / FACTS)
    if algorithm is not None and facts.get("algorithm") != algorithm:
        raise of_another(facts.get("algorithm"), algorithm)
    path = folder / ARRAYS
    try:
        from safetensors import safe_open

        open_file(path).close()
        with safe_open(path, framework="numpy") as file:
            there = list(file.keys())
            arrays = {name: file.get_tensor(name) for name in there if name not in mapped}
        arrays |= _map_arrays(path, [name for name in there if name in mapped])
    except FileNotFoundError:
        raise UserError(f"{ARRAYS}: is missing beside {FACTS}.") from None
    except UserError:
        raise
    except Exception:
        raise UserError(
            f"{ARRAYS}: cannot be read as safetensors: it is cut off, damaged, or longer than its header says. "
            "Copy the model once more."
        ) from None
    return arrays, facts


def algorithm_of(folder: Path) -> str:
    """The algorithm whose model `save` has written here; empty where that cannot be said."""
    with contextlib.suppress(OSError, ValueError, RecursionError, UserError):
        facts = json.loads(read_file(folder / FACTS))
        return str(facts.get("algorithm") or "")[:60] if isinstance(facts, dict) else ""
    return ""


def of_another(name: object, algorithm: str, place: str = FACTS) -> UserError:
    """The error of a model that is not of this algorithm."""
    if not isinstance(name, str) or not name or len(name) > 60:
        return UserError(f"{place}: must name {algorithm} as the 'algorithm' that the model is of; it does not.")
    return UserError(
        f"{place}: is a model of {name} and not of {algorithm}; serve it, or train it further, with the image of "
        f"{name}, or with ALGORITHM={name}."
    )


def _map_arrays(path: Path, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Arrays of a safetensors file that has been found sound, where they lie."""
    if not names:
        return {}
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    arrays: dict[str, NDArray[Any]] = {}
    for name in names:
        kind, shape = np.dtype(_TYPES[header[name]["dtype"]]), tuple(header[name]["shape"])
        start = 8 + length + header[name]["data_offsets"][0]
        # Of nothing there is nothing to map.
        arrays[name] = np.memmap(path, kind, "r", start, shape) if math.prod(shape) else np.empty(shape, kind)
    return arrays


def exists(folder: Path) -> bool:
    """True where `save` has written here."""
    return (folder / FACTS).is_file()


def find(folder: Path, *others: str) -> Path:
    """The folder that holds what `save` has written, or a file of one of the patterns of others' names: this one, or
    the only one below it."""
    return locate(folder, lambda place: exists(place) or any(any(place.glob(name)) for name in others))


def check_sizes(facts: Mapping[str, Any], **sizes: int) -> None:
    """`UserError` where a fact of such a name is there and is not that of the arrays."""
    for name, size in sizes.items():
        if facts.get(name) is not None and (type(facts[name]) is not int or facts[name] != size):
            raise UserError(f"{FACTS}: {name} must be {size}, as the arrays of {ARRAYS} are; it is {facts[name]!r}.")


def _facts(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(read_file(path))
    except FileNotFoundError:
        raise NoModel(f"{FACTS}: there is no model in this folder.") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{FACTS}: is not JSON: {json_fault(error)}.") from None
    if not isinstance(facts, dict):
        raise UserError(f"{FACTS}: must be an object.")
    version = facts.get("format_version", FORMAT_VERSION)
    if type(version) is not int or version < 1:
        raise UserError(f"{FACTS}: format_version must be a whole number at least 1; it is {version!r}.")
    if version > FORMAT_VERSION:
        raise UserError(f"{FACTS}: has format version {version}; this release reads up to {FORMAT_VERSION}.")
    return facts


def put(path: Path, data: bytes) -> None:
    """Write a file that is whole or not there."""
    with writing(path) as file:
        file.write(data)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """A file to write, whole or not there afterwards: beside its place first, then renamed."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(beside, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
