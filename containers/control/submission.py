"""From a job that somebody wants to a line of the store, with what the record of a job is to hold."""

from __future__ import annotations

import hashlib
import os
import subprocess
from importlib import metadata
from pathlib import Path

from algoport.algorithms.contract.errors import UserError
from algoport.containers.control import process, scheduler
from algoport.containers.control.home import Home
from algoport.containers.control.records import Request
from algoport.containers.control.scheduler import Machine, Need
from algoport.containers.control.store import TRAINING, Store
from algoport.containers.jobs.channels import Channel
from algoport.training.channels.fingerprint import digests


def submit(store: Store, home: Home, request: Request) -> None:
    """Put a training job into the store, and see that somebody starts it. `UserError` with all that is wrong."""
    check(store, request)
    store.submit(TRAINING, request.description.name, request.to_json())
    process.ensure(home)


def check(store: Store, request: Request) -> None:
    """`UserError` where the job could not be run, or not beside the others."""
    request.check()
    need = Need(name=request.description.name, cores=request.cores, memory=request.memory or 0)
    scheduler.check(need, Machine.here())
    folder = request.description.folder.absolute()
    for row in store.unfinished(TRAINING):
        if Path(row.request["description"]["folder"]) == folder:
            raise UserError(f"{folder}: is the folder of job '{row.name}', which has not ended.")


def data(channels: tuple[Channel, ...]) -> str:
    """A digest that tells this data from other data of the same names and sizes; of very much, it reads a part."""
    sum_ = hashlib.sha256()
    for channel in sorted(channels, key=lambda one: one.name):
        for shard, digest in digests(channel.shards()):
            sum_.update(f"{channel.name}\0{shard.name}\0{shard.size}\0{digest}\n".encode())
    return f"sha256:{sum_.hexdigest()[:32]}"


def revision() -> str:
    """Which version of this package it is; in a checkout, of which commit."""
    version = metadata.version("algoport")
    given = os.environ.get("ALGOPORT_REVISION")
    if not given:
        asked = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
        try:
            answer = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603
            given = answer.stdout.strip()
        except OSError:
            given = ""
    return f"{version}+{given}" if given else version


def search() -> tuple[str, ...]:
    """The further folders of algorithms that the caller sees."""
    places = os.environ.get("ALGORITHM_PATH", "").split(os.pathsep)
    return tuple(str(Path(place).absolute()) for place in places if place)
