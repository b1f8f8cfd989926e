"""The state of a job on disk, so that it can be resumed after an interruption. Never a reason for a job to fail."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.group import Group
from algoport.training import environment, log
from algoport.training.places import hand_over

INTERVAL = 60.0  # seconds; ALGOPORT_CHECKPOINT_INTERVAL
KEEP = 3
# Of the time, at most this share goes into saving: passes of a few milliseconds are not worth a write each.
SHARE = 0.1
SUFFIX = ".checkpoint"
# Behind the tensors and facts of a file stands the digest of all bytes before it.
DIGEST = 32


def fingerprint(facts: Mapping[str, Any]) -> str:
    """A short digest of all that must be the same for a state to be gone on from."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:32]


class CheckpointFolder:
    """Checkpoints in a folder: written by the first member, read by it for all."""

    def __init__(self, folder: Path, facts: Mapping[str, Any], group: Group) -> None:
        self._folder = folder
        self._facts = facts  # what the fingerprint is made of, kept so that a difference can be named
        self._group = group
        self._interval = environment.seconds("ALGOPORT_CHECKPOINT_INTERVAL", INTERVAL)
        self._last = time.monotonic()
        self._next = 0.0  # when a write is worth its time again
        self._number = max((number for number, _ in _newest_first(folder)), default=0)

    def due(self, *, ended: bool = False) -> bool:
        """True where a pass has ended or the last checkpoint is old enough; only the first member says so."""
        return self._group.rank == 0 and (ended or time.monotonic() - self._last >= self._interval)

    def save(self, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
        """Keep the state: all of it or nothing. The oldest beyond three give way.

        Left out where the last one was so recent that writing would take more than a tenth of the time.
        """
        start_time = time.monotonic()
        if self._group.rank != 0 or start_time < self._next:
            return
        self._last = start_time
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._write(arrays, facts)
            for _, path in _newest_first(self._folder)[KEEP:]:
                path.unlink(missing_ok=True)
            hand_over([self._folder])  # at once, for a job that is interrupted does not come to its end
        except OSError as error:
            log.warn(f"{self._folder}: no checkpoint could be written: {error.strerror or error}.")
        ended = time.monotonic()
        self._next = ended + (ended - start_time) * (1 / SHARE - 1)

    def _write(self, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
        from safetensors.numpy import save

        whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        about = {"facts": facts, "job": self._facts}
        data = _sealed(save(whole, metadata={"about": json.dumps(about, default=str)}))
        # Beside, in a folder of its own, since the platform copies the files of this one as they appear.
        beside = self._folder / ".writing"
        beside.mkdir(exist_ok=True)
        for left in beside.iterdir():  # by a job that was killed
            left.unlink(missing_ok=True)
        path = beside / secrets.token_hex(4)
        try:
            with open(path, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            self._number += 1
            os.replace(path, self._folder / f"{self._number:08}{SUFFIX}")
        finally:
            path.unlink(missing_ok=True)

    def latest(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
        """The state to resume from, the same at every member, or None; an exchange."""
        data = self._group.share(self._newest() if self._group.rank == 0 else None)
        if not data:
            return None
        arrays, about = _read(data)
        return arrays, about["facts"]

    def _newest(self) -> bytes:
        """The newest that is whole and of this job; empty where there is none, and the log says why."""
        paths = [path for _, path in _newest_first(self._folder)]
        for path in paths:
            try:
                data = path.read_bytes()
                _, about = _read(data)
            except (OSError, ValueError, KeyError, TypeError) as error:
                why = error.strerror if isinstance(error, OSError) else error
                log.warn(f"{path}: this checkpoint is damaged and is left out: {why}.")
                continue
            different = _differences(about["job"], self._facts)
            if different:
                log.warn(f"{path}: this checkpoint is of another job and is left out; different: {different}.")
                break
            log.note(f"Resuming from checkpoint {path}.")
            return data
        if paths:
            log.warn(f"{self._folder}: no checkpoint can be resumed from; training starts from the beginning.")
        return b""


def _newest_first(folder: Path) -> list[tuple[int, Path]]:
    """The checkpoints of a folder, the newest first."""
    try:
        checkpoints = [(path.stem, path) for path in folder.iterdir() if path.suffix == SUFFIX]
    except OSError:
        return []
    return sorted(((int(stem), path) for stem, path in checkpoints if stem.isdigit()), reverse=True)


def _sealed(data: bytes) -> bytes:
    """The bytes with their digest behind them."""
    return data + hashlib.sha256(data).digest()


def _read(sealed: bytes) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Arrays and facts; ValueError where any bit of names, shapes, types, values or facts is not as it was written."""
    from safetensors.numpy import load

    data = sealed[:-DIGEST]
    if len(sealed) < DIGEST or _sealed(data) != sealed:
        raise ValueError("it is not as it was written, or was written by an earlier release")
    length = int.from_bytes(data[:8], "little")
    about = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["about"])
    return load(data), about


def _differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    plain = json.loads(json.dumps(ours, default=str))
    names = [name for name in {**plain, **theirs} if plain.get(name) != theirs.get(name)]
    said = []
    for name in names:
        before, now = theirs.get(name), plain.get(name)
        if isinstance(before, dict) and isinstance(now, dict):
            inner = [key for key in {**before, **now} if before.get(key) != now.get(key)]
            said += [f"{key} (was {before.get(key)!r}, is {now.get(key)!r})" for key in inner]
        else:
            said.append(name)
    return ", ".join(said)
