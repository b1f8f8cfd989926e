"""The log of the server: what is not well, and a line a request where that is asked for."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Mapping
from typing import Any

from gunicorn import glogging

from algoport.algorithms.shared.log import fault, level, note, start, warn


def access(kind: str, facts: Mapping[str, Any]) -> None:
    """One line on a request, as JSON or as text; not at the mercy of the level, since it was asked for."""
    now = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
    if kind == "json":
        line = json.dumps({"time": stamp, **facts})
    else:
        line = " ".join([stamp, *(f"{name}={_plain(value)}" for name, value in facts.items() if value is not None)])
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _plain(value: object) -> str:
    """In one word: what came from outside cannot make a second line, or look like another entry."""
    text = str(value)
    return text if text.isascii() and text.isprintable() and " " not in text else json.dumps(text)


class Gunicorn(glogging.Logger):  # type: ignore[misc]
    """Gunicorn's own sentences: warnings and worse, or all where the level asks for them."""

    def setup(self, cfg: Any) -> None:
        """Let them go where ours go."""
        self.error_log = logging.getLogger("algoport.gunicorn")
        self.error_log.setLevel(logging.DEBUG if level() <= logging.DEBUG else max(logging.WARNING, level()))
        self.access_log = logging.getLogger("algoport.access")

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """Nothing: requests are logged by the application, which knows more of them."""

    def reopen_files(self) -> None:
        """Nothing: there are none."""


__all__ = ["Gunicorn", "access", "fault", "note", "start", "warn"]
