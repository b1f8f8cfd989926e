"""The example jobs of an algorithm's folder: the smallest ones that reach all of its kernels."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from algoport import algorithms
from algoport.algorithms.contract import Auxiliary, Job, Memory

Example = tuple[dict[str, object], dict[str, Any]]  # settings, and the records of each channel


def examples(name: str) -> list[Example]:
    """The smallest job, and the others that reach what the first does not."""
    example = algorithms.part(name, "example")
    others = getattr(example, "others", list)
    return [(example.HYPERPARAMETERS, example.channels()), *others()]


def files(name: str) -> dict[str, Auxiliary]:
    """The channels of plain files of all these jobs: `files` of the example, bytes by channel and name."""
    named: dict[str, dict[str, bytes]] = getattr(algorithms.part(name, "example"), "files", dict)()
    return {channel: Auxiliary.of(channel, own) for channel, own in named.items()}


def choices(name: str) -> list[Any]:
    """The options of requests that say nothing, and of those that ask for what these do not reach: `CHOICES` of the
    example. None of an algorithm without options."""
    try:
        options: Any = algorithms.part(name, "options").Options
    except ModuleNotFoundError:
        return [None]
    asked: list[dict[str, object]] = getattr(algorithms.part(name, "example"), "CHOICES", [])
    return [options(), *(options.read(given) for given in asked)]


def run_example(name: str, *, only: int | None = None) -> None:
    """Train the example jobs, or the one of that number; save, load, and answer one record and all records."""
    for number, (given, rows) in enumerate(examples(name)):
        if only in (None, number):
            with tempfile.TemporaryDirectory() as place:
                _train(name, given, rows, Path(place))
                _answer(name, rows, Path(place), choices(name))


def run_stage(name: str, stage: str, place: Path) -> None:
    """Only train the first example job, into a folder; or only answer with the model that is there."""
    given, rows = examples(name)[0]
    if stage == "fit":
        _train(name, given, rows, place)
    else:
        _answer(name, rows, place, choices(name)[:1])


def _train(name: str, given: dict[str, object], rows: dict[str, Any], place: Path) -> None:
    declared = algorithms.part(name, "hyperparameters").Hyperparameters
    channels = {channel: Memory(data) for channel, data in rows.items()}
    job: Any = Job(hyperparameters=declared.read(given), channels=channels, files=files(name))
    algorithms.part(name, "train").fit(job).save(place)


def _answer(name: str, rows: dict[str, Any], place: Path, asked: list[Any]) -> None:
    model = algorithms.part(name, "model").Model.load(place)
    records = next(iter(rows.values()))
    for options in asked:
        for part in (records[:1], records):
            model.predict(part, options)
