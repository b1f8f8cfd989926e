"""One server that answers for a model: a process of this installation, a container, or a URL that answers already."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import urllib3

from algoport.algorithms.contract.errors import PlatformError, UserError, one_line
from algoport.algorithms.shared import machine
from algoport.containers.endpoints import leash
from algoport.containers.jobs.docker import bind

PORT = 8080  # on which a container listens
PATIENCE = 600.0  # seconds for a start, as the platform's own servers have
LOOK = 0.05  # seconds between two looks whether it is healthy
TAIL = 4096  # bytes at the end of a log in which its last words stand
STARTS = 3  # tries, as somebody else may take the port between its choice and its use


@dataclass(frozen=True, kw_only=True)
class Served:
    """What answers: a model of an algorithm that is installed here, or one in an image. Both are data."""

    model: Path | None = None  # its folder; an image may do without
    algorithm: str | None = None
    image: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What a sentence calls it."""
        return self.image or str(self.model)

    @property
    def identity(self) -> dict[str, Any]:
        """What tells it from another: the image by its digest, the files of the model by size and time.

        `UserError` where there is no such image.
        """
        made: dict[str, Any] = {"algorithm": self.algorithm}
        if self.image is not None:
            made["image"] = digest(self.image)
        if self.model is not None:
            files = sorted(path for path in self.model.rglob("*") if path.is_file())
            states = [(path, path.stat()) for path in files]
            made["model"] = [[str(path.relative_to(self.model)), at.st_size, at.st_mtime_ns] for path, at in states]
        return made


def digest(image: str) -> str:
    """The digest of an image on this machine; `UserError` where there is none of that name, or no Docker."""
    if shutil.which("docker") is None:
        raise UserError("An image needs Docker, and there is no program 'docker' on this machine.")
    asked = ["docker", "image", "inspect", "--format", "{{.Id}}", image]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode and "no such image" not in done.stderr.lower():
        raise PlatformError(f"Docker does not answer: {one_line(done.stderr.strip(), 300)}")
    if done.returncode:
        raise UserError(f"{image}: there is no such image on this machine.")
    return done.stdout.strip()


class Endpoint(Protocol):
    """Something that answers at a URL."""

    url: str

    def fault(self) -> str | None:
        """Why it cannot answer any more, where that is known."""
        ...

    def close(self) -> None:
        """Let go of it; what was started for it ends."""
        ...


@dataclass
class Elsewhere:
    """An endpoint that runs already, and goes on running."""

    url: str

    def fault(self) -> str | None:
        """Nothing is known of it but what it answers."""
        return None

    def close(self) -> None:
        """Nothing was started."""


