"""The folder of a job, laid out as the contract has it below `/opt/ml`, for each host.

The first host's is the job's own folder, which so holds `input`, `model` and `output`; those of further hosts lie in
`hosts`. `run` holds what is known of the job while it runs and after.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from algoport.algorithms.contract.errors import UserError
from algoport.containers.jobs.channels import Channel
from algoport.containers.jobs.description import Description

ALGORITHM = "algorithm.json"  # whose job it is; not all models say so
INSIDE = Path("/opt/ml")  # what the folder is in a container


def lay_out(description: Description, *, linked: bool = True) -> None:
    """Make, or make anew, the input side of a job, and clear what an earlier job there left: its model is kept as
    `model.before`, so that nobody takes it for this job's.

    Data is linked, not copied. Without `linked` there are empty places to be mounted over.
    """
    folder = description.folder
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: must be a folder, and is a file.")
    if folder.is_dir() and _is_foreign(folder):
        raise UserError(f"{folder}: is neither empty nor the folder of a job; name another.")
    (folder / "input" / "config").mkdir(parents=True, exist_ok=True)  # first: by this it is known as ours
    for old in (description.folder / "hosts", description.run):
        shutil.rmtree(old, ignore_errors=True)
    description.run.mkdir(parents=True)
    if description.checkpoints is not None:
        description.checkpoints.mkdir(parents=True, exist_ok=True)
    for number, host in enumerate(description.host_names):
        _host(description, number, host, linked)


def _is_foreign(folder: Path) -> bool:
    """Whether it holds what is not of a job, as far as `lay_out` has come with it before it was killed."""
    entries = [entry.name for entry in folder.iterdir()]
    inner = folder / "input"
    unfinished = entries == ["input"] and inner.is_dir() and not any(inner.iterdir())
    return bool(entries) and not (inner / "config").is_dir() and not unfinished


def _host(description: Description, number: int, host: str, linked: bool) -> None:
    base = description.base(host)
    config, data = base / "input" / "config", base / "input" / "data"
    shutil.rmtree(data, ignore_errors=True)
    _put_aside(base / "model")
    for place in (config, data, base / "model", base / "output"):
        place.mkdir(parents=True, exist_ok=True)
    (base / "output" / "failure").unlink(missing_ok=True)
    if description.algorithm is not None:
        write(config / ALGORITHM, {"algorithm": description.algorithm})
    write(config / "hyperparameters.json", {**description.hyperparameters, **_code(description, base, linked)})
    write(config / "inputdataconfig.json", {channel.name: channel.entry for channel in description.channels})
    hosts = {"current_host": host, "hosts": list(description.host_names), "network_interface_name": "eth0"}
    write(config / "resourceconfig.json", hosts)
    _checkpoints(description, config / "checkpointconfig.json", inside=not linked)
    _processing(description, base, number, hosts, linked)
    for channel in description.channels:
        _place(channel, data, channel.placed(number, description.hosts), linked)


def _processing(description: Description, base: Path, number: int, hosts: dict[str, Any], linked: bool) -> None:
    """Lay out a processing job: its two files, inputs, and places of results."""
    shutil.rmtree(base / "processing", ignore_errors=True)
    (base / "output" / "message").unlink(missing_ok=True)
    if description.processing is None or description.script is None:
        return
    (base / "config").mkdir(exist_ok=True)
    asked = description.processing.config(description.name, description.script, description.hosts)
    write(base / "config" / "processingjobconfig.json", {**asked, "Environment": dict(description.environment)})
    write(base / "config" / "resourceconfig.json", {name: hosts[name] for name in ("current_host", "hosts")})
    description.processing.lay_out(base, number, description.hosts, description.script, linked=linked)


def _code(description: Description, base: Path, linked: bool) -> dict[str, str]:
    """Lay out the code of a script; the settings that name it. A folder is linked, or mounted over an empty place; an
    archive lies beside the data, and is unpacked by the job."""
    code, packed = base / "code", base / "input" / "sourcedir.tar.gz"
    packed.unlink(missing_ok=True)
    if code.is_symlink():
        code.unlink()
    script = description.script
    if script is None:
        return {}
    shutil.rmtree(code, ignore_errors=True)
    root = base if linked else INSIDE
    if script.is_archive:
        code.mkdir()
        shutil.copyfile(script.source, packed)
        return script.settings(root / "input" / packed.name)
    if linked:
        code.symlink_to(script.source.resolve(), target_is_directory=True)
    else:
        code.mkdir()
    return script.settings(root / "code")


def _checkpoints(description: Description, path: Path, *, inside: bool) -> None:
    path.unlink(missing_ok=True)
    if description.checkpoints is not None:
        place = INSIDE / "checkpoints" if inside else description.checkpoints.absolute()
        write(path, {"LocalPath": str(place)})


def _place(channel: Channel, data: Path, placed: dict[str, Path], linked: bool) -> None:
    if channel.mode != "Pipe" and channel.name not in placed:
        (data / channel.name).mkdir()
    for name, source in placed.items():
        place = data / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if linked:
            place.symlink_to(source, target_is_directory=source.is_dir())
        elif source.is_dir():
            place.mkdir()
        else:
            place.touch()


def _put_aside(model: Path) -> None:
    if model.is_dir() and any(model.iterdir()):
        before = model.with_name("model.before")
        shutil.rmtree(before, ignore_errors=True)
        model.rename(before)


def write(path: Path, value: Any) -> None:
    """Write JSON whole or not at all."""
    beside = path.with_name(f".{path.name}")
    beside.write_text(json.dumps(value, indent=1))
    os.replace(beside, path)


def read(path: Path) -> dict[str, Any] | None:
    """The object in a file; None where there is none."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
