"""The paths of the server: /ping, /invocations, /execution-parameters, /metrics, /openapi.json, and /models where there
are many."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from algoport.algorithms.contract import Model
from algoport.algorithms.contract.errors import lacks_memory
from algoport.serving import log
from algoport.serving.bodies import body
from algoport.serving.metrics import Metrics
from algoport.serving.models import PAGE, Table
from algoport.serving.openapi import api_document
from algoport.serving.prediction import Predictor, Reply
from algoport.serving.refusals import EVALUATE, Refusal
from algoport.serving.room import Room
from algoport.serving.settings import Settings

JSON = {"Content-Type": "application/json"}
ROUTES = (
    "/invocations",
    "/models",
    "/models/<path:name>",
    "/models/<path:name>/invoke",
    "/execution-parameters",
    "/openapi.json",
)
SILENT = ("/ping", "/metrics")  # never logged: they are asked every few seconds
ORDER = 1 << 20  # bytes of a request to load a model
NAME = 1024  # characters of a model's name


@dataclass(frozen=True, kw_only=True)
class Service:
    """All that the paths need. `model` gives the one of single-model mode, and waits until it is warm."""

    settings: Settings
    predictor: Predictor
    room: Room
    metrics: Metrics
    ready: Callable[[], bool]  # whether some worker is
    model: Callable[[], Model] | None = None
    table: Table | None = None

    def answer(self, model: Model, sent: bytes, hold: Callable[[int], None]) -> Reply:
        """The answer to the request at hand, when it is its turn."""
        content_type, accept = request.headers.get("Content-Type"), request.headers.get("Accept")
        connection = request.environ.get("gunicorn.socket")
        try:
            return self.room.run(
                lambda: self.predictor.answer(model, sent, content_type, accept, hold), lambda: _gone(connection)
            )
        except Exception as error:
            if not lacks_memory(error):
                raise
            raise Refusal(507 if self.table else 503, f"{EVALUATE}there is not enough memory for it.") from None


def application(service: Service) -> Flask:
    """The WSGI application of one worker."""
    app = Flask("algoport", static_folder=None)
    app.url_map.merge_slashes = False
    _watch(app, service)
    _fail(app)
    _route(app, "/ping", lambda: ping(service))
    _route(app, "/execution-parameters", lambda: _json(service.settings.execution))
    _route(app, "/metrics", lambda: _page(service))
    document = orjson.dumps(api_document(service.predictor, many=service.table is not None))
    _route(app, "/openapi.json", lambda: Response(document, 200, JSON))
    _route(app, "/invocations", lambda: invocations(service), "POST")
    if service.table is not None:
        _models(app, service, service.table)
    return app


def ping(service: Service) -> Response:
    """An empty 200 as soon as a worker can answer. Takes no place, waits for nothing."""
    if not service.ready():
        raise Refusal(503, "The model is not ready yet.", retry=1)
    return _nothing(200)


def invocations(service: Service, name: str | None = None) -> Response:
    """The answer to a request's records, by the only model or by the one that is named."""
    with service.room.place() as hold:
        sent = body(request.environ, service.settings.payload, hold)
        if name is not None and service.table is not None:
            with service.table.use(name) as model:
                return _response(service, model, sent, hold)
        if service.model is None:
            raise Refusal(404, "There are many models here: ask /models/<name>/invoke.", kind="ModelNotFoundException")
        return _response(service, service.model(), sent, hold)


def _response(service: Service, model: Model, sent: bytes, hold: Callable[[int], None]) -> Response:
    if not sent:
        return _nothing(204)
    answer = service.answer(model, sent, hold)
    g.records = answer.records
    return Response(answer.body, 200, {"Content-Type": answer.content_type})


def _nothing(code: int) -> Response:
    """An answer without a body, and so without the type of one, which the framework would guess."""
    response = Response(status=code)
    del response.headers["Content-Type"]
    return response


def _gone(connection: socket.socket | None) -> bool:
    """Whether the client has closed its end."""
    try:
        return connection is not None and not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


def _page(service: Service) -> Response:
    text, content_type = service.metrics.page()
    return Response(text, 200, {"Content-Type": content_type})


