"""What commands ask of the process that runs an endpoint, and what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import uvloop

from algoport.algorithms.contract.errors import PlatformError, UserError
from algoport.containers.deployment import channel
from algoport.containers.deployment.fleet import Say


def asked(act: channel.Act, folder: Path, words: Mapping[str, Any] | None = None) -> tuple[str, list[str]]:
    """What is answered, and what is said before."""

    async def run() -> tuple[str, list[str]]:
        lines: list[str] = []
        async with channel.Listener(folder, act):
            return await channel.ask(folder, "one", words or {}, lines.append), lines

    return uvloop.run(run())


def test_lines_and_the_answer_come_back(tmp_path: Path) -> None:
    async def act(words: Mapping[str, Any], say: Say) -> str:
        say("first")
        say("second")
        return f"done: {words['do']}"

    assert asked(act, tmp_path, {"do": "it"}) == ("done: it", ["first", "second"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [UserError(["one fault", "another"]), PlatformError("it went wrong")])
def test_an_error_is_raised_where_it_was_asked(error: UserError | PlatformError, tmp_path: Path) -> None:
    async def act(words: Mapping[str, Any], say: Say) -> str:
        raise error

    with pytest.raises(type(error)) as raised:
        asked(act, tmp_path)

    assert str(raised.value) == str(error)


def test_who_leaves_takes_the_request_back(tmp_path: Path) -> None:
    async def run() -> bool:
        beginning, ended = asyncio.Event(), asyncio.Event()

        async def act(words: Mapping[str, Any], say: Say) -> str:
            beginning.set()
            try:
                await asyncio.sleep(3600)
            finally:
                ended.set()
            return "never"

        async with channel.Listener(tmp_path, act):
            asking = asyncio.create_task(channel.ask(tmp_path, "one", {}, print))
            await beginning.wait()
            asking.cancel()
            await ended.wait()
        return ended.is_set()

    assert uvloop.run(run())


def test_an_endpoint_that_ends_meanwhile_is_told(tmp_path: Path) -> None:
    faults: list[Any] = []

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        beginning = asyncio.Event()

        async def act(words: Mapping[str, Any], say: Say) -> str:
            beginning.set()
            await asyncio.sleep(3600)
            return "never"

        async with channel.Listener(tmp_path, act):
            asking = asyncio.create_task(channel.ask(tmp_path, "one", {}, print))
            await beginning.wait()
        with pytest.raises(PlatformError, match="one: has ended meanwhile"):
            await asking

    uvloop.run(run())
    assert not faults


def test_an_endpoint_that_does_not_run_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="one: no endpoint of that name runs; `algoport deploy MODEL --endpoint one`"):
        asyncio.run(channel.ask(tmp_path, "one", {}, print))
    (tmp_path / channel.PLACE).write_text('{"socket": "/nowhere/socket"}')  # of one that was killed
    with pytest.raises(UserError, match="one: no endpoint of that name runs"):
        asyncio.run(channel.ask(tmp_path, "one", {}, print))
