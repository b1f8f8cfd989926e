"""The image under a real Docker Engine: `docker run IMAGE train`, `docker run IMAGE serve`, and what surrounds them."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conformance.folder import Folder
from tests.containers.engine import Engine, docker, mounted

pytestmark = pytest.mark.docker

ANYBODY = ("--user", "12345:12345")
LOCKED = (*ANYBODY, "--read-only", "--tmpfs", "/tmp", "--network", "none", "--shm-size", "64m")
USERS = {"root": (), "uid 12345": ANYBODY, "uid 12345, read-only root, no network": LOCKED}


@pytest.fixture(params=USERS.values(), ids=USERS.keys())
def user(request: Any) -> tuple[str, ...]:
    return request.param  # type: ignore[no-any-return]


def test_it_trains_and_serves_as_any_user(engine: Engine, job: Folder, user: tuple[str, ...]) -> None:
    done = engine.run("train", options=(*mounted(job.path), *user))

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"#quality_metric: host=\S+, test msd <loss>=2\.9", done.stdout), done.stdout
    centers = job.model().centers
    assert sorted(np.round(centers).tolist()) == [[0, 0, 0], [0, 9, 9], [9, 9, 0]]

    server = engine.start("serve", options=(*mounted(job.path), *user))
    server.healthy()
    answer = server.ask("/invocations", "9,9,0\n0,0,0\n")

    assert answer.status == 200
    nearest = [int(entry["closest_cluster"]) for entry in answer.json["predictions"]]
    assert np.round(centers[nearest]).tolist() == [[9, 9, 0], [0, 0, 0]]

    start = time.monotonic()
    docker("stop", "-t", "10", server.name)
    assert server.end() == 0 and time.monotonic() - start < 9


def test_nothing_is_compiled_where_nothing_can_be_written(engine: Engine, job: Folder) -> None:
    done = engine.run("train", options=(*mounted(job.path), *LOCKED, "-e", "NUMBA_DEBUG_CACHE=1"))

    assert done.returncode == 0, done.stdout + done.stderr
    assert "[cache] data loaded from" in done.stdout
    assert "[cache] data saved to" not in done.stdout


def test_nothing_is_compiled_by_the_example_job(engine: Engine) -> None:
    count = (
        "import os; from algoport.algorithms.shared import compiled; compiled.prepare();"
        "from algoport.training.examples import run_example; run_example(os.environ['ALGORITHM']);"
        "print('compiled', compiled.compilations())"
    )

    done = engine.run("python", "-c", count, options=LOCKED)

    assert done.stdout.endswith("compiled 0\n"), done.stdout + done.stderr


def test_nothing_is_written_outside_the_job_and_tmp(engine: Engine, job: Folder) -> None:
    container = engine.start("train", options=mounted(job.path))

    assert container.end() == 0, container.log
    changed = docker("diff", container.name).stdout.split("\n")
    assert [line for line in changed if line and not re.match(r"[ACD] (/tmp|/opt/ml|/opt)(/|$)", line)] == []


def test_files_that_root_wrote_belong_to_the_owner_of_the_folder(engine: Engine, job: Folder) -> None:
    for path in (job.path, *job.path.rglob("*")):
        os.chown(path, 4321, 4321)

    assert engine.run("train", options=mounted(job.path)).returncode == 0

    written = [path for name in ("model", "output") for path in (job.path / name).rglob("*")]
    assert written and {path.stat().st_uid for path in written} == {4321}


def test_a_stop_leaves_a_model_and_exit_code_0(engine: Engine, job: Folder) -> None:
    job.hyperparameters({"k": 3, "feature_dim": 3, "mini_batch_size": 100, "epochs": 1_000_000})
    container = engine.start("train", options=mounted(job.path))
    container.says("#progress_metric")

    start = time.monotonic()
    docker("stop", "-t", "60", container.name)

    assert container.end() == 0, container.log
    assert time.monotonic() - start < 20
    assert job.model().centers.shape == (3, 3)
    assert not job.failure


def test_pipes_are_read_one_an_epoch(engine: Engine, job: Folder) -> None:
    rows = (job.path / "input/data/train/part-0.csv").read_bytes()
    pipes = [job.path / f"input/data/train_{number}" for number in range(2)]
    for pipe in pipes:
        os.mkfifo(pipe)
        pipe.chmod(0o666)
    (job.path / "input/data/train/part-0.csv").unlink()
    (job.path / "input/data/train").rmdir()
    entry = {"TrainingInputMode": "Pipe", "ContentType": "text/csv;label_size=0"}
    job.put("input/config/inputdataconfig.json", json.dumps({"train": entry}).encode())
    writers = [threading.Thread(target=pipe.write_bytes, args=(rows,), daemon=True) for pipe in pipes]
    for writer in writers:
        writer.start()

    done = engine.run("train", options=(*mounted(job.path), *LOCKED))

    assert done.returncode == 0, done.stdout + done.stderr
    for writer in writers:
        writer.join(10)
        assert not writer.is_alive()
    assert "processed a total of 1200 examples" in done.stdout


def test_models_come_and_go_while_it_serves(engine: Engine, job: Folder) -> None:
    assert engine.run("train", options=mounted(job.path)).returncode == 0
    options = ("-v", f"{job.path / 'model'}:/opt/ml/models/one/model:ro", "-e", "SAGEMAKER_MULTI_MODEL=true")
    server = engine.start("serve", options=options)
    server.healthy()
    load = json.dumps({"model_name": "one", "url": "/opt/ml/models/one/model"})

    assert server.ask("/models/one/invoke", "9,9,0\n").status == 404
    assert server.ask("/models", load, "application/json").status == 200
    assert server.ask("/models", load, "application/json").status == 409
    assert server.ask("/models").json["models"] == [{"modelName": "one", "modelUrl": "/opt/ml/models/one/model"}]
    assert server.ask("/models/one/invoke", "9,9,0\n").status == 200
    assert server.ask("/models/one", method="DELETE").status == 200
    assert server.ask("/models/one/invoke", "9,9,0\n").status == 404


@pytest.mark.parametrize("word", ["train", "serve", "validate"])
def test_a_forgotten_mount_is_named(engine: Engine, word: str) -> None:
    done = engine.run(word)

    assert done.returncode == 2
    assert "ClientError: /opt/ml: nothing is mounted here." in done.stdout + done.stderr


def test_a_mistyped_mount_is_distinguished_from_a_forgotten_one(engine: Engine, tmp_path: Path) -> None:
    done = engine.run("train", options=mounted(tmp_path / "mistyped"))

    assert done.returncode == 2
    assert "/opt/ml: is empty. Docker makes an empty folder of a path that it does not find" in done.stderr


def test_a_mistyped_channel_is_named_with_what_there_is(engine: Engine, job: Folder) -> None:
    (job.path / "input/data/train").rename(job.path / "input/data/trian")

    done = engine.run("train", options=mounted(job.path))

    assert done.returncode == 2
    first = job.failure.splitlines()[0]
    assert first.startswith("ClientError: Channel 'train' is required and has no records.") and "trian" in first


def test_an_empty_channel_is_named_with_what_it_should_hold(engine: Engine, job: Folder) -> None:
    (job.path / "input/data/train/part-0.csv").unlink()

    done = engine.run("train", options=mounted(job.path))

    assert done.returncode == 2
    assert job.failure.startswith("ClientError: Channel 'train' is required and has no records.")


def test_it_describes_itself(engine: Engine) -> None:
    description = json.loads(engine.run("describe").stdout)

    assert {"k", "feature_dim"} <= {entry["Name"] for entry in description["SupportedHyperParameters"]}
    assert description["TrainingImage"] == engine.image


def test_it_validates_what_is_mounted_without_training(engine: Engine, job: Folder) -> None:
    done = engine.run("validate", options=(*mounted(job.path), *LOCKED))

    assert done.returncode == 0 and "Channel 'train': 600 rows of 3 features" in done.stdout, done.stderr
    assert not any((job.path / "model").iterdir())


def test_any_other_word_is_executed(engine: Engine) -> None:
    done = engine.run("sh", "-c", "echo so it is; exit 7")
    assert (done.stdout, done.returncode) == ("so it is\n", 7)

    assert engine.run("no-such-program").returncode == 127


def test_it_says_what_it_can(engine: Engine) -> None:
    (facts,) = json.loads(docker("image", "inspect", engine.image).stdout)
    config = facts["Config"]

    assert config["Entrypoint"] == ["algoport-run"] and config["Cmd"] == ["train"]
    for label in ("accept-bind-to-port", "multi-models"):
        assert config["Labels"][f"com.amazonaws.sagemaker.capabilities.{label}"] == "true"
    assert "PYTHONUNBUFFERED=1" in config["Env"]


def test_it_is_small_and_readable_by_all_and_has_nothing_where_the_platform_mounts(
    engine: Engine, record_property: Any
) -> None:
    size = int(docker("image", "inspect", "-f", "{{.Size}}", engine.image).stdout) / 1e9
    closed = "find /opt ! -type l ! -perm -o=r -o -type d ! -perm -o=x"

    record_property("unpacked GB", size)
    assert size < 1.6
    assert engine.run("sh", "-c", f"{closed}; ls -d /opt/ml 2>/dev/null").stdout == ""


def test_all_images_share_all_layers_but_those_of_their_own_packages_and_kernels(engine: Engine) -> None:
    own, base = (
        json.loads(docker("image", "inspect", "-f", "{{json .RootFS.Layers}}", name).stdout)
        for name in (engine.image, "algoport/base:cpu")
    )

    assert own[: len(base)] == base
    assert len(own) - len(base) == 3  # packages, where they are found, kernels


def test_the_first_line_and_the_first_ping_are_soon_there(engine: Engine, job: Folder, record_property: Any) -> None:
    """Measured and recorded (`benchmarks.images` says how soon); a bound here would test the machine of the day."""
    start = time.monotonic()
    container = engine.start("train", options=mounted(job.path))
    container.says("Docker entrypoint called")
    record_property("seconds to the first line", round(time.monotonic() - start, 2))
    assert container.end() == 0

    start = time.monotonic()
    engine.start("serve", options=mounted(job.path)).healthy()
    record_property("seconds to the first ping", round(time.monotonic() - start, 2))
