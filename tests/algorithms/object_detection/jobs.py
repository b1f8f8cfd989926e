"""Small jobs."""

from __future__ import annotations

from typing import Any

from algoport.algorithms.contract import Job, Memory, Reporter
from algoport.algorithms.contract.records.boxes import Boxes
from algoport.algorithms.object_detection import example, train
from algoport.algorithms.object_detection.hyperparameters import Hyperparameters
from algoport.algorithms.object_detection.model import Model


def job(channels: dict[str, Boxes] | None = None, *, more: dict[str, Any] | None = None, **settings: object) -> Any:
    """The smallest job with other settings; `more`: what else a job has."""
    given = {name: value for name, value in {**example.HYPERPARAMETERS, **settings}.items() if value is not None}
    sources = {name: Memory(pictures) for name, pictures in (channels or example.channels()).items()}
    return Job(hyperparameters=Hyperparameters.read(given), channels=sources, **(more or {}))


def fit(channels: dict[str, Boxes] | None = None, *, more: dict[str, Any] | None = None, **settings: object) -> Model:
    """Its model."""
    return train.fit(job(channels, more=more, **settings))


class Recorder:
    """What a job reports and notes."""

    def __init__(self) -> None:
        self.values: list[tuple[str, float]] = []
        self.notes: list[str] = []
        self.files: dict[str, Any] = {}

    def report(self, values: dict[str, float], **_: object) -> None:
        self.values += list(values.items())

    def keep(self, name: str, what: Any) -> None:
        self.files[name] = what

    @property
    def more(self) -> dict[str, Any]:
        return {"reporter": Reporter(report=self.report, note=self.notes.append, keep=self.keep)}

    def of(self, name: str) -> list[float]:
        return [value for own, value in self.values if own == name]
