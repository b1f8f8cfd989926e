"""A folder as the contract lays it out, and the two commands run on it from outside."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import requests

from algoport.algorithms.contract import Channel, kinds
from algoport.algorithms.contract.records import Images, Rows
from algoport.algorithms.contract.records.boxes import Boxes
from algoport.algorithms.contract.records.masks import Masks
from algoport.algorithms.contract.records.table import Table
from algoport.algorithms.shared.vision import headers
from algoport.containers.jobs import validate
from algoport.training import formats
from algoport.training.examples import files
from algoport.training.formats.images import picture
from tests.conformance import forks
from tests.conformance.example import Example

PATIENCE = 300  # seconds for a job, a start or a compilation; ten times what they take on a busy machine


@dataclass(frozen=True)
class Folder:
    """An ml folder, which starts out with nothing in it."""

    path: Path
    example: Example

    def hyperparameters(self, given: Mapping[str, object]) -> None:
        """Writes the settings, every value as text."""
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}
        self.put("input/config/hyperparameters.json", json.dumps(texts).encode())

    def put(self, name: str, data: bytes) -> None:
        """Writes a file."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def channels(self, content_types: Mapping[str, str]) -> None:
        """Writes what each channel is said to hold."""
        entries = {
            channel: {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "ContentType": content_type}
            for channel, content_type in content_types.items()
        }
        self.put("input/config/inputdataconfig.json", json.dumps(entries).encode())

    def environment(self, **more: str) -> dict[str, str]:
        """Of our own only what the contract's environment has, and where the checkout is."""
        root = str(Path(__file__).parents[2])
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SAGEMAKER_")}
        paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        own = [str(Path(place).resolve()) for place in os.environ.get("ALGORITHM_PATH", "").split(os.pathsep) if place]
        ours = {"ALGORITHM": self.example.name, "SAGEMAKER_BASE_DIR": str(self.path), "PYTHONPATH": paths}
        ours["ALGORITHM_PATH"] = os.pathsep.join(own)
        return {**environment, **ours, "PYTHONUNBUFFERED": "1", **more}

    def train(self) -> subprocess.CompletedProcess[str]:
        """Runs `train` to its end."""
        return forks.train(self.environment(), self.path, PATIENCE)

    def validate(self) -> list[str]:
        """What `validate` finds wrong."""
        return validate.findings(self.example.name, self.path, 5.0).faults

    @property
    def failure(self) -> str:
        """The text of the failure file; empty where there is none."""
        path = self.path / "output" / "failure"
        return path.read_text() if path.is_file() else ""

    def model(self) -> Any:
        """The model that `train` left."""
        return self.example.Model.load(self.path / "model")

    @contextlib.contextmanager
    def serve(self, **more: str) -> Iterator[Server]:
        """Runs `serve` until the end of the block."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        environment = self.environment(SAGEMAKER_BIND_TO_PORT=str(port), SAGEMAKER_MODEL_SERVER_WORKERS="1", **more)
        log = self.path / "serve.log"
        with open(log, "wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "algoport.serving"], env=environment, cwd=self.path, stdout=out, stderr=out
            )
        server = Server(url=f"http://127.0.0.1:{port}", log=log)
        try:
            server.wait(process)
            yield server
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@dataclass(frozen=True)
class Trained:
    """A folder and how the job in it went."""

    folder: Folder
    run: subprocess.CompletedProcess[str]

    @property
    def log(self) -> str:
        """Both streams."""
        return self.run.stdout + self.run.stderr


@dataclass(frozen=True)
class Server:
    """A running `serve`."""

    url: str
    log: Path

    def wait(self, process: subprocess.Popen[bytes]) -> None:
        """Until it is healthy."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and process.poll() is None:
            with contextlib.suppress(requests.ConnectionError):
                if requests.get(f"{self.url}/ping", timeout=5).status_code == 200:
                    return
            time.sleep(0.05)
        raise AssertionError(f"serve is not healthy; its exit code is {process.poll()}:\n{self.log.read_text()}")

    def ask(self, body: bytes, content_type: str, accept: str = "application/json") -> requests.Response:
        """One request."""
        headers = {"Content-Type": content_type, "Accept": accept}
        return requests.post(f"{self.url}/invocations", data=body, headers=headers, timeout=60)


def ml_folder(path: Path, example: Example) -> Folder:
    """A bare folder of the smallest job: hyperparameters and files, and no file that says anything about them.

    Labels stand in front where the default content type is CSV: without a word on it, the contract's first column
    is the label.
    """
    folder = Folder(path, example)
    folder.hyperparameters(example.given)
    for name, rows in example.rows().items():
        channel = example.algorithm.channel(name)
        assert channel is not None, f"the example has a channel '{name}' that is not declared"
        media = formats.ContentType.parse(channel.default_content_type).media
        if media == picture.MEDIA[0]:
            _put_pictures(folder, example, name, "part-0", rows)
            continue
        blank = media == "text/csv" and kinds.find(channel.kind).labels_lead and rows.label is None
        labeled = replace(rows, label=np.zeros((len(rows), 1), np.float32)) if blank else rows
        folder.put(f"input/data/{name}/part-0", formats.find(media, channel.kind).write(labeled))
    _put_files(folder, example)
    return folder


