"""The script that lays out a host's folder, and the file for sbatch, with stand-ins for Slurm's programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from algoport.containers.jobs.channels import Channel
from tests.conformance.example import Example

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "containers" / "kubernetes" / "host.sh"
# As Slurm's: names of nodes, and a task for each, all of which end before it does. Its exit code is the largest.
SCONTROL = """#!/bin/bash
if [ "$1" = show ]; then echo "$3" | tr , '\\n'; else echo "$@" >>"$REQUEUED"; fi
"""
SRUN = """#!/bin/bash
while [[ "$1" == --* ]]; do shift; done
number=0 children=()
for node in ${SLURM_JOB_NODELIST//,/ }; do
    SLURM_NODEID=$number "$@" & children+=($!)
    echo $! >>"$TASKS"
    number=$((number + 1))
done
worst=0
for child in "${children[@]}"; do
    code=0; wait "$child" || code=$?
    [ $code -le $worst ] || worst=$code
done
exit $worst
"""


def lay_out(folder: Path, number: int, shell: str = "sh", **more: str) -> subprocess.CompletedProcess[str]:
    settings = {"BASE": str(folder / f"base-{number}"), "OUTPUT": str(folder / "out"), "GIVEN": str(folder / "given")}
    settings |= {"HOST_NAMES": "j-0.j j-1.j j-2.j", "HOST_INDEX": str(number), "SHARDS": str(folder / "shards"), **more}
    return subprocess.run(
        [shell, str(SCRIPT)], env={**os.environ, **settings}, text=True, capture_output=True, check=False
    )


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_hosts_share_out_files_as_jobs_on_one_machine_do(shell: str, tmp_path: Path) -> None:
    train = tmp_path / "shards" / "train"
    names = ["b 1.csv", "a.csv", "Z.csv", "sub/c.csv", "sub/deep/d.csv", ".hidden/e.csv", "_SUCCESS", ".f.csv", "ä.csv"]
    for name in names:
        (train / name).parent.mkdir(parents=True, exist_ok=True)
        (train / name).write_text("1\n")
    (train / "empty.csv").touch()
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "hyperparameters.json").write_text('{"k": "3"}')
    channel = Channel(name="train", path=train, distribution="ShardedByS3Key")

    for number in range(3):
        done = lay_out(tmp_path, number, shell, SHARDED="train")
        assert done.returncode == 0, done.stderr
        data = tmp_path / f"base-{number}" / "input" / "data"
        links = {str(path.relative_to(data)): path.resolve() for path in data.rglob("*") if path.is_symlink()}
        assert links == {shard.name: shard.path for shard in channel.shards(number, 3)}
        config = tmp_path / f"base-{number}" / "input" / "config"
        hosts = json.loads((config / "resourceconfig.json").read_text())
        assert hosts["current_host"] == f"j-{number}.j" and hosts["hosts"] == ["j-0.j", "j-1.j", "j-2.j"]
        assert json.loads((config / "hyperparameters.json").read_text()) == {"k": "3"}
        assert (tmp_path / "out" / "output" / str(number)).is_dir()


def test_a_host_without_a_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "hyperparameters.json").write_text("{}")

    done = lay_out(tmp_path, 3)

    assert done.returncode == 2
    assert done.stderr == "HOST_INDEX: must be from 0 to 2, as there are 3 hosts; it is 3.\n"


def batch(folder: Path, *more: str) -> Path:
    """A file for sbatch that trains k-means on two hosts, on rows that lie in two files."""
    data = folder / "data"
    data.mkdir()
    random = np.random.default_rng(0)
    rows = np.repeat([[0, 0, 0], [9, 9, 0], [0, 9, 9]], 200, axis=0) + random.normal(size=(600, 3))
    for number, part in enumerate(np.split(random.permutation(rows), 2)):
        np.savetxt(data / f"part-{number}.csv", part, "%.4f", ",")
    words = ["slurm", "train", "kmeans", "--name", "three", "--hosts", "2", "--output", str(folder / "jobs")]
    words += ["--channel", f"train={data};text/csv;label_size=0", "--sharded", "train", "--hp", "k=3"]
    words += ["--hp", "feature_dim=3", "--hp", "mini_batch_size=100", "--engine", "process", "--into", "three.sbatch"]
    done = subprocess.run(
        [sys.executable, "-m", "algoport.containers.cli", "render", *words, *more],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("Start it: sbatch three.sbatch\n")
    return folder / "three.sbatch"


def slurm(folder: Path) -> dict[str, str]:
    """An environment with stand-ins for Slurm's programs; its two nodes are addresses of this machine."""
    programs = folder / "bin"
    programs.mkdir()
    train = f'#!/bin/sh\nexec {sys.executable} -P -m algoport.training "$@"\n'
    for name, text in {"scontrol": SCONTROL, "srun": SRUN, "train": train}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    return {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "SLURM_JOB_NODELIST": "127.0.0.1,127.0.0.2",
        "SLURM_JOB_ID": "7",
        "MASTER_PORT": port,
        "REQUEUED": str(folder / "requeued"),
        "TASKS": str(folder / "tasks"),
        "SLURM_TMPDIR": str(folder),
    }


def test_a_batch_file_trains_on_all_of_its_nodes(tmp_path: Path) -> None:
    file = batch(tmp_path, "--memory", "8Gi", "--runtime", "600", "--env", "NOTE=it's $HOME")
    assert subprocess.run(["bash", "-n", file], check=False).returncode == 0
    options = [line.removeprefix("#SBATCH ") for line in file.read_text().splitlines() if line.startswith("#SBATCH")]
    assert {"--nodes=2", "--ntasks-per-node=1", "--mem=8192M", "--time=10", "--signal=TERM@120"} <= set(options)

    done = subprocess.run(["bash", file], env=slurm(tmp_path), text=True, capture_output=True, timeout=120, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "host 127.0.0.1 (1 of 2)" in done.stdout and "host 127.0.0.2 (2 of 2)" in done.stdout
    centers = Example("kmeans").Model.load(tmp_path / "jobs" / "three" / "model").centers
    assert sorted(map(tuple, np.round(centers / 9).astype(int).tolist())) == [(0, 0, 0), (0, 1, 1), (1, 1, 0)]
    assert not list(tmp_path.glob("algoport-*")), "the folders of the nodes are removed"


def test_an_interrupted_batch_asks_to_be_started_again_and_resumes(tmp_path: Path) -> None:
    import signal
    import time

    file = batch(tmp_path, "--spot", "--hp", "epochs=1000000")
    environment = slurm(tmp_path)
    for count in (1, 2):
        (tmp_path / "tasks").unlink(missing_ok=True)
        with subprocess.Popen(
            ["bash", file], env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as child:
            assert child.stdout is not None
            lines = []
            for line in child.stdout:
                lines.append(line)
                if "#progress_metric" in line:
                    break
            os.kill(int((tmp_path / "tasks").read_text().split()[1]), signal.SIGTERM)
            start = time.monotonic()
            rest, _ = child.communicate(timeout=60)
        log = "".join(lines) + rest
        assert child.returncode == 0, log
        assert time.monotonic() - start < 30
        assert (tmp_path / "requeued").read_text() == "requeue 7\n" * count, log
    assert "esum" in "".join(lines), log