class Server:
    """A server that was started here, healthy; it ends with `close`, and with this process at the latest."""

    def __init__(
        self, served: Served, log: Path, *, share: int = 1, patience: float = PATIENCE, wait: bool = True
    ) -> None:
        """Start it and wait until it is healthy. `share`: how many servers share the cores of this machine.

        Raises `UserError` where it says itself why it cannot start, and `PlatformError` where it takes too long.
        Without `wait` the caller asks itself, and `fault` says whether it has ended.
        """
        self._served, self._log, self._share = served, log, share
        self._base: Path | None = None
        self._container: str | None = None
        if wait:
            self._run(patience)
        else:
            self._start()

    def _run(self, patience: float) -> None:
        """Start it, with another port where somebody else has been quicker, and wait until it is healthy."""
        for number in range(STARTS):
            self._start()
            try:
                self._await(patience)
            except BaseException as error:
                self.close()
                if number + 1 < STARTS and isinstance(error, UserError) and "cannot be listened on" in str(error):
                    continue
                raise
            break

    def _start(self) -> None:
        self._port = self._choose_port()
        self.url = f"http://127.0.0.1:{self._port}"
        command, environment = self._command()
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with open(self._log, "wb") as log:
            self._child = subprocess.Popen(  # noqa: S603  (a list, no shell)
                [sys.executable, "-P", leash.__file__, str(self._base or ""), *command],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for who started it
            )

    def _choose_port(self) -> int:
        return free_port()

    def _command(self) -> tuple[list[str], dict[str, str]]:
        """The words that start it, and its environment."""
        return self._contained() if self._served.image else self._process()

    def _process(self) -> tuple[list[str], dict[str, str]]:
        served = self._served
        if served.model is None or served.algorithm is None:
            raise UserError("A server needs the folder of a model, or an image.")
        self._base = Path(tempfile.mkdtemp(prefix="algoport-endpoint-"))
        (self._base / "model").symlink_to(served.model.absolute(), target_is_directory=True)
        ours = {
            "ALGORITHM": served.algorithm,
            "SAGEMAKER_BASE_DIR": str(self._base),
            "SAGEMAKER_BIND_TO_PORT": str(self._port),
            "PYTHONUNBUFFERED": "1",
        }
        if self._share > 1:
            ours["ALGOPORT_CORES"] = str(max(1, machine.cores() // self._share))
        # -P: the current folder is the user's, and may hold another `algoport`.
        return [sys.executable, "-P", "-m", "algoport.serving"], {**os.environ, **ours, **served.environment}

    def _contained(self) -> tuple[list[str], dict[str, str]]:
        served = self._served
        digest(served.image or "")  # says better than `docker run` that there is none
        self._container = f"algoport-endpoint-{secrets.token_hex(6)}"
        words = ["docker", "run", "--rm", "--pull", "never", "--name", self._container]
        words += ["--publish", f"127.0.0.1:{self._port}:{PORT}"]
        if self._share > 1:
            words += ["--cpus", f"{machine.cores() / self._share:g}"]
        if served.model is not None:
            words += bind(served.model.absolute(), "/opt/ml/model", "readonly")
        for name, value in served.environment.items():
            words += ["--env", f"{name}={value}"]
        return [*words, served.image or "", "serve"], dict(os.environ)

    def _await(self, patience: float) -> None:
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if self._child.poll() is not None:
                raise UserError(f"{self._served.name}: the server does not start: {self._last_words()}")
            if is_healthy(self.url):
                return
            time.sleep(LOOK)
        raise PlatformError(f"{self._served.name}: the server is not healthy after {patience:g} seconds.")

    def fault(self) -> str | None:
        """Why it has ended, in the last words of its log; None while it runs."""
        code = self._child.poll()
        if code is None:
            return None
        return f"{self._served.name}: the server has ended with exit code {code}: {self._last_words()}"

    def _last_words(self) -> str:
        with contextlib.suppress(OSError), open(self._log, "rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - TAIL))
            lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
            if lines:
                return one_line(lines[-1], 600)
        return f"its log, {self._log}, is empty."

    def close(self) -> None:
        """End it, and wait until it has."""
        assert self._child.stdin is not None
        with contextlib.suppress(OSError):
            self._child.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            if (
                self._child.wait(leash.GRACE + 5) < 0
            ):  # the leash itself was killed, and the server may have outlived it
                self.kill()
        if self._base is not None:
            shutil.rmtree(self._base, ignore_errors=True)
            self._base = None

    def kill(self) -> None:
        """End it at once, with what holds it: the process group, and the container, which is in none. What remains is
        for `close`."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        if self._container is not None:
            subprocess.run(["docker", "rm", "--force", self._container], capture_output=True, check=False)  # noqa: S603, S607

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def is_healthy(url: str) -> bool:
    """Whether `/ping` answers 200."""
    with contextlib.suppress(urllib3.exceptions.HTTPError):
        return urllib3.request("GET", f"{url}/ping", timeout=2.0, retries=False).status == 200
    return False


def check_free(port: int) -> None:
    """`UserError` where somebody listens on a port already: whoever asks there would be answered by another server."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104  (as the server will)
        except OSError as error:
            raise UserError(f"--port {port}: cannot be listened on: {error.strerror}. Choose another.") from None


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
