"""Manifests as YAML that people read: a script stands there as a script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from algoport.algorithms.contract.errors import UserError
from algoport.containers.kubernetes.places import Json


def text(documents: Sequence[Json]) -> str:
    """All documents of one file, in the order in which they have to be made."""
    try:
        import yaml
    except ModuleNotFoundError:
        raise UserError("Manifests need PyYAML: pip install 'algoport[cli]'.") from None

    class Dumper(yaml.SafeDumper):
        """Long texts as blocks, and no anchors, which people do not read."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    def string(dumper: Any, value: str) -> Any:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Dumper.add_representer(str, string)
    made: str = yaml.dump_all(documents, Dumper=Dumper, sort_keys=False, width=1000, explicit_start=True)
    return made


def labels(name: str, component: str) -> dict[str, str]:
    """By which what belongs together is found."""
    return {
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/managed-by": "algoport",
    }


def metadata(name: str, component: str, **more: Any) -> Json:
    """Of an object of its own."""
    return {"name": name, "labels": labels(name, component)} | more
