"""What an algorithm is, as data: its channels, metrics and answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from algoport.algorithms.contract import kinds

Distribution = Literal["ShardedByS3Key", "FullyReplicated"]

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
ANSWERS = (
    "application/json",
    "application/jsonlines",
    "application/x-recordio-protobuf",
    "text/csv",
    "application/x-npy",
)


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One input of a training job."""

    name: str
    meaning: str
    required: bool = False
    content_types: Sequence[str] = CHANNEL_ROWS
    default_content_type: str = "text/csv"
    kind: str = "rows"  # of its records, a name of `contract/records/`; or "file"
    lists: str = ""  # the channel whose files it lists, with their labels; it has no records of its own
    annotates: str = ""  # the channel for each of whose files it has one that says more; it has no records of its own
    distributions: Sequence[Distribution] = ("ShardedByS3Key", "FullyReplicated")
    labeled: bool = False  # where False, labels are read over and not required
    weighted: str = ""  # the hyperparameter that, where true, says that a weight follows the label in CSV
    single_pass: bool = False  # whether it is read in one pass only, so that no records are kept for another

    def __post_init__(self) -> None:
        """`ValueError` where there is no such kind."""
        kinds.check(self.kind)

    @property
    def has_records(self) -> bool:
        """Whether it has records of its own, and is neither plain files nor describes only another channel's."""
        return not self.lists and not self.annotates and self.kind != kinds.FILE


@dataclass(frozen=True, kw_only=True)
class Field:
    """One of what a record has by name: a column of a table, or a sequence."""

    name: str
    meaning: str
    number: bool = False  # of a table: whether the column holds numbers, else texts
    # Of a column of texts: the module of `algorithms/shared/text` whose `fault` says which of them is none that the
    # column may hold, and why; empty where any text will do.
    form: str = ""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A figure in the log that a tuner or a person looks for."""

    name: str  # "test:msd": channel and metric
    goal: Literal["minimize", "maximize"]
    meaning: str
    kind: str = "loss"  # the word in the angle brackets of its line
    written: str = ""  # its name in the log where that is another: "binary_f_*", with * for what varies
    epochs: bool | None = None  # whether its lines name an epoch; None: they may. Two metrics can share a name so.
    batches: bool | None = None  # the same of a batch

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
    # json: each entry is a value of any shape, of arrays and texts; pixels: (h, w) or (h, w, 3) uint8, a picture each
    number: Literal["float", "int", "json", "pixels"] = "float"
    optional: bool = False  # only of some models, or only there when it is asked for
    bracketed: bool = False  # whether CSV has a vector as one field, "[0.2, 0.8]", and not as many fields


@dataclass(frozen=True, kw_only=True)
class Answer:
    """How the columns that `Model.predict` returns look on the wire.

    JSON is `{key: [{column: value, ...}, ...]}`, or the bare list where `key` is empty. CSV has one line a
    record with the columns in the order given here. What looks otherwise is said in the algorithm's `wire.py`.
    """

    columns: Sequence[Column]
    key: str = "predictions"
    kind: str = "rows"  # of the records of a request
    accepts: Sequence[str] = REQUEST_ROWS  # content types of requests
    default_accept: str | None = None  # read as this where a request says nothing of its type; None: refused
    responses: Sequence[str] = ANSWERS  # content types of answers
    default_response: str = "application/json"
    alike: bool = False  # whether a request that asks for no type is answered in its own, where that is one of these

    def __post_init__(self) -> None:
        """`ValueError` where there is no such kind."""
        kinds.check(self.kind)


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
    # What its records have by name, in the order of columns: of a table each column, of sequences each sequence. Where
    # nothing is declared, a table may be of any width and holds texts, and sequences are all lists of whole numbers.
    fields: Sequence[Field] = ()
    missing: bool = False  # whether a feature may have no value; where False, a row that lacks one is refused
    # Names of variables that reach the options of `predict`: an option of that name or alias takes the value, and where
    # there is none, the value is a JSON object of options.
    environment: Sequence[str] = ()
    reserved: Sequence[str] = ()  # hyperparameters with a leading underscore that it wants to see
    # The shape of a metric's line. Words: host, epoch ("epoch=3, "), spelled ("epoch: 3, ") or Epoch ("Epoch[3] "),
    # batch ("batch=7, ") or Batch ("batch=7 "), channel ("train") or Channel ("Train"), metric, kind, value.
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
