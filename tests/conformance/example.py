"""The smallest job of an algorithm, run in this process in every way that the promises speak of."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from algoport import algorithms
from algoport.algorithms.contract import Algorithm, Job, Memory
from algoport.algorithms.contract.errors import Stopped
from algoport.algorithms.contract.group import Alone, interleaved
from algoport.algorithms.contract.records import concatenate
from algoport.algorithms.contract.wire import Wire
from algoport.algorithms.shared import artifact
from algoport.training import formats
from algoport.training.examples import examples, files

# Float32 sums in another order differ in the last digits; what is averaged over many rows differs by less.
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


@dataclass(frozen=True)
class Example:
    """An algorithm, its smallest job, and what can be done with them."""

    name: str

    @property
    def algorithm(self) -> Algorithm:
        """What it says of itself."""
        algorithm: Algorithm = algorithms.find(self.name)
        return algorithm

    @property
    def given(self) -> dict[str, object]:
        """The hyperparameters of the smallest job."""
        return dict(algorithms.part(self.name, "example").HYPERPARAMETERS)

    def as_of(self, hosts: int) -> dict[str, object]:
        """The hyperparameters with which one host does what so many do with those of the smallest job."""
        batch = self.Hyperparameters.with_role("batch")
        if batch is None or not batch.each_host:
            return self.given
        return {**self.given, batch.name: self.Hyperparameters.read(self.given).batch_of(hosts)}

    @property
    def Hyperparameters(self) -> Any:  # noqa: N802 (a class)
        """The class of its settings."""
        return algorithms.part(self.name, "hyperparameters").Hyperparameters

    @property
    def Model(self) -> Any:  # noqa: N802 (a class)
        """The class of its models."""
        return algorithms.part(self.name, "model").Model

    @property
    def kind(self) -> str:
        """Of the records that it is trained on."""
        channel = self.algorithm.channel("train")
        return "rows" if channel is None else channel.kind

    def rows(self) -> dict[str, Any]:
        """The records of each channel."""
        channels: dict[str, Any] = algorithms.part(self.name, "example").channels()
        return channels

    def others(self) -> list[tuple[dict[str, object], dict[str, Any]]]:
        """Settings and records of the further jobs that reach what the smallest does not."""
        return examples(self.name)[1:]

    def job(self, group: Any = None, *, channels: Mapping[str, Any] | None = None, **more: Any) -> Any:
        """The job, on one member or on those of a group, which all hold the whole data by default."""
        group = group or Alone()
        sources = {channel: Memory(rows, group=group) for channel, rows in self.rows().items()}
        settings = more.pop("hyperparameters", None) or self.Hyperparameters.read(self.given)
        every = {**sources, **(channels or {})}
        return Job(hyperparameters=settings, channels=every, files=files(self.name), group=group, **more)

    def fit(self, group: Any = None, **more: Any) -> Any:
        """The model of the job."""
        return algorithms.part(self.name, "train").fit(self.job(group, **more))

    def fit_other(self, given: Mapping[str, object], rows: Mapping[str, Any], **more: Any) -> Any:
        """The model of one of the `others`."""
        sources = {channel: Memory(data) for channel, data in rows.items()}
        settings = self.Hyperparameters.read(given)
        job: Any = Job(hyperparameters=settings, channels=sources, files=files(self.name), **more)
        return algorithms.part(self.name, "train").fit(job)

    def requests(self) -> Any:
        """Records as they are asked about: those of the example's `requests`, or those of training without labels."""
        own = getattr(algorithms.part(self.name, "example"), "requests", None)
        if own is not None:
            return own()
        rows = self.rows()["train"]
        aside = {field.name for field in dataclasses.fields(rows)} & {"label", "weight"}
        return replace(rows, **dict.fromkeys(aside))

    @property
    def wire(self) -> Wire:
        """What is odd about its requests and answers."""
        return Wire.of(algorithms.optional_part(self.name, "wire"))

    @property
    def one_a_request(self) -> bool:
        """Whether some type of its requests holds one record and no more."""
        answer = self.algorithm.answer
        return any(
            formats.holds_one(media, answer.kind)
            for media in answer.accepts
            if formats.ContentType.parse(media).media not in self.wire.requests
        )

    def body(self, media: str, records: Any) -> bytes:
        """The request that asks about these records in that content type."""
        form = self.wire.requests.get(formats.ContentType.parse(media).media)
        return form.write(records) if form else formats.find(media, self.algorithm.answer.kind).write(records)

    def entries(self, content: Any) -> list[Any]:
        """The records of an answer in JSON, an object each."""
        form = self.wire.answers.get("application/json")
        if form is not None:
            return list(form.entries(content))
        entries: list[Any] = content[self.algorithm.answer.key] if self.algorithm.answer.key else content
        return entries

    def options(self, media: str = "") -> Any:
        """The options of a request of that content type that says nothing."""
        module = algorithms.optional_part(self.name, "options")
        if module is None:
            return None
        declared = module.Options
        tells = media and any(setting.name == "content_type" for setting in declared.settings())
        return declared.read({"content_type": media}) if tells else declared()

    def answers(self, model: Any, rows: Any = None, media: str = "") -> dict[str, Any]:
        """The columns that the model answers the training records with, asked in that content type."""
        return dict(model.predict(self.requests() if rows is None else rows, self.options(media)))


