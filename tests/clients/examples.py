"""The examples of docs/clients.md, run as they stand there: `python -m tests.clients.examples [WORD ...]`.

Each runs in the client's own environment, in an empty folder that is its home too, so that nobody's settings are read
or changed. Whatever it would send to the outside goes to a proxy that only counts who comes. How each
went becomes a line of `benchmarks/results/clients.jsonl`.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from algoport import algorithms
from algoport.containers.pages.clients import code

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/clients.md"
ENVIRONMENTS = {"version 2": ROOT / ".peers/sagemaker", "version 3": ROOT / ".peers/sagemaker3"}
RECORD = ROOT / "benchmarks/results/clients.jsonl"
PATIENCE = 900  # seconds for an example, many times what one takes
TELEMETRY = 'SchemaVersion: "1.0"\nSageMaker: {PythonSDK: {Modules: {TelemetryOptOut: true}}}\n'


@dataclass(frozen=True)
class Example:
    """One section of the page."""

    client: str  # "version 2"
    title: str
    code: str  # with all that stands before the sections: the data, and what the client's examples share

    @property
    def name(self) -> str:
        return f"{self.client}: {self.title}"

    @property
    def images(self) -> list[str]:
        """The algorithms whose images it starts, or `script`."""
        named = [name for name in algorithms.names() if f'"{name}"' in self.code]
        return [*named, *(["script"] if '"algoport/script:cpu"' in self.code else [])]


@dataclass(frozen=True)
class Run:
    """How one went."""

    code: int
    output: str
    seconds: float
    strangers: int  # connections to the outside that it tried


def examples() -> list[Example]:
    """All of the page, in order."""
    _, *chapters = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)
    data = code(next(chapter for chapter in chapters if chapter.startswith("The data")))
    every = []
    for chapter in chapters:
        client = re.search(r"version \d", chapter.splitlines()[0])
        shared, *sections = re.split(r"^### ", chapter, flags=re.MULTILINE)
        for section in sections if client else ():
            title = section.splitlines()[0]
            every.append(Example(client[0], title, "\n".join([data, code(shared), code(section)])))
    return every


def run(example: Example, folder: Path) -> Run:
    """Run it in an empty folder; its containers are gone afterwards."""
    (folder / "example.py").write_text(example.code)
    start = time.monotonic()
    with Proxy() as proxy:
        try:
            done = subprocess.run(
                [ENVIRONMENTS[example.client] / "bin/python", "example.py"],
                cwd=folder, env=_environment(folder, proxy.port), text=True, timeout=PATIENCE, check=False,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
        finally:
            clear(folder)
    return Run(done.returncode, done.stdout, time.monotonic() - start, proxy.strangers)


def _environment(folder: Path, proxy: int) -> dict[str, str]:
    (folder / "home/.sagemaker").mkdir(parents=True)
    (folder / "home/settings.yaml").write_text(TELEMETRY)
    (folder / "containers").mkdir()
    local = f"local: {{serving_port: {_free_port()}, container_root: {folder}/containers}}\n"
    (folder / "home/.sagemaker/config.yaml").write_text(local)
    docker = {name: value for name, value in os.environ.items() if name.startswith("DOCKER_")}
    return docker | {
        "PATH": os.environ["PATH"],
        "HOME": str(folder / "home"),
        "DOCKER_CONFIG": os.environ.get("DOCKER_CONFIG", str(Path.home() / ".docker")),
        "SAGEMAKER_USER_CONFIG_OVERRIDE": str(folder / "home/settings.yaml"),
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "HTTPS_PROXY": f"http://127.0.0.1:{proxy}",
        "HTTP_PROXY": f"http://127.0.0.1:{proxy}",
        "NO_PROXY": "localhost,127.0.0.1",
        "PYTHONUNBUFFERED": "1",
    }


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def clear(folder: Path) -> None:
    """Remove the containers whose compose file lies in the folder: the SDK leaves them, stopped."""
    format_ = '{{.ID}} {{.Label "com.docker.compose.project.working_dir"}}'
    done = subprocess.run(["docker", "ps", "-a", "--format", format_], text=True, capture_output=True, check=False)
    ours = [line.split()[0] for line in done.stdout.splitlines() if line.partition(" ")[2].startswith(str(folder))]
    if ours:
        subprocess.run(["docker", "rm", "-f", "-v", *ours], capture_output=True, check=False)


class Proxy:
    """Counts those who would go out, and lets nobody."""

    def __enter__(self) -> Proxy:
        self.strangers = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _listen(self) -> None:
        while True:
            try:
                caller, _ = self._socket.accept()
            except OSError:
                return
            self.strangers += 1
            caller.close()


def note(example: Example, done: Run, *, good: bool) -> None:
    """A line of the record: when, with which version of the client, and how it went."""
    package = {"version 2": "sagemaker", "version 3": "sagemaker-train"}[example.client]
    shown = subprocess.run(
        [ENVIRONMENTS[example.client] / "bin/python", "-m", "pip", "show", package],
        text=True, capture_output=True, check=False,
    ).stdout  # fmt: skip
    version = "".join(re.findall(r"^Version: (.*)$", shown, re.MULTILINE))
    entry = {
        "when": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        "client": f"{package} {version}",
        "example": example.title,
        "seconds": round(done.seconds, 1),
        "outside": done.strangers,
        "good": good,
    }
    with open(RECORD, "a") as file:
        file.write(json.dumps(entry) + "\n")


def main(words: list[str]) -> int:
    """Run all examples whose names have one of the words; how many failed."""
    failed = 0
    for example in examples():
        if words and not any(word in example.name for word in words):
            continue
        with tempfile.TemporaryDirectory(prefix="algoport-clients-") as folder:
            done = run(example, Path(folder))
        good = done.code == 0 and not done.strangers
        failed += not good
        print(f"{'ok    ' if good else 'FAILED'} {done.seconds:5.1f} s  {example.name}", flush=True)
        note(example, done, good=good)
        if not good:
            print(f"{done.output[-6000:]}\n{done.strangers} connections to the outside")
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
