"""The page: one item at a time, a key a class. It is made here, works without scripts as far as buttons go, and takes
nothing from elsewhere."""

from __future__ import annotations

import json
import secrets
from typing import Any

import flask
from werkzeug.exceptions import HTTPException

from algoport.algorithms.contract.errors import AlgoportError, UserError
from algoport.containers.labels.items import media
from algoport.containers.labels.task import KEYS, Task

MOST_BODY = 1 << 20
HOSTS = ("127.0.0.1", "localhost", "[::1]")  # by which this page is asked for; another name is another site's trick


def application(task: Task) -> flask.Flask:
    """The server of one task, for one browser on this machine."""
    app = flask.Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MOST_BODY
    token, nonce = secrets.token_urlsafe(24), secrets.token_urlsafe(12)

    def checked(number: int) -> int:
        if not 0 <= number < len(task.items):
            flask.abort(404, f"There are {len(task.items)} items.")
        return number

    def show(number: int, said: str = "", code: int = 200) -> flask.Response:
        item, entry = task.items[number], task.ledger.get(task.items[number].key)
        fault = task.fault(item)
        shown = {
            "task": task,
            "item": item,
            "number": number,
            "keys": KEYS,
            "token": token,
            "nonce": nonce,
            "said": said or fault,
            "value": entry.value if entry is not None else None,
            "labeled": task.labeled,
            "is_there": not fault,
            "size": task.size(item) if not fault and task.kind == "boxes" else None,
        }
        return flask.make_response(flask.render_template("label.html", **shown), code)

    def onward(number: int | None) -> Any:
        where = flask.url_for("end") if number is None else flask.url_for("item", number=number)
        return flask.redirect(where, 303)

    @app.before_request
    def ask_from_here() -> None:
        if (flask.request.host or "").rpartition(":")[0] not in HOSTS and flask.request.host not in HOSTS:
            flask.abort(403, "This page is for the machine that it runs on.")
        if flask.request.method == "POST" and not secrets.compare_digest(
            flask.request.form.get("token", "").encode(), token.encode()
        ):
            flask.abort(403, "This form is not of this page; load it again.")

    @app.after_request
    def keep_to_itself(answer: flask.Response) -> flask.Response:
        policy = f"default-src 'none'; img-src 'self' data:; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; "
        answer.headers["Content-Security-Policy"] = (
            f"{policy}form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        )
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers["Cache-Control"] = "no-store"
        return answer

    @app.errorhandler(HTTPException)
    def in_a_sentence(error: HTTPException) -> Any:
        return f"{error.description}\n", error.code or 500, {"Content-Type": "text/plain; charset=utf-8"}

    @app.errorhandler(AlgoportError)
    def refused(error: AlgoportError) -> Any:
        return f"{error}\n", 507, {"Content-Type": "text/plain; charset=utf-8"}

    @app.get("/")
    def start() -> Any:
        return onward(task.following(0))

    @app.get("/item/<int:number>")
    def item(number: int) -> Any:
        return show(checked(number))

    @app.get("/picture/<int:number>")
    def picture(number: int) -> Any:
        path = task.items[checked(number)].picture
        if path is None:
            flask.abort(404, "This item is a text.")
        try:
            data = path.read_bytes()
        except OSError:
            flask.abort(404, f"{path}: cannot be read.")
        return flask.Response(data, content_type=media(data[:16]) or "application/octet-stream")

    @app.post("/item/<int:number>")
    def label(number: int) -> Any:
        checked(number)
        try:
            value = json.loads(flask.request.form.get("value", ""))
        except (ValueError, RecursionError):
            flask.abort(400, "value: must be JSON.")
        with task.lock:
            try:
                task.say(number, value)
            except UserError as error:
                return show(number, "\n".join(error.findings), 400)
            return onward(task.following(number + 1))

    @app.post("/undo")
    def undo() -> Any:
        with task.lock:
            number = task.undo()
        return onward(task.following(0) if number is None else number)

    @app.get("/end")
    def end() -> Any:
        return flask.render_template("end.html", task=task, token=token, nonce=nonce, labeled=task.labeled)

    return app
