"""What the server says of itself: its paths as OpenAPI 3.1, which follow from what the algorithm declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from algoport.algorithms.contract import Answer, Column, kinds
from algoport.algorithms.contract.setting import Setting
from algoport.algorithms.contract.wire import Wire
from algoport.serving.answers import answer_type
from algoport.serving.prediction import Predictor
from algoport.serving.refusals import TYPES
from algoport.training.formats import ContentType

VERSION = "1"  # of the paths, which are those of the contract
Schema = dict[str, Any]

_REFUSAL: Schema = {
    "type": "object",
    "required": ["code", "type", "message"],
    "properties": {"code": {"type": "integer"}, "type": {"type": "string"}, "message": {"type": "string"}},
}
_TEXT: Schema = {"type": "string"}
_BINARY: Schema = {"type": "string", "format": "binary"}
_NAME: Schema = {"name": "name", "in": "path", "required": True, "schema": _TEXT}
_ANY: Schema = {"application/json": {"schema": {"type": "object"}}}


def api_document(predictor: Predictor, *, many: bool) -> Schema:
    """The document; `many`: of multi-model mode."""
    algorithm = predictor.algorithm
    ask = _invocation(predictor)
    paths: Schema = {
        "/ping": {"get": _operation("Whether the server can answer.", {200: ("It can.", {})}, 405, 503)},
        "/execution-parameters": {
            "get": _operation("What batch transform should send.", {200: ("Limits.", _ANY)}, 405)
        },
        "/metrics": {"get": _operation("Counters for Prometheus.", {200: ("Text.", {"text/plain": {}})}, 405)},
        "/openapi.json": {"get": _operation("This document.", {200: ("It.", _ANY)}, 405)},
    }
    if many:
        paths |= _many(ask)
    else:
        paths["/invocations"] = {"post": ask}
    return {
        "openapi": "3.1.0",
        "info": {"title": algorithm.title, "description": algorithm.summary, "version": VERSION},
        "paths": paths,
        "components": {"schemas": {"Refusal": _REFUSAL}},
    }


def _many(ask: Schema) -> Schema:
    """The calls of multi-model mode."""
    order = {
        "type": "object",
        "required": ["model_name", "url"],
        "properties": {"model_name": {"type": "string", "minLength": 1}, "url": {"type": "string", "minLength": 1}},
    }
    done = {200: ("Done.", _ANY)}
    whole = {"type": "integer", "minimum": 0}
    pages = [{"name": name, "in": "query", "schema": whole} for name in ("limit", "next_page_token")]
    listing = {**_operation("The models that are loaded.", done, 400, 405), "parameters": pages}
    load = _operation("Load a model.", done, 400, 405, 408, 409, 413, 500, 507)
    load["requestBody"] = {"required": True, "content": {"application/json": {"schema": order}}}
    named = {"parameters": [_NAME]}
    return {
        "/models": {"get": listing, "post": load},
        "/models/{name}": {
            **named,
            "get": _operation("One of them.", done, 404, 405),
            "delete": _operation("Unload it.", done, 404, 405, 409),
        },
        "/models/{name}/invoke": {**named, "post": ask},
    }


def _invocation(predictor: Predictor) -> Schema:
    answer = predictor.algorithm.answer
    columns = "; ".join(f"{column.name}: {column.meaning}" for column in answer.columns)
    wire = predictor.wire
    content = {media: {"schema": _answer_body(answer, wire, media)} for media in answer.responses}
    responses = {200: (f"An entry for each record. {columns}", content), 204: ("There was no record.", {})}
    ask = _operation("Ask the model.", responses, 400, 404, 405, 406, 408, 413, 415, 500, 503, 507)
    options = predictor.options.settings() if predictor.options is not None else []
    bodies = {media: {"schema": _request_body(answer, wire, media, options)} for media in answer.accepts}
    return {**ask, "requestBody": {"required": True, "content": bodies}}


def _request_body(answer: Answer, wire: Wire, media: str, options: list[Setting]) -> Schema:
    """The body of a request."""
    form = wire.requests.get(ContentType.parse(media).media)
    if form is not None:
        return dict(form.schema)
    if media.startswith("text/"):
        return _TEXT
    if not media.startswith("application/json"):
        return _BINARY
    if media.startswith("application/jsonlines"):
        return {"type": "string", "description": "An object a line."}
    record = dict(kinds.find(answer.kind).schema)
    chosen = {option.name: {"description": f"{option.meaning}; {option.allowed}"} for option in options}
    properties: Schema = {"instances": {"type": "array", "items": record}}
    if chosen:
        properties["configuration"] = {"type": "object", "properties": chosen}
    return {"type": "object", "required": ["instances"], "properties": properties}


def _answer_body(answer: Answer, wire: Wire, media: str) -> Schema:
    """The body of an answer."""
    form = wire.answers.get(answer_type(media).media)
    if form is not None:
        return dict(form.schema)
    if not media.startswith("application/json") or media.startswith("application/jsonlines"):
        return _TEXT if media.startswith(("text/", "application/jsonlines")) else _BINARY
    always = [column.name for column in answer.columns if not column.optional]
    entry = {"type": "object", "properties": {column.name: _value(column) for column in answer.columns}}
    entries = {"type": "array", "items": {**entry, "required": always}}
    return {"type": "object", "required": [answer.key], "properties": {answer.key: entries}} if answer.key else entries


def _value(column: Column) -> Schema:
    if column.number in ("json", "pixels"):
        return {"description": column.meaning}
    number = "number" if column.number == "float" else "integer"
    return {"description": column.meaning, "type": [number, "null", "array"]}


def _operation(summary: str, answers: Mapping[int, tuple[str, Schema]], *refusals: int) -> Schema:
    responses: Schema = {}
    for code, (meaning, content) in answers.items():
        responses[str(code)] = {"description": meaning, **({"content": content} if content else {})}
    for code in refusals:
        refusal = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}
        responses[str(code)] = {"description": TYPES[code], "content": refusal}
    return {"summary": summary, "responses": responses}
