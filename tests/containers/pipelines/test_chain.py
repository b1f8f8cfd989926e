"""A request through a row of containers of a few lines, and the front before them."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import requests

from algoport.containers.pipelines import chain as chains
from algoport.containers.pipelines.chain import TARGET, Chain, Link
from algoport.containers.pipelines.front import Front
from tests.containers.transform.container import Answer, Container


def says(word: str, kind: str = "text/plain") -> Answer:
    return lambda body, headers: (200, body + b" " + word.encode(), {"Content-Type": kind})


@contextlib.contextmanager
def row(*containers: Container, **more: object) -> Iterator[Chain]:
    with contextlib.ExitStack() as stack:
        links = []
        for number, container in enumerate(containers, 1):
            stack.enter_context(container.running())
            links.append(Link(f"container-{number}", "127.0.0.1", int(container.url.rpartition(":")[2])))
        yield Chain(links, **more)  # type: ignore[arg-type]


def test_each_gets_the_answer_of_the_one_before_with_its_content_type() -> None:
    first, second, third = (
        Container(says("a", "text/csv; charset=utf-8")),
        Container(says("b", "x/y")),
        Container(says("c")),
    )
    given = {"Content-Type": "text/csv", "Accept": "application/json", "X-Amzn-Sagemaker-Custom-Attributes": "k=v"}
    with row(first, second, third) as chain:
        reply = chain.ask(b"1", given | {"Cookie": "secret"})

    assert (reply.status, reply.body, reply.headers["Content-Type"]) == (200, b"1 a b c", "text/plain")
    kinds = [container.headers[0].get("Content-Type") for container in (first, second, third)]
    assert kinds == ["text/csv", "text/csv; charset=utf-8", "x/y"]
    accepted = [container.headers[0].get("Accept") for container in (first, second, third)]
    assert accepted == [None, None, "application/json"]
    for container in (first, second, third):
        assert (
            container.headers[0]["X-Amzn-Sagemaker-Custom-Attributes"] == "k=v" and "Cookie" not in container.headers[0]
        )


def test_bodies_are_bytes_and_their_own() -> None:
    every = bytes(range(256)) * 100
    with row(
        Container(lambda body, headers: (200, body, {})), Container(lambda body, headers: (200, body, {}))
    ) as chain:

        def ask(number: int) -> bool:
            return chain.ask(b"%d" % number + every, {}).body == b"%d" % number + every

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(ask, range(100)))


@pytest.mark.parametrize("code", [400, 415, 500, 503])
def test_a_refusal_ends_the_request_and_names_the_container(code: int) -> None:
    answer = (code, b'{"code": 1, "message": "the reason."}', {"Retry-After": "7"})
    last = Container()
    with row(Container(says("a")), Container(lambda body, headers: answer), last) as chain:
        reply = chain.ask(b"1", {})

    assert reply.status == code and json.loads(reply.body)["message"] == "container-2: the reason."
    assert reply.headers["Retry-After"] == "7" and not last.bodies


def test_a_container_that_does_not_answer_is_named() -> None:
    slow = Container(delay=lambda number: 1.0)
    with row(Container(says("a")), slow, timeout=0.2) as chain:
        late = chain.ask(b"1", {})
        chain.links[1] = Link("container-2", "127.0.0.1", 9)
        gone = chain.ask(b"1", {})
        sick = chain.sick()

    assert (
        late.status == 500 and json.loads(late.body)["message"] == "container-2: it does not answer within 0.2 seconds."
    )
    assert gone.status == 503 and json.loads(gone.body)["message"] == "container-2: it does not answer."
    assert gone.headers["Retry-After"] == "1" and sick == "container-2"


def test_asked_directly_a_container_is_chosen_by_its_name() -> None:
    with row(Container(says("a")), Container(says("b")), direct=True) as chain:
        assert chain.ask(b"1", {TARGET: "container-2"}).body == b"1 b"
        assert json.loads(chain.ask(b"1", {TARGET: "x"}).body)["message"].endswith(
            "must be one of container-1, container-2; it is 'x'."
        )
        assert chain.ask(b"1", {}).status == 400


def test_batches_are_as_small_as_the_container_that_can_do_least() -> None:
    said = [
        {"MaxConcurrentTransforms": 8, "MaxPayloadInMB": 2, "BatchStrategy": "MULTI_RECORD"},
        {"MaxPayloadInMB": 6},
        None,
    ]
    with row(*(Container(parameters=one) for one in said)) as chain:
        assert chain.parameters() == {
            "MaxConcurrentTransforms": 8,
            "MaxPayloadInMB": 2,
            "BatchStrategy": "MULTI_RECORD",
        }
    with row(Container(parameters=said[0]), Container(parameters={"BatchStrategy": "SINGLE_RECORD"})) as chain:
        assert chain.parameters()["BatchStrategy"] == "SINGLE_RECORD"


@pytest.fixture
def front() -> Iterator[Callable[..., requests.Response]]:
    class Quiet(WSGIRequestHandler):
        def log_message(self, *words: object) -> None:
            pass

    with row(Container(says("a")), Container(says("b"))) as chain:
        server = make_server("127.0.0.1", 0, Front(chain), handler_class=Quiet)
        # a whole body, as gunicorn's reader gives it: the standard library's waits for more
        application = server.get_app()

        def bounded(environ: dict, respond: object) -> object:
            length, reader = int(environ.get("CONTENT_LENGTH") or 0), environ["wsgi.input"]
            environ["wsgi.input"] = type("Body", (), {"read": lambda self, size: reader.read(min(size, length))})()
            return application(environ, respond)

        server.set_app(bounded)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

        def ask(method: str, path: str, **more: object) -> requests.Response:
            return requests.request(method, f"http://127.0.0.1:{server.server_port}{path}", timeout=10, **more)

        yield ask
        server.shutdown()
        server.server_close()


def test_the_front_answers_as_a_container_does(
    front: Callable[..., requests.Response], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = front("POST", "/invocations", data=b"1", headers={"Content-Type": "text/csv"})
    assert (answer.status_code, answer.text, answer.headers["Content-Type"]) == (200, "1 a b", "text/plain")
    assert (front("GET", "/ping").status_code, front("GET", "/ping").content) == (200, b"")
    assert front("GET", "/execution-parameters").status_code == 404
    assert front("GET", "/invocations").json()["message"] == "GET is not a method of /invocations."
    assert front("GET", "/nothing").json() == {
        "code": 404,
        "type": "BadRequestException",
        "message": "There is nothing at /nothing.",
    }
    monkeypatch.setattr("algoport.containers.pipelines.front.LIMIT", 10)
    assert front("POST", "/invocations", data=b"1" * 11).status_code == 413


def test_an_answer_larger_than_sagemaker_passes_on_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chains, "PLATFORM", 3)
    with row(Container(says("a")), Container(says("b"))) as chain:
        chain.ask(b"123", {})
        assert chain.large == {"container-1"}
