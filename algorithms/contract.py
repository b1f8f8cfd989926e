"""What an algorithm is, what it is given, and what it gives back.

An algorithm is a folder with `ALGORITHM`, `hyperparameters.Hyperparameters`, `train.fit` and `model.Model`,
found by these names. There is no base class and no registry.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, Self, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from algorithms.group import Alone, Group
from algorithms.records import NONE, Records, Rows, joined

H = TypeVar("H")
M = TypeVar("M")
R = TypeVar("R", bound=Records)
R_co = TypeVar("R_co", bound=Records, covariant=True)

Distribution = Literal["ShardedByS3Key", "FullyReplicated"]
Kind = Literal["rows", "objects", "images"]

# Content types that rows of numbers come in: to a channel, in a request, in an answer.
CHANNEL_ROWS = (
    "text/csv",
    "application/x-recordio-protobuf",
    "application/x-parquet",
    "application/jsonlines",
    "text/libsvm",
    "application/x-npy",
)
REQUEST_ROWS = (
    "text/csv",
    "application/json",
    "application/jsonlines",
    "application/x-recordio-protobuf",
    "application/x-parquet",
    "application/x-npy",
)
ANSWERS = ("application/json", "application/jsonlines", "application/x-recordio-protobuf", "text/csv")


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One input of a training job."""

    name: str
    meaning: str
    required: bool = False
    content_types: Sequence[str] = CHANNEL_ROWS
    default_content_type: str = "text/csv"
    kind: Kind = "rows"
    lists: str = ""  # the channel whose files it lists, with their labels; it has no records of its own
    distributions: Sequence[Distribution] = ("ShardedByS3Key", "FullyReplicated")
    labeled: bool = False  # where False, labels are read over and not required
    weighted: str = ""  # the hyperparameter that, where true, says that a weight follows the label in CSV


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A figure in the log that a tuner or a person looks for."""

    name: str  # "test:msd": channel and metric
    goal: Literal["minimize", "maximize"]
    meaning: str
    kind: str = "loss"  # the word in the angle brackets of its line
    written: str = ""  # its name in the log where that is another: "binary_f_*", with * for what varies
    epochs: bool | None = None  # whether its lines tell an epoch; None: they may. Two metrics can share a name so.

    @property
    def channel(self) -> str:
        """The part of the name before the colon."""
        return self.name.partition(":")[0]

    @property
    def short(self) -> str:
        """The part of the name after the colon."""
        return self.name.partition(":")[2]


@dataclass(frozen=True, kw_only=True)
class Column:
    """One entry of an answer."""

    name: str
    meaning: str
    number: Literal["float", "int", "json"] = "float"  # json: each entry is a value of any shape, of arrays and texts
    optional: bool = False  # only of some models, or only there when it is asked for


@dataclass(frozen=True, kw_only=True)
class Answer:
    """How the columns that `Model.predict` returns look on the wire.

    JSON is `{key: [{column: value, ...}, ...]}`, or the bare list where `key` is empty. CSV has one line a
    record with the columns in the order given here.
    """

    columns: Sequence[Column]
    key: str = "predictions"
    kind: Kind = "rows"  # of the records of a request
    bare: bool = False  # JSON is one record's only column and nothing around it, as a request has one record
    accepts: Sequence[str] = REQUEST_ROWS  # content types of requests
    default_accept: str | None = None  # read as this where a request says nothing of its type; None: refused
    responses: Sequence[str] = ANSWERS  # content types of answers
    default_response: str = "application/json"
    batch_response: str = ""  # what batch transform gets where nobody says, if that is another type


@dataclass(frozen=True, kw_only=True)
class Algorithm:
    """Everything about an algorithm that is data."""

    name: str  # the contract's: "linear-learner"
    title: str
    summary: str
    problem: str
    source: str  # the paper, or papers
    channels: Sequence[Channel]
    metrics: Sequence[Metric]
    answer: Answer
    log_name: str  # `Algorithm` of the #metrics lines: "AWS/KMeansWebscale"
    gpu: bool = False
    hosts: bool = True
    missing: bool = False  # whether a feature may have no value; where False, a row that lacks one is refused
    # Names of variables that reach the options of `predict`: an option of that name or alias takes the value, and where
    # there is none, the value is a JSON object of options.
    environment: Sequence[str] = ()
    reserved: Sequence[str] = ()  # hyperparameters with a leading underscore that it wants to see
    # The shape of a metric's line. Words: host, epoch ("epoch=3, ") or Epoch ("Epoch[3] "), batch, channel ("train") or
    # Channel ("Train"), metric, kind, value.
    quality_line: str = "#quality_metric: host={host}, {epoch}{batch}{channel} {metric} <{kind}>={value}"
    # Where all figures of an epoch stand in one line: its shape, "[{round}]{figures}", in which every figure is a
    # `quality_line`, "\t{channel}-{metric}:{value:.5f}".
    round_line: str = ""
    exceptions: Mapping[str, str] = field(default_factory=dict)  # a promise it does not keep -> why

    def channel(self, name: str) -> Channel | None:
        """The channel of that name, or None."""
        return next((channel for channel in self.channels if channel.name == name), None)

    def metric(self, name: str) -> Metric | None:
        """The metric of that name ("test:msd"), or None."""
        return next((metric for metric in self.metrics if metric.name == name), None)


class Source(Protocol[R_co]):
    """One channel as this member sees it.

    `rows` in `batches` counts the records of all members together, so that the size of a batch does not depend
    on how many members there are. Of replicated data, record i of a batch belongs to member i mod n; of sharded
    data, a member brings its n-th of the batch from what it has.
    """

    @property
    def rows(self) -> int | None:
        """How many records this member sees in a pass; None where it is not known before reading."""

    @property
    def width(self) -> int | None:
        """How many features a row has; None where it is not known before reading."""

    @property
    def sharded(self) -> bool:
        """True where each member has records of its own, False where all see the same and share them out."""

    def head(self, rows: int) -> R_co:
        """This member's share of the first batch of that size; the next pass sees it again."""

    def batches(self, rows: int, *, start: int = 0, shuffle: int | None = None) -> Iterator[R_co]:
        """A new pass, batch by batch. `start`: records to leave out, a multiple of `rows`, as an interrupted
        pass has used them. `shuffle`: the seed of an order of this pass's own, else the order of the files."""

    def all(self) -> R_co:
        """This member's share of all records, decoded once and kept."""


