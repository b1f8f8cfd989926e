"""What is to run on a cluster, as somebody says it; all that can be wrong is said before a file is written."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from algoport import algorithms
from algoport.algorithms.contract.errors import UserError
from algoport.containers.jobs.channels import MODEL, MODEL_TYPE, by_suffix
from algoport.containers.kubernetes.places import SUBDOMAIN, Place

MOST_HOSTS = 1000
MOST_REPLICAS = 1000
# A service's name, and with a number behind it that of a pod: 63 letters in all.
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,48}[a-z0-9])?")
_CHANNEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)(k|M|G|T|Ki|Mi|Gi|Ti)?")
_UNITS: dict[str | None, int] = {None: 1, **{unit: 1000**n for n, unit in enumerate("kMGT", 1)}}
_UNITS |= {f"{unit}i": 1024**n for n, unit in enumerate("KMGT", 1)}
_QUEUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")  # a label's value; a partition of Slurm
# Variables of `host.sh` and of the scripts around it.
SET_HERE = frozenset(("BASE", "GIVEN", "HOST_INDEX", "HOST_NAMES", "OUTPUT", "SHARDED", "SHARDS", "TRIAL"))
LEAST = 16 << 20  # bytes of memory: no container starts with less


def size(text: str) -> int | None:
    """Bytes of a quantity of Kubernetes; None where it is none."""
    match = _SIZE.fullmatch(text)
    return None if match is None else math.ceil(float(match[1]) * _UNITS[match[2]])


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A channel whose data lies on the cluster."""

    name: str
    place: Place
    content_type: str | None = None
    sharded: bool = False

    @property
    def entry(self) -> dict[str, str]:
        """What `inputdataconfig.json` says of it."""
        known = self.content_type or (MODEL_TYPE if self.name == MODEL else by_suffix(self.place.name))
        sharing = "ShardedByS3Key" if self.sharded else "FullyReplicated"
        entry = {"TrainingInputMode": "File", "S3DistributionType": sharing, "RecordWrapperType": "None"}
        return entry | ({"ContentType": known} if known else {})


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What each host or server has to itself."""

    cores: float = 1.0
    memory: str | None = None  # as Kubernetes writes it: 8Gi
    gpus: int = 0

    def faults(self) -> Iterator[str]:
        """Sentences on what no node could have."""
        if not 0.1 <= self.cores <= 1024:
            yield f"--cores: must be from 0.1 to 1024; it is {self.cores:g}."
        if self.memory is not None and (size(self.memory) or 0) < LEAST:
            yield (
                "--memory: must be a number with k, M, G, T, Ki, Mi, Gi or Ti behind it, at least 16Mi; "
                f"it is {self.memory!r}."
            )
        if not 0 <= self.gpus <= 64:
            yield f"--gpus: must be from 0 to 64; it is {self.gpus}."

    @property
    def entry(self) -> dict[str, Any]:
        """As a container says it. Memory and GPUs cannot be lent, so that what is asked for is the limit."""
        fixed = ({"memory": self.memory} if self.memory else {}) | ({"nvidia.com/gpu": self.gpus} if self.gpus else {})
        return {"requests": {"cpu": f"{self.cores:g}", **fixed}} | ({"limits": fixed} if fixed else {})


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What a training and a server have in common."""

    name: str
    image: str
    resources: Resources = Resources()
    user: int = 1000
    environment: Mapping[str, str] = field(default_factory=dict)
    secret: str | None = None  # of the registry that has the image

    def check(self) -> None:
        """`UserError` with all that is wrong."""
        faults = list(self.faults())
        if faults:
            raise UserError(faults)

    def faults(self) -> Iterator[str]:
        """Sentences on what is wrong."""
        if not _NAME.fullmatch(self.name):
            yield (
                "--name: must have 1 to 50 lower-case letters, digits and hyphens, begin with a letter and end with "
                f"a letter or a digit; it is {self.name!r}."
            )
        if not _IMAGE.fullmatch(self.image):
            yield f"--image: must be the name of an image, REGISTRY/NAME:TAG; it is {self.image!r}."
        if self.secret is not None and not SUBDOMAIN.fullmatch(self.secret):
            yield (
                "--pull-secret: a secret has lower-case letters and digits, with hyphens or a dot between them; it is "
                f"{self.secret!r}."
            )
        if not 1 <= self.user < 1 << 31:
            yield f"--user: must be a number from 1 on, for nothing here runs as root; it is {self.user}."
        for name, value in self.environment.items():
            if not _VARIABLE.fullmatch(name):
                yield f"--env: {name!r} is no name of a variable."
            elif any("\ud800" <= letter <= "\udfff" for letter in value):
                yield f"--env: the value of {name} must be UTF-8; it is {value!r}."
        yield from self.resources.faults()


