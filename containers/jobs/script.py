"""A program of the user's own as a job describes it: which one, where its code lies, how many processes run it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar

from pydantic import ConfigDict

# -P: the current folder is the user's, and may hold another `algoport`.
LAUNCHER = (sys.executable, "-P", "-m", "algoport.containers.scripts")
_ARCHIVES = (".tar.gz", ".tgz", ".tar")


@dataclass(frozen=True, kw_only=True)
class Script:
    """Code and its program, in script mode: `sagemaker_program` and `sagemaker_submit_directory`."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    entry: str  # the program, relative to the folder or the archive
    source: Path  # a folder, or an archive
    torchrun: bool = False  # whether torchrun starts it, on all hosts of the job
    processes: int | None = None  # of torchrun on each host; None: one a GPU, or one
    python: str | None = None  # that runs it on this machine; None: the one that runs this

    @property
    def is_archive(self) -> bool:
        """Whether the code is to be unpacked."""
        return self.source.name.endswith(_ARCHIVES) and not self.source.is_dir()

    def faults(self) -> Iterator[str]:
        """Sentences on what is not as it must be."""
        path = PurePosixPath(self.entry)
        if not self.entry or path.is_absolute() or ".." in path.parts:
            yield f"script.entry: must lie below the folder of the code; it is {self.entry!r}."
        elif not self.source.exists():
            yield f"script.source: there is nothing at {self.source}."
        elif self.source.is_dir():
            if not (self.source / self.entry).is_file() and not (self.source / "setup.py").is_file():
                yield f"script.entry: there is no {self.entry} in {self.source}."
        elif not self.is_archive:
            yield f"script.source: must be a folder or an archive ({', '.join(_ARCHIVES)}); it is {self.source}."
        if self.processes is not None and not self.torchrun:
            yield "script.processes: is for torchrun."
        elif self.processes is not None and not 1 <= self.processes <= 1024:
            yield f"script.processes: must be from 1 to 1024; it is {self.processes}."

    def settings(self, submitted: Path) -> dict[str, str]:
        """The hyperparameters of the platform that say so, for code that lies there in the job's own eyes."""
        made: dict[str, object] = {"sagemaker_program": self.entry, "sagemaker_submit_directory": str(submitted)}
        if self.torchrun:
            made["sagemaker_torch_distributed_enabled"] = True
        if self.processes is not None:
            made["sagemaker_torch_processes_per_host"] = self.processes
        return {name: json.dumps(value) for name, value in made.items()}
