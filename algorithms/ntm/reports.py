"""The lines of the log, letter for letter as the original has them, and the files beside the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract import Reporter
from algoport.algorithms.ntm.auxiliary import Lexicon
from algoport.algorithms.ntm.documents import Documents
from algoport.algorithms.ntm.gradients import Losses
from algoport.algorithms.ntm.model import Model
from algoport.algorithms.ntm.state import State, Tally
from algoport.algorithms.ntm.topics import similarity
from algoport.algorithms.shared.neural.curves import curves as drawn
from algoport.algorithms.shared.text import topic_words

SHOWN = 20  # words of a topic in the log


def figures(losses: Losses, documents: Documents) -> NDArray[np.float64]:
    """The sums of a tally over some documents, but for those without words."""
    masses = documents.words.masses.astype(np.float64)
    both = losses.reconstruction + losses.divergence
    sums = losses.reconstruction.sum(), losses.divergence.sum(), masses.sum(), len(masses), (both / masses).sum()
    return np.array(sums, np.float64)


def training(reporter: Reporter, state: State, size: int) -> None:
    """An epoch's training."""
    tally, epoch = state.tally, state.epoch + 1
    reporter.note(
        f"# Finished training epoch {epoch} on {int(tally.documents)} examples from {state.step} batches, each of size "
        f"{size}."
    )
    reporter.note("Metrics for Training:")
    _losses(reporter, tally)
    reporter.report({"train:total_loss": tally.total}, epoch=epoch)
    state.curves.setdefault("train", []).append((epoch, tally.total))


def validation(reporter: Reporter, state: State, tally: Tally) -> None:
    """The same of the validation documents."""
    epoch = state.epoch + 1
    reporter.note("Metrics for Inference:")
    _losses(reporter, tally)
    reporter.report({"validation:total_loss": tally.total}, epoch=epoch)
    state.curves.setdefault("validation", []).append((epoch, tally.total))


def tested(reporter: Reporter, tally: Tally) -> None:
    """And of the test documents."""
    reporter.note("Metrics for Inference:")
    _losses(reporter, tally)
    reporter.report({"test:total_loss": tally.total})


def _losses(reporter: Reporter, tally: Tally) -> None:
    for name in ("total", "kld", "recons", "logppx"):
        reporter.note(f"Loss (name: value) {name}: {getattr(tally, name)}")


def save_curves(reporter: Reporter, losses: Mapping[str, Sequence[tuple[float, float]]], *, stopping: bool) -> None:
    """A picture of the losses, unless there is no time for it."""
    if losses and not stopping:
        reporter.keep("loss.png", drawn({"loss of a word": losses}))


def topics(reporter: Reporter, model: Model, lexicon: Lexicon) -> None:
    """The topics as their words, or as numbers of words where there is no vocabulary."""
    tops = topic_words.strongest(model.topics, SHOWN)
    unique = topic_words.uniqueness(tops)
    near = None if lexicon.vectors is None else similarity(tops, lexicon.vectors.vectors)
    names = None if model.vocabulary is None else model.vocabulary.words
    scores = [] if near is None else [f"wetc {near.mean():.2f}"]
    scores.append(f"tu {unique.mean():.2f}")
    reporter.note(f"Topics from epoch:final (num_topics:{model.num_topics}) [{', '.join(scores)}]:")
    for topic, words in enumerate(tops.tolist()):
        figures = [] if near is None else [f"{near[topic]:.2f}"]
        figures.append(f"{unique[topic]:.2f}")
        shown = [str(word) if names is None else names[word] for word in words]
        reporter.note(f"[{', '.join(figures)}] {' '.join(shown)}")


def save_topics(
    reporter: Reporter, model: Model, coherence: topic_words.Coherence, shares: NDArray[np.float64]
) -> None:
    """The topics as a document, a table and a picture."""
    assert model.vocabulary is not None
    report = topic_words.Report(
        words=model.vocabulary.words,
        beta=model.topics,
        shares=shares,
        coherence=coherence.npmi(),
        documents=int(coherence.documents),
    )
    reporter.keep("topics.json", report.document())
    reporter.keep("topics.csv", report.table())
    reporter.keep("topics.png", report.picture())
