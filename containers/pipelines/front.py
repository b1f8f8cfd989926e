"""The process before the containers of a pipeline: what a container answers, for all of them.

`python -m algoport.containers.pipelines.front --port 8080 --stage NAME=HOST:PORT --stage …`; it imports only what the
images of algorithms have.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from http.client import responses
from typing import Any

from gunicorn.app.base import BaseApplication

from algoport.containers.pipelines.chain import ATTRIBUTES, Chain, Link, Reply, refusal

THREADS = 64  # requests at a time
LIMIT = 100 << 20  # bytes of a body
Respond = Callable[[str, list[tuple[str, str]]], Any]


class Front:
    """The WSGI application."""

    def __init__(self, chain: Chain) -> None:
        self._chain, self._noted = chain, set[str]()

    def __call__(self, environ: dict[str, Any], respond: Respond) -> Iterable[bytes]:
        """Answer a request."""
        reply = self._reply(environ, environ["REQUEST_METHOD"], environ["PATH_INFO"])
        sent = {
            name: value for name, value in reply.headers.items() if name in ("Content-Type", "Retry-After", ATTRIBUTES)
        }
        headers = [*sent.items(), ("Content-Length", str(len(reply.body)))]
        respond(f"{reply.status} {responses.get(reply.status, 'Unknown')}", headers)
        return [reply.body]

    def _reply(self, environ: dict[str, Any], method: str, path: str) -> Reply:
        if path == "/invocations" and method == "POST":
            return self._answer(environ)
        if path == "/ping" and method == "GET":
            sick = self._chain.sick()
            return Reply(200) if sick is None else refusal(503, f"{sick}: is not healthy.")
        if path == "/execution-parameters" and method == "GET":
            made = self._chain.parameters()
            if made:
                return Reply(200, json.dumps(made).encode(), {"Content-Type": "application/json"})
            return refusal(404, "No container has execution parameters.")
        if path in ("/invocations", "/ping", "/execution-parameters"):
            return refusal(405, f"{method[:20]} is not a method of {path}.")
        return refusal(404, f"There is nothing at {path[:200]}.")

    def _answer(self, environ: dict[str, Any]) -> Reply:
        body = environ["wsgi.input"].read(LIMIT + 1)
        if len(body) > LIMIT:
            return refusal(413, f"The body has more than {LIMIT:,} bytes.")
        headers = {
            name[5:].replace("_", "-").title(): text for name, text in environ.items() if name.startswith("HTTP_")
        }
        if environ.get("CONTENT_TYPE"):
            headers["Content-Type"] = environ["CONTENT_TYPE"]
        headers.pop("Host", None)
        reply = self._chain.ask(body, headers)
        for name in self._chain.large - self._noted:
            self._noted.add(name)
            print(f"{name}: has answered with more than the 5 MB that SageMaker itself passes on.", flush=True)
        return reply


class _Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, front: Front, port: int, timeout: float) -> None:
        self._front, self._port, self._timeout = front, port, timeout
        super().__init__()

    def load_config(self) -> None:
        """Gunicorn's settings; none are read from files."""
        for name, value in {
            "bind": f"0.0.0.0:{self._port}",
            "workers": 1,
            "worker_class": "gthread",
            "threads": THREADS,
            "keepalive": 65,
            "timeout": int(self._timeout) + 30,
            "graceful_timeout": 7,
            "control_socket_disable": True,
            "proc_name": "algoport-pipeline",
            "loglevel": "warning",
        }.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Front:
        return self._front


def main(words: Sequence[str] | None = None) -> int:
    """Serve until a SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds that one container may take")
    parser.add_argument("--direct", action="store_true", help="each container is asked alone, by its name")
    parser.add_argument("--stage", action="append", required=True, type=_link, metavar="NAME=HOST:PORT")
    given = parser.parse_args(words)
    _Server(Front(Chain(given.stage, direct=given.direct, timeout=given.timeout)), given.port, given.timeout).run()
    return 0


def _link(text: str) -> Link:
    name, _, place = text.partition("=")
    host, _, port = place.rpartition(":")
    if not name or not host or not port.isdigit():
        raise argparse.ArgumentTypeError(f"must be NAME=HOST:PORT; it is {text!r}")
    return Link(name, host, int(port))


if __name__ == "__main__":
    sys.exit(main())