def _models(app: Flask, service: Service, table: Table) -> None:
    """The calls of multi-model mode."""

    def load() -> Response:
        name, url = _order(body(request.environ, ORDER, lambda size: None))
        table.load(name, url)
        log.note(f"Loaded model {name!r} from {url!r}; target {request.headers.get('X-Amzn-SageMaker-Target-Model')!r}")
        return _json({"status": "Workers scaled"})

    def unload(name: str) -> Response:
        table.unload(name)
        log.note(f"Unloaded model {name!r}")
        return _json({"status": f'Model "{name}" unregistered'})

    def listing() -> Response:
        limit, start = _whole("limit", PAGE, 1), _whole("next_page_token", 0, 0)
        return _json(table.listing(min(limit, PAGE), start))

    _route(app, "/models", listing)
    _route(app, "/models", load, "POST")
    _route(app, "/models/<path:name>", lambda name: _json(table.describe(name)))
    _route(app, "/models/<path:name>", unload, "DELETE")
    _route(app, "/models/<path:name>/invoke", lambda name: invocations(service, name), "POST")


def _order(text: bytes) -> tuple[str, str]:
    """Name and place of the model to load."""
    try:
        order = orjson.loads(text)
    except ValueError:
        raise Refusal(400, 'The body is not JSON; it must be {"model_name": …, "url": …}.') from None
    if not isinstance(order, dict):
        raise Refusal(400, 'The body must be an object: {"model_name": …, "url": …}.')
    for key in ("model_name", "url"):
        value = order.get(key)
        if not isinstance(value, str) or not 0 < len(value) <= 4 * NAME or not value.isprintable():
            raise Refusal(400, f"{key}: must be a text of printable characters; it is {str(value)[:60]!r}.")
    if len(order["model_name"]) > NAME:
        raise Refusal(400, f"model_name: must have at most {NAME} characters; it has {len(order['model_name'])}.")
    return order["model_name"], order["url"]


def _whole(name: str, default: int, low: int) -> int:
    text = request.args.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < low:
        raise Refusal(400, f"{name}: must be a whole number at least {low}; it is {text[:60]!r}.")
    return int(text)


def _json(what: dict[str, Any]) -> Response:
    return Response(orjson.dumps(what), 200, JSON)


def _route(app: Flask, path: str, view: Callable[..., Response], method: str = "GET") -> None:
    app.add_url_rule(path, f"{method} {path}", view, methods=[method], provide_automatic_options=False)


def _watch(app: Flask, service: Service) -> None:
    """Count every request, and log it where that is asked for."""
    kind = service.settings.access_log

    def begin() -> None:
        g.began, g.records = time.perf_counter(), 0
        given = request.headers.get("X-Request-Id", "")
        g.request = given[:128] if given.isascii() and given.isprintable() and given else secrets.token_hex(8)

    def end(response: Response) -> Response:
        seconds = time.perf_counter() - g.began
        response.headers["X-Request-Id"] = g.request
        if request.path in SILENT:
            return response
        route = str(request.url_rule) if request.url_rule else "other"
        service.metrics.done(route, response.status_code, seconds, g.records)
        if kind:
            log.access(kind, _facts(response, seconds))
        return response

    app.before_request(begin)
    app.after_request(end)


def _facts(response: Response, seconds: float) -> dict[str, Any]:
    return {
        "request": g.request,
        "method": request.method,
        "path": request.path,
        "code": response.status_code,
        "ms": round(seconds * 1000, 3),
        "records": g.records,
        "sent": request.content_length,
        "answered": response.content_length,
        "type": request.headers.get("Content-Type"),
        "accept": request.headers.get("Accept"),
        "inference_id": request.headers.get("X-Amzn-SageMaker-Inference-Id"),
        "target_model": request.headers.get("X-Amzn-SageMaker-Target-Model"),
    }


def _fail(app: Flask) -> None:
    """Every failure has a body with a reason."""

    def on_refusal(refusal: Refusal) -> Response:
        return Response(refusal.body, refusal.code, refusal.headers)

    def unknown(error: HTTPException) -> Response:
        code = error.code or 500
        sentences = {
            404: f"There is nothing at {request.path[:200]}.",
            405: f"{request.method[:20]} is not a method of {request.path[:200]}.",
        }
        refusal = Refusal(code, sentences.get(code, f"The request to {request.path[:200]} cannot be handled."))
        allowed = {name: value for name, value in error.get_headers() if name == "Allow"}
        return Response(refusal.body, code, {**refusal.headers, **allowed})

    def on_error(error: Exception) -> Response:
        log.fault(f"{EVALUATE}request {g.get('request')} failed.", error)
        return on_refusal(Refusal(500, f"{EVALUATE}{type(error).__name__}: {error}"))

    app.register_error_handler(Refusal, on_refusal)
    app.register_error_handler(HTTPException, unknown)
    app.register_error_handler(Exception, on_error)