def typed_folder(path: Path, example: Example, media: str) -> Folder:
    """A folder of the smallest job in which every channel that can be is of one content type, and says so."""
    folder = Folder(path, example)
    folder.hyperparameters(example.given)
    types = {}
    for name, rows in example.rows().items():
        channel = example.algorithm.channel(name)
        assert channel is not None, f"the example has a channel '{name}' that is not declared"
        own = media if media in channel.content_types else channel.default_content_type
        types[name] = own
        if isinstance(rows, Rows):
            types[name] += f"; label_size={0 if rows.label is None else rows.label.shape[1]}"
        half = len(rows) // 2
        for part, shard in enumerate((rows[:half], rows[half:])):
            if own == picture.MEDIA[0]:
                _put_pictures(folder, example, name, f"part-{part}", shard)
                types[_beside(example, name).name] = own
                continue
            folder.put(f"input/data/{name}/part-{part}", formats.find(own, channel.kind).write(shard))
    folder.channels({**types, **_put_files(folder, example)})
    return folder


def _put_files(folder: Folder, example: Example) -> dict[str, str]:
    """The channels of plain files; their content types."""
    types = {}
    for name, own in files(example.name).items():
        channel = example.algorithm.channel(name)
        assert channel is not None, f"the example has files of a channel '{name}' that is not declared"
        types[name] = channel.default_content_type
        for file in own.names:
            folder.put(f"input/data/{name}/{file}", own.read(file, limit=1 << 30))
    return types


def _beside(example: Example, name: str) -> Channel:
    """The channel that says more of the pictures of another: a file for each of them, or a list."""
    channels = example.algorithm.channels
    annotating = [channel for channel in channels if channel.annotates == name]
    return (annotating or [channel for channel in channels if channel.lists == name])[0]


def _put_pictures(folder: Folder, example: Example, name: str, part: str, pictures: Images) -> None:
    """A file each, and what is known of them in the channel beside."""
    beside = _beside(example, name)
    if isinstance(pictures, Boxes | Masks):
        for number, (data, (ending, known)) in enumerate(zip(pictures.encoded, _known(pictures), strict=True)):
            folder.put(f"input/data/{name}/{part}/{number:06d}.png", data)
            folder.put(f"input/data/{beside.name}/{part}/{number:06d}{ending}", known)
        return
    path = f"input/data/{beside.name}/list.lst"
    lines = (folder.path / path).read_text() if (folder.path / path).exists() else ""
    assert pictures.label is not None
    for number, (data, label) in enumerate(zip(pictures.encoded, pictures.label, strict=True)):
        folder.put(f"input/data/{name}/{part}/{number:06d}", data)
        labels = "\t".join(f"{value:g}" for value in label)
        lines += f"{number}\t{labels}\t{part}/{number:06d}\n"
    folder.put(path, lines.encode())


def _known(pictures: Boxes | Masks) -> Iterator[tuple[str, bytes]]:
    """The annotation of each picture, and how its file ends."""
    if isinstance(pictures, Masks):
        yield from ((".png", mask) for mask in pictures.masks or () if mask is not None)
        return
    for number, (data, objects) in enumerate(zip(pictures.encoded, pictures.objects or (), strict=True)):
        size, difficult = headers.size(data), pictures.difficult(number)
        assert size is not None and objects is not None
        pixels = objects[:, 1:5].astype(np.float64) * np.tile(size[::-1], 2)
        annotations = [
            {
                "class_id": int(row[0]),
                "left": x,
                "top": y,
                "width": right - x,
                "height": bottom - y,
                "difficult": int(d),
            }
            for row, (x, y, right, bottom), d in zip(objects, pixels.tolist(), difficult, strict=True)
        ]
        sizes = [{"width": size[1], "height": size[0], "depth": 3}]
        yield ".json", json.dumps({"image_size": sizes, "annotations": annotations}).encode()


def frames(body: bytes) -> int:
    """How many RecordIO frames there are; the whole body must be frames."""
    count, place = 0, 0
    while place < len(body):
        magic, length = struct.unpack_from("<II", body, place)
        assert magic == 0xCED7230A and length >> 29 == 0
        place, count = place + 8 + (length + 3) // 4 * 4, count + 1
    assert place == len(body)
    return count


def wider(rows: Any) -> Any:
    """The rows with one more feature, or one more column."""
    if isinstance(rows, Table):
        return replace(rows, columns=(*rows.columns, rows.columns[0]))
    dense = rows.dense()
    return replace(rows, features=np.concatenate([dense, dense[:, :1]], axis=1))
