"""The worker process: gunicorn's threads, made so that nobody slow keeps a thread from those who are not."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import struct
import sys
import time
from functools import partial
from typing import Any

from gunicorn import util
from gunicorn.workers.gthread import ThreadWorker

from algoport.serving.refusals import Refusal

STALL = 20  # seconds that a client may send nothing in the middle of a request, or read nothing of its answer
YIELD = 0.0005  # seconds in which a worker with fewer connections takes the new one, unless it is busier than it looks


class Worker(ThreadWorker):  # type: ignore[misc]
    """Threads that wait for nothing but predictions."""

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
        super().accept(listener)
        self.app.peers.have(self.nr_conns)

    def notify(self) -> None:
        """A sign of life, at each turn of the loop; and how many connections there are."""
        super().notify()
        self.app.peers.have(self.nr_conns)

    def enqueue_req(self, conn: Any) -> None:
        """A connection gets a thread when it has something to say, and not before."""
        if conn.initialized or conn.data_ready:
            super().enqueue_req(conn)
            return
        stall = struct.pack("@ll", STALL, 0)
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, stall)
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, stall)
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + self.cfg.keepalive
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def handle(self, conn: Any) -> Any:
        """One request; a client that has stopped in the middle of it is let go without a word in the log."""
        try:
            keep_alive = super().handle(conn)
        except BlockingIOError:
            keep_alive = False
        if not keep_alive:
            # Here and not in the main loop, which a client that does not close its end would hold up for seconds.
            util.close_graceful(conn.sock, timeout=1.0)
            conn.close = _ignore_close
        return keep_alive

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """What is no HTTP gets a JSON answer, too."""
        if isinstance(exc, BlockingIOError | ConnectionError):
            return
        refusal = Refusal(400, f"The request is not HTTP that can be read: {exc}")
        head = f"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: {len(refusal.body)}\r\n"
        lines = "".join(f"{name}: {value}\r\n" for name, value in refusal.headers.items())
        with contextlib.suppress(OSError):
            client.sendall((head + lines + "\r\n").encode() + refusal.body)

    def run(self) -> None:
        """Serve until a stop; then end at once, for a thread that is stuck would keep the process from it."""
        super().run()
        sys.stdout.flush()
        os._exit(0)


def _ignore_close(graceful: bool = False) -> None:
    """Nothing: the connection has been closed."""
