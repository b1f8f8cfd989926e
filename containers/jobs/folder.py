"""The folder of a job, laid out as the contract has it below `/opt/ml`."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from algoport.algorithms.contract.errors import UserError

MODEL = "model"
ALGORITHM = "algorithm.json"  # whose job it is; not all models say so
MODEL_TYPE = "application/x-sagemaker-model"

# What a file's name says where the user says nothing. Where it says nothing either, the algorithm's default holds.
_BY_SUFFIX = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".parquet": "application/x-parquet",
    ".npy": "application/x-npy",
    ".jsonl": "application/jsonlines",
    ".libsvm": "text/libsvm",
    ".svmlight": "text/libsvm",
    ".pbr": "application/x-recordio-protobuf",
    ".recordio": "application/x-recordio-protobuf",
    ".rec": "application/x-recordio",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".lst": "application/x-image",  # a list of pictures
}
PICTURES = ("image/jpeg", "image/png", "application/x-image")


@dataclass(frozen=True)
class Input:
    """A channel as the user gave it."""

    name: str
    path: Path
    content_type: str | None

    @classmethod
    def parse(cls, name: str, text: str) -> Input:
        """From `PATH` or `PATH;content type`. `UserError` where there is nothing at the path."""
        place, _, kind = text.partition(";")
        path = Path(place).expanduser()
        if not path.exists():
            raise UserError(f"Channel '{name}': there is nothing at {place}.")
        if path.is_dir() and not any(path.iterdir()):
            raise UserError(f"Channel '{name}': the folder {place} is empty.")
        if name == MODEL:
            return cls(name, path.resolve(), kind or MODEL_TYPE)
        return cls(name, path.resolve(), kind.strip() or _agreed(path))


def by_suffix(name: str) -> str | None:
    """The content type that a file's name tells."""
    return _BY_SUFFIX.get(Path(name.removesuffix(".gz")).suffix.lower())


def _agreed(path: Path) -> str | None:
    """The content type that the names of the files tell, if they agree."""
    files = [path] if path.is_file() else [entry for entry in path.rglob("*") if entry.is_file()]
    kinds = {by_suffix(file.name) for file in files if file.name[0] not in "._"}
    if kinds and kinds <= set(PICTURES):
        return PICTURES[-1]
    return kinds.pop() if len(kinds) == 1 else None


def inputs(channels: Iterable[tuple[str, str | None]], more: Iterable[str]) -> list[Input]:
    """All channels: those with an option of their own, and those of `--channel NAME=PATH[;type]`."""
    pairs = [(name, text) for name, text in channels if text]
    for text in more:
        name, equals, place = text.partition("=")
        if not equals or not name:
            raise UserError(f"--channel: must be NAME=PATH[;content type]; it is {text!r}.")
        pairs.append((name, place))
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"Channel '{twice[0]}' is given twice.")
    return [Input.parse(name, text) for name, text in pairs]


def hyperparameters(texts: Iterable[str]) -> dict[str, str]:
    """What `--hp NAME=VALUE` says."""
    given: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UserError(f"--hp: must be NAME=VALUE; it is {text!r}.")
        if name in given:
            raise UserError(f"--hp: {name} is given twice.")
        given[name] = value
    return given


def lay_out(
    folder: Path, name: str, given: Mapping[str, str], channels: Sequence[Input], *, linked: bool = True
) -> None:
    """Make, or make anew, the input side of a job of an algorithm, and clear what an earlier job there left: its model
    is kept as `model.before`, so that nobody takes it for this job's.

    Data is linked, not copied. Without `linked` the channel folders are left empty, to be mounted over.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: must be a folder, and is a file.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "input" / "config").is_dir():
        raise UserError(f"{folder}: is neither empty nor the folder of a job; name another for --output.")
    config, data = folder / "input" / "config", folder / "input" / "data"
    shutil.rmtree(data, ignore_errors=True)
    _put_aside(folder / MODEL)
    for place in (config, data, folder / MODEL, folder / "output"):
        place.mkdir(parents=True, exist_ok=True)
    (folder / "output" / "failure").unlink(missing_ok=True)
    _write(config / ALGORITHM, {"algorithm": name})
    _write(config / "hyperparameters.json", dict(given))
    _write(config / "inputdataconfig.json", {channel.name: _entry(channel) for channel in channels})
    _hosts(config / "resourceconfig.json", ["algo-1"], "algo-1")
    for channel in channels:
        place = data / channel.name
        if linked and channel.path.is_dir():
            place.symlink_to(channel.path, target_is_directory=True)
            continue
        place.mkdir()
        if linked:
            (place / channel.path.name).symlink_to(channel.path)


def _put_aside(model: Path) -> None:
    if model.is_dir() and any(model.iterdir()):
        before = model.with_name("model.before")
        shutil.rmtree(before, ignore_errors=True)
        model.rename(before)


def mounts(channels: Iterable[Input]) -> list[str]:
    """The arguments that show the data to a container, read-only, where `lay_out` would link it."""
    arguments = []
    for channel in channels:
        inside = f"/opt/ml/input/data/{channel.name}"
        place = inside if channel.path.is_dir() else f"{inside}/{channel.path.name}"
        arguments += ["-v", f"{channel.path}:{place}:ro"]
    return arguments


def host_config(folder: Path, hosts: Sequence[str], current: str) -> Path:
    """A copy of the job's configuration for one host of several; its folder."""
    config = folder / "input" / "config"
    own = folder / "hosts" / current
    shutil.rmtree(own, ignore_errors=True)
    shutil.copytree(config, own)
    _hosts(own / "resourceconfig.json", hosts, current)
    return own


def _hosts(path: Path, hosts: Sequence[str], current: str) -> None:
    _write(path, {"current_host": current, "hosts": list(hosts), "network_interface_name": "eth0"})


def _entry(channel: Input) -> dict[str, str]:
    entry = {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}
    return entry | ({"ContentType": channel.content_type} if channel.content_type else {})


def _write(path: Path, value: object) -> None:
    beside = path.with_name(f".{path.name}")
    beside.write_text(json.dumps(value, indent=1))
    os.replace(beside, path)