@dataclass(frozen=True, kw_only=True)
class Training(Workload):
    """A training job."""

    output: Place  # gets a folder of the job's name
    algorithm: str | None = None  # where it is one that is installed here, what is asked of it is checked
    hyperparameters: Mapping[str, str] = field(default_factory=dict)
    channels: tuple[Remote, ...] = ()
    hosts: int = 1
    retries: int = 0
    spot: bool = False
    runtime: int | None = None  # seconds
    queue: str | None = None  # of Kueue
    storage: str | None = None  # bytes: a claim of this size is made for the output
    storage_class: str | None = None

    @property
    def folder(self) -> Place:
        """What it writes: `model`, `checkpoints`, `output`."""
        return self.output.below(self.name)

    @property
    def resumes(self) -> bool:
        """Whether it writes checkpoints."""
        return self.spot or self.retries > 0

    @property
    def files(self) -> dict[str, str]:
        """The configuration that is the same for all hosts."""
        made: dict[str, Any] = {
            "hyperparameters.json": dict(self.hyperparameters),
            "inputdataconfig.json": {channel.name: channel.entry for channel in self.channels},
        }
        if self.resumes:
            made["checkpointconfig.json"] = {"LocalPath": "/opt/ml/checkpoints"}
        return {name: f"{json.dumps(value, indent=2)}\n" for name, value in made.items()}

    def faults(self) -> Iterator[str]:
        """Sentences on what is wrong, the settings of an algorithm included."""
        yield from super().faults()
        yield from (f"--env: {name} is set by the manifest itself." for name in self.environment if name in SET_HERE)
        if not 1 <= self.hosts <= MOST_HOSTS:
            yield f"--hosts: must be from 1 to {MOST_HOSTS}; it is {self.hosts}."
        if not 0 <= self.retries <= 30:
            yield f"--retries: must be from 0 to 30; it is {self.retries}."
        if self.runtime is not None and self.runtime < 1:
            yield f"--runtime: must be at least 1 second; it is {self.runtime}."
        if self.storage is not None and self.output.claim is None:
            yield f"--storage: is the size of a claim, and {self.output} is in none."
        if self.storage is not None and not size(self.storage):
            yield f"--storage: must be a size such as 100Gi; it is {self.storage!r}."
        if self.storage_class is not None and self.storage is None:
            yield "--storage-class: is of the claim that --storage makes; say --storage, too."
        if self.storage_class is not None and not SUBDOMAIN.fullmatch(self.storage_class):
            yield (
                "--storage-class: has lower-case letters and digits, with hyphens or a dot between them; it is "
                f"{self.storage_class!r}."
            )
        if self.queue is not None and not _QUEUE.fullmatch(self.queue):
            yield (
                "--queue: must have 1 to 63 letters, digits, dots, hyphens and underscores, and begin and end with a "
                f"letter or digit; it is {self.queue!r}."
            )
        names = [channel.name for channel in self.channels]
        yield from (f"Channel '{name}' is given twice." for name in sorted(set(names)) if names.count(name) > 1)
        yield from (
            f"Channel '{name}': a name has 1 to 64 letters, digits, dots, hyphens and underscores."
            for name in names
            if not _CHANNEL.fullmatch(name)
        )
        if self.algorithm is not None:
            yield from _refused(self.algorithm, self)


def _refused(name: str, training: Training) -> Iterator[str]:
    """What the algorithm would refuse, as far as can be seen without the data."""
    declared = algorithms.find(name)
    try:
        algorithms.part(name, "hyperparameters").Hyperparameters.read(dict(training.hyperparameters))
    except UserError as error:
        yield from error.findings
    given = {channel.name for channel in training.channels}
    for channel in declared.channels:
        if channel.required and channel.name not in given:
            yield f"Channel '{channel.name}' is required and was not given. It holds {channel.meaning}."