class Checkpoints(Protocol):
    """Where a job keeps its state, so that it can be taken up after an interruption."""

    def due(self, *, ended: bool = False) -> bool:
        """True at the first member where the next checkpoint should be saved: the last one is old enough, or a pass
        has ended. Never where none are kept, so that nobody gathers a state for nothing. No exchange."""

    def save(self, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
        """Keep the state, which is the same at all members: all or nothing, and the last few of them."""

    def latest(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
        """The state to go on from, the same at every member, or None; an exchange."""


class NoCheckpoints:
    """Keeps nothing."""

    def due(self, *, ended: bool = False) -> bool:
        """Never."""
        return False

    def save(self, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
        """Forgets it."""

    def latest(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
        """None."""
        return None


def _nothing(*_: object, **__: object) -> None:
    """Says nothing, keeps nothing."""


def _no() -> bool:
    return False


@dataclass(frozen=True, kw_only=True)
class Job(Generic[H, M]):
    """All that `fit` is given. `Job(hyperparameters=…, channels=…)` is a whole job on one member."""

    hyperparameters: H
    channels: Mapping[str, Source[Any]]
    group: Group = field(default_factory=Alone)
    # (values, *, epoch=None, batch=None, written=None); values: {"train:msd": 1.5}; written: {"train:f": "f_0.500"},
    # the name in the log of a metric whose name varies
    report: Callable[..., None] = _nothing
    figures: Callable[..., None] = _nothing  # (values, **dimensions): what is not a metric, for a `#metrics` line
    note: Callable[[str], None] = _nothing  # a sentence for the log
    progress: Callable[..., None] = _nothing  # (done, of, unit): share of the whole job, at any rate
    keep: Callable[..., None] = _nothing  # (name, table or figure) for output/data
    checkpoints: Checkpoints = field(default_factory=NoCheckpoints)
    asked: Callable[[], bool] = _no  # has this member been asked to stop? no exchange
    start: M | None = None
    device: str = "cpu"
    host: str = "algo-1"  # this member's, for lines of the log that name it
    hosts: int = 1  # how many there are, for settings that are meant a host each; a host may have several members
    seed: int = 0
    clock: Callable[[], float] = time.monotonic

    def stopping(self) -> bool:
        """True at every member as soon as one has been asked to stop; an exchange."""
        flag = np.array([self.asked()], np.float64)
        self.group.sum_(flag)
        return bool(flag[0] > 0)

    def grace(self, seconds: float) -> Callable[[], bool]:
        """A question that is true once this member has been asked to stop and so many seconds have passed since it
        first knew: what is quick is finished, and what is long does not cost the model. No exchange."""
        heard: list[float] = []

        def over() -> bool:
            if not heard and self.asked():
                heard.append(self.clock())
            return bool(heard) and self.clock() - heard[0] > seconds

        return over

    def in_step(self, batches: Iterator[R], width: int = 0, kind: Kind = "rows") -> Iterator[R]:
        """Batches, as many at every member: who has no more gets empty ones until all are through.

        Ends at all members after the same step when one is asked to stop. One exchange of two numbers a step.
        """
        empty: R = NONE[kind](width)
        while True:
            batch = next(batches, None)
            flags = np.array([batch is not None, self.asked()], np.float64)
            self.group.sum_(flags)
            if flags[0] == 0 or flags[1] > 0:
                return
            yield empty if batch is None else batch


class Model(Protocol):
    """What training leaves. Frozen; knows nothing of how it was trained."""

    @property
    def width(self) -> int | None:
        """How many features a row must have, or None where any will do, or where records are no rows. A server warms
        up with a row of zeros; a model of other records says with a method `sample() -> records` what it warms up with.
        """

    def predict(self, records: Any, options: Any) -> Mapping[str, NDArray[Any] | list[NDArray[Any]]]:
        """The columns of the answer, one entry a record each."""

    def save(self, folder: Path) -> None:
        """Write the artifact."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read an artifact; `UserError` where there is none that can be read."""


class Memory(Generic[R]):
    """The source made of records that are there. A matrix is taken as rows. For tests, examples and notebooks.

    Holds the whole data at every member where `distribution` is FullyReplicated, else this member's part of it.
    """

    def __init__(
        self,
        rows: R | NDArray[Any],
        *,
        group: Group | None = None,
        distribution: Distribution = "FullyReplicated",
    ) -> None:
        if isinstance(rows, np.ndarray):
            rows = cast(R, Rows(features=np.ascontiguousarray(rows, np.float32)))
        self._rows: R = rows
        self._group = group or Alone()
        self.sharded = distribution == "ShardedByS3Key"

    @property
    def rows(self) -> int | None:
        """How many records this member sees in a pass."""
        return len(self.all())

    @property
    def width(self) -> int | None:
        """How many features a row has."""
        return self._rows.width

    def head(self, rows: int) -> R:
        """This member's share of the first batch."""
        return next(self.batches(rows), self._rows[:0])

    def batches(self, rows: int, *, start: int = 0, shuffle: int | None = None) -> Iterator[R]:
        """A pass, batch by batch."""
        data = self._rows
        if shuffle is not None:
            data = data.take(np.random.default_rng(shuffle).permutation(len(data)))
        rank, size = self._group.rank, self._group.size
        if self.sharded:
            share, skip = part(rows, rank, size), consumed(start, rows, rank, size)
            for first in range(skip, len(data), max(share, 1)):
                yield data[first : first + share]
        else:
            for first in range(start, len(data), rows):
                yield data[first : first + rows][rank::size]

    def all(self) -> R:
        """This member's share of all records."""
        return self._rows if self.sharded else self._rows[self._group.rank :: self._group.size]


def part(rows: int, rank: int, size: int) -> int:
    """How many of a batch's records a member brings from sharded data; at least one, for a member that brought
    none would never come to the end of what it has."""
    return max(1, rows // size + (rank < rows % size))


def consumed(start: int, rows: int, rank: int, size: int) -> int:
    """How many of its own records a member has used after the batches that `start` counts, `rows` each."""
    return start // rows * part(rows, rank, size)


__all__ = [
    "Algorithm",
    "Answer",
    "Channel",
    "Checkpoints",
    "Column",
    "Job",
    "Memory",
    "Metric",
    "Model",
    "NoCheckpoints",
    "Source",
    "joined",
]
