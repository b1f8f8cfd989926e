"""A pipeline on this machine: a server for each container, and the front before them."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from algoport.containers.endpoints.server import PATIENCE, Served, Server, check_free
from algoport.containers.pipelines.description import Pipeline


class _Front(Server):
    """The front, as a process that ends as the servers do."""

    def __init__(self, pipeline: Pipeline, servers: list[Server], log: Path, port: int | None, timeout: float) -> None:
        self._pipeline, self._servers, self._fixed, self._timeout = pipeline, servers, port, timeout
        super().__init__(Served(model=Path("the front of the pipeline")), log)

    def _choose_port(self) -> int:
        if self._fixed is None:
            return super()._choose_port()
        check_free(self._fixed)
        return self._fixed

    def _command(self) -> tuple[list[str], dict[str, str]]:
        words = [sys.executable, "-P", "-m", "algoport.containers.pipelines.front", "--port", str(self._port)]
        words += ["--timeout", f"{self._timeout:g}", *(["--direct"] if self._pipeline.direct else [])]
        for stage, server in zip(self._pipeline.stages, self._servers, strict=True):
            words += ["--stage", f"{stage.name}={server.url.removeprefix('http://')}"]
        return words, {**os.environ, "PYTHONUNBUFFERED": "1"}


class Started:
    """All of it, healthy; it ends with `close`, and with this process at the latest."""

    def __init__(
        self, pipeline: Pipeline, logs: Path, *, share: int = 1, port: int | None = None, timeout: float = 60.0
    ) -> None:
        """Start it. `share`: how many of its kind share the cores of this machine; its servers share what is left.

        Raises what `Server` raises, with nothing left running.
        """
        if port is not None:
            check_free(port)  # before anything that takes time
        self._stack = ExitStack()
        count = len(pipeline.stages)
        try:
            servers: list[Server | None] = [None] * count

            def start(number: int) -> None:
                stage = pipeline.stages[number]
                server = Server(stage.served, logs / f"{stage.name}.log", share=share * count, patience=PATIENCE)
                self._stack.callback(server.close)
                servers[number] = server

            with ThreadPoolExecutor(count) as pool:
                list(pool.map(start, range(count)))
            running = [server for server in servers if server is not None]
            front = _Front(pipeline, running, logs / "front.log", port, timeout)
            self._stack.callback(front.close)
        except BaseException:
            self._stack.close()
            raise
        self.url = front.url
        self._all = [*running, front]

    def fault(self) -> str | None:
        """Why it cannot answer any more: the first of its processes that has ended."""
        return next((fault for server in self._all if (fault := server.fault()) is not None), None)

    def close(self) -> None:
        """End all of it."""
        self._stack.close()
