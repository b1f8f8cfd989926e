"""Channels in Pipe mode: what the platform does around a job, one named pipe a pass over the data.

`python -m algoport.containers.jobs.pipes FOLDER` is a process beside the job, and ends with it.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from algoport.containers.jobs import folder as folders
from algoport.containers.jobs.channels import Channel
from algoport.containers.jobs.description import Description
from algoport.containers.jobs.processes import start_time

LOOK = 0.5  # seconds between two looks whether the job has ended


def feed(description: Description) -> None:
    """Start the process that fills the pipes, where there are any."""
    if not _piped(description):
        return
    with open(description.run / "pipes.log", "wb") as log:
        process = subprocess.Popen(  # noqa: S603  (a list, no shell)
            [sys.executable, "-P", "-m", "algoport.containers.jobs.pipes", str(description.folder.absolute())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    folders.write(description.run / "pipes.json", {"pid": process.pid, "started": start_time(process.pid)})


def stop(description: Description) -> None:
    """End that process, and leave no pipe behind."""
    noted = folders.read(description.run / "pipes.json")
    if noted is not None and noted["started"] is not None and start_time(noted["pid"]) == noted["started"]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(noted["pid"], signal.SIGKILL)
    for host, channel in _piped(description):
        for pipe in (description.base(host) / "input" / "data").glob(f"{channel.name}_*"):
            if pipe.is_fifo():
                pipe.unlink(missing_ok=True)


def _piped(description: Description) -> list[tuple[str, Channel]]:
    piped = [channel for channel in description.channels if channel.mode == "Pipe"]
    return [(host, channel) for host in description.host_names for channel in piped]


def _fill(description: Description, host: str, channel: Channel) -> None:
    """Give the channel as often as it is asked for: who opens a pipe gets all of it once."""
    data = description.base(host) / "input" / "data"
    number = 0
    _make(data / f"{channel.name}_0")
    while True:
        pipe = data / f"{channel.name}_{number}"
        with open(pipe, "wb") as stream:  # waits for a reader
            _make(data / f"{channel.name}_{number + 1}")
            with contextlib.suppress(BrokenPipeError):  # who has read enough may close it
                for source in _sources(description, host, channel, number):
                    _send(source, stream, wrapped=channel.wrapper == "RecordIO")
                stream.flush()
        number += 1


def _make(pipe: Path) -> None:
    os.mkfifo(pipe)
    pipe.chmod(0o666)  # the reader in a container may be another user


def _sources(description: Description, host: str, channel: Channel, epoch: int) -> Iterator[BinaryIO]:
    shards = channel.shards(description.host_names.index(host), description.hosts)
    if channel.shuffle is not None:
        random.Random(f"{channel.shuffle} {epoch}").shuffle(shards)
    for shard in shards:
        with shard.open() as source:
            yield source


def _send(source: BinaryIO, stream: BinaryIO, *, wrapped: bool) -> None:
    if wrapped:
        from algoport.training.formats.recordio import frame

        stream.write(frame(source.read()))
    else:
        shutil.copyfileobj(source, stream, 1 << 20)


def main(folder: str) -> None:
    """Fill the pipes of the job in that folder until it has ended."""
    noted = folders.read(Path(folder) / "run" / "job.json")
    assert noted is not None
    description = Description.from_json(noted["description"])
    for host, channel in _piped(description):
        threading.Thread(target=_fill, args=(description, host, channel), daemon=True).start()
    ends = [description.run / f"{host}.end" for host in description.host_names]
    while not (description.run / "end.json").exists() and not all(end.exists() for end in ends):
        time.sleep(LOOK)
    os._exit(0)  # threads may wait for readers that never come


if __name__ == "__main__":
    main(sys.argv[1])
