"""What the lines of both channels must be: with labels where they are to be classified, and with known ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.blazingtext.corpus import LINES
from algoport.algorithms.blazingtext.dictionary import Dictionary, Lookup
from algoport.algorithms.blazingtext.hyperparameters import LABELS
from algoport.algorithms.blazingtext.learner import Labels
from algoport.algorithms.blazingtext.model import PREFIX
from algoport.algorithms.blazingtext.state import Job
from algoport.algorithms.blazingtext.vocabulary import Vocabulary
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.group import total
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.lines import Lines

_SHOWN = 5  # places and labels that a message names
_MILLION = 10**6


class Look:
    """Follows the lines of the training channel that are this member's."""

    def __init__(self, note: Callable[[str], None], classify: bool) -> None:
        self._note, self._classify = note, classify
        self.count = self.without = self._bytes = 0
        self.places: list[str] = []  # of the first lines without a label
        self._name = "train"

    def look(self, batch: Lines) -> None:
        """Some more of them."""
        if batch.origins is not None and len(batch) and not self.count:
            self._name = batch.origins[0].rpartition(", ")[0]
        self._bytes += len(batch.text.values)
        if self._classify:
            bare = np.arange(len(batch)) if batch.label is None else np.flatnonzero(batch.label.lengths == 0)
            self.without += len(bare)
            for number in bare[: _SHOWN - len(self.places)].tolist():
                self.places.append(batch.place(number) if batch.origins else f"line {self.count + number + 1}")
        self.count += len(batch)

    def close(self, tokens: int, words: Vocabulary, labels: Dictionary | None) -> None:
        """What was read, in the original's words."""
        self._note(f"Processing {self._name} . File size: {round(self._bytes / _MILLION)} MB")
        self._note(f"Read {tokens // _MILLION}M words")
        self._note(f"Number of words:  {len(words)}")
        if labels is not None:
            self._note(f"Number of labels: {len(labels)}")


def look_at(job: Job) -> Look:
    """Follows the lines of a job."""
    return Look(job.reporter.note, job.hyperparameters.mode == LABELS)


def check_labels(job: Job, lines: Look, labels: Dictionary) -> None:
    """`UserError` where lines lack labels, or all have the same. An exchange."""
    without, count = total(job.group, lines.without, lines.count)
    how = f"words that begin with {PREFIX}, anywhere in the line, or 'label' beside 'source' in JSON"
    if count and without == count:
        raise UserError(
            f"Channel 'train': each line must have a label: {how}; none of its {int(count):,} lines has one."
        )
    if without:
        places = "; ".join(lines.places) or "those of other hosts"
        raise UserError(
            f"Channel 'train': each line must have a label: {how}; {int(without):,} of its {int(count):,} lines have "
            f"none: {places}{', …' if without > len(lines.places) else ''}."
        )
    if len(labels) == 1 and job.start is None:
        only = labels.words.strings()[0]
        raise UserError(f"Channel 'train': must have two labels or more; all lines have {PREFIX}{only[:60]}.")
    if not count:
        raise UserError("Channel 'train': must have lines; it has none.")


class Validation:
    """The lines of the validation channel that are this member's, as streams."""

    def __init__(self, parts: list[NDArray[np.int32]], compiled: Any, *, given: bool) -> None:
        self.parts, self.compiled, self.given = parts, compiled, given

    @classmethod
    def read(cls, job: Job, learner: Labels) -> Validation:
        """All of it. `UserError` names a label that no training line has."""
        channel = job.channels.get("validation")
        if channel is None:
            return cls([], learner.compiled, given=False)
        known = Lookup(learner.classes.texts)
        words, parts = Dictionary(closing=True), []
        for batch in channel.batches(LINES):
            marks = Ragged.empties(len(batch), np.uint8) if batch.label is None else batch.label
            numbers, _, _, ends = known.find(marks)
            if (numbers < 0).any():
                line = int(np.searchsorted(ends, int(np.flatnonzero(numbers < 0)[0]), "right")) - 1
                raise unseen(batch, line, learner.classes.texts)
            parts.append(words.add(batch.text, Ragged(numbers, ends)))
        return cls(parts, learner.compiled_for(words), given=True)


def unseen(batch: Lines, line: int, known: Ragged) -> UserError:
    """The error of a label that was not learned."""
    texts = {text.decode(errors="replace") for text in known.encoded()}
    own = next(label for label in batch.labels()[line] if label not in texts)
    shown = ", ".join(PREFIX + text[:40] for text in sorted(texts)[:_SHOWN])
    more = f" and {len(texts) - _SHOWN:,} more" if len(texts) > _SHOWN else ""
    place = batch.place(line) if batch.origins is not None else f"validation, {batch.place(line)}"
    return UserError(f"{place}: must have labels that channel 'train' has: {shown}{more}; it has {PREFIX}{own[:60]}.")
