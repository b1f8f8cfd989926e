"""The picture of each algorithm's page, drawn from a model that is trained on real data: `python -m benchmarks.pictures
[NAME ...]` writes `algorithms/NAME/picture.png`.

A module here is called as the algorithm's folder is, and has `draw(figure)`.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from algoport import algorithms

COLORS = ("#3f51b5", "#c62828", "#2e7d32", "#ef6c00", "#6a1b9a", "#00838f", "#9e9d24", "#4e342e", "#757575", "#ad1457")
DPI = 110


def fit(name: str, channels: dict[str, Any], *, files: Any = None, report: Any = None, **settings: object) -> Any:
    """The model that a job leaves, of records in memory."""
    from algoport.algorithms.contract import Job, Memory, Reporter

    read = algorithms.part(name, "hyperparameters").Hyperparameters.read
    more: dict[str, Any] = {} if files is None else {"files": files}
    if report is not None:
        more["reporter"] = Reporter(report=report)
    parts = {channel: Memory(records) for channel, records in channels.items()}
    job: Any = Job(hyperparameters=read(settings), channels=parts, **more)
    return algorithms.part(name, "train").fit(job)


def rows(features: Any, label: Any = None) -> Any:
    """Rows of numbers, with labels where there are some."""
    import numpy as np

    from algoport.algorithms.contract.records import Rows

    own = None if label is None else np.asarray(label, np.float32).reshape(len(features), -1)
    return Rows(features=np.asarray(features, np.float32), label=own)


def picture(name: str) -> Path:
    """Draw that of an algorithm, and write it; where it lies."""
    from importlib import import_module

    from matplotlib.figure import Figure

    folder = algorithms.folder(name)
    drawing = import_module(f"benchmarks.pictures.{folder.name}")
    figure = Figure(figsize=getattr(drawing, "SIZE", (7, 3.2)), layout="constrained")
    drawing.draw(figure)
    path = folder / "picture.png"
    path.write_bytes(as_png(figure))
    return path


def as_png(figure: Any) -> bytes:
    """A figure in few colors, which halves the file and is not seen."""
    from PIL import Image

    drawn, small = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI)
    Image.open(drawn).convert("RGB").quantize(128).save(small, format="png", optimize=True)
    return min(drawn.getvalue(), small.getvalue(), key=len)
