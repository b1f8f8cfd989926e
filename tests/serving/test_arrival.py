"""When a request has come far enough for a thread, and when it comes too slowly."""

from __future__ import annotations

import pytest

from algoport.serving.arrival import BODY, HEAD, PATIENCE, RATE, Arrival, Pace

POST = b"POST /invocations HTTP/1.1\r\nHost: x\r\n"


def at_each_byte(text: bytes) -> list[bool]:
    """Whether it is enough, byte by byte."""
    arrival, seen = Arrival(), []
    for number in range(len(text)):
        arrival.add(text[number : number + 1])
        seen.append(arrival.is_enough)
    return seen


@pytest.mark.parametrize(
    "text",
    [
        b"GET /ping HTTP/1.1\r\n\r\n",
        POST + b"\r\n",
        POST + b"content-length:  5 \r\nX: y\r\n\r\n1,2\n3",
        POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\n1,2\r\n0\r\n\r\n",
        POST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n",
    ],
)
def test_a_small_request_gets_a_thread_with_its_last_byte(text: bytes) -> None:
    assert at_each_byte(text) == [False] * (len(text) - 1) + [True]
    assert Arrival(text).is_enough


@pytest.mark.parametrize("kind", [b"Content-Length: 10000000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"])
def test_of_a_large_body_the_beginning_is_enough(kind: bytes) -> None:
    head = POST + kind

    assert not Arrival(head + bytes(BODY - 1)).is_enough
    assert Arrival(head + bytes(BODY)).is_enough


def test_a_head_has_an_end() -> None:
    assert not Arrival(bytes(HEAD)).is_too_long
    assert Arrival(bytes(HEAD + 1)).is_too_long
    assert not Arrival(POST + b"Content-Length: 99999999\r\n\r\n" + bytes(HEAD)).is_too_long


def test_only_what_needs_no_prediction_is_brief() -> None:
    assert Arrival(b"GET /ping HTTP/1.1\r\n\r\n").is_brief and not Arrival(POST + b"\r\n").is_brief


def test_who_trickles_is_late_and_who_sends_steadily_is_not() -> None:
    now = [0.0]
    slow, steady = Pace(lambda: now[0]), Pace(lambda: now[0])
    assert slow.deadline is None and not slow.late
    for second in range(int(PATIENCE) + 2):
        now[0] = float(second)
        slow.count(1)
        steady.count(RATE)

    assert slow.late and not steady.late
