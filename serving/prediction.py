"""From the bytes of a request to the bytes of its answer: decode, predict, encode. Knows nothing of HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from algoport import algorithms
from algoport.algorithms.contract import Algorithm, Answer, Model, kinds
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.joining import Records
from algoport.algorithms.contract.kinds import Kind
from algoport.algorithms.contract.setting import Setting
from algoport.algorithms.contract.wire import Wire
from algoport.algorithms.shared import artifact, compiled, log
from algoport.serving import answers, memory, surroundings
from algoport.serving.charsets import as_utf8
from algoport.serving.negotiation import AnswerType, accepted_type, request_type
from algoport.serving.refusals import EVALUATE, Refusal
from algoport.training import formats
from algoport.training.formats import ContentType, Layout, recordio
from algoport.training.formats.layout import Notes

WIDE = 1 << 16  # features of a row from which on a warm-up asks in a binary format
COMPACT = (("application/x-npy",), ("application/x-recordio-protobuf",))  # formats of wide rows, dense and sparse
DENSE = 1 << 26  # bytes that records may take when they are spread out; more are predicted part by part
ROWS = 1 << 16  # rows that are predicted and encoded at a time


@dataclass(frozen=True)
class Reply:
    """An answer."""

    body: bytes
    content_type: str
    records: int


@dataclass(frozen=True)
class Predictor:
    """How models of one algorithm are asked."""

    name: str
    algorithm: Algorithm
    default: str  # content type of an answer where the request does not say
    batch: bool = False
    joined: bool = (
        False  # whether all records of a CSV answer stand in one line, as older images of an algorithm have it
    )
    limit: int | None = None  # bytes that the rows of a request may fill
    environment: Mapping[str, object] = field(default_factory=dict)  # options that it sets, by their fields
    options: type[Any] | None = None
    wire: Wire = field(default_factory=Wire)
    source: str = "the request"  # what stands in front of a fault
    preface: str = EVALUATE  # what stands in front of all faults

    @classmethod
    def of(
        cls,
        name: str,
        *,
        default: str | None = None,
        batch: bool = False,
        joined: bool = False,
        limit: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Predictor:
        """That of an algorithm by its public name; `UserError` where there is none, where the default is not one of its
        answers, or where a variable of the environment is not what it may be."""
        algorithm: Algorithm = algorithms.find(name)
        responses = algorithm.answer.responses
        wire = Wire.of(algorithms.optional_part(name, "wire"))
        usual = (batch and wire.batch_response) or algorithm.answer.default_response
        media = answers.answer_type(default or usual).media
        if media not in {answers.answer_type(known).media for known in responses}:
            near = surroundings.nearest(str(default), responses)
            allowed = ", ".join(responses)
            raise UserError(f"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT: must be one of {allowed}; it is '{default}'.{near}")
        options = algorithms.optional_part(name, "options")
        given = {} if options is None else surroundings.read(algorithm.environment, environment or {}, options.Options)
        return cls(name, algorithm, media, batch, joined, limit, given, options.Options if options else None, wire)

    def load(self, folder: Path) -> Model:
        """The model of a folder; `UserError` where there is none that can be read, or half of one."""
        artifact.check_finished(folder)
        model: Model = algorithms.load_model(self.name, folder)
        check = getattr(model, "check_options", None)
        if check is not None and self.environment:
            check(self._chosen({}, None))
        return model

    def answer(
        self,
        model: Model,
        body: bytes,
        content_type: str | None,
        accept: str | None,
        hold: Callable[[int], None] = lambda size: None,
    ) -> Reply:
        """What the server answers to these bytes and headers; `Refusal` says why where it answers nothing.

        `hold` is called with bytes of memory before the records, or a part of the answer, take them; it may refuse.
        """
        kind = request_type(content_type, self.algorithm.answer, body)
        declared = self.algorithm.answer
        usual = kind.media if declared.alike and kind.media in declared.responses else self.default
        want = accepted_type(accept, declared, usual)
        try:
            body, kind = as_utf8(body, kind, hold)
            expected = memory.to_decode(body, kind)
            hold(expected)
            records = self._records(model, body, kind)
            hold(max(0, getattr(records, "nbytes", 0) - expected))
            writer = answers.Writer(
                self.algorithm.answer, want.media, wire=self.wire, batch=self.batch, joined=self.joined
            )
            for part, columns in self._predicted(model, records, _header_options(kind, want)):
                hold(writer.add(columns, part))
            text = writer.body(records)
        except UserError as error:
            raise Refusal(400, self.preface + " ".join(error.findings)) from None
        return Reply(text, want.header, len(records))

    def request(self, media: str, records: Any) -> bytes:
        """The body that asks about these records."""
        form = self.wire.requests.get(ContentType.parse(media).media)
        return form.write(records) if form else formats.find(media, self.algorithm.answer.kind).write(records)

    def _records(self, model: Model, body: bytes, kind: ContentType) -> Any:
        """The records of a body: as the algorithm reads it, where its requests are odd, or as all are read."""
        form = self.wire.requests.get(kind.media)
        if form is not None:
            return form.read(body, self.source)
        if kind.media == recordio.MEDIA[0]:
            body = recordio.with_frame(body)
        layout = replace(self._layout, width=model.width, first=getattr(model, "first_feature", 0))
        return formats.whole(body, kind, layout, self.algorithm.answer.kind)

    def warm_up(self, model: Model) -> None:
        """Answer a record, so that no user waits for what is imported, compiled or loaded at first use: the model's
        own sample, or that of its kind of records, a row of zeros."""
        answer = self.algorithm.answer
        own, usual = getattr(model, "sample", None), self._kind.sample
        if own is not None:
            records = own()
        elif usual is not None and model.width is not None:
            records = usual(model.width)
        else:
            return
        media = answer.default_accept or answer.accepts[0]
        if getattr(records, "width", None) is not None and records.width > WIDE:  # as text it would take gigabytes
            media = next((each for each in COMPACT[records.is_sparse] if each in answer.accepts), media)
        try:
            self.answer(model, self.request(media, records), media, None)
        except Refusal as refusal:  # a model may have its reasons to dislike zeros
            if refusal.code >= 500:
                raise

    @property
    def _kind(self) -> Kind:
        return kinds.find(self.algorithm.answer.kind)

    @cached_property
    def _layout(self) -> Layout:
        """Of every request, but for the width of the model that is asked."""
        width: Setting | None = algorithms.part(self.name, "hyperparameters").Hyperparameters.with_role("width")
        return Layout(
            name=self.source,
            limit=self.limit,
            missing=self.algorithm.missing,
            fields=self.algorithm.fields,
            notes=Notes(log.note),
            width_name="the model's number of features" if width is None else width.name,
        )

    def _predicted(
        self, model: Model, records: Any, asked: Mapping[str, str]
    ) -> Iterator[tuple[Records, answers.Columns]]:
        """The columns, part by part, with each record's own options."""
        own = None if self.options is None else records.configuration
        if own is None or all(entry == own[0] for entry in own):
            options = None if self.options is None else self._chosen(asked, own[0] if own else None)
            yield from _parts(model, records, options, self._kind)
            return
        groups: dict[str, list[int]] = {}
        for number, entry in enumerate(own):
            groups.setdefault(repr(entry), []).append(number)
        parts = []
        for numbers in groups.values():
            options = self._chosen(asked, own[numbers[0]])
            columns = [
                part for _, part in _parts(model, records.take(np.array(numbers, np.int64)), options, self._kind)
            ]
            parts.append({name: answers.concatenated([part[name] for part in columns]) for name in columns[0]})
        yield records, _scatter(parts, list(groups.values()), self.algorithm.answer)

    def _chosen(self, asked: Mapping[str, str], configuration: object) -> Any:
        """Options from the environment, over which go the headers' parameters, over which goes the body."""
        assert self.options is not None
        settings: list[Setting] = self.options.settings()
        if configuration is not None and not isinstance(configuration, Mapping):
            raise UserError(f"configuration: must be an object; it is {str(configuration)[:60]!r}.")
        fields: dict[str, str] = {
            name: setting.name for setting in settings for name in (setting.name, *setting.aliases)
        }
        headers = {name: value for name, value in asked.items() if name in fields}
        given: dict[str, object] = {}
        for source in (self.environment, headers, configuration or {}):
            given |= {fields.get(name, name): value for name, value in source.items()}
        return self.options.read(given, noun="an option of this model")


