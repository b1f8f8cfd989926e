"""Pods that no administrator has to make an exception for: not root, a root that cannot be written, no tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from algoport.containers.kubernetes.description import Training, Workload
from algoport.containers.kubernetes.places import Json, Volumes

PORT = 7777  # where hosts meet
INSIDE = "/opt/ml"
GRACE = 130  # seconds from SIGTERM to SIGKILL: a job writes its model within 120
STOPPED = 143  # the exit code of a job that was stopped before its end
GIVEN = "/etc/algoport"
SHARDS = "/mnt/shards"
OUTPUT = "/mnt/output"
INDEX = "metadata.annotations['batch.kubernetes.io/job-completion-index']"


def security() -> Json:
    """What a container may: nothing that a program needs no right for."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def pod(workload: Workload, **more: Any) -> Json:
    """The part of a pod that is the same for all."""
    spec: Json = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": workload.user,
            "runAsGroup": workload.user,
            "fsGroup": workload.user,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    if workload.secret is not None:
        spec["imagePullSecrets"] = [{"name": workload.secret}]
    return spec | more


def variables(given: Mapping[str, str]) -> list[Json]:
    """An environment. A dollar sign is written twice: Kubernetes puts in variables, and makes one of any two."""
    return [{"name": name, "value": value.replace("$", "$$")} for name, value in given.items()]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Which of the pods of an indexed Job this is, and where it writes. Kubernetes puts in the variable."""

    index: str = "HOST_INDEX"  # the variable with the number of the pod
    folder: str  # below the output
    host: str = "$(HOST_INDEX)"  # the folder of this host in `output` there


def training_pod(training: Training, names: list[str], layout: Layout) -> Json:
    """One host: `host` lays out its folder, `train` trains. `names`: of all hosts."""
    volumes = Volumes()
    index = {"name": layout.index, "valueFrom": {"fieldRef": {"fieldPath": INDEX}}}
    sharded = [channel for channel in training.channels if channel.sharded and training.hosts > 1]
    config = volumes.empty("config", f"{INSIDE}/input/config")
    links = [volumes.empty(f"links-{n}", f"{INSIDE}/input/data/{one.name}") for n, one in enumerate(sharded)]
    shards = [volumes.mount(one.place, f"{SHARDS}/{one.name}", read_only=True) for one in sharded]
    settings = {
        "GIVEN": GIVEN,
        "HOST_NAMES": " ".join(names),
        "SHARDED": " ".join(channel.name for channel in sharded),
        "SHARDS": SHARDS,
    }
    output = {"name": "OUTPUT", "value": f"{OUTPUT}/{layout.folder}"}
    host = {
        "name": "host",
        "image": training.image,
        "command": ["sh", f"{GIVEN}/host.sh"],
        "env": [index, output, *variables(settings)],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": security(),
        "volumeMounts": [
            volumes.configuration(training.name, GIVEN),
            config,
            *links,
            *shards,
            volumes.mount(training.output, OUTPUT, read_only=False),
        ],
    }
    mounts = [volumes.empty("tmp", "/tmp"), config, *links, *shards]  # noqa: S108  (in the container)
    for channel in training.channels:
        if channel not in sharded:
            mounts.append(volumes.mount(channel.place, f"{INSIDE}/input/data/{channel.name}", read_only=True))
    mounts += _outputs(training, volumes, layout)
    if training.resources.gpus:
        mounts.append(volumes.empty("shm", "/dev/shm", medium="Memory"))  # noqa: S108
    train = {
        "name": "train",
        "image": training.image,
        "args": ["train"],
        "env": [
            index,
            *variables(
                {
                    "TRAINING_JOB_NAME": training.name,
                    "MASTER_PORT": str(PORT),
                    "ALGOPORT_STOPPED_CODE": str(STOPPED),
                    **training.environment,
                }
            ),
        ],
        "ports": [{"name": "meeting", "containerPort": PORT, "protocol": "TCP"}],
        "resources": training.resources.entry,
        "securityContext": security(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts,
    }
    return pod(
        training,
        restartPolicy="Never",
        terminationGracePeriodSeconds=GRACE,
        initContainers=[host],
        containers=[train],
        volumes=volumes.entries,
    )


def _outputs(training: Training, volumes: Volumes, layout: Layout) -> list[Json]:
    """What a host writes. The model and checkpoints are the first host's; each has its own `output`.

    They are parts of the one volume in which `host` has made them, as this user: folders that Kubernetes makes for a
    mount are root's.
    """
    base = volumes.mount(training.output, OUTPUT, read_only=False)
    above = [base["subPath"]] if "subPath" in base else []

    def part(step: str, inside: str) -> Json:
        path = "/".join([*above, layout.folder, step])
        return {"name": base["name"], "mountPath": f"{INSIDE}/{inside}", "subPathExpr": path}

    parts = [part("model", "model"), part(f"output/{layout.host}", "output")]
    return [*parts, part("checkpoints", "checkpoints")] if training.resumes else parts
