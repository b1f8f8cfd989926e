"""How commands reach the process that runs an endpoint: a socket in a folder that only its user may enter.

A request is a line of JSON; lines of JSON come back: what happens (`say`), at the end `done`, or `error` and `code`.
Who closes the connection before the end takes the request back.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Self

from algoport.algorithms.contract.errors import AlgoportError, PlatformError, UserError
from algoport.containers.deployment.fleet import Say

PLACE = "socket.json"  # in an endpoint's folder: where its socket is
LINE = 1 << 20  # bytes of a line
Act = Callable[[Mapping[str, Any], Say], Awaitable[str]]  # does what a request asks; a sentence about it


class Listener:
    """Answers commands while it is entered."""

    def __init__(self, folder: Path, act: Act) -> None:
        self._place, self._act = folder / PLACE, act
        # The paths of sockets must be short, and those of home folders may not be.
        self._folder = Path(tempfile.mkdtemp(prefix="algoport-"))
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        path = self._folder / "socket"
        self._server = await asyncio.start_unix_server(self._answer, path, limit=LINE)
        self._place.write_text(json.dumps({"socket": str(path)}))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._place.unlink(missing_ok=True)
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)

        def put(**words: Any) -> None:
            writer.write(json.dumps(words).encode() + b"\n")

        try:
            asked = json.loads(await reader.readline())
            act = asyncio.ensure_future(self._act(asked, lambda line: put(say=line)))
            gone = asyncio.ensure_future(reader.read(1))
            try:
                await asyncio.wait([act, gone], return_when=asyncio.FIRST_COMPLETED)
                if act.done():
                    put(done=act.result())
            finally:
                gone.cancel()
                act.cancel()
                with contextlib.suppress(asyncio.CancelledError, AlgoportError):
                    await act
        except AlgoportError as error:
            put(error=error.findings, code=error.code)
        except (ValueError, OSError, asyncio.CancelledError):  # the last where the endpoint ends
            pass
        finally:
            self._tasks.discard(task)
            with contextlib.suppress(OSError):
                await writer.drain()
            writer.close()


async def ask(folder: Path, name: str, asked: Mapping[str, Any], say: Say) -> str:
    """What the process that runs an endpoint answers; its errors are raised here."""
    try:
        place = json.loads((folder / PLACE).read_bytes())["socket"]
        reader, writer = await asyncio.open_unix_connection(place, limit=LINE)
    except (OSError, ValueError, KeyError):
        raise UserError(
            f"{name}: no endpoint of that name runs; `algoport deploy MODEL --endpoint {name}` starts one."
        ) from None
    try:
        writer.write(json.dumps(asked).encode() + b"\n")
        while line := await reader.readline():
            said = json.loads(line)
            if "say" in said:
                say(said["say"])
            elif "done" in said:
                return str(said["done"])
            else:
                raise UserError(said["error"]) if said["code"] == 2 else PlatformError("\n".join(said["error"]))
        raise PlatformError(f"{name}: has ended meanwhile.")
    finally:
        writer.close()
