"""Requests and their answers, over HTTP."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import struct
import time
import zlib

import numpy as np
import pytest
import requests

from algoport.algorithms.contract.records import Rows
from algoport.training import formats
from tests.serving.servers import CSV, JSON, LINES, PROTOBUF, Server, message

ROWS = np.array([[1, 2, 3], [-1, 0.5, 0]], np.float32)
WANT = [{"sum": 60.0, "positive": 3}, {"sum": -5.0, "positive": 1}]


def body(media: str) -> bytes:
    return formats.find(media).write(Rows(features=ROWS))


@pytest.mark.parametrize("media", [CSV, JSON, LINES, PROTOBUF])
def test_every_kind_of_request_is_answered_in_every_kind(server: Server, media: str) -> None:
    as_json = server.ask(body(media), media, JSON)
    as_lines = server.ask(body(media), media, LINES)
    as_csv = server.ask(body(media), media, CSV)

    assert as_json.json() == {"sums": WANT}
    assert [json.loads(line) for line in as_lines.text.splitlines()] == WANT
    assert as_csv.content == b"60.0,3\n-5.0,1\n"
    assert as_json.headers["Content-Type"] == JSON
    assert as_lines.headers["Content-Type"] == LINES
    assert as_csv.headers["Content-Type"] == "text/csv; charset=utf-8"


def test_a_protobuf_answer_carries_what_came_with_each_record(server: Server) -> None:
    rows = Rows(features=ROWS, uid=["a", None], metadata=[None, '{"n": 2}'])

    answer = server.ask(formats.find(PROTOBUF).write(rows), PROTOBUF, PROTOBUF)

    from algoport.training.formats import record

    place, entries = 0, []
    while place < len(answer.content):
        _, length = struct.unpack_from("<II", answer.content, place)
        entries.append(record.message()().FromString(answer.content[place + 8 : place + 8 + length]))
        place += 8 + length + -length % 4
    assert answer.headers["Content-Type"] == PROTOBUF
    assert [list(entry.label["sum"].float32_tensor.values) for entry in entries] == [[60.0], [-5.0]]
    assert [entry.uid for entry in entries] == ["a", ""]
    assert [entry.metadata for entry in entries] == ["", '{"n": 2}']
    assert not any(entry.features for entry in entries)


def test_a_record_without_its_frame_is_answered_as_batch_transform_sends_it_alone(server: Server) -> None:
    framed = formats.find(PROTOBUF).write(Rows(features=ROWS[:1]))
    _, length = struct.unpack_from("<II", framed)
    bare = framed[8 : 8 + length]

    assert server.ask(bare, PROTOBUF).json() == {"sums": [WANT[0]]}
    assert "record 1" in message(server.ask(bare[:-1], PROTOBUF), 400)


@pytest.mark.parametrize("kind", ["Text/CSV; charset=UTF-8", "text/csv;label_size=0", "csv"])
def test_a_content_type_may_be_written_in_other_ways(server: Server, kind: str) -> None:
    assert server.ask("1,2,3", kind).json() == {"sums": [WANT[0]]}


def test_a_charset_that_a_client_announces_is_read(server: Server) -> None:
    assert server.ask("1,2,3", "text/csv; charset=ISO-8859-1").json() == {"sums": [WANT[0]]}
    assert server.ask("1,2,3".encode("utf-16"), "text/csv; charset=UTF-16").json() == {"sums": [WANT[0]]}
    assert "charset 'klingon'" in message(server.ask("1,2,3", "text/csv; charset=klingon"), 415)


@pytest.mark.parametrize("accept", [None, "*/*", "text/*;q=0.1, application/*", "a/b, Application/JSON; q=0.9"])
def test_an_answer_comes_in_the_kind_that_is_liked_best(server: Server, accept: str | None) -> None:
    assert server.ask("1,2,3", CSV, accept).headers["Content-Type"] == JSON


def test_vectors_are_lists_in_json_and_fields_in_csv(server: Server) -> None:
    accept = "application/json; verbose=true"

    entry = server.ask(body(CSV), CSV, accept).json()["sums"]
    line = server.ask(body(CSV), CSV, "text/csv; verbose=true").text.splitlines()

    assert entry[1] == {**WANT[1], "doubled": [-2.0, 1.0, 0.0], "above": [0.5]}
    assert line == ["60.0,3,2.0,4.0,6.0,1.0,2.0,3.0", "-5.0,1,-2.0,1.0,0.0,0.5"]


def test_options_come_from_the_body_the_headers_and_the_environment_in_this_order(server: Server) -> None:
    instances = [{"features": [1, 1, 1]}]

    def total(kind: str = JSON, **configuration: object) -> float:
        return server.ask(json.dumps({"instances": instances, **configuration}), kind).json()["sums"][0]["sum"]

    assert total() == 30
    assert total(f"{JSON}; scale=3") == 9
    assert total(f"{JSON}; scale=3", configuration={"scale": 2}) == 6


def test_records_may_each_have_options_of_their_own(server: Server) -> None:
    lines = [{"features": [1, 1, 1], "configuration": {"scale": scale}} for scale in (1, 2, 1)]
    text = "\n".join(json.dumps(line) for line in [*lines, {"features": [1, 1, 1]}])

    answer = server.ask(text, LINES, CSV)

    assert [line.split(",")[0] for line in answer.text.splitlines()] == ["3.0", "6.0", "3.0", "30.0"]


def test_an_unknown_option_is_a_400_that_names_those_there_are(server: Server) -> None:
    sentence = message(server.ask('{"instances": [{"features": [1,2,3]}], "configuration": {"scael": 2}}', JSON), 400)

    assert sentence.startswith("Unable to evaluate payload provided: scael: is not an option of this model")
    assert "scale" in sentence


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ("1,2", CSV, "2 numbers, where feature_dim is 3"),
        ("1,2,3\n4,5,6,7\n", CSV, "line 2"),
        ("a,b,c", CSV, "line 1"),
        ('{"instances": [{"features": [1, 2, 3', JSON, "JSON"),
        ('{"instances": {"features": 1}}', JSON, "instances"),
        ("[" * 100_000, JSON, "JSON"),
        ('{"instances":[{"data":{"features":{"keys":[0],"shape":[999999999],"values":[1]}}}]}', JSON, "feature_dim"),
        (b"\x00\xff garbage", PROTOBUF, "record 1"),
        (b"\x0a\x23\xd7\xce\xff\xff\xff\x1f", PROTOBUF, "cut off"),
        ("-13,1,2", CSV, "-13: is a number this model does not add."),
    ],
)
def test_a_body_that_cannot_be_answered_is_a_400_that_says_where_and_why(
    server: Server, text: str | bytes, kind: str, says: str
) -> None:
    sentence = message(server.ask(text, kind), 400)

    assert sentence.startswith("Unable to evaluate payload provided: ") and says in sentence


def test_an_empty_body_is_a_204(server: Server) -> None:
    answer = server.ask(b"")

    assert (answer.status_code, answer.content) == (204, b"")
    assert "Content-Type" not in answer.headers and "Content-Type" not in server.get("/ping").headers


@pytest.mark.parametrize("media", [CSV, JSON, LINES, PROTOBUF])
def test_an_answer_to_no_records_is_none_of_the_kind_that_was_asked_for(server: Server, media: str) -> None:
    answer = server.ask('{"instances": []}', JSON, media)

    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith(media)
    assert answer.content == (b'{"sums":[]}' if media == JSON else b"")


@pytest.mark.parametrize("kind", [None, "text/html", "application/octet-stream", "nonsense", "application/x-npy"])
def test_a_content_type_that_is_given_counts_and_none_is_guessed(server: Server, kind: str | None) -> None:
    sentence = message(server.ask("1,2,3" if kind else "neither this nor that", kind), 415)

    assert all(media in sentence for media in (CSV, JSON, LINES, PROTOBUF))


@pytest.mark.parametrize(
    "body", [b"1,2,3\n4,5,6\n", b'{"instances": [{"features": [1, 2, 3]}]}', b'{"features": [1, 2, 3]}\n' * 2]
)
def test_without_a_content_type_a_body_is_what_it_plainly_is(server: Server, body: bytes) -> None:
    answer = server.ask(body, None, JSON)

    assert answer.status_code == 200 and answer.json()["sums"][0] == WANT[0]


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "image/*", "text/csv;q=0, text/csv;q=0"])
def test_an_answer_of_another_kind_is_a_406(server: Server, accept: str) -> None:
    sentence = message(server.ask("1,2,3", CSV, accept), 406)

    assert all(media in sentence for media in (CSV, JSON, LINES, PROTOBUF))


def test_unknown_paths_and_methods_say_so_in_json(server: Server) -> None:
    assert "/nothing" in message(server.get("/nothing"), 404)
    assert "/models" in message(server.get("/models"), 404)
    refused = server.get("/invocations")
    assert "GET" in message(refused, 405) and refused.headers["Allow"] == "POST"
    assert message(requests.post(f"{server.url}/ping", timeout=5), 405)
    assert message(requests.delete(f"{server.url}/invocations", timeout=5), 405)


def test_a_body_over_the_limit_is_a_413_however_it_comes(server: Server) -> None:
    many = b"1,2,3\n" * (1 << 18)

    def chunks():
        for start in range(0, len(many), 1 << 16):
            yield many[start : start + (1 << 16)]

    for sent, headers in (
        (many, {}),
        (chunks(), {}),
        (gzip.compress(many), {"Content-Encoding": "gzip"}),
        (zlib_bomb(), {"Content-Encoding": "gzip"}),
    ):
        sentence = message(server.ask(sent, headers=headers), 413)
        assert "1,048,576" in sentence


def zlib_bomb() -> bytes:
    """A hundred megabytes of zeros in a hundred kilobytes."""
    squeeze = zlib.compressobj(9, wbits=31)
    block = bytes(1 << 20)
    return b"".join(squeeze.compress(block) for _ in range(100)) + squeeze.flush()


def test_bodies_may_come_in_chunks_or_as_gzip(server: Server) -> None:
    whole = gzip.compress(b"1,2,3\n") + gzip.compress(b"-1,0.5,0")

    assert server.ask(iter([b"1,2", b",3\n-1,", b"0.5,0"])).json() == {"sums": WANT}
    assert server.ask(whole, headers={"Content-Encoding": "gzip"}).json() == {"sums": WANT}
    assert "ends early" in message(server.ask(whole[:-3], headers={"Content-Encoding": "gzip"}), 400)
    assert "Content-Encoding: gzip" in message(server.ask(whole), 400)
    assert "not gzip" in message(server.ask(b"1,2,3", headers={"Content-Encoding": "gzip"}), 400)
    assert "br" in message(server.ask(b"1,2,3", headers={"Content-Encoding": "br"}), 415)


def test_a_bug_is_a_500_with_a_reason_and_a_traceback_in_the_log(server: Server) -> None:
    body = '{"instances": [{"features": [1,2,3]}], "configuration": {"fail": "%s"}}'

    bug = message(server.ask(body % "bug", JSON, headers={"X-Request-Id": "the-bug"}), 500)
    memory = message(server.ask(body % "memory", JSON), 503)
    torchs = message(server.ask(body % "memory of torch", JSON), 503)

    assert bug == "Unable to evaluate payload provided: RuntimeError: a bug of the algorithm"
    assert "memory" in memory and torchs == memory
    assert "request the-bug failed" in server.output and "Traceback" in server.output
    assert server.ask("1,2,3").status_code == 200


def test_a_connection_is_kept_for_the_next_request(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    seen = set()
    for text in ("1,2,3", "a,b,c", "", "1,2,3"):
        connection.request("POST", "/invocations", text, {"Content-Type": CSV})
        answer = connection.getresponse()
        answer.read()
        assert answer.version == 11
        seen.add(connection.sock.getsockname() if connection.sock else None)
    assert len(seen) == 1 and None not in seen


@pytest.mark.parametrize(
    "text",
    [
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100) + b"\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_http_is_a_400_and_hurts_nobody(server: Server, text: bytes) -> None:
    response = server.raw(text)

    assert response.startswith(b"HTTP/1.1 400 ") and b'"code": 400' in response
    assert not any(word in response.lower() for word in (b"none:", b"invalid", b"gunicorn.", b"errno"))
    assert server.get("/ping").status_code == 200


def test_idle_and_stalled_connections_do_not_delay_a_health_check(server: Server) -> None:
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(120)]
    try:
        for connection in idle[:10]:
            connection.sendall(b"POST /invocations HTTP/1.1\r\nContent-Length: 100\r\n\r\n1,2")
        began = time.monotonic()
        assert server.get("/ping").status_code == 200
        assert time.monotonic() - began < 0.5
    finally:
        for connection in idle:
            connection.close()


def test_a_request_is_one_line_of_json_where_asked_for_and_a_ping_none(server: Server) -> None:
    headers = {"X-Request-Id": "seen", "X-Amzn-SageMaker-Inference-Id": "mine", "X-Amzn-SageMaker-Target-Model": "m"}

    answer = server.ask("1,2,3", headers=headers)

    lines = [json.loads(line) for line in server.output.splitlines() if line.startswith("{")]
    line = next(line for line in lines if line["request"] == "seen")
    assert answer.headers["X-Request-Id"] == "seen"
    assert (line["path"], line["code"], line["records"], line["sent"]) == ("/invocations", 200, 1, 5)
    assert (line["inference_id"], line["target_model"]) == ("mine", "m")
    assert line["time"].endswith("Z") and line["ms"] > 0
    assert not any(line["path"] == "/ping" for line in lines)
    assert len([line for line in server.output.splitlines() if "Ready after" in line]) == 1
