"""A training as an indexed Job: a pod a host, which find each other through a Service without an address of its own."""

from __future__ import annotations

from pathlib import Path

from algoport.containers.kubernetes import pods
from algoport.containers.kubernetes.description import Training
from algoport.containers.kubernetes.places import Json
from algoport.containers.kubernetes.writing import labels, metadata

COMPONENT = "training"
QUEUE = "kueue.x-k8s.io/queue-name"
MISTAKE = 2  # the exit code of what its user has to correct


def documents(training: Training) -> list[Json]:
    """All that the cluster has to be given, in order."""
    training.check()
    claim = [storage(training)] if training.storage is not None else []
    return [*claim, configuration(training), service(training), job(training)]


def host_names(training: Training) -> list[str]:
    """What the hosts call each other: the names of an indexed Job's pods, in the domain of the Service."""
    return [f"{training.name}-{number}.{training.name}" for number in range(training.hosts)]


def storage(training: Training) -> Json:
    """The claim that gets the output. Several hosts have to write into it at once."""
    mode = "ReadWriteMany" if training.hosts > 1 else "ReadWriteOnce"
    spec: Json = {"accessModes": [mode], "resources": {"requests": {"storage": training.storage}}}
    if training.storage_class is not None:
        spec["storageClassName"] = training.storage_class
    claim = training.output.claim or ""
    labeled = {"app.kubernetes.io/managed-by": "algoport"}
    about = {"name": claim, "labels": labeled}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": about, "spec": spec}


def configuration(training: Training) -> Json:
    """What all hosts are told, and the script that tells each who it is."""
    script = (Path(__file__).parent / "host.sh").read_text()
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(training.name, COMPONENT),
        "data": {"host.sh": script, **training.files},
    }


def service(training: Training) -> Json:
    """The domain of the hosts' names, which resolve before the hosts are ready: they become ready by meeting."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(training.name, COMPONENT),
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {"batch.kubernetes.io/job-name": training.name},
            "ports": [{"name": "meeting", "port": pods.PORT}],
        },
    }


def job(training: Training) -> Json:
    """The Job itself."""
    about = metadata(training.name, COMPONENT)
    if training.queue is not None:
        about["labels"] = about["labels"] | {QUEUE: training.queue}
    pod = pods.training_pod(training, host_names(training), pods.Layout(folder=training.name))
    pod["subdomain"] = training.name
    pod["topologySpreadConstraints"] = [spread({"batch.kubernetes.io/job-name": training.name})]
    spec = {
        "completionMode": "Indexed",
        "completions": training.hosts,
        "parallelism": training.hosts,
        **policy(training),
        "template": {"metadata": {"labels": labels(training.name, COMPONENT)}, "spec": pod},
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": about, "spec": spec}


def policy(training: Training) -> Json:
    """What happens to the Job when a host fails."""
    made: Json = {
        # When one host is lost, all end and all come back: each counts.
        "backoffLimit": training.retries * training.hosts,
        "podFailurePolicy": {
            "rules": [
                {"action": "FailJob", "onExitCodes": _codes(MISTAKE)},
                # A node that was drained or taken back, and the hosts that have ended with the one that was there.
                {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                {"action": "Ignore", "onExitCodes": _codes(pods.STOPPED)},
            ]
        },
    }
    return made | ({"activeDeadlineSeconds": training.runtime} if training.runtime is not None else {})


def _codes(code: int) -> Json:
    return {"containerName": "train", "operator": "In", "values": [code]}


def spread(selector: dict[str, str]) -> Json:
    """Pods go to different nodes where there are such."""
    return {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector},
    }
