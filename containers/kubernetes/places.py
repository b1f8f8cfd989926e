"""Where data lies on a cluster: in a claim of storage, `pvc://CLAIM/PATH`, or on every node, `/PATH`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from algoport.algorithms.contract.errors import UserError

_SCHEME = "pvc://"
# What Kubernetes calls an object: labels of a domain, 253 letters in all.
SUBDOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
# No letter that a shell, a template or YAML gives a meaning to: paths stand in all three.
_PATH = re.compile(r"[A-Za-z0-9._@=+,-]+(/[A-Za-z0-9._@=+,-]+)*")

Json = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """A file or folder of a claim, or of the file system that all nodes have."""

    claim: str | None
    path: str  # in the claim, and without a slash before it; on the nodes with one

    @classmethod
    def parse(cls, what: str, text: str) -> Place:
        """From `pvc://CLAIM/PATH` or `/PATH`; `UserError` names what it was said of."""
        claim: str | None = None
        inner = text.rstrip("/")
        if text.startswith(_SCHEME):
            claim, _, inner = inner.removeprefix(_SCHEME).partition("/")
            if not SUBDOMAIN.fullmatch(claim):
                raise UserError(
                    f"{what}: a claim has lower-case letters and digits, with hyphens or a dot between them; "
                    f"it is {claim!r}."
                )
        elif not text.startswith("/"):
            raise UserError(f"{what}: must be pvc://CLAIM/PATH, or /PATH that every node has; it is {text!r}.")
        else:
            inner = inner.removeprefix("/")
        steps = inner.split("/")
        if not inner and claim is None:
            raise UserError(f"{what}: must be a folder below /, not all of a node's file system; it is {text!r}.")
        if inner and (not _PATH.fullmatch(inner) or ".." in steps or "." in steps):
            raise UserError(
                f"{what}: a path has letters, digits and . _ @ = + , - between its slashes, and no step '..'; "
                f"it is {text!r}."
            )
        return cls(claim, inner if claim is not None else f"/{inner}")

    @property
    def name(self) -> str:
        """The last step of its path."""
        return PurePosixPath(self.path).name

    def below(self, step: str) -> Place:
        """A folder in it."""
        return Place(self.claim, f"{self.path}/{step}" if self.path else step)

    def __str__(self) -> str:
        return self.path if self.claim is None else f"{_SCHEME}{self.claim}/{self.path}"


class Volumes:
    """The volumes of a pod, one a claim or a folder of the nodes, and the mounts of its containers."""

    def __init__(self) -> None:
        self._claims: dict[str, str] = {}
        self._folders: dict[str, str] = {}
        self._others: list[Json] = []

    @property
    def entries(self) -> list[Json]:
        """What stands in the pod."""
        claims = [{"name": name, "persistentVolumeClaim": {"claimName": claim}} for claim, name in self._claims.items()]
        folders = [{"name": name, "hostPath": {"path": path}} for path, name in self._folders.items()]
        return [*self._others, *claims, *folders]

    def mount(self, place: Place, inside: str, *, read_only: bool) -> Json:
        """How a container sees a place of the cluster."""
        if place.claim is None:
            name = self._folders.setdefault(place.path, f"node-{len(self._folders)}")
            mount: Json = {"name": name, "mountPath": inside}
        else:
            name = self._claims.setdefault(place.claim, f"claim-{len(self._claims)}")
            mount = {"name": name, "mountPath": inside} | ({"subPath": place.path} if place.path else {})
        return mount | ({"readOnly": True} if read_only else {})

    def empty(self, name: str, inside: str, **more: Any) -> Json:
        """An empty folder of the pod, the same for all of its containers."""
        if all(one["name"] != name for one in self._others):
            self._others.append({"name": name, "emptyDir": more})
        return {"name": name, "mountPath": inside}

    def configuration(self, name: str, inside: str) -> Json:
        """The files of a ConfigMap."""
        if all(one["name"] != "given" for one in self._others):
            self._others.append({"name": "given", "configMap": {"name": name}})
        return {"name": "given", "mountPath": inside, "readOnly": True}
