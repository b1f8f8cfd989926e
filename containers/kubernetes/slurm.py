"""The same training for Slurm: a file for `sbatch`, whose tasks are the hosts.

The script that lays out a host's folder stands in the file, as do the settings: it needs nothing but the data, which
lies in the file system that all nodes have.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator
from pathlib import Path

from algoport.algorithms.contract.errors import UserError
from algoport.containers.kubernetes import pods
from algoport.containers.kubernetes.description import Training, size

ENGINES = ("apptainer", "process")
GRACE = 120  # seconds before the limit at which a job is asked to write what it has


def script(training: Training, engine: str) -> str:
    """The file. `engine`: what runs the image on a node, or `process` where algoport is installed there."""
    training.check()
    faults = list(_faults(training, engine))
    if faults:
        raise UserError(faults)
    return "".join(f"{line}\n" for line in _lines(training, engine))


def _faults(training: Training, engine: str) -> Iterator[str]:
    if engine not in ENGINES:
        yield f"--engine: must be {' or '.join(ENGINES)}; it is {engine!r}."
    if engine == "process" and training.algorithm is None:
        yield "--engine: a process is of an algorithm that `algoport list` names; an image of your own needs apptainer."
    for what, place in (("--output", training.output), *((c.name, c.place) for c in training.channels)):
        if place.claim is not None:
            yield f"{what}: must be /PATH that every node has, as Slurm knows no claims; it is {place}."


def _lines(training: Training, engine: str) -> Iterator[str]:
    yield "#!/bin/bash"
    yield from (f"#SBATCH {option}" for option in _options(training))
    yield "set -euo pipefail"
    yield ""
    yield "export HOST_NAMES=$(scontrol show hostnames \"$SLURM_JOB_NODELIST\" | tr '\\n' ' ')"
    yield f"export OUTPUT={shlex.quote(str(training.folder))}"
    yield f"export SHARDED={shlex.quote(' '.join(_sharded(training)))}"
    yield f"export MASTER_PORT=${{MASTER_PORT:-{pods.PORT}}} TRAINING_JOB_NAME={training.name}"
    yield f"export ALGOPORT_STOPPED_CODE={pods.STOPPED}"
    for name, value in training.environment.items():
        # Apptainer takes in what begins so; its --env would divide a value at its commas.
        yield f"export {'' if engine == 'process' else 'APPTAINERENV_'}{name}={shlex.quote(value)}"
    yield 'mkdir -p "$OUTPUT"'
    yield 'export GIVEN="$OUTPUT/given"'
    yield 'mkdir -p "$GIVEN"'
    files = dict(training.files)
    if engine == "process" and training.resumes:
        files["checkpointconfig.json"] = f'{{"LocalPath": "{training.folder}/checkpoints"}}\n'
    files["host.sh"] = (Path(__file__).parent / "host.sh").read_text()
    files["node.sh"] = "".join(f"{line}\n" for line in _node(training, engine))
    for name, text in files.items():
        yield f"cat >\"$GIVEN/{name}\" <<'END_OF_{name.upper()}'"
        yield text.rstrip("\n")
        yield f"END_OF_{name.upper()}"
    yield ""
    yield "# When one host fails, the others say whom they have lost, and end."
    yield "code=0"
    yield 'srun --kill-on-bad-exit=0 --wait=0 bash "$GIVEN/node.sh" || code=$?'
    yield f"if [ $code -eq {pods.STOPPED} ]; then"
    if training.resumes:
        yield '    scontrol requeue "$SLURM_JOB_ID" # stopped before its end: it resumes from its checkpoints'
        yield "    exit 0"
    else:
        yield "    code=0 # stopped before its end: the model is what it had"
    yield "fi"
    yield "exit $code"


def _options(training: Training) -> Iterator[str]:
    resources = training.resources
    yield f"--job-name={training.name}"
    yield f"--nodes={training.hosts}"
    yield "--ntasks-per-node=1"
    yield f"--cpus-per-task={math.ceil(resources.cores)}"
    if resources.memory:
        # In mebibytes, Slurm's own unit: it takes whole numbers only.
        yield f"--mem={math.ceil((size(resources.memory) or 0) / 2**20)}M"
    if resources.gpus:
        yield f"--gpus-per-node={resources.gpus}"
    if training.runtime:
        yield f"--time={math.ceil(training.runtime / 60)}"
        yield f"--signal=TERM@{GRACE}"
    if training.resumes:
        yield "--requeue"
        yield "--open-mode=append"
    if training.queue:
        yield f"--partition={training.queue}"


def _sharded(training: Training) -> list[str]:
    return [channel.name for channel in training.channels if channel.sharded and training.hosts > 1]


def _node(training: Training, engine: str) -> Iterator[str]:
    """What each task does."""
    yield "set -euo pipefail"
    yield "export HOST_INDEX=$SLURM_NODEID"
    yield 'export BASE=$(mktemp -d "${SLURM_TMPDIR:-/tmp}/algoport-XXXXXX")'
    yield "trap 'rm -rf \"$BASE\"' EXIT"
    yield "export SHARDS=$BASE/shards"
    yield 'mkdir -p "$SHARDS" "$BASE/input/data" "$BASE/tmp"'
    sharded = _sharded(training)
    for channel in training.channels:
        where = "$SHARDS" if channel.name in sharded else "$BASE/input/data"
        yield f'ln -s {shlex.quote(str(channel.place))} "{where}/{channel.name}"'
    yield 'sh "$GIVEN/host.sh"'
    yield 'ln -s "$OUTPUT/model" "$BASE/model"'
    yield 'ln -s "$OUTPUT/output/$HOST_INDEX" "$BASE/output"'
    if training.resumes:
        yield 'ln -s "$OUTPUT/checkpoints" "$BASE/checkpoints"'
    yield "# SIGTERM goes to the training alone, which ends when it has written what it has."
    yield "trap 'kill -TERM \"$child\" 2>/dev/null || true' TERM"
    yield f"{_command(training, engine)} &"
    yield "child=$!"
    yield "code=0"
    yield 'wait "$child" || code=$?'
    yield 'while kill -0 "$child" 2>/dev/null; do code=0; wait "$child" || code=$?; done'
    yield "exit $code"


def _command(training: Training, engine: str) -> str:
    if engine == "process":
        return f'ALGORITHM={training.algorithm} SAGEMAKER_BASE_DIR="$BASE" train'
    # Links lead to the data, which therefore has to be seen at the same paths inside.
    places = sorted({str(training.output), *(str(channel.place) for channel in training.channels)})
    binds = " ".join(f"--bind {shlex.quote(place)}" for place in places)
    image = training.image if "://" in training.image else f"docker://{training.image}"
    nvidia = " --nv" if training.resources.gpus else ""
    names = ["TRAINING_JOB_NAME", "MASTER_PORT", "ALGOPORT_STOPPED_CODE"]
    variables = " ".join(f'--env {name}="${name}"' for name in names)
    return (
        f'apptainer exec{nvidia} --contain --cleanenv --no-home --bind "$BASE/tmp:/tmp" '
        f'--bind "$BASE" --bind "$BASE:/opt/ml" {binds} {variables} {shlex.quote(image)} algoport-run train'
    )
