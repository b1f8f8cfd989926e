"""The lines of the log on a job's epochs, and the files that it leaves beside the model.    k classes"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract import Reporter
from algoport.algorithms.semantic_segmentation.evaluation import Figures
from algoport.algorithms.semantic_segmentation.hyperparameters import Hyperparameters
from algoport.algorithms.semantic_segmentation.label_map import DEFAULT, LabelMap
from algoport.algorithms.semantic_segmentation.optimization import steps_of_epoch
from algoport.algorithms.semantic_segmentation.state import Progress
from algoport.algorithms.shared.neural.curves import curves
from algoport.algorithms.shared.vision.confusion import intersection_over_union
from algoport.algorithms.shared.vision.masks import IGNORED

# Pixels (h, w, 3), and what their classes (h, w) are and are taken for.
Shown = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]


def label_maps(reporter: Reporter, maps: dict[str, LabelMap | None]) -> None:
    """Which numbers of masks are which classes."""
    for name, labels in maps.items():
        if labels is None:
            reporter.note("label maps not provided, using defaults.")
        reporter.note(f"#label_map {name} :{labels.text if labels else DEFAULT}")


def schedule(reporter: Reporter, settings: Hyperparameters) -> None:
    """By what the learning rate falls."""
    every = steps_of_epoch(settings)
    reporter.note(f"LRScheduler setup: iters per epoch: {every}, num_epochs {settings.epochs}")


def counted(reporter: Reporter, settings: Hyperparameters, pictures: int) -> None:
    """Notes on an epoch that had another number of pictures than the settings say, or less than one batch."""
    if pictures != settings.num_training_samples:
        reporter.note(
            f"num_training_samples is {settings.num_training_samples:,}, where the epoch had {pictures:,} pictures; "
            "the learning rate falls by num_training_samples."
        )
    if pictures < settings.mini_batch_size:
        reporter.note(
            f"A step takes {settings.mini_batch_size:,} pictures by mini_batch_size; the epoch had only {pictures:,}, "
            "one step."
        )


def speed(reporter: Reporter, progress: Progress, pictures: float, rate: float) -> None:
    """The line on an epoch so far; `pictures`: a second."""
    reporter.note(
        f"#progress_notice. epoch: {progress.epoch}, iterations: {progress.step} speed: {pictures} samples/sec "
        f"learning_rate: {rate:.6f}"
    )


def training(reporter: Reporter, progress: Progress, seconds: float) -> None:
    """The lines on the training pictures of an epoch."""
    reporter.report({"train:loss": progress.tally.mean_loss}, epoch=progress.epoch)
    throughput(reporter, progress.epoch, "train", progress.tally.pictures, seconds)


def throughput(reporter: Reporter, epoch: int, channel: str, pictures: float, seconds: float) -> None:
    """How fast a channel's pictures went."""
    reporter.note(
        f"#throughput_metric. host: {reporter.host}, epoch: {epoch}, {channel} throughput: "
        f"{pictures / max(seconds, 1e-9)} samples/sec."
    )


def validation(reporter: Reporter, progress: Progress, figures: Figures | None, seconds: float) -> None:
    """The lines on the validation pictures of an epoch; adds the epoch's row to the history."""
    row: dict[str, Any] = {"epoch": progress.epoch, "train_loss": progress.tally.mean_loss}
    if figures is not None:
        values = {"validation:pixel_accuracy": figures.pixel_accuracy, "validation:mIOU": figures.mean_iou}
        reporter.report(values, epoch=progress.epoch)
        throughput(reporter, progress.epoch, "validation", figures.pictures, seconds)
        row |= {"validation_pixel_accuracy": figures.pixel_accuracy, "validation_mIOU": figures.mean_iou}
    progress.history.append(row)


def save_figures(
    reporter: Reporter,
    history: list[dict[str, Any]],
    table: NDArray[np.float64] | None,
    shown: Callable[[], list[Shown]],
    stopping: bool,
) -> None:
    """The curves as a table; and where there is time, drawn, with the best epoch's confusion matrix."""
    if not history:
        return
    names = list(dict.fromkeys(name for row in history for name in row))
    reporter.keep("curves.csv", {name: [row.get(name, "") for row in history] for name in names})
    if stopping:
        return
    panels = {"cross-entropy": {"train": _line(history, "train_loss")}}
    lines = {"mIOU": _line(history, "validation_mIOU"), "pixel accuracy": _line(history, "validation_pixel_accuracy")}
    if any(lines.values()):
        panels["validation"] = lines
    reporter.keep("curves.png", curves(panels))
    if table is not None:
        reporter.keep("classes.csv", _by_class(table))
        reporter.keep("confusion.csv", table.astype(np.int64))
        reporter.keep("confusion.png", confusion_figure(table))
    examples = shown()
    if table is not None and examples:
        reporter.keep("examples.png", examples_figure(examples, len(table)))


def _line(history: list[dict[str, Any]], name: str) -> list[tuple[float, float]]:
    return [(row["epoch"], row[name]) for row in history if name in row]


def _by_class(table: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    """Of each class its pixels, IoU, recall and precision."""
    right, true, predicted = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    return {
        "class": np.arange(len(table)),
        "pixels": true.astype(np.int64),
        "iou": intersection_over_union(table),
        "recall": np.divide(right, true, out=np.zeros(len(table)), where=true > 0),
        "precision": np.divide(right, predicted, out=np.zeros(len(table)), where=predicted > 0),
    }


def confusion_figure(table: NDArray[np.float64]) -> Any:
    """Rows are true classes, columns predicted ones, as shares of the row; beside it the IoU of each class."""
    from matplotlib.figure import Figure

    k = len(table)
    side = min(3 + 0.3 * k, 12)
    figure = Figure(figsize=(1.8 * side, side), layout="constrained")
    axes, bars = figure.subplots(1, 2)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    axes.set_xlabel("predicted class")
    axes.set_ylabel("class")
    if k <= 20:
        axes.set_xticks(range(k))
        axes.set_yticks(range(k))
        for row, column in np.argwhere(table > 0):
            color = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, f"{shares[row, column]:.2f}", ha="center", va="center", color=color, fontsize=7)
        bars.set_yticks(range(k))
    bars.barh(range(k), intersection_over_union(table))
    bars.invert_yaxis()
    bars.set_xlim(0, 1)
    bars.set_xlabel("IoU")
    bars.set_ylabel("class")
    return figure


def examples_figure(examples: list[Shown], k: int) -> Any:
    """Pictures, their masks and the network's answers, side by side; what does not count is white."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 2.5 * len(examples)), layout="constrained")
    colors = colormaps["turbo" if k > 10 else "tab10"]
    for row, (pixels, true, predicted) in zip(figure.subplots(len(examples), 3, squeeze=False), examples, strict=True):
        for axes, title, content in zip(row, ("picture", "mask", "answer"), (pixels, true, predicted), strict=True):
            axes.set_axis_off()
            axes.set_title(title, fontsize=8)
            if content.ndim == 3:
                axes.imshow(content)
                continue
            places = content.astype(np.float64) / (k - 1) if k > 10 else content.astype(np.int64) % 10
            shades = np.where((content == IGNORED)[..., None], 1.0, colors(places))
            axes.imshow(shades, interpolation="nearest")
    return figure
