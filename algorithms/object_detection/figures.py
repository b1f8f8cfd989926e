"""Drawings of how a detector does: curves of precision and recall, and pictures with boxes.    k classes"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.vision.average_precision import Curve

MOST_CLASSES, MOST_PICTURES = 20, 12  # that are drawn
SURE = 0.3  # score from which a detection is drawn
_COLUMNS = 4


def precision_recall(curves: Mapping[int, Curve]) -> Any:
    """A line a class, of those with most objects."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    largest = sorted(curves, key=lambda k: (-curves[k].objects, k))[:MOST_CLASSES]
    for k in sorted(largest):
        curve = curves[k]
        best = np.maximum.accumulate(curve.precision[::-1])[::-1]
        axes.step(
            np.r_[0.0, curve.recall],
            np.r_[best[:1] if len(best) else 0.0, best],
            where="pre",
            label=f"class {k}: {curve.average_precision:.3f}",
        )
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02), title="average precision")
    axes.legend(fontsize="small", ncols=1 + len(largest) // 11)
    return figure


def pictures(
    pixels: NDArray[np.uint8],  # (n, s, s, 3)
    objects: Sequence[NDArray[np.float32]],  # (n,) of (o, 5 + e)
    detections: Sequence[NDArray[np.float32]],  # (n,) of (d, 6)
) -> Any:
    """Pictures with the boxes of their objects, dashed, and of detections with class and score."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    count, side = min(len(pixels), MOST_PICTURES), pixels.shape[1]
    lines = -(-count // _COLUMNS)
    figure = Figure(figsize=(3 * min(count, _COLUMNS), 3 * lines), layout="constrained")
    for number, axes in enumerate(figure.subplots(lines, min(count, _COLUMNS), squeeze=False).flat):
        axes.axis("off")
        if number >= count:
            continue
        axes.imshow(pixels[number])
        sure = detections[number][detections[number][:, 1] >= SURE]
        for rows, first, style in ((objects[number], 1, "--"), (sure, 2, "-")):
            for row in rows:
                left, top, right, bottom = row[first : first + 4] * side
                color = f"C{int(row[0]) % 10}"
                axes.add_patch(
                    Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=color, linestyle=style)
                )
                if first == 2:
                    axes.text(left, top, f"{int(row[0])} {row[1]:.2f}", color=color, fontsize=7, va="bottom")
    return figure
