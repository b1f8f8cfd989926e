"""Connections of clients: uvicorn's, which by itself waits for a head without end, and reads one that has none."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from algoport.serving.arrival import HEAD, PATIENCE

UNUSED = 65.0  # seconds that a connection may be open before its first request


class Connection(HttpToolsProtocol):
    """One of them. A head has seconds to come, and an end; how fast a body has to come is the front's affair."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """It is open."""
        super().connection_made(transport)
        self._is_head, self._size = False, 0
        self._timer: asyncio.TimerHandle | None = self.loop.call_later(UNUSED, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed."""
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some of a request."""
        was_head = self._is_head
        super().data_received(data)
        if was_head and self._is_head:
            self._size += len(data)
            if self._size > HEAD and not self.transport.is_closing():
                self.send_400_response("The head of the request is too long.")

    def on_message_begin(self) -> None:
        """The first byte of a head."""
        super().on_message_begin()
        self._stop()
        self._is_head, self._size = True, 0
        self._timer = self.loop.call_later(PATIENCE, self.transport.close)

    def on_headers_complete(self) -> None:
        """The last of it."""
        self._stop()
        self._is_head = False
        super().on_headers_complete()

    def _stop(self) -> None:
        timer: Any = getattr(self, "_timer", None)
        if timer is not None:
            timer.cancel()
            self._timer = None