def _header_options(kind: ContentType, want: AnswerType) -> dict[str, str]:
    """What the headers say: their parameters, and the types themselves for options of that name, which no parameter
    changes: a body would be answered as one of another type."""
    return {**kind.parameters, **want.parameters, "content_type": kind.media, "accept": want.media}


def _parts(model: Model, records: Records, options: Any, kind: Kind) -> Iterator[tuple[Records, answers.Columns]]:
    """The columns, some records at a time where they are rows: so many as fit when spread out, and as can be encoded
    without much memory. No records are one part, too."""
    each = kind.spread(records)
    size = min(ROWS, max(1, DENSE // each)) if each else ROWS
    if not kind.columns or len(records) <= size:
        size = max(1, len(records))
    for start in range(0, max(1, len(records)), size):
        part = records if len(records) <= size else records[start : start + size]
        with compiled.turn():
            columns = model.predict(part, options)
        yield part, columns


def _scatter(parts: Sequence[answers.Columns], numbers: Sequence[Sequence[int]], answer: Answer) -> dict[str, Any]:
    """Columns of parts of the records, back in the order of the records. What only some have, where entries may be of
    any kind, the others have nothing for."""
    order = np.argsort(np.concatenate([np.array(some) for some in numbers]), kind="stable")
    names = dict.fromkeys(name for part in parts for name in part)
    partial = {column.name for column in answer.columns if column.optional and column.number == "json"}
    filled = []
    for part, own in zip(parts, numbers, strict=True):
        gaps = {name: [None] * len(own) for name in names if name in partial and name not in part}
        filled.append({**part, **gaps})
    if any(set(part) != set(names) for part in filled):
        raise UserError("configuration: must ask for the same columns of every record of a request.")
    whole = {name: answers.concatenated([part[name] for part in filled]) for name in names}
    return {
        name: column[order] if isinstance(column, np.ndarray) else [column[number] for number in order]
        for name, column in whole.items()
    }
