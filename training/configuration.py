"""What a job was asked to do: the JSON files of `input/config`, and nothing required of them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.hyperparameters import Settings, is_blank
from algoport.algorithms.contract.setting import Setting, excerpt
from algoport.training import documents, log
from algoport.training.places import Places

SEED = "_seed"
ALONE = "algo-1"
Mode = Literal["File", "Pipe"]
# Settings of script mode, in which a user's program trains in place of the algorithm.
SCRIPT = ("sagemaker_program", "sagemaker_submit_directory")
# A name as hosts have it on a network; it stands in lines of the log that programs read.
_HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*", re.ASCII)


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
    findings.sentences += _script_mode(given)
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


def surroundings(places: Places) -> tuple[dict[str, ChannelConfig], Hosts]:
    """Channels and hosts of a job that no algorithm of ours computes; one `UserError` reports all that is wrong."""
    findings = _Findings()
    channels, hosts = _channels(places, findings), _hosts(places, findings)
    if findings.sentences:
        raise UserError(findings.sentences)
    return channels, hosts


def defaults(declaration: type[Settings]) -> dict[str, Any]:
    """The settings that hold where nothing is given."""
    return {setting.name: setting.default for setting in declaration.settings() if not setting.required}


def _object(path: Path, findings: _Findings) -> dict[str, Any]:
    """The object in a file; empty where there is no file."""
    try:
        return documents.read(path)
    except UserError as error:
        findings.add(error)
        return {}


def _optional(path: Path) -> dict[str, Any]:
    """The object in a file that a job can do without; a fault in it is worth a warning only."""
    findings = _Findings()
    value = _object(path, findings)
    for sentence in findings.sentences:
        log.warn(sentence)
    return value


def _script_mode(given: Mapping[str, object]) -> list[str]:
    """A sentence where settings ask for a program of the user's, which an algorithm's image does not run."""
    names = [name for name in SCRIPT if not is_blank(given.get(name))]
    if not names:
        return []
    them = "it" if len(names) == 1 else "them"
    return [
        f"{' and '.join(names)}: must not be given to a built-in algorithm, which would train without your program; "
        f"script mode is what they are for. Remove {them} (entry_point and source_dir of an estimator), or use an "
        "image for scripts."
    ]


def _seed(given: Mapping[str, object], findings: _Findings) -> int:
    value = given.get(SEED)
    if is_blank(value):
        return 0
    setting = Setting(name=SEED, kind="integer", meaning="where random numbers start", low=0)
    try:
        return int(setting.read(value))
    except (ValueError, OverflowError, TypeError):
        findings.sentences.append(setting.refusal(value))
        return 0


def _channels(places: Places, findings: _Findings) -> dict[str, ChannelConfig]:
    path = places.config / "inputdataconfig.json"
    if not path.exists():
        return {name: ChannelConfig(name=name) for name in _folders(places.data)}
    channels = {}
    for name, entry in _object(path, findings).items():
        if not isinstance(entry, dict):
            findings.sentences.append(f"{path.name}: channel '{name}' must be an object; it is {excerpt(entry)}.")
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
    words = _Words(f"Channel '{name}': ", entry, findings)
    mode = words.choice("TrainingInputMode", "File", "FastFile", "Pipe")
    sharing = words.choice("S3DistributionType", "FullyReplicated", "ShardedByS3Key")
    wrapper = words.choice("RecordWrapperType", "None", "RecordIO")
    return ChannelConfig(
        name=name,
        mode="Pipe" if mode == "Pipe" else "File",
        sharded=sharing == "ShardedByS3Key",
        content_type=words.text("ContentType"),
        wrapped=wrapper == "RecordIO",
    )


@dataclass(frozen=True)
class _Words:
    """The texts of an object, each checked as it is asked for."""

    place: str
    entry: Mapping[str, Any]
    findings: _Findings

    def text(self, name: str) -> str | None:
        """The text of that name; None where there is none, or an empty one."""
        value = self.entry.get(name)
        if value is None or isinstance(value, str):
            return value or None
        self.findings.sentences.append(f"{self.place}{name} must be text; it is {excerpt(value)}.")
        return None

    def choice(self, name: str, *values: str) -> str:
        """One of the values; the first where nothing is said."""
        value = self.text(name) or values[0]
        if value in values:
            return value
        allowed = f"{', '.join(values[:-1])} or {values[-1]}"
        self.findings.sentences.append(f"{self.place}{name} must be {allowed}; it is {excerpt(value)}.")
        return values[0]


def _hosts(places: Places, findings: _Findings) -> Hosts:
    path = places.config / "resourceconfig.json"
    entry = _object(path, findings)
    words = _Words(f"{path.name}: ", entry, findings)
    current, interface = words.text("current_host"), words.text("network_interface_name")
    names = entry.get("hosts")
    if names is None or names == []:
        names = [current or ALONE]
    if not isinstance(names, list) or not all(isinstance(name, str) and _HOST.fullmatch(name) for name in names):
        findings.sentences.append(f"{path.name}: hosts must be a list of names of hosts; it is {excerpt(names)}.")
        return Hosts()
    if len(set(names)) < len(names):
        findings.sentences.append(f"{path.name}: hosts must differ; they are {', '.join(names)}.")
        return Hosts()
    if len(names) == 1:
        current = names[0]
    if current is None or current not in names:
        allowed = ", ".join(names)
        findings.sentences.append(
            f"{path.name}: current_host must be one of hosts ({allowed}); it is {excerpt(current or '')}."
        )
        return Hosts()
    return Hosts(names=tuple(sorted(names)), current=current, interface=interface)


def _checkpoints(places: Places) -> Path | None:
    name = "checkpointconfig.json"
    named = _optional(places.config / name).get("LocalPath")
    if named and not (isinstance(named, str) and named.startswith("/") and "\0" not in named):
        log.warn(f"{name}: LocalPath must be an absolute path; it is {excerpt(named)} and is passed over.")
        named = None
    if named:
        path = Path(named)
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
