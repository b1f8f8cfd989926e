"""JSON requests and JSON Lines of any kind of records: where instances stand, before a kind says what one is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from algoport.algorithms.contract.origins import Origins
from algoport.training.formats import envelopes
from algoport.training.formats.json import load, merge
from algoport.training.formats.layout import Layout
from algoport.training.formats.text import BOM, check_text, json_lines

JSON = ("application/json", "json")
LINES = ("application/jsonlines", "jsonlines", "application/x-jsonlines", "application/jsonl")
_OWN = "configuration"
_BATCH = 4096  # lines parsed at a time: objects take several times the room of their text


@dataclass(frozen=True)
class Instances:
    """Parsed JSON values, a record each, and where they stood."""

    values: Sequence[Any]
    noun: str  # "instance" or "line"
    numbers: Sequence[int]
    layout: Layout
    configuration: object = None  # that of the whole body

    def place(self, index: int) -> str:
        """Where one stood within its stream, for `layout.fault`."""
        return f"{self.noun} {self.numbers[index]}"

    @property
    def origins(self) -> Origins:
        """Where all stood."""
        return Origins.of(f"{self.layout.name}, {self.noun}", self.numbers)

    def configurations(self, own: Sequence[object]) -> list[object] | None:
        """Options of each record: those of the body, over which go its own; None where none has any."""
        whole = [merge(self.configuration, each) for each in own]
        return whole if any(each is not None for each in whole) else None


def of_body(stream: BinaryIO, layout: Layout, example: str, *, rows: bool = False) -> Instances | None:
    """Those of `{"instances": [...], "configuration": {...}}`, or None where there are none; held in memory as a whole.

    `example`: an instance as it may look, for the message where a body is something else. `rows`: whether a record can
    be a list, so that the bodies of other servers' clients (`envelopes.py`) and a single instance are read, too.
    """
    text = stream.read()
    check_text(text[:8], layout, JSON[0])
    text = text.removeprefix(BOM)
    if not text.strip():
        return None
    body = load(text, layout, "")
    if rows:
        body = _of_others(body, layout)
    if not isinstance(body, Mapping) or not isinstance(body.get("instances"), list):
        raise layout.fault("", f'must be an object with a list "instances": {{"instances": [{example}, …]}}.')
    values = body["instances"]
    return Instances(values, "instance", range(1, len(values) + 1), layout, body.get(_OWN)) if values else None


def _of_others(body: Any, layout: Layout) -> Any:
    """A body with `instances`, of one that other servers' clients send or that is a single instance."""
    bodies = envelopes.rows_of(body, layout)
    if bodies is not None:
        return {"instances": list(bodies)}
    if isinstance(body, Mapping) and "instances" not in body and ("features" in body or "data" in body):
        return {"instances": [body]}
    return body


def of_lines(stream: BinaryIO, layout: Layout) -> Iterator[Instances]:
    """Those of JSON Lines, a line each, some thousands at a time; blank lines are skipped."""
    for present in json_lines(stream, layout, LINES[0], _BATCH):
        values = [load(line, layout, f"line {number}") for number, line in present]
        yield Instances(values, "line", [number for number, _ in present], layout)


def body_of(values: Sequence[Any]) -> bytes:
    """A JSON request of these instances."""
    import orjson

    return orjson.dumps({"instances": list(values)})


def lines_of(values: Sequence[Any]) -> bytes:
    """JSON Lines of these instances."""
    import orjson

    return b"".join(orjson.dumps(value) + b"\n" for value in values)
