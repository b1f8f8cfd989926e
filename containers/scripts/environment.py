"""The variables `SM_*` that a script in script mode reads, and its arguments (contract, sections 3.2 and 3.3)."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from typing import Any

from algoport.algorithms.shared import machine
from algoport.containers.scripts.job import ScriptJob
from algoport.training.cluster import network


def words(hyperparameters: Mapping[str, Any]) -> list[str]:
    """Hyperparameters as arguments: `--name value` by name, `-n value` for names of one letter."""
    made = []
    for name in sorted(hyperparameters):
        made += [f"--{name}" if len(name) > 1 else f"-{name}", argument(hyperparameters[name])]
    return made


def argument(value: Any) -> str:
    """A value as scripts get it on the command line: objects as `k=v,k2=v2`, lists as Python writes them."""
    if isinstance(value, dict):
        return ",".join(f"{key}={argument(one)}" for key, one in value.items())
    return "" if value is None else str(value)


def text(value: Any) -> str:
    """A value as variables have it: text as it is, nothing as empty, all else as compact JSON with sorted keys."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, sort_keys=True, separators=(",", ":"))


def variables(job: ScriptJob) -> dict[str, str]:
    """All that the contract lists, but those of a launcher of several processes."""
    facts = _facts(job)
    made = {f"SM_{name.upper()}": value for name, value in facts.items()}
    made |= {f"SM_CHANNEL_{name.upper()}": str(job.places.data / name) for name in job.channels}
    for name, value in job.hyperparameters.items():
        # Hyphens are kept, as the original has it; and with underscores, which shells can read.
        made |= {f"SM_HP_{name.upper()}": value, f"SM_HP_{_plain(name)}": value}
    made["SM_TRAINING_ENV"] = {
        **facts,
        "channel_input_dirs": {name: str(job.places.data / name) for name in job.channels},
        "hyperparameters": dict(job.hyperparameters),
        "job_name": job.name,
        "master_hostname": job.hosts.names[0],
        "is_master": job.hosts.index == 0,
    }
    paths = [str(job.code), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    made["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(path for path in paths if path))
    if job.name:
        made["SAGEMAKER_JOB_NAME"] = job.name
    if job.region:
        made["SAGEMAKER_REGION"] = job.region
    made["PYTHONUNBUFFERED"] = "1"  # what is printed reaches the log at once
    return {name: text(value) for name, value in made.items() if "=" not in name and "\0" not in text(value)}


def _facts(job: ScriptJob) -> dict[str, Any]:
    """By the names that `SM_TRAINING_ENV` has for them; in capitals they are those of the variables."""
    places, hosts = job.places, job.hosts
    groups = job.resources.get("instance_groups") or []
    group = job.resources.get("current_group_name") or ""
    by_name = {one.get("instance_group_name", ""): one for one in groups if isinstance(one, dict)}
    return {
        "model_dir": str(places.model),
        "input_dir": str(places.config.parent),
        "input_config_dir": str(places.config),
        "output_dir": str(places.output),
        "output_data_dir": str(places.output / "data"),
        "output_intermediate_dir": str(places.output / "intermediate"),
        "channels": sorted(job.channels),
        "hps": dict(job.hyperparameters),
        "user_args": words(job.hyperparameters),
        "current_host": hosts.current,
        "hosts": list(hosts.names),
        "network_interface_name": hosts.interface or "eth0",
        "current_instance_type": job.resources.get("current_instance_type") or "",
        "current_instance_group": group,
        "current_instance_group_hosts": by_name.get(group, {}).get("hosts", list(hosts.names)),
        "instance_groups": sorted(by_name),
        "instance_groups_dict": by_name,
        "distribution_instance_groups": job.framework.get("sagemaker_distribution_instance_groups") or [],
        "is_hetero": len(by_name) > 1,
        "topology": job.resources.get("topology"),
        "num_cpus": machine.cores(),
        "num_gpus": gpus(),
        "num_neurons": 0,
        "resource_config": dict(job.resources),
        "input_data_config": dict(job.inputs),
        "user_entry_point": job.entry,
        "module_name": re.sub(r"\.py$", "", job.entry),
        "module_dir": job.submitted or str(job.code),
        "framework_module": "",
        "framework_params": dict(job.framework),
        "log_level": job.level,
        # As the drivers of version 3 of the SDK have it.
        "source_dir": str(job.code),
        "entry_script": job.entry,
        "host_count": len(hosts.names),
        "current_host_rank": hosts.index,
        "master_addr": hosts.names[0],
        "master_port": os.environ.get("MASTER_PORT") or "7777",
    }


def gpus() -> int:
    """How many GPUs this host was given, without asking a driver."""
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    try:
        there = sum(re.fullmatch(r"nvidia\d+", name) is not None for name in os.listdir("/dev"))
    except OSError:
        there = 0
    return there if shown is None else min(there, len([one for one in shown.split(",") if one.strip()]))


def interface(job: ScriptJob) -> str | None:
    """The network interface to the other hosts: the one that is named, where there is one of the name, else the one
    that leads to another host."""
    import socket

    if "ALGOPORT_RENDEZVOUS" in os.environ:
        return network.loopback()
    if job.hosts.interface in [name for _, name in socket.if_nameindex()]:
        return job.hosts.interface
    others = [name for name in job.hosts.names if name != job.hosts.current]
    return network.leading_to(others[0]) if others else network.loopback()


def python() -> str:
    """The Python that runs scripts: `ALGOPORT_SCRIPT_PYTHON`, or this one."""
    return os.environ.get("ALGOPORT_SCRIPT_PYTHON") or sys.executable


def _plain(name: str) -> str:
    return re.sub(r"\W", "_", name.upper(), flags=re.ASCII)
