"""How soon images are there, as `make bench A=startup` has recorded it: a table of docs/reliability.md."""

from __future__ import annotations

import json
from pathlib import Path

from algoport.containers.pages.markdown import table

_MOMENTS = {"train_s": "first line of `train`", "serve_s": "first line of `serve`", "ping_s": "first healthy `/ping`"}


def starts(path: Path) -> str:
    """A row for each image: seconds with a cold page cache and, in brackets, with a warm one; "" without a record."""
    if not path.is_file():
        return ""
    recorded = {(row["image"], row["caches"]): row for row in json.loads(path.read_text())["rows"]}
    rows = []
    for image in sorted({image for image, _ in recorded}):
        cold, warm = recorded.get((image, "cold"), {}), recorded.get((image, "warm"), {})
        cells = [f"{_seconds(cold, moment)} ({_seconds(warm, moment)})" for moment in _MOMENTS]
        rows.append([image.partition("/")[2].partition(":")[0], *cells])
    return table(["image", *(f"{words}, s" for words in _MOMENTS.values())], rows, right=(1, 2, 3))


def _seconds(row: dict[str, float], moment: str) -> str:
    return f"{row[moment]:.2f}" if moment in row else "-"
