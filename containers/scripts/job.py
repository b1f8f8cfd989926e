"""What a job in script mode was asked to do: the files of `input/config`, read for a program of the user's."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from algoport.algorithms.contract.errors import UserError
from algoport.containers.scripts.source import checked_entry
from algoport.training import configuration, documents
from algoport.training.configuration import ChannelConfig, Hosts
from algoport.training.places import Places

PROGRAM, SUBMIT = "sagemaker_program", "sagemaker_submit_directory"
LEVEL = "sagemaker_container_log_level"
# Settings with a meaning of their own; what else begins so goes to SM_FRAMEWORK_PARAMS.
KNOWN = frozenset(
    {
        PROGRAM,
        SUBMIT,
        LEVEL,
        "sagemaker_job_name",
        "sagemaker_region",
        "sagemaker_enable_cloudwatch_metrics",
        "sagemaker_s3_output",
    }
)
# Ways to start a program on several hosts that need what this image has not: mpirun, an agent, a compiler.
REFUSED = {
    "sagemaker_mpi_enabled": "MPI",
    "sagemaker_parameter_server_enabled": "a parameter server",
    "sagemaker_multi_worker_mirrored_strategy_enabled": "TensorFlow's MultiWorkerMirroredStrategy",
    "sagemaker_pytorch_xla_multi_worker_enabled": "PyTorch XLA",
    "sagemaker_distributed_dataparallel_enabled": "SageMaker's own data-parallel library",
}
TORCHRUN = ("sagemaker_torch_distributed_enabled", "sagemaker_pytorch_ddp_enabled")
PROCESSES = "sagemaker_torch_processes_per_host"  # ours: the original has one a GPU, or one


@dataclass(frozen=True, kw_only=True)
class ScriptJob:
    """All of it, checked."""

    places: Places
    entry: str  # the program, relative to the folder of the code
    submitted: str  # where the code is fetched from, if the folder of the code is empty
    hyperparameters: Mapping[str, Any]  # the user's, decoded
    framework: Mapping[str, Any]  # other settings of the platform's
    channels: Mapping[str, ChannelConfig]
    hosts: Hosts
    resources: Mapping[str, Any]  # resourceconfig.json as it is
    inputs: Mapping[str, Any]  # inputdataconfig.json as it is
    level: int = 20
    name: str = ""
    region: str = ""
    torchrun: bool = False
    processes: int | None = None  # of torchrun on each host; None: one a GPU, or one

    @property
    def code(self) -> Path:
        """Where the program lies, and in which folder it runs."""
        return self.places.base / "code"


def read(places: Places, environment: Mapping[str, str] = os.environ) -> ScriptJob:
    """The job of an ml folder. One `UserError` reports all that is wrong with it."""
    findings: list[str] = []
    given: dict[str, Any] = {}
    channels: Mapping[str, ChannelConfig] = {}
    hosts, resources, inputs = Hosts(), dict[str, Any](), dict[str, Any]()
    if not places.config.parent.is_dir():
        findings.append(places.unmounted)
    try:
        given = {name: decoded(value) for name, value in documents.read(places.config / "hyperparameters.json").items()}
    except UserError as error:
        findings += error.findings
    try:
        channels, hosts = configuration.surroundings(places)
        resources = documents.read(places.config / "resourceconfig.json")
        inputs = documents.read(places.config / "inputdataconfig.json")
    except UserError as error:
        findings += error.findings
    findings += [
        f"{name}: asks for {what}, which is not offered here; torchrun is "
        '(distribution={"torch_distributed": {"enabled": True}}).'
        for name, what in REFUSED.items()
        if given.get(name) is True
    ]
    entry = environment.get("SAGEMAKER_PROGRAM") or given.get(PROGRAM) or ""
    try:
        entry = checked_entry(entry)
    except UserError as error:
        findings += error.findings
    processes, level = given.get(PROCESSES), given.get(LEVEL)
    if processes is not None and not (type(processes) is int and 1 <= processes <= 1024):
        findings.append(f"{PROCESSES}: must be a whole number from 1 to 1024; it is {str(processes)[:60]!r}.")
    if findings:
        raise UserError(findings)
    submitted = environment.get("SAGEMAKER_SUBMIT_DIRECTORY") or given.get(SUBMIT) or ""
    special = {*KNOWN, *TORCHRUN, *REFUSED, PROCESSES}
    return ScriptJob(
        places=places,
        entry=entry,
        submitted=str(submitted),
        hyperparameters={name: value for name, value in given.items() if not _is_reserved(name)},
        framework={
            name: value for name, value in given.items() if name.startswith("sagemaker_") and name not in special
        },
        channels=channels,
        hosts=hosts,
        resources=resources,
        inputs=inputs,
        level=level if isinstance(level, int) else 20,
        name=str(given.get("sagemaker_job_name") or environment.get("TRAINING_JOB_NAME", "")),
        region=str(given.get("sagemaker_region") or ""),
        torchrun=any(given.get(name) is True for name in TORCHRUN),
        processes=processes,
    )


def decoded(value: object) -> Any:
    """A hyperparameter as JSON says it; as the text that it is where it is no JSON, or nothing that JSON has."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return value


def _refuse(constant: str) -> Any:
    raise ValueError(constant)  # NaN and Infinity remain texts


def _is_reserved(name: str) -> bool:
    return name.startswith(("sagemaker_", "_")) or name == "default_user_module_name"