def same(one: Mapping[str, Any], other: Mapping[str, Any], **tolerance: float) -> None:
    """Asserts that two answers have the same columns and values, bit for bit unless a tolerance is given."""
    assert list(one) == list(other)
    for column, values in one.items():
        assert len(values) == len(other[column])
        for mine, theirs in zip(_entries(values), _entries(other[column]), strict=True):
            if tolerance and np.asarray(mine).dtype.kind == "f":
                np.testing.assert_allclose(theirs, mine, err_msg=column, **tolerance)
            else:
                np.testing.assert_array_equal(theirs, mine, err_msg=column)


def differ(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """True where some column has other values."""
    return any(
        not np.array_equal(mine, theirs)
        for column in one
        for mine, theirs in zip(_entries(one[column]), _entries(other[column]), strict=True)
    )


def _entries(column: Any) -> Iterator[Any]:
    """The arrays of a column, record by record."""
    for entry in column:
        yield from leaves(entry)


def leaves(value: Any) -> Iterator[Any]:
    """The arrays in a value of any shape; a list of numbers is one."""
    if isinstance(value, Mapping):
        for key in sorted(value):
            yield from leaves(value[key])
    elif isinstance(value, list) and all(entry is None or isinstance(entry, int | float) for entry in value):
        yield np.asarray(value, float)
    elif isinstance(value, list) or np.ndim(value) > 1:
        for entry in value:
            yield from leaves(entry)
    else:
        yield np.asarray(value)


def written(model: Any, folder: Path) -> dict[str, bytes]:
    """The files that a model writes."""
    model.save(folder)
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@dataclass(frozen=True)
class Seat:
    """A member's place, for a source."""

    rank: int
    size: int


class Interleaved:
    """What several members read of their shards, as one member would have to read it to do the same steps."""

    def __init__(self, shards: list[Any]) -> None:
        seats = [Seat(rank, len(shards)) for rank in range(len(shards))]
        self._sources = [
            Memory(shard, group=seat, distribution="ShardedByS3Key")  # type: ignore[arg-type]
            for shard, seat in zip(shards, seats, strict=True)
        ]
        self.sharded = False
        self.rows = sum(map(len, shards))
        self.width = shards[0].width
        self._empty = shards[0][:0]

    def batches(self, rows: int, *, start: int = 0, shuffle: int | None = None) -> Iterator[Any]:
        """The union of the members' parts, step by step."""
        passes = [source.batches(rows, start=start, shuffle=shuffle) for source in self._sources]
        for parts in zip_longest(*passes, fillvalue=None):
            yield _mixed([self._empty if part is None else part for part in parts])

    def head(self, rows: int) -> Any:
        """The first of them."""
        return next(self.batches(rows), self._empty)

    def all(self) -> Any:
        """All shards."""
        return _mixed([source.all() for source in self._sources])


def _mixed(parts: list[Any]) -> Any:
    edges = np.cumsum([0, *map(len, parts)])
    order = interleaved([np.arange(len(part)) + first for part, first in zip(parts, edges, strict=False)])
    return concatenate([part for part in parts if len(part)] or parts[:1]).take(order)


class Watched:
    """A source that tells when a pass begins."""

    def __init__(self, source: Memory[Any], begins: Callable[[], None]) -> None:
        self._source, self._begins = source, begins
        self.head, self.all = source.head, source.all

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def batches(self, rows: int, **how: Any) -> Iterator[Any]:
        """A new pass."""
        self._begins()
        return self._source.batches(rows, **how)


class Interrupted(Exception):
    """The machine went away."""


class CheckpointFiles:
    """Checkpoints on disk, one file set each, as the platform keeps them; the machine may go away after one."""

    def __init__(self, folder: Path, *, always: bool = True, dies_after: int | None = None) -> None:
        self._folder, self._always, self._dies_after = folder, always, dies_after
        self.saved = len(list(folder.glob("*"))) if folder.is_dir() else 0

    def due(self, *, ended: bool = False) -> bool:
        """At every chance, or only where a pass has ended."""
        return self._always or ended

    def save(self, arrays: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        """Keep the state."""
        self.saved += 1
        artifact.save(self._folder / f"{self.saved:06d}", arrays, facts)
        if self.saved == self._dies_after:
            raise Interrupted

    def latest(self) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """The last state."""
        if not self.saved:
            return None
        arrays, facts = artifact.load(self._folder / f"{self.saved:06d}")
        del facts["format_version"]
        return arrays, facts


class Asking:
    """Asks for a stop at the n-th time that the job looks, and ever after."""

    def __init__(self, at: int | None = None) -> None:
        self._at, self.looks = at, 0

    def __call__(self) -> bool:
        self.looks += 1
        return self._at is not None and self.looks >= self._at


def stopped(example: Example, group: Any = None, **more: Any) -> Any:
    """The model that a stopped job leaves, or None where it was stopped before there was one."""
    try:
        return example.fit(group, **more)
    except Stopped:
        return None
