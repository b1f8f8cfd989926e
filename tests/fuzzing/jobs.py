"""Every job as it begins: its settings or one of its files are fuzzed, and the job is read, opened, inspected and
trained up to its second step, as `train` would."""

from __future__ import annotations

import contextlib
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from algoport import algorithms
from algoport.algorithms.contract import Channel, Job, kinds
from algoport.algorithms.contract.errors import Stopped
from algoport.algorithms.contract.group import Alone
from algoport.training import configuration, formats
from algoport.training.channels import label_places
from algoport.training.channels.inspection import inspect
from algoport.training.channels.opening import Opening, check
from algoport.training.places import Places
from algoport.training.run import Parts
from tests.conformance.example import Asking, Example
from tests.conformance.folder import typed_folder
from tests.fuzzing.artifacts import MEMORY, works
from tests.fuzzing.fuzzer import Target
from tests.fuzzing.readers import seeds

LOOKS = 3  # at whether to stop, of which the last says so: a step or two
SETTINGS = "input/config/hyperparameters.json"
TRAIN = "train"


def targets(*names: str) -> Iterator[Target]:
    """For every algorithm one of its settings; for every content type of its training channel one of each channel that
    a training record comes from; one for every plain file."""
    for name in names or algorithms.names():
        base = Path(tempfile.mkdtemp(dir=MEMORY))
        examples = _examples(name)
        written = [typed_folder(base / f"{n}", each, "").path / SETTINGS for n, each in enumerate(examples)]
        yield Target(f"job {name} settings", [path.read_bytes() for path in written], _settings(name, base / "0"))
        for number, media in enumerate(_types(examples[0])):
            folders = [typed_folder(base / f"{number} {n}", each, media).path for n, each in enumerate(examples)]
            for path in _files(examples[0], folders[0], plain=number == 0):
                yield Target(
                    f"job {name} {media} {path}", _seeds(examples[0], media, path, folders), _job(name, path, folders)
                )


@dataclass(frozen=True)
class Other(Example):
    """Another job of an algorithm than its smallest."""

    settings: Mapping[str, object] = field(default_factory=dict)
    records: Mapping[str, Any] = field(default_factory=dict)

    @property
    def given(self) -> dict[str, object]:
        """Its hyperparameters."""
        return dict(self.settings)

    def rows(self) -> dict[str, Any]:
        """The records of each channel."""
        return dict(self.records)


def _examples(name: str) -> list[Example]:
    """The smallest job, and the others, of which one may read what that one does not."""
    smallest = Example(name)
    return [smallest, *(Other(name, settings, records) for settings, records in smallest.others())]


def _types(example: Example) -> list[str]:
    channel = example.algorithm.channel(TRAIN)
    assert channel is not None
    return list(dict.fromkeys(formats.ContentType.parse(media).media for media in channel.content_types))


def _files(example: Example, folder: Path, *, plain: bool) -> Iterator[str]:
    """The first file of each channel that says something of the training records; of plain files all."""
    for channel in example.algorithm.channels:
        own = sorted((folder / "input/data" / channel.name).rglob("*"))
        paths = [str(path.relative_to(folder)) for path in own if path.is_file()]
        if channel.kind == kinds.FILE:
            yield from paths if plain else ()
        elif TRAIN in (channel.name, channel.annotates, channel.lists):
            yield from paths[:1]


def _seeds(example: Example, media: str, path: str, folders: list[Path]) -> list[bytes]:
    """What stands there in these jobs, more often than what stands in files beside it and other bodies of that type,
    which need not fit."""
    channel = _channel(example, path)
    own = [(folder / path).read_bytes() for folder in folders]
    beside = sorted((folders[0] / path).parent.glob(f"*{Path(path).suffix}"))[1:9]
    others = [other.read_bytes() for other in beside]
    if channel is not None and channel.name == TRAIN:
        others += seeds(channel.kind, media)
    return own * max(1, len(others) // len(own)) + others


def _channel(example: Example, path: str) -> Channel | None:
    return example.algorithm.channel(Path(path).parts[2])


def _settings(name: str, folder: Path) -> Callable[[bytes], bool]:
    """Reads the settings, and all that is said of the job beside them."""
    parts = Parts.of(name)

    def feed(data: bytes) -> bool:
        (folder / SETTINGS).write_bytes(data)
        return works(lambda: _configuration(parts, folder))

    return feed


def _job(name: str, path: str, folders: list[Path]) -> Callable[[bytes], bool]:
    """Begins one of these jobs, of which that file is fuzzed."""
    parts, whole = Parts.of(name), {folder: (folder / path).read_bytes() for folder in folders}

    def feed(data: bytes) -> bool:
        folder = folders[zlib.crc32(data) % len(folders)]
        (folder / path).write_bytes(data)
        try:
            return works(lambda: _begin(parts, folder))
        finally:  # the next target fuzzes another file of these jobs
            (folder / path).write_bytes(whole[folder])

    return feed


def _configuration(parts: Parts, folder: Path) -> configuration.Configuration:
    return configuration.read(Places(folder), parts.declaration, lambda channels: check(channels, parts.algorithm))


def _begin(parts: Parts, folder: Path) -> None:
    """The job, until it looks for the third time whether it is to stop."""
    own = _configuration(parts, folder)
    opening = Opening(Places(folder), own, parts.algorithm, Alone(), say=lambda note: None)
    sources, files = opening.sources(), opening.files()
    inspect(sources.values(), lambda: False)
    job: Any = Job(hyperparameters=own.settings, channels=sources, files=files, stop_requested=Asking(LOOKS))
    with label_places(sources), contextlib.suppress(Stopped):
        parts.fit(job)
