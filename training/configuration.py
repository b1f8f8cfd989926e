"""What a job was asked to do: the JSON files of `input/config`, and nothing required of them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from algoport.algorithms.contract.dialects import unquoted
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.hyperparameters import Settings
from algoport.algorithms.contract.setting import Setting
from algoport.training import log
from algoport.training.places import Places

SEED = "_seed"
ALONE = "algo-1"
Mode = Literal["File", "Pipe"]


@dataclass(frozen=True, kw_only=True)
class ChannelConfig:
    """One entry of `inputdataconfig.json`."""

    name: str
    mode: Mode = "File"  # FastFile looks the same from here
    sharded: bool = False
    content_type: str | None = None  # None where the user gave none
    wrapped: bool = False  # each object of a pipe is framed as one RecordIO record


@dataclass(frozen=True, kw_only=True)
class Hosts:
    """Who takes part: `resourceconfig.json`."""

    names: tuple[str, ...] = (ALONE,)  # sorted as text; the first is the master
    current: str = ALONE
    interface: str | None = None

    @property
    def index(self) -> int:
        """This host's number."""
        return self.names.index(self.current)


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """All of it, checked."""

    settings: Settings
    given: Mapping[str, object]
    channels: Mapping[str, ChannelConfig]
    hosts: Hosts
    seed: int = 0
    checkpoints: Path | None = None  # the folder, where there is one


@dataclass
class _Findings:
    """What is wrong, collected so that one message reports it all."""

    sentences: list[str] = field(default_factory=list)

    def add(self, error: UserError) -> None:
        self.sentences += error.findings


def read(
    places: Places,
    declaration: type[Settings],
    check: Callable[[Mapping[str, ChannelConfig]], list[str]] = lambda channels: [],
) -> Configuration:
    """The configuration; one `UserError` reports all that is wrong with it, with what `check` says of the channels."""
    findings = _Findings()
    given = _object(places.config / "hyperparameters.json", findings)
    seed = _seed(given, findings)
    settings = None
    try:
        settings = declaration.read({name: value for name, value in given.items() if name != SEED})
    except UserError as error:
        findings.add(error)
    channels = _channels(places, findings)
    findings.sentences += check(channels)
    hosts = _hosts(places, findings)
    if findings.sentences or settings is None:
        if not places.config.parent.is_dir():
            findings.sentences.insert(0, places.unmounted)
        raise UserError(findings.sentences)
    return Configuration(
        settings=settings,
        given=given,
        channels=channels,
        hosts=hosts,
        seed=seed,
        checkpoints=_checkpoints(places),
    )


def defaults(declaration: type[Settings]) -> dict[str, Any]:
    """The settings that hold where nothing is given."""
    return {setting.name: setting.default for setting in declaration.settings() if not setting.required}


def _object(path: Path, findings: _Findings) -> dict[str, Any]:
    """The object in a file; empty where there is no file."""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        findings.sentences.append(f"{path.name}: must be a JSON object; it cannot be read: {error}.")
        return {}
    if not isinstance(value, dict):
        findings.sentences.append(f"{path.name}: must be a JSON object; it is {type(value).__name__}.")
        return {}
    return value


def _optional(path: Path) -> dict[str, Any]:
    """The object in a file that a job can do without; a fault in it is worth a warning only."""
    findings = _Findings()
    value = _object(path, findings)
    for sentence in findings.sentences:
        log.warn(sentence)
    return value


def _seed(given: Mapping[str, object], findings: _Findings) -> int:
    value = given.get(SEED)
    if value is None or unquoted(str(value)) in ("", "null", "None"):
        return 0
    setting = Setting(name=SEED, kind="integer", meaning="where random numbers start", low=0)
    try:
        return int(setting.read(value))
    except (ValueError, OverflowError):
        findings.sentences.append(f"{SEED}: must be {setting.allowed}; it is {value!r}.")
        return 0


def _channels(places: Places, findings: _Findings) -> dict[str, ChannelConfig]:
    path = places.config / "inputdataconfig.json"
    if not path.exists():
        return {name: ChannelConfig(name=name) for name in _folders(places.data)}
    channels = {}
    for name, entry in _object(path, findings).items():
        if not isinstance(entry, dict):
            findings.sentences.append(f"{path.name}: channel '{name}' must be an object; it is {entry!r}.")
            continue
        channels[name] = _channel(name, entry, findings)
    return channels


def _folders(data: Path) -> list[str]:
    """Names of channels where no file names them: the folders there are."""
    try:
        return sorted(entry.name for entry in data.iterdir() if entry.is_dir() and entry.name[0] not in "._")
    except OSError:
        return []


def _channel(name: str, entry: Mapping[str, Any], findings: _Findings) -> ChannelConfig:
    mode = str(entry.get("TrainingInputMode") or "File")
    if mode not in ("File", "FastFile", "Pipe"):
        findings.sentences.append(
            f"Channel '{name}': TrainingInputMode must be File, FastFile or Pipe; it is '{mode}'."
        )
    sharing = str(entry.get("S3DistributionType") or "FullyReplicated")
    if sharing not in ("FullyReplicated", "ShardedByS3Key"):
        findings.sentences.append(
            f"Channel '{name}': S3DistributionType must be FullyReplicated or ShardedByS3Key; it is '{sharing}'."
        )
    content_type = entry.get("ContentType")
    return ChannelConfig(
        name=name,
        mode="Pipe" if mode == "Pipe" else "File",
        sharded=sharing == "ShardedByS3Key",
        content_type=str(content_type) if content_type else None,
        wrapped=str(entry.get("RecordWrapperType") or "None") == "RecordIO",
    )


def _hosts(places: Places, findings: _Findings) -> Hosts:
    path = places.config / "resourceconfig.json"
    entry = _object(path, findings)
    names = entry.get("hosts") or [entry.get("current_host") or ALONE]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        findings.sentences.append(f"{path.name}: hosts must be a list of names; it is {names!r}.")
        return Hosts()
    if len(set(names)) < len(names):
        findings.sentences.append(f"{path.name}: hosts must differ; they are {', '.join(names)}.")
        return Hosts()
    current = str(entry.get("current_host") or (names[0] if len(names) == 1 else ""))
    if current not in names:
        if len(names) > 1:
            findings.sentences.append(
                f"{path.name}: current_host must be one of hosts ({', '.join(names)}); it is '{current}'."
            )
            return Hosts()
        current = names[0]
    interface = entry.get("network_interface_name")
    return Hosts(names=tuple(sorted(names)), current=current, interface=str(interface) if interface else None)


def _checkpoints(places: Places) -> Path | None:
    named = _optional(places.config / "checkpointconfig.json").get("LocalPath")
    if named:
        path = Path(str(named))
        # Outside a container the folder that stands for /opt/ml is elsewhere, and the path in the file is not.
        default = Path("/opt/ml")
        return places.base / path.relative_to(default) if path.is_relative_to(default) else path
    return places.checkpoints if places.checkpoints.is_dir() else None


def named_algorithm() -> str:
    """The algorithm that this image, or the environment, is for."""
    name = os.environ.get("ALGORITHM", "")
    if not name:
        raise UserError("ALGORITHM: this environment variable must name the algorithm; it is not set.")
    return name
