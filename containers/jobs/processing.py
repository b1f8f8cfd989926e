"""A processing job as it is described and laid out (contract, section 5): inputs, results, arguments of its program."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ConfigDict

from algoport.containers.jobs.channels import NAME, Channel
from algoport.containers.jobs.script import LAUNCHER, Script

PLACE = "/opt/ml/processing"  # what programs call the folder of inputs and results
MOST = 10  # inputs, and results
CODE = "code"


@dataclass(frozen=True, kw_only=True)
class Processing:
    """What a program reads and makes, below `/opt/ml/processing`."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    inputs: tuple[Channel, ...] = ()  # at input/NAME
    results: tuple[str, ...] = ()  # at output/NAME
    arguments: tuple[str, ...] = ()

    def faults(self) -> Iterator[str]:
        """Sentences on what is not as it must be."""
        names = [one.name for one in self.inputs]
        for kind, given in (("input", names), ("result", list(self.results))):
            if len(given) > MOST:
                yield f"processing: has at most {MOST} {kind}s; these are {len(given)}."
            yield from (
                f"processing: {kind} '{name}' is given twice." for name in sorted(set(given)) if given.count(name) > 1
            )
        if CODE in names:
            yield f"processing: input '{CODE}' is the place of the program's own code; name it otherwise."
        for one in self.inputs:
            yield from one.faults()
        yield from (
            f"processing: the result {name!r} must be a name of 1 to 64 letters, digits, dots, hyphens and "
            "underscores, and no path."
            for name in self.results
            if not NAME.fullmatch(name)
        )

    def config(self, name: str, script: Script, hosts: int) -> dict[str, Any]:
        """`processingjobconfig.json`."""
        entries = [
            {
                "InputName": one.name,
                "S3Input": {
                    "LocalPath": f"{PLACE}/input/{one.name}",
                    "S3Uri": f"file://{one.path.absolute()}",
                    "S3DataDistributionType": one.distribution,
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                    "S3CompressionType": "None",
                    "S3DownloadMode": "StartOfJob",
                },
            }
            for one in self.inputs
        ]
        made = [
            {"OutputName": one, "S3Output": {"LocalPath": f"{PLACE}/output/{one}", "S3UploadMode": "EndOfJob"}}
            for one in self.results
        ]
        program = {"ContainerEntrypoint": ["python3", f"{PLACE}/input/{CODE}/{script.entry}"]}
        return {
            "ProcessingJobName": name,
            "AppSpecification": {**program, "ContainerArguments": list(self.arguments)},
            "ProcessingInputs": entries,
            "ProcessingOutputConfig": {"Outputs": made},
            "ProcessingResources": {"ClusterConfig": {"InstanceCount": hosts}},
        }

    def lay_out(self, base: Path, number: int, hosts: int, script: Script, *, linked: bool) -> None:
        """Make the folders of one host; inputs and code are linked, or empty places to be mounted over."""
        place = base / "processing"
        for name in self.results:
            (place / "output" / name).mkdir(parents=True, exist_ok=True)
        (place / "output").mkdir(parents=True, exist_ok=True)
        for path, source in self.placed(number, hosts, script).items():
            target = place / "input" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if linked:
                target.symlink_to(source, target_is_directory=source.is_dir())
            elif source.is_dir():
                target.mkdir()
            else:
                target.touch()

    def placed(self, number: int, hosts: int, script: Script) -> dict[str, Path]:
        """What one host gets: paths below `input`, and what lies there."""
        places = {CODE: script.source.resolve()}
        for one in self.inputs:
            places |= one.placed(number, hosts)
        return places

    def words(self, base: Path, script: Script) -> tuple[str, ...]:
        """The command of a host that is a process: paths as programs have them are those of the job's folder."""
        here = [one.replace(PLACE, str(base / "processing")) for one in self.arguments]
        return (*LAUNCHER, "process", str(base / "processing" / "input" / CODE), script.entry, *here)

    def in_container(self, script: Script) -> tuple[str, ...]:
        """Entrypoint and arguments of a container."""
        return f"{PLACE}/input/{CODE}/{script.entry}", *self.arguments


def message(base: Path) -> str:
    """What a job says at its end, in `output/message`: its first 1,024 bytes."""
    try:
        with open(base / "output" / "message", "rb") as file:
            return file.read(1024).decode(errors="replace").strip()
    except OSError:
        return ""


def environment(base: Path) -> dict[str, str]:
    """The variables of a host that is a process."""
    return {"ALGOPORT_PROCESSING": os.path.join(base, "processing")}
