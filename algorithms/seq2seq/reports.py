"""The lines of the log, as Sockeye 1.x has them, and the metrics of a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping

from algoport.algorithms.contract import Reporter
from algoport.algorithms.seq2seq.state import State, Tally

EVERY = 50  # batches between two lines on the speed


def speed(reporter: Reporter, state: State, rate: float, metric: str) -> None:
    """Every so many batches: pairs a second, and the training metric since the line before."""
    value = state.shown.metric(metric)
    reporter.note(f"Epoch[{state.epoch}] Batch [{state.step}]\tSpeed: {rate:.2f} samples/sec\t{metric}={value:.6f}")


def checkpoint(
    reporter: Reporter, state: State, seconds: float, metric: str, validation: Tally, bleu: float | None
) -> Mapping[str, float]:
    """An evaluation; its metrics."""
    head = f"Checkpoint [{state.checkpoints}]\t"
    reporter.note(
        f"{head}Updates={state.updates} Epoch={state.epoch} Samples={int(state.samples)} Time-cost={seconds:.3f}"
    )
    reporter.note(f"{head}Train-{metric}={state.tally.metric(metric):.6f}")
    values = {"perplexity": validation.perplexity, "accuracy": validation.accuracy}
    if bleu is not None:
        values["bleu"] = bleu
    for name, value in values.items():
        reporter.note(f"{head}Validation-{name}={value:.6f}")
    epoch = state.epoch + (state.step > 0)  # the one that goes on, or that has just ended
    reporter.report({f"validation:{name}": value for name, value in values.items()}, epoch=epoch)
    return values
