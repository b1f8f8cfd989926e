"""What a job tells of its epochs, and the files that it leaves beside the model.    k classes"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from algoport.algorithms import contract
from algoport.algorithms.image_classification.hyperparameters import Hyperparameters
from algoport.algorithms.image_classification.model import Model
from algoport.algorithms.image_classification.progress import Progress, Tally
from algoport.algorithms.image_classification.state import State
from algoport.algorithms.shared.neural.curves import curves

Job = contract.Job[Hyperparameters, Model]

MOST = 1000  # classes up to which a table of all pairs is kept


def trained(job: Job, progress: Progress, seconds: float) -> None:
    """The lines on the training pictures of an epoch."""
    tally, top = progress.tally, job.hyperparameters.top_k
    job.reporter.report({"train:accuracy": tally.accuracy}, epoch=progress.epoch)
    if top:
        named = {"train:top_k_accuracy": f"top_k_accuracy_{top}"}
        job.reporter.report({"train:top_k_accuracy": tally.top}, epoch=progress.epoch, written=named)
    job.reporter.note(f"Epoch[{progress.epoch}] Time cost={seconds:.3f}")
    job.reporter.figures({"train_cross_entropy": tally.mean_loss}, epoch=progress.epoch)


def judged(job: Job, progress: Progress, found: Tally | None) -> None:
    """The line on the validation pictures of an epoch, and the epoch's row of the curves."""
    row: dict[str, Any] = {
        "epoch": progress.epoch,
        "train_loss": progress.tally.mean_loss,
        "train_accuracy": progress.tally.accuracy,
    }
    if found is not None:
        job.reporter.report({"validation:accuracy": found.accuracy}, epoch=progress.epoch)
        job.reporter.figures({"validation_cross_entropy": found.mean_loss}, epoch=progress.epoch)
        row |= {"validation_loss": found.mean_loss, "validation_accuracy": found.accuracy}
    progress.history.append(row)


def room(settings: Hyperparameters) -> tuple[int, ...]:
    """The shape of the table: which class (k) is taken for which (k); or of each class how often it was false or true
    (2) and said to be (2)."""
    k = settings.num_classes
    if settings.multi_label:
        return (k, 2, 2)
    return (k, k) if k <= MOST else (0, 0)


def enter(table: NDArray[np.float64], scores: Tensor, wanted: Tensor) -> None:
    """Count some pictures; changes the table."""
    if not table.size:
        return
    if wanted.dim() == 1:
        pairs = np.stack([wanted.cpu().numpy(), scores.argmax(dim=1).cpu().numpy()])
        np.add.at(table, tuple(pairs), 1.0)
        return
    true, said = wanted.cpu().numpy() > 0.5, scores.cpu().numpy() > 0
    for one in (0, 1):
        for other in (0, 1):
            table[:, one, other] += ((true == one) & (said == other)).sum(axis=0)


def finished(job: Job, state: State) -> None:
    """The curves, and what the best epoch took for what."""
    history = state.progress.history
    if not history:
        return
    names = list(dict.fromkeys(name for row in history for name in row))
    job.reporter.keep("curves.csv", {name: [row.get(name, "") for row in history] for name in names})
    if job.stopping():
        return
    job.reporter.keep(
        "curves.png", curves({"cross-entropy": _lines(history, "loss"), "accuracy": _lines(history, "accuracy")})
    )
    if state.table is not None and state.table.size:
        job.reporter.keep("classes.csv", _by_class(state.table))
        if state.table.ndim == 2:
            job.reporter.keep("confusion.csv", state.table.astype(np.int64))
            job.reporter.keep("confusion.png", _confusion(state.table))


def _by_class(table: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    """Of each class how many pictures there are, the share of those that was found, and of those said to be it."""
    if table.ndim == 2:
        right, there, said = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    else:
        right, there, said = table[:, 1, 1], table[:, 1].sum(axis=1), table[:, :, 1].sum(axis=1)
    recall = np.divide(right, there, out=np.zeros(len(right)), where=there > 0)
    precision = np.divide(right, said, out=np.zeros(len(right)), where=said > 0)
    return {
        "class": np.arange(len(right)),
        "pictures": there.astype(np.int64),
        "recall": recall,
        "precision": precision,
    }


def _lines(history: list[dict[str, Any]], what: str) -> dict[str, list[tuple[float, float]]]:
    """Loss or accuracy of each channel over the epochs."""
    names = {channel: f"{channel}_{what}" for channel in ("train", "validation")}
    lines = {channel: [(row["epoch"], row[name]) for row in history if name in row] for channel, name in names.items()}
    return {channel: points for channel, points in lines.items() if points}


def _confusion(table: NDArray[np.float64]) -> Any:
    """Rows are what pictures show, columns what they were taken for, as shares of the row."""
    from matplotlib.figure import Figure

    k = len(table)
    side = min(3 + 0.3 * k, 12)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    axes.set_xlabel("taken for")
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
