"""From rows to means, spreads and categories, batch by batch: one pass, the same at every member."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import numpy as np

import algoport
from algoport import Arrays, Facts, Group, Position, Stopped, Table, UserError, check_alike, resume, stream
from algoport.algorithms.contract import kinds

from .columns import Categories, Numbers, check_categories, numbers_of
from .hyperparameters import Hyperparameters
from .model import MOST, Model, restored

Job = algoport.Job[Hyperparameters, Model]


@dataclass
class State:
    """What has been seen so far; the same at every member."""

    width: int
    numbers: dict[int, Numbers] = field(default_factory=dict)
    categories: dict[int, Categories] = field(default_factory=dict)
    rows: int = 0
    position: Position = field(default_factory=Position)

    def snapshot(self, group: Group) -> tuple[Arrays, Facts]:
        """All of it, for a checkpoint."""
        return {}, {"width": self.width, "rows": self.rows, "state": json.dumps(_written(self))}


def fit(job: Job) -> Model:
    """One pass over the rows.

    Raises `UserError` where a number is none, a row has not the columns that the settings name, or a column has too
    many categories, and `Stopped` where a stop comes before the first batch.
    """
    settings = job.hyperparameters
    state = resume(job, _restore) or _first(job)
    for batch in stream(job, state, empty=kinds.find("table").empty(state.width), size=job.batch):
        _learn(state, batch, settings, job.group)
    if not state.rows:
        if state.position.stopped:
            raise Stopped
        raise UserError("Channel 'train' has no rows.")
    model = Model(settings=settings, width=state.width, numbers=state.numbers, categories=state.categories)
    if model.features > MOST:
        raise UserError(f"A row becomes {model.features:,} numbers, where {MOST:,} are most; have fewer categories.")
    there = sum(known.count for known in state.numbers.values())
    missing = sum(known.missing for known in state.numbers.values())
    job.reporter.report({"train:missing": missing / max(there + missing, 1)})
    job.reporter.note(f"a row of {state.width} columns becomes {model.features:,} numbers")
    return model


def _first(job: Job) -> State:
    """Nothing seen yet, or what the model to start from has seen."""
    settings, width = job.hyperparameters, job.channels["train"].width or 0
    widths = np.array([width], np.int64)
    width = max(int(part[0]) for part in job.group.gather(widths))  # a member may have no rows
    highest = max([*settings.numbers, *settings.categories, *settings.texts])
    if width and highest >= width:
        raise UserError(
            f"Channel 'train': a row has {width} columns, from 0 to {width - 1}; the settings name {highest}."
        )
    start = job.start
    if start is None:
        numbers = {column: Numbers() for column in settings.numbers}
        return State(width, numbers, {column: Categories() for column in settings.categories})
    check_alike(
        numbers=(list(start.settings.numbers), list(settings.numbers)),
        categories=(list(start.settings.categories), list(settings.categories)),
        width=(start.width, width or start.width),
    )
    learned, seen = restored(json.loads(json.dumps(start.state())))
    return State(start.width, learned, seen)


def _restore(arrays: Arrays, facts: Facts) -> State:
    numbers, categories = restored(json.loads(facts["state"]))
    return State(facts["width"], numbers, categories, facts["rows"])


def _written(known: State) -> dict[str, object]:
    return {
        "numbers": {str(column): vars(each) for column, each in known.numbers.items()},
        "categories": {str(column): each.counts for column, each in known.categories.items()},
    }


def _learn(state: State, batch: Table, settings: Hyperparameters, group: Group) -> None:
    """Take in a batch of all members, in the order of their ranks."""
    own = State(state.width, rows=len(batch))
    if len(batch):
        own.numbers = {
            column: Numbers.of(numbers_of(batch.texts(column), column, batch.place)) for column in settings.numbers
        }
        own.categories = {column: Categories.of(batch.texts(column).encoded()) for column in settings.categories}
    text = json.dumps({**_written(own), "rows": own.rows}).encode()
    for part in group.gather(np.frombuffer(text, np.uint8)):
        facts = json.loads(part.tobytes())
        numbers, categories = restored(facts)
        state.rows += facts["rows"]
        for column, known in numbers.items():
            state.numbers[column].add(known)
        for column, seen in categories.items():
            state.categories[column].add(seen)
            check_categories(state.categories[column].counts, column, settings.max_categories)
