"""The worker process: gunicorn's threads, made so that nobody slow keeps a thread from those who are not.

Connections are nobody's until enough of a request has come (`arrival.py`); the main loop collects it. Requests without
a prediction, such as health checks, have threads of their own. There are never more connections than file descriptors
last for: where one too many comes, the one that has been waiting for longest has to go.
"""

from __future__ import annotations

import contextlib
import os
import resource
import selectors
import signal
import socket
import struct
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from gunicorn import http
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import ThreadWorker

from algoport.serving.arrival import HEAD, PATIENCE, Arrival, Pace
from algoport.serving.refusals import Refusal

STALL = 20  # seconds that a client may send nothing in the middle of a request, or read nothing of its answer
LINGER = 1.0  # seconds in which a client may take its answer before the connection is closed
YIELD = 0.0005  # seconds in which a worker with fewer connections takes the new one, unless it is busier than it looks
BRIEF = 8  # threads for requests without a prediction
CONNECTIONS = 10_000  # of a worker, where file descriptors last for so many
DESCRIPTORS = 24  # that are left for other things than connections: files of models, pipes
COLLECTED = 1 << 26  # bytes of requests without a thread, of all connections together
SCAN = 0.25  # seconds between two looks for connections that are late
DRAIN = 1.0  # seconds that a thread spends on reading what nobody wants, before the connection is closed instead


