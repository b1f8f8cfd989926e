"""One member of a job, from the configuration to the model."""

from __future__ import annotations

import json
import logging
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from typing import Any

from algoport import algorithms
from algoport.algorithms import contract
from algoport.algorithms.contract.errors import PlatformError, Stopped
from algoport.algorithms.contract.group import Group
from algoport.algorithms.contract.hyperparameters import Settings
from algoport.algorithms.shared import compiled, machine
from algoport.training import artifacts, checkpoints, cluster, configuration, environment, failure, log, warmup
from algoport.training.channels import label_places
from algoport.training.channels.fingerprint import fingerprint
from algoport.training.channels.inspection import inspect
from algoport.training.channels.opening import MODEL, Opening, check, content_type, meant
from algoport.training.configuration import Configuration
from algoport.training.metrics import Metrics
from algoport.training.places import Places, require_writable
from algoport.training.stop import Stop


@dataclass(frozen=True)
class Parts:
    """What an algorithm's folder holds, as far as training needs it."""

    name: str
    algorithm: contract.Algorithm
    declaration: type[Settings]

    @classmethod
    def of(cls, name: str) -> Parts:
        """Those of the algorithm with that public name."""
        return cls(name, algorithms.find(name), algorithms.part(name, "hyperparameters").Hyperparameters)

    @property
    def fit(self) -> Callable[[Any], Any]:
        """Its training, imported now."""
        fit: Callable[[Any], Any] = algorithms.part(self.name, "train").fit
        return fit

    @property
    def load(self) -> Callable[..., Any]:
        """What reads a model of its own."""
        return partial(algorithms.load_model, self.name)


