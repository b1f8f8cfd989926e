"""Folders of pictures with boxes or masks, and the channels of a job that reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from algoport.algorithms.contract import Algorithm, Answer, Channel
from algoport.algorithms.contract.group import Alone
from algoport.algorithms.contract.hyperparameters import Settings, integer
from algoport.algorithms.contract.records.images import png
from algoport.training.channels.opening import Opening
from algoport.training.configuration import ChannelConfig, Configuration, Hosts
from algoport.training.places import Places

IMAGE = "application/x-image"
PICTURE = png(40, 50)  # 50 wide and 40 high
MASK = png(40, 50, bytes(range(100)), "palette")


class Hyperparameters(Settings):
    """What the job may set."""

    num_classes: int = integer("how many classes", default=3, low=1, role="classes")


def algorithm(kind: str, *, labeled: bool = True) -> Algorithm:
    """One that reads pictures with what its channels `notes` or `lst` say of them."""
    more: dict[str, Any] = {"meaning": "", "kind": kind, "default_content_type": IMAGE}
    types = (IMAGE, "application/x-recordio")
    channels = (
        Channel(name="train", required=True, content_types=types, labeled=labeled, **more),
        Channel(name="notes", annotates="train", content_types=(IMAGE,), **more),
        Channel(name="lst", lists="train", content_types=(IMAGE,), **more),
    )
    facts = {"name": "a", "title": "", "summary": "", "problem": "", "source": "", "metrics": (), "log_name": ""}
    return Algorithm(channels=channels, answer=Answer(columns=()), **facts)  # type: ignore[arg-type]


def opening(
    base: Path, kind: str, *, group: Any = None, labeled: bool = True, classes: int = 3, **train: Any
) -> Opening:
    """What opens the channels of a job whose `train` is so."""
    names = [entry.name for entry in (base / "input/data").iterdir() if entry.is_dir()]
    channels = {name: ChannelConfig(name=name) for name in {*names, "train"}}
    channels["train"] = ChannelConfig(name="train", **train)
    job = Configuration(
        settings=Hyperparameters.read({"num_classes": classes}), given={}, channels=channels, hosts=Hosts()
    )
    return Opening(Places(base), job, algorithm(kind, labeled=labeled), group or Alone())


def read(base: Path, kind: str, **how: Any) -> Any:
    """All records of the channel."""
    return opening(base, kind, **how).sources()["train"].all()


def put(base: Path, **files: bytes | str) -> Path:
    """Files by their place, with `__` for a slash and `_` for the point of the ending."""
    for name, content in files.items():
        place = name.replace("__", "/")
        stem, _, ending = place.rpartition("_")
        path = base / "input/data" / f"{stem}.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return base


def annotation(*boxes: Any, width: int = 50) -> bytes:
    """A JSON file of boxes in pixels: class, left, top, width and height."""
    entries = [dict(zip(("class_id", "left", "top", "width", "height"), box, strict=True)) for box in boxes]
    return json.dumps({"image_size": [{"width": width, "height": 40, "depth": 3}], "annotations": entries}).encode()