class Reader(SocketUnreader):  # type: ignore[misc]
    """What gunicorn's parser reads from: first what the main loop collected, then the socket, at a certain pace."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.pace = Pace()

    def chunk(self, size_hint: int | None = None) -> bytes:
        """What comes next; `BlockingIOError` where too little does, as where nothing does for too long."""
        if self.pace.late:
            raise BlockingIOError
        piece: bytes = super().chunk(size_hint)
        self.pace.count(len(piece))
        return piece


class Worker(ThreadWorker):  # type: ignore[misc]
    """Threads that wait for nothing but predictions."""

    def init_process(self) -> None:
        """Prepare for connections, and serve."""
        self._brief = ThreadPoolExecutor(BRIEF, thread_name_prefix="brief")
        self._waiting: dict[Any, float] = {}  # connections without a thread -> when they are given up
        self._scan, self._collected = 0.0, 0
        self._most = _descriptors()
        self.worker_connections = sys.maxsize  # which is looked after here
        self.max_keepalived = max(1, self._most // 2)
        super().init_process()

    def init_signals(self) -> None:
        """A hang-up of the terminal is no reason to end."""
        super().init_signals()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def set_accept_enabled(self, enabled: bool) -> None:
        """While it is not ready, a worker leaves new connections to those that are."""
        super().set_accept_enabled(enabled and self.app.receives())

    def accept(self, listener: Any) -> None:
        """A new connection, unless another worker has become ready while this one was waiting for one; a moment later
        where others have fewer, so that they come before it. Connections stay, and with them their load."""
        if not self.app.receives():
            self.set_accept_enabled(False)
            return
        if self.app.peers.is_crowded():
            time.sleep(YIELD)
        if self.nr_conns >= self._most and not self._evict():
            time.sleep(YIELD)  # all are being answered
            return
        try:
            super().accept(listener)
        except OSError:  # no file descriptor is left, or the network is down: next time, perhaps
            if not self._evict():
                time.sleep(YIELD)
        self.app.peers.have(self.nr_conns)

    def notify(self) -> None:
        """A sign of life, at each turn of the loop; and how many connections there are."""
        super().notify()
        self.app.peers.have(self.nr_conns)

    def enqueue_req(self, conn: Any) -> None:
        """A connection is new, or has something to say again: it gets a thread when enough of that has come."""
        if conn.parser is None:
            stall = struct.pack("@ll", STALL, 0)
            with contextlib.suppress(OSError):
                conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, stall)
                conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, stall)
            conn.parser = http.get_parser(self.cfg, conn.sock, conn.client)
            conn.parser.unreader = Reader(conn.sock)
        conn.sock.setblocking(False)
        conn.arrival = Arrival(conn.parser.unreader.take_buffered())
        self._collected += len(conn.arrival.data)
        self._wait_for(conn, time.monotonic() + self.cfg.keepalive, self._receive)
        self._receive(conn)

    def _wait_for(self, conn: Any, deadline: float, then: Any) -> None:
        self._waiting[conn] = deadline
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(_call, then, conn))

    def _receive(self, conn: Any) -> None:
        """Take what has come of a request, and hand it to a thread where that is enough, or all there will be."""
        arrival: Arrival = conn.arrival
        if not arrival.is_enough:
            try:
                piece = conn.sock.recv(HEAD)
            except BlockingIOError:
                return
            except OSError:
                piece = b""
                arrival.data.clear()
            if piece:
                arrival.add(piece)
                self._collected += len(piece)
                self._waiting[conn] = arrival.pace.deadline or 0.0
            elif not arrival.data:
                self._drop(conn)
                return
            if arrival.is_too_long:
                self._answer(conn, Refusal(400, f"The head of a request must have at most {HEAD:,} bytes."))
                return
            if piece and not arrival.is_enough:
                if self._collected > COLLECTED:
                    self._evict()
                return
        self._forget(conn)
        conn.parser.unreader.unread(bytes(arrival.data))
        conn.parser.unreader.pace, conn.data_ready = arrival.pace, True
        pool = self._brief if arrival.is_brief else self.tpool
        task = pool.submit(self.handle, conn)
        task.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Keep the connection for what comes next, or let the client read its answer and close it."""
        if not fs.cancelled() and fs.exception() is None and fs.result():
            super().finish_request(conn, fs)
        else:
            self._linger(conn)

    def _linger(self, conn: Any) -> None:
        """Close a connection whose client may still send: closed at once, the answer would be lost to it."""
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
            self._wait_for(conn, time.monotonic() + LINGER, self._discard)
        except (OSError, ValueError):
            self.nr_conns -= 1
            conn.close()

    def _discard(self, conn: Any) -> None:
        with contextlib.suppress(BlockingIOError):
            try:
                rest = conn.sock.recv(HEAD)
            except ConnectionError:
                rest = b""
            if not rest:
                self._drop(conn)

    def _answer(self, conn: Any, refusal: Refusal) -> None:
        """Refuse a request that has no thread, and close its connection."""
        self._forget(conn)
        with contextlib.suppress(OSError):
            conn.sock.send(_bytes(refusal))
        self._linger(conn)

    def _drop(self, conn: Any) -> None:
        self._forget(conn)
        self.nr_conns -= 1
        conn.close()

    def _forget(self, conn: Any) -> None:
        """It waits no more."""
        if self._waiting.pop(conn, None) is not None:
            self.poller.unregister(conn.sock)
            arrival, conn.arrival = conn.arrival, None
            self._collected -= arrival.pace.size if arrival is not None else 0

    def _evict(self) -> bool:
        """Close the connection that has been without a thread for longest; False where all have one."""
        if self._waiting:
            self._drop(next(iter(self._waiting)))
        elif self.keepalived_conns:
            conn = self.keepalived_conns.popleft()
            with contextlib.suppress(OSError, KeyError, ValueError):
                self.poller.unregister(conn.sock)
            self.nr_conns -= 1
            conn.close()
        else:
            return False
        return True

    def murder_pending(self) -> None:
        """Give up connections that wait for too long; a request of which too little has come is told so."""
        now = time.monotonic()
        if now < self._scan:
            return
        self._scan = now + SCAN
        for conn in [conn for conn, deadline in self._waiting.items() if deadline < now]:
            if conn.arrival is not None and conn.arrival.data:
                self._answer(conn, Refusal(408, f"The request came too slowly: it was not whole {PATIENCE:g} s later."))
            else:
                self._drop(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        """As it ends, a worker waits no longer than that for connections that say nothing."""
        super()._cap_keepalive(deadline)
        for conn, until in self._waiting.items():
            if conn.arrival is not None and not conn.arrival.data:
                self._waiting[conn] = min(until, deadline)

    def handle(self, conn: Any) -> Any:
        """One request; a client that has stopped in the middle of it is let go without a word in the log."""
        try:
            return super().handle(conn)
        except BlockingIOError:
            return False

    def _keepalive_after(self, conn: Any, keepalive: Any) -> bool:
        """Whether the connection can be used again: nobody waits for the rest of a body that was refused."""
        return bool(keepalive and conn.parser.finish_body(deadline=time.monotonic() + DRAIN))

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """What is no HTTP gets a JSON answer, too."""
        if isinstance(exc, BlockingIOError | ConnectionError):
            return
        with contextlib.suppress(OSError):
            client.sendall(_bytes(Refusal(400, f"The request is not HTTP that can be read: {_wrong(exc)}.")))

    def run(self) -> None:
        """Serve until a stop; then end at once, for a thread that is stuck would keep the process from it."""
        super().run()
        sys.stdout.flush()
        os._exit(0)


def _wrong(error: BaseException) -> str:
    """What of a head is wrong, by what gunicorn's parser raises."""
    kinds: dict[type[BaseException], str] = {
        http.errors.LimitRequestLine: "its first line is too long",
        http.errors.LimitRequestHeaders: "its header fields are too many or too long",
        http.errors.InvalidHTTPVersion: "its version is none of 1.0 and 1.1",
        http.errors.InvalidRequestMethod: "its method is none",
        http.errors.InvalidHeaderName: "the name of a header field is none",
        http.errors.InvalidHeader: "a header field is not as it must be, or comes twice",
        http.errors.UnsupportedTransferCoding: "its Transfer-Encoding is not chunked",
        http.errors.ExpectationFailed: "it expects something else than 100-continue",
    }
    return next((text for kind, text in kinds.items() if isinstance(error, kind)), "its first line is no request")


def _call(then: Any, conn: Any, sock: Any) -> None:
    then(conn)


def _bytes(refusal: Refusal) -> bytes:
    """A whole answer, after which the connection is closed."""
    reasons = {400: "Bad Request", 408: "Request Timeout"}
    fields = {**refusal.headers, "Connection": "close", "Content-Length": str(len(refusal.body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {refusal.code} {reasons[refusal.code]}\r\n{lines}\r\n".encode() + refusal.body


def _descriptors() -> int:
    """How many connections the file descriptors of this process last for."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    used = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else DESCRIPTORS
    return max(4, min(CONNECTIONS, limit - used - DESCRIPTORS))