def main(places: Places, stop: Stop, local: int = 0, locals_: int = 1) -> int:
    """Run the job as one member of it; the exit code. What goes wrong is reported to the others and in `failure`."""
    log.start(logging.WARNING if local > 0 else logging.INFO)  # members of one host would say the same
    membership = cluster.Membership()
    try:
        parts = Parts.of(configuration.named_algorithm())
        job = configuration.read(places, parts.declaration, lambda channels: check(channels, parts.algorithm))
        _require_writable(places, job, local)
        if locals_ > 1:
            os.environ.setdefault("NUMBA_NUM_THREADS", str(max(1, machine.cores() // locals_)))
        compiled.prepare()
        _introduce(job, parts.declaration, places)
        membership = cluster.join(job.hosts, stop, (local, locals_), lambda error: os._exit(_end(error, places)))
        stopped = run(places, parts, job, membership, stop)
        membership.finish()
    except BaseException as raised:
        error = membership.explain(raised)
        code = _end(error, places)
        if isinstance(error, Stopped):
            membership.leave_stopped()
        else:
            membership.leave_failed(failure.as_known(error))
        return code
    return environment.stopped_code() if stopped else 0


def _require_writable(places: Places, job: Configuration, local: int) -> None:
    """At the first member, for only it writes; one sentence a folder."""
    if job.hosts.index > 0 or local > 0:
        return
    for folder in (places.model, places.output / "data", *([job.checkpoints] if job.checkpoints else [])):
        require_writable(folder)


def _end(error: BaseException, places: Places) -> int:
    """Say why the job has ended without a model; the exit code."""
    if isinstance(error, Stopped):
        log.note("A stop was asked for before there was a model to keep; none is left.")
        return environment.stopped_code()
    return failure.report(error, places.failure)


def run(places: Places, parts: Parts, job: Configuration, membership: cluster.Membership, stop: Stop) -> bool:
    """Open the channels, fit, and leave the model; only the first member writes it. Whether a member was asked to stop
    meanwhile, where that is to be seen by the exit code."""
    group = membership.group
    settings = job.settings.effective()
    metrics = Metrics(
        parts.algorithm,
        job.hosts.current,
        places.output / "data",
        first=group.rank == 0,
        speaks=membership.local[0] == 0,
        epochs=job.settings.in_role("passes"),
    )
    _warm_up(parts, job, metrics, stop)
    with metrics.phase("setup"):
        opening = Opening(places, job, parts.algorithm, group, local=membership.local, meter=metrics, asked=stop.asked)
        sources, files = opening.sources(), opening.files()
        inspect(sources.values(), stop.asked)
        start = artifacts.start(places.data / MODEL, parts.load) if MODEL in job.channels else None
        checkpoints = _checkpoints(job, parts, places, membership)
        fit = parts.fit
    with metrics.phase("training"), label_places(sources):
        model = fit(
            contract.Job(
                hyperparameters=job.settings,
                channels=sources,
                files=files,
                group=group,
                reporter=metrics.reporter(),
                checkpoints=checkpoints,
                stop_requested=stop.asked,
                start=start,
                device=_device(parts.algorithm, membership.local[0]),
                hosts=len(job.hosts.names),
                seed=job.seed,
            )
        )
    if model is None:
        raise Stopped
    with metrics.phase("saving"):
        if group.rank == 0:
            artifacts.write(model, places.model)
    metrics.close(settings)
    return environment.stopped_code() != 0 and _was_stopped(group, stop)


def _was_stopped(group: Group, stop: Stop) -> bool:
    """The same at every member: those that a stop of another has ended have to come back with it."""
    import numpy as np

    return any(int(asked[0]) for asked in group.gather(np.array([stop.asked()], np.uint8)))


def _warm_up(parts: Parts, job: Configuration, metrics: Metrics, stop: Stop) -> None:
    """Compile the kernels that no job on this machine has used yet, as a phase of its own. Never in an image."""
    given = meant(job.channels, parts.algorithm).items()
    media = [
        content_type(config, channel).media for name, config in given if (channel := parts.algorithm.channel(name))
    ]
    own = [] if _wants_gpu(parts.algorithm) else [parts.name]
    missing = warmup.missing([*warmup.decoders(media), *own])
    if not missing:
        return
    with metrics.phase("compile"):
        try:
            if not warmup.run(missing, say=log.note, stop=stop.asked):
                log.note("A stop was asked for while kernels were compiled.")
        except PlatformError as error:
            log.warn(f"{error} Each is compiled when it is first used.")


def _introduce(job: Configuration, declaration: type[Settings], places: Places) -> None:
    """The lines of the original images on the configuration, and versions."""
    defaults = configuration.defaults(declaration)
    path = places.config / "hyperparameters.json"
    log.note(f"Reading default configuration from {declaration.__module__}: {_as_json(defaults)}")
    log.note(f"Merging with provided configuration from {path}: {_as_json(job.given)}")
    log.note(f"Final configuration: {_as_json(job.settings.effective() | {configuration.SEED: job.seed})}")
    for notice in job.settings.notices():
        log.note(notice)
    versions = ", ".join(f"{name} {_version(name)}" for name in ("algoport", "numpy", "numba"))
    revision = os.environ.get("ALGOPORT_REVISION")
    log.note(
        f"{versions}{f', revision {revision}' if revision else ''}, Python {platform.python_version()}; "
        f"host {job.hosts.current} ({job.hosts.index + 1} of {len(job.hosts.names)})."
    )


def _as_json(values: Mapping[str, Any]) -> str:
    return json.dumps(dict(values), default=str)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "unknown"


def _checkpoints(
    job: Configuration,
    parts: Parts,
    places: Places,
    membership: cluster.Membership,
) -> contract.Checkpoints:
    """Where a folder is given; the first member's says, for only it reads and writes."""
    group = membership.group
    if not group.share(b"1" if job.checkpoints else b""):
        return contract.NoCheckpoints()
    given = meant(job.channels, parts.algorithm)
    names = [*(channel.name for channel in parts.algorithm.channels), MODEL]
    files = _all_files(fingerprint(places, [given[name] for name in dict.fromkeys(names) if name in given]), group)
    # How long the whole is to be may change between the interruption and the resumption.
    passes = job.settings.with_role("passes")
    settings = {
        name: value for name, value in job.settings.effective().items() if passes is None or name != passes.name
    }
    facts = {
        "algorithm": parts.name,
        "settings": settings | {configuration.SEED: job.seed},
        "hosts": len(job.hosts.names),
        "members": group.size,
        "data": checkpoints.fingerprint({"files": files}),
    }
    return checkpoints.CheckpointFolder(job.checkpoints or places.checkpoints, facts, group)


def _all_files(mine: list[list[Any]], group: Group) -> list[tuple[Any, ...]]:
    """Names, sizes and digests of the files of all members, each once, sorted."""
    import numpy as np

    data = np.frombuffer(json.dumps(mine).encode(), np.uint8).copy()
    lists = [json.loads(part.tobytes()) for part in group.gather(data)]
    return sorted({tuple(entry) for entries in lists for entry in entries})


def _wants_gpu(algorithm: contract.Algorithm) -> bool:
    """Whether the algorithm computes on GPUs and there is one, as far as can be known without torch."""
    return algorithm.gpu and os.path.exists("/dev/nvidia0")


def _device(algorithm: contract.Algorithm, local: int) -> str:
    """The GPU of this member where the algorithm computes on one and there is one; else the processor."""
    if not _wants_gpu(algorithm):
        return "cpu"
    start_time = time.monotonic()
    import torch

    if not torch.cuda.is_available():
        return "cpu"
    log.note(f"Computing on {torch.cuda.get_device_name(local)} (found in {time.monotonic() - start_time:.1f} s).")
    return f"cuda:{local}"
