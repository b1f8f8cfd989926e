"""A model as a Deployment with a Service, scaled by the work that it has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from algoport.containers.kubernetes import pods
from algoport.containers.kubernetes.description import MOST_REPLICAS, Workload
from algoport.containers.kubernetes.places import Json, Place, Volumes
from algoport.containers.kubernetes.training import spread
from algoport.containers.kubernetes.writing import labels, metadata

COMPONENT = "serving"
PORT = 8080
DRAIN = 5  # seconds in which the cluster learns that a pod is going, before it is asked to end
GRACE = 45  # seconds until it is killed: the drain, and 30 for the requests that it has
STARTUP = 600  # seconds that a start may take, as the server itself allows


@dataclass(frozen=True, kw_only=True)
class Serving(Workload):
    """A model that answers."""

    model: Place | None = None  # the folder with its files; None: the image has them
    replicas: int = 1  # at least
    most: int = 1  # at most
    busy: int = 70  # percent of its cores that a pod uses, above which there will be more of them

    def faults(self) -> Iterator[str]:
        """Sentences on what is wrong."""
        yield from super().faults()
        if not 1 <= self.replicas <= self.most <= MOST_REPLICAS:
            yield (
                f"--replicas, --most: must be from 1 to {MOST_REPLICAS}, the first no more than the second; "
                f"they are {self.replicas} and {self.most}."
            )
        if not 1 <= self.busy <= 100:
            yield f"--busy: must be from 1 to 100 percent; it is {self.busy}."


def documents(serving: Serving) -> list[Json]:
    """All that the cluster has to be given, in order."""
    serving.check()
    made = [service(serving), deployment(serving)]
    if serving.most > serving.replicas:
        made.append(autoscaler(serving))
    return [*made, budget(serving)] if serving.most > 1 else made


def selector(serving: Serving) -> dict[str, str]:
    """By which pods are found."""
    return {"app.kubernetes.io/name": serving.name, "app.kubernetes.io/component": COMPONENT}


def service(serving: Serving) -> Json:
    """The address of all pods that are ready."""
    ports = [{"name": "http", "port": PORT, "targetPort": "http"}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(serving.name, COMPONENT),
        "spec": {"selector": selector(serving), "ports": ports},
    }


def deployment(serving: Serving) -> Json:
    """The pods. An update never leaves fewer of them than before."""
    spec: Json = {
        "selector": {"matchLabels": selector(serving)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": {
            "metadata": {
                "labels": labels(serving.name, COMPONENT),
                "annotations": {
                    "prometheus.io/scrape": "true",
                    "prometheus.io/port": str(PORT),
                    "prometheus.io/path": "/metrics",
                },
            },
            "spec": pod(serving),
        },
    }
    # Where an autoscaler decides how many there are, a number here would undo its decision with every update.
    if serving.most == serving.replicas:
        spec = {"replicas": serving.replicas, **spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(serving.name, COMPONENT),
        "spec": spec,
    }


def pod(serving: Serving) -> Json:
    """One server."""
    volumes = Volumes()
    mounts = [volumes.empty("tmp", "/tmp")]  # noqa: S108  (in the container)
    if serving.model is not None:
        mounts.append(volumes.mount(serving.model, f"{pods.INSIDE}/model", read_only=True))
    server = {
        "name": "server",
        "image": serving.image,
        "args": ["serve"],
        "env": pods.variables(serving.environment),
        "ports": [{"name": "http", "containerPort": PORT}],
        "resources": serving.resources.entry,
        "securityContext": pods.security(),
        "startupProbe": _probe(period=2, failures=STARTUP // 2),
        "readinessProbe": _probe(period=5, failures=2),
        "livenessProbe": _probe(period=10, failures=6),
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(DRAIN)]}}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts,
    }
    return pods.pod(
        serving,
        terminationGracePeriodSeconds=GRACE,
        topologySpreadConstraints=[spread(selector(serving))],
        containers=[server],
        volumes=volumes.entries,
    )


def _probe(*, period: int, failures: int) -> Json:
    asked = {"path": "/ping", "port": "http"}
    return {"httpGet": asked, "periodSeconds": period, "timeoutSeconds": 2, "failureThreshold": failures}


def autoscaler(serving: Serving) -> Json:
    """As many pods as the work asks for; down slowly, for a start takes seconds."""
    busy = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": serving.busy}}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata(serving.name, COMPONENT),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": serving.name},
            "minReplicas": serving.replicas,
            "maxReplicas": serving.most,
            "metrics": [{"type": "Resource", "resource": busy}],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 300}},
        },
    }


def budget(serving: Serving) -> Json:
    """Nodes are drained one after the other."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(serving.name, COMPONENT),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": selector(serving)}},
    }
