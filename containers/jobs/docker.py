"""Jobs in containers: one for each host, on a network of their own where there are several."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from algoport.algorithms.contract.errors import PlatformError, UserError
from algoport.containers.jobs import folder as folders
from algoport.containers.jobs.folder import Input


def run_hosts(folder: Path, image: str, channels: Sequence[Input], count: int) -> int:
    """Train with that many containers of the image; the exit code of the first that failed, or 0."""
    from algoport.containers.cli.job import followed

    _check(image)
    names = [f"algo-{number}" for number in range(1, count + 1)]
    with _network(count) as network:
        jobs = []
        for name in names:
            config = folders.host_config(folder, names, name)
            output = folder / "output" if name == names[0] else folder / "hosts" / name / "output"
            output.mkdir(parents=True, exist_ok=True)
            places = [
                "-v",
                f"{folder}:/opt/ml",
                "-v",
                f"{config}:/opt/ml/input/config:ro",
                "-v",
                f"{output}:/opt/ml/output",
            ]
            command = ["docker", "run", "--rm", "--user", f"{os.geteuid()}:{os.getegid()}", *places]
            command += [*folders.mounts(channels), *_named(network, name), image, "train"]
            quiet = None if name == names[0] else subprocess.DEVNULL
            jobs.append(
                subprocess.Popen(  # noqa: S603  (a list, no shell)
                    command, stdout=quiet or subprocess.PIPE, stderr=quiet, text=True, start_new_session=True
                )
            )
        return followed(jobs[0], jobs)


def _check(image: str) -> None:
    """`UserError` where there is no Docker; `PlatformError` where none answers. Docker itself names a lost image."""
    if shutil.which("docker") is None:
        raise UserError("--docker: there is no program 'docker' on this machine; without the option it runs here.")
    answer = subprocess.run(  # noqa: S603
        ["docker", "image", "inspect", image],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    if "Cannot connect" in answer.stderr:
        raise PlatformError(f"Docker does not answer: {answer.stderr.strip()}")
    if answer.returncode:
        raise UserError(f"{image}: there is no such image on this machine; `algoport build` makes it.")


@contextmanager
def _network(count: int) -> Iterator[str | None]:
    """A network for the containers to find each other by name; none for a single one."""
    if count == 1:
        yield None
        return
    name = f"algoport-{secrets.token_hex(4)}"
    subprocess.run(["docker", "network", "create", name], check=True, stdout=subprocess.DEVNULL)  # noqa: S603, S607
    try:
        yield name
    finally:
        subprocess.run(["docker", "network", "rm", name], check=False, stdout=subprocess.DEVNULL)  # noqa: S603, S607


def _named(network: str | None, name: str) -> list[str]:
    return ["--network", network, "--network-alias", name, "--hostname", name] if network else ["--network", "none"]
