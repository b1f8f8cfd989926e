"""The same training for Kubeflow Trainer: a ClusterTrainingRuntime, and the TrainJob that uses it."""

from __future__ import annotations

from algoport.algorithms.contract.errors import UserError
from algoport.containers.kubernetes import pods, training
from algoport.containers.kubernetes.description import Training
from algoport.containers.kubernetes.places import Json
from algoport.containers.kubernetes.writing import labels, metadata

API = "trainer.kubeflow.org/v1alpha1"
REPLICA = "node"  # what Kubeflow Trainer calls the hosts, and the container that a TrainJob may change


def documents(job: Training) -> list[Json]:
    """The runtime, what all hosts are told, and the TrainJob; the last two belong into one namespace."""
    _check(job)
    claim = [training.storage(job)] if job.storage is not None else []
    return [*claim, training.configuration(job), runtime(job), train_job(job)]


def _check(job: Training) -> None:
    """`UserError` where a name would be too long for JobSet, which adds to it the host's number and a suffix."""
    faults = list(job.faults())
    most = 63 - len(f"-{REPLICA}-0-{job.hosts - 1}-abcde")
    if len(job.name) > most:
        faults.append(f"--name: must have at most {most} letters for {job.hosts} hosts; it has {len(job.name)}.")
    if faults:
        raise UserError(faults)


def host_names(job: Training) -> list[str]:
    """The names of the pods of a JobSet, which has the TrainJob's name."""
    return [f"{job.name}-{REPLICA}-0-{number}.{job.name}" for number in range(job.hosts)]


def runtime(job: Training) -> Json:
    """How a job of this kind runs, for all namespaces."""
    pod = pods.training_pod(job, host_names(job), pods.Layout(folder=job.name))
    pod["containers"][0]["name"] = REPLICA
    pod["topologySpreadConstraints"] = [training.spread(labels(job.name, training.COMPONENT))]
    policy = training.policy(job)
    for rule in policy["podFailurePolicy"]["rules"]:
        if "onExitCodes" in rule:
            rule["onExitCodes"]["containerName"] = REPLICA
    del policy["podFailurePolicy"]["rules"][1:2]  # JobSet makes pods anew by itself
    replicated = {
        "name": REPLICA,
        "template": {
            "metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}},
            "spec": {
                **policy,
                "template": {"metadata": {"labels": labels(job.name, training.COMPONENT)}, "spec": pod},
            },
        },
    }
    about = metadata(f"algoport-{job.name}", training.COMPONENT)
    about["labels"] = about["labels"] | {"trainer.kubeflow.org/framework": "algoport"}
    spec = {
        "mlPolicy": {"numNodes": job.hosts},
        "template": {
            "spec": {"network": {"publishNotReadyAddresses": True}, "replicatedJobs": [replicated]},
        },
    }
    return {"apiVersion": API, "kind": "ClusterTrainingRuntime", "metadata": about, "spec": spec}


def train_job(job: Training) -> Json:
    """The job. Its number of nodes is the runtime's, whose hosts are told the names of all."""
    reference = {"apiGroup": "trainer.kubeflow.org", "kind": "ClusterTrainingRuntime", "name": f"algoport-{job.name}"}
    spec = {"runtimeRef": reference, "trainer": {"numNodes": job.hosts}}
    return {"apiVersion": API, "kind": "TrainJob", "metadata": metadata(job.name, training.COMPONENT), "spec": spec}
