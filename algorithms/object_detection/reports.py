"""The lines of the log on a job's epochs, and the files that it leaves beside the model.    k classes"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from algoport.algorithms.contract import Reporter
from algoport.algorithms.object_detection import figures
from algoport.algorithms.object_detection.hyperparameters import Hyperparameters
from algoport.algorithms.object_detection.metrics import Tally
from algoport.algorithms.object_detection.state import Progress
from algoport.algorithms.shared.neural.curves import curves
from algoport.algorithms.shared.vision.average_precision import Curve, mean


def speed(reporter: Reporter, progress: Progress, pictures: float, seconds: float) -> None:
    """The line on an epoch so far; `pictures`: of this run, in so many seconds."""
    reporter.note(
        f"Epoch: {progress.epoch:>4}, batches: {progress.step:>6}, num_examples: {int(progress.tally.count):>6}, "
        f"{pictures / max(seconds, 1e-9):.1f} samples/sec, epoch time so far:  {timedelta(seconds=seconds)}"
    )


def frozen(reporter: Reporter, names: list[str]) -> None:
    """What is not trained."""
    shown = f": {', '.join(names[:8])}{' …' if len(names) > 8 else ''}." if names else "; it matches none."
    reporter.note(f"{len(names)} weights are not trained, as freeze_layer_pattern says{shown}")


def counted(reporter: Reporter, settings: Hyperparameters, batch: int, progress: Progress) -> None:
    """A note on an epoch that had another number of batches than the settings say; `batch`: of all hosts."""
    expected = -(-settings.num_training_samples // batch)
    if expected != progress.step:
        effect = "; lr_scheduler_step goes by num_training_samples" if settings.steps else ""
        reporter.note(
            f"Expected number of batches: {expected}, did not match the number of batches processed: {progress.step}. "
            f"num_training_samples is {settings.num_training_samples}, where the epoch had "
            f"{int(progress.tally.count)} pictures{effect}."
        )


def training(reporter: Reporter, progress: Progress) -> None:
    """The lines on the training pictures of an epoch."""
    tally = progress.tally
    values = {"train:cross_entropy": tally.cross_entropy, "train:smooth_l1": tally.smooth_l1}
    for name, value in values.items():
        reporter.report({name: value}, epoch=progress.epoch, batch=progress.step)
    reporter.note("Round of batches complete")


def validation(reporter: Reporter, progress: Progress, curves_: dict[int, Curve] | None) -> None:
    """The line on the validation pictures of an epoch; adds the epoch's row to the history."""
    tally: Tally = progress.tally
    row: dict[str, Any] = {
        "epoch": progress.epoch,
        "train_cross_entropy": tally.cross_entropy,
        "train_smooth_l1": tally.smooth_l1,
    }
    if curves_ is not None:
        reporter.note("Updated the metrics")
        row["validation_mAP"] = mean(curves_)
        reporter.report({"validation:mAP": row["validation_mAP"]}, epoch=progress.epoch)
    progress.history.append(row)


def evaluation(reporter: Reporter, curves_: dict[int, Curve]) -> None:
    """What the model's detections of the validation pictures are like."""
    reporter.keep("precision_recall.png", figures.precision_recall(curves_))
    reporter.keep(
        "classes.csv",
        {
            "class": list(curves_),
            "objects": [curve.objects for curve in curves_.values()],
            "average_precision": [curve.average_precision for curve in curves_.values()],
        },
    )


def save_figures(reporter: Reporter, history: list[dict[str, Any]], stopping: bool) -> None:
    """The curves as a table; and where there is time, drawn."""
    if not history:
        return
    names = list(dict.fromkeys(name for row in history for name in row))
    reporter.keep("curves.csv", {name: [row.get(name, "") for row in history] for name in names})
    if stopping:
        return
    panels = {
        title: {name: [(row["epoch"], row[name]) for row in history if name in row] for name in own}
        for title, own in (("training loss", names[1:3]), ("validation mAP", names[3:]))
        if own
    }
    reporter.keep("curves.png", curves(panels))
