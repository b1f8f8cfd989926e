"""As much of a cluster as one machine has: the pods of a manifest as containers of Docker, with the commands, mounts,
environment, user and rights that stand in the manifest. Claims are folders; pods find each other by name."""

from __future__ import annotations

import json
import re
import subprocess
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.containers.engine import PATIENCE, Container, docker

Json = dict[str, Any]
INDEX = "batch.kubernetes.io/job-completion-index"


@dataclass
class Pod:
    """One pod, for which volumes have been made."""

    spec: Json
    name: str  # by which others find it
    folder: Path  # where its own volumes lie
    claims: Mapping[str, Path]
    configurations: Mapping[str, Mapping[str, str]]
    annotations: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._volumes = {volume["name"]: self._volume(volume) for volume in self.spec["volumes"]}

    def _volume(self, volume: Json) -> Path:
        if "persistentVolumeClaim" in volume:
            return self.claims[volume["persistentVolumeClaim"]["claimName"]]
        if "hostPath" in volume:
            return Path(volume["hostPath"]["path"])
        place = self.folder / volume["name"]
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(0o777)
        for name, text in self.configurations.get(volume.get("configMap", {}).get("name", ""), {}).items():
            (place / name).write_text(text)
        return place

    def words(self, container: Json) -> list[str]:
        """Those of `docker run`, up to the command."""
        rights, own = container["securityContext"], self.spec["securityContext"]
        words = ["--user", f"{own['runAsUser']}:{own['runAsGroup']}", "--pull", "never"]
        words += ["--read-only"] if rights["readOnlyRootFilesystem"] else []
        words += ["--security-opt", "no-new-privileges"] if not rights["allowPrivilegeEscalation"] else []
        words += [f"--cap-drop={name}" for name in rights["capabilities"]["drop"]]
        values: dict[str, str] = {}
        for variable in container["env"]:
            values[variable["name"]] = _put_in(self._value(variable), values)
        for name, value in values.items():
            words += ["--env", f"{name}={value}"]
        for mount in sorted(container["volumeMounts"], key=lambda one: one["mountPath"]):
            inner = mount.get("subPath") or _put_in(mount.get("subPathExpr", ""), values)
            source = self._volumes[mount["name"]] / inner
            assert source.exists(), f"{mount}: Kubernetes would make a folder of root's"
            readonly = ",readonly" if mount.get("readOnly") else ""
            words += ["--mount", f"type=bind,source={source},target={mount['mountPath']}{readonly}"]
        if "command" in container:
            words += ["--entrypoint", container["command"][0]]
        return [*words, container["image"], *container.get("command", [])[1:], *container.get("args", [])]

    def _value(self, variable: Json) -> str:
        if "valueFrom" not in variable:
            return str(variable["value"])
        path = variable["valueFrom"]["fieldRef"]["fieldPath"]
        return self.annotations[path.removeprefix("metadata.annotations['").removesuffix("']")]

    def lay_out(self) -> None:
        """Run the containers that come first."""
        for container in self.spec.get("initContainers", []):
            docker("run", "--rm", "--network", "none", *self.words(container))


def _put_in(text: str, values: Mapping[str, str]) -> str:
    """The text with variables put in, as Kubernetes does: of two dollar signs one remains."""
    return re.sub(r"\$(?:\$|\(([^)]*)\))", lambda match: values.get(match[1], match[0]) if match[1] else "$", text)


class Cluster:
    """Starts pods on a network of its own."""

    def __init__(self, folder: Path, claims: Mapping[str, Path]) -> None:
        self.folder, self.claims = folder, claims
        self.network = f"algoport-test-{uuid.uuid4().hex[:10]}"
        self._names: list[str] = []
        docker("network", "create", self.network)

    def close(self) -> None:
        if self._names:
            docker("rm", "-f", "-v", *self._names, check=False)
        docker("network", "rm", self.network, check=False)

    def start(self, pod: Pod) -> Container:
        pod.lay_out()
        name = f"algoport-test-{uuid.uuid4().hex[:10]}"
        self._names.append(name)
        (container,) = pod.spec["containers"]
        docker(
            "run", "-d", "--name", name, "--network", self.network, "--network-alias", pod.name, *pod.words(container)
        )
        return Container(name)

    def job(self, documents: list[Json]) -> list[Container]:
        """All pods of an indexed Job."""
        made = {one["kind"]: one for one in documents}
        spec = made["Job"]["spec"]
        assert spec["completionMode"] == "Indexed"
        name, template = made["Job"]["metadata"]["name"], spec["template"]["spec"]
        return [
            self.start(
                Pod(
                    spec=template,
                    name=f"{name}-{number}.{template.get('subdomain', name)}",
                    folder=self.folder / uuid.uuid4().hex,
                    claims=self.claims,
                    configurations={made["ConfigMap"]["metadata"]["name"]: made["ConfigMap"]["data"]},
                    annotations={INDEX: str(number)},
                )
            )
            for number in range(spec["completions"])
        ]

    def deployment(self, documents: list[Json]) -> Container:
        """One pod of a Deployment, when its start has succeeded as its probe sees it."""
        made = {one["kind"]: one for one in documents}
        spec = made["Deployment"]["spec"]["template"]["spec"]
        pod = Pod(
            spec=spec, name="server", folder=self.folder / uuid.uuid4().hex, claims=self.claims, configurations={}
        )
        server = self.start(pod)
        asked = spec["containers"][0]["startupProbe"]["httpGet"]["path"]
        end = time.monotonic() + PATIENCE
        while server.ask(asked).status != 200:
            assert server.running and time.monotonic() < end, server.log
            time.sleep(0.1)
        return server


def rendered(*words: str, python: str) -> list[Json]:
    """What `algoport render` prints."""
    import yaml

    done = subprocess.run(
        [python, "-m", "algoport.containers.cli", "render", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    documents = list(yaml.safe_load_all(done.stdout))
    assert json.dumps(documents)
    return documents
