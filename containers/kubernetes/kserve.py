"""The same server for KServe: a ServingRuntime, and an InferenceService whose model KServe brings."""

from __future__ import annotations

from algoport.algorithms.contract.errors import UserError
from algoport.containers.kubernetes import pods
from algoport.containers.kubernetes.places import Json
from algoport.containers.kubernetes.serving import COMPONENT, GRACE, PORT, Serving
from algoport.containers.kubernetes.writing import metadata

_FOLDER = "/tmp/ml"  # noqa: S108  (in the container)
# KServe puts the model into /mnt/models; the server looks for it in the folder `model` of its base.
_START = f"mkdir -p {_FOLDER} && ln -sfn /mnt/models {_FOLDER}/model && exec algoport-run serve"


def documents(serving: Serving) -> list[Json]:
    """The runtime and the service."""
    serving.check()
    if serving.model is None or serving.model.claim is None:
        raise UserError("--model: KServe brings the model from a claim: pvc://CLAIM/PATH.")
    return [runtime(serving), service(serving)]


def runtime(serving: Serving) -> Json:
    """What serves models of this format."""
    environment = {"SAGEMAKER_BASE_DIR": _FOLDER, **serving.environment}
    probe = {"httpGet": {"path": "/ping", "port": PORT}, "periodSeconds": 5, "timeoutSeconds": 2, "failureThreshold": 6}
    container = {
        "name": "kserve-container",
        "image": serving.image,
        "command": ["sh", "-c", _START],
        "env": pods.variables(environment),
        "ports": [{"containerPort": PORT, "protocol": "TCP"}],
        "resources": serving.resources.entry,
        "readinessProbe": probe,
        "securityContext": pods.security(),
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108
    }
    spec = {
        "supportedModelFormats": [{"name": f"algoport-{serving.name}", "autoSelect": True}],
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ServingRuntime",
        "metadata": metadata(f"algoport-{serving.name}", COMPONENT),
        "spec": spec,
    }


def service(serving: Serving) -> Json:
    """The model, and how many servers it has."""
    predictor: Json = {
        "minReplicas": serving.replicas,
        "maxReplicas": serving.most,
        "scaleMetric": "cpu",
        "scaleTarget": serving.busy,
        "terminationGracePeriodSeconds": GRACE,
        "securityContext": pods.pod(serving)["securityContext"],
        "model": {
            "modelFormat": {"name": f"algoport-{serving.name}"},
            "runtime": f"algoport-{serving.name}",
            "storageUri": str(serving.model),
        },
    }
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": metadata(serving.name, COMPONENT)
        | {"annotations": {"serving.kserve.io/deploymentMode": "RawDeployment"}},
        "spec": {"predictor": predictor},
    }
