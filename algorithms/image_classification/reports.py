"""The lines of the log on a job's epochs, and the files that it leaves beside the model.    k classes"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract import Reporter
from algoport.algorithms.image_classification.hyperparameters import Hyperparameters
from algoport.algorithms.image_classification.metrics import Tally
from algoport.algorithms.image_classification.state import Progress
from algoport.algorithms.shared.neural.curves import curves

_PARAMETERS = """
num_layers precision_dtype epochs resize optimizer momentum weight_decay learning_rate num_training_samples
mini_batch_size image_shape num_classes augmentation_type kv_store top_k
"""


def settings(reporter: Reporter, values: Hyperparameters) -> None:
    """The settings in effect, as the original's log has them."""
    reporter.note("---- Parameters ----")
    for name in _PARAMETERS.split():
        reporter.note(f"{name}: {getattr(values, name)}")
    reporter.note("--------------------")
    if values.checkpoint_frequency is None:
        reporter.note("checkpoint_frequency not set, will store the best model")


def counted(reporter: Reporter, values: Hyperparameters, pictures: int, batch: int) -> None:
    """Notes on an epoch that had another number of pictures than the settings say, or less than one batch; `batch`: of
    all hosts."""
    if pictures != values.num_training_samples:
        effect = "; the learning rate falls by num_training_samples" if values.steps else ""
        reporter.note(
            f"num_training_samples is {values.num_training_samples:,}, where the epoch had {pictures:,} pictures"
            f"{effect}."
        )
    if pictures < batch:
        reporter.note(f"A step takes {batch:,} pictures by mini_batch_size; the epoch had only {pictures:,}, one step.")


def speed(reporter: Reporter, progress: Progress, pictures: float, top_k: int | None) -> None:
    """The line on an epoch so far; `pictures`: a second."""
    more = f"\ttop_k_accuracy_{top_k}={progress.tally.top:.6f}" if top_k else ""
    reporter.note(
        f"Epoch[{progress.epoch}] Batch [{progress.step}]\tSpeed: {pictures:.3f} samples/sec\t"
        f"accuracy={progress.tally.accuracy:.6f}{more}"
    )


def training(reporter: Reporter, progress: Progress, seconds: float, top_k: int | None) -> None:
    """The lines on the training pictures of an epoch."""
    tally = progress.tally
    reporter.report({"train:accuracy": tally.accuracy}, epoch=progress.epoch)
    if top_k:
        named = {"train:top_k_accuracy": f"top_k_accuracy_{top_k}"}
        reporter.report({"train:top_k_accuracy": tally.top}, epoch=progress.epoch, written=named)
    reporter.note(f"Epoch[{progress.epoch}] Time cost={seconds:.3f}")
    reporter.figures({"train_cross_entropy": tally.mean_loss}, epoch=progress.epoch)


def validation(reporter: Reporter, progress: Progress, tally: Tally | None) -> None:
    """The line on the validation pictures of an epoch; adds the epoch's row to the history."""
    row: dict[str, Any] = {
        "epoch": progress.epoch,
        "train_loss": progress.tally.mean_loss,
        "train_accuracy": progress.tally.accuracy,
    }
    if tally is not None:
        reporter.report({"validation:accuracy": tally.accuracy}, epoch=progress.epoch)
        reporter.figures({"validation_cross_entropy": tally.mean_loss}, epoch=progress.epoch)
        row |= {"validation_loss": tally.mean_loss, "validation_accuracy": tally.accuracy}
    progress.history.append(row)


def save_figures(
    reporter: Reporter, history: list[dict[str, Any]], table: NDArray[np.float64] | None, stopping: bool
) -> None:
    """The curves as a table; and where there is time, drawn, with the best epoch's confusion matrix."""
    if not history:
        return
    names = list(dict.fromkeys(name for row in history for name in row))
    reporter.keep("curves.csv", {name: [row.get(name, "") for row in history] for name in names})
    if stopping:
        return
    panels = {"cross-entropy": _lines(history, "loss"), "accuracy": _lines(history, "accuracy")}
    reporter.keep("curves.png", curves(panels))
    if table is not None and table.size:
        reporter.keep("classes.csv", _by_class(table))
        if table.ndim == 2:
            reporter.keep("confusion.csv", table.astype(np.int64))
            reporter.keep("confusion.png", _confusion(table))


def _by_class(table: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    """Of each class its pictures, recall and precision."""
    if table.ndim == 2:
        right, true, predicted = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    else:
        right, true, predicted = table[:, 1, 1], table[:, 1].sum(axis=1), table[:, :, 1].sum(axis=1)
    recall = np.divide(right, true, out=np.zeros(len(right)), where=true > 0)
    precision = np.divide(right, predicted, out=np.zeros(len(right)), where=predicted > 0)
    return {
        "class": np.arange(len(right)),
        "pictures": true.astype(np.int64),
        "recall": recall,
        "precision": precision,
    }


def _lines(history: list[dict[str, Any]], figure: str) -> dict[str, list[tuple[float, float]]]:
    """Loss or accuracy of each channel over the epochs."""
    names = {channel: f"{channel}_{figure}" for channel in ("train", "validation")}
    lines = {channel: [(row["epoch"], row[name]) for row in history if name in row] for channel, name in names.items()}
    return {channel: points for channel, points in lines.items() if points}


def _confusion(table: NDArray[np.float64]) -> Any:
    """Rows are true classes, columns predicted ones, as shares of the row."""
    from matplotlib.figure import Figure

    k = len(table)
    side = min(3 + 0.3 * k, 12)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    axes.set_xlabel("predicted class")
    axes.set_ylabel("class")
    if k <= 20:
        axes.set_xticks(range(k))
        axes.set_yticks(range(k))
        for row in range(k):
            for column in range(k):
                if table[row, column]:
                    color = "white" if shares[row, column] > 0.5 else "black"
                    axes.text(column, row, f"{int(table[row, column])}", ha="center", va="center", color=color)
    return figure
