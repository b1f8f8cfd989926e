"""Channels in Pipe mode: a job reads from pipes what it would read from files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from algoport.algorithms.shared import artifact
from algoport.containers.jobs import running
from algoport.containers.jobs.channels import Channel
from tests.containers.jobs.conftest import LONG, PATIENCE, Describe, until
from tests.training.jobs import digits


def test_a_pipe_gives_all_rows_once_a_pass(describe: Describe, tmp_path: Path) -> None:
    job = running.start(describe(settings={"epochs": 2}, channel={"mode": "Pipe"}))

    assert job.wait(PATIENCE) == "Completed", "\n".join(job.lines())

    arrays, _ = artifact.load(job.description.folder / "model")
    np.testing.assert_allclose(arrays["mean"], digits().mean(axis=0, dtype=np.float64), rtol=1e-12)
    assert not list((tmp_path / "job/input/data").iterdir()), "no pipe is left"


@pytest.mark.parametrize("distribution", ["FullyReplicated", "ShardedByS3Key"])
def test_each_host_has_pipes_of_its_own(describe: Describe, distribution: str) -> None:
    job = running.start(describe(hosts=2, channel={"mode": "Pipe", "distribution": distribution}))

    assert job.wait(PATIENCE) == "Completed", "\n".join(job.lines())

    arrays, _ = artifact.load(job.description.folder / "model")
    np.testing.assert_allclose(arrays["mean"], digits().mean(axis=0, dtype=np.float64), rtol=1e-12)


def test_the_order_of_files_is_drawn_anew_for_each_pass(describe: Describe, tmp_path: Path) -> None:
    """The model keeps the sums of the first feature of each step, which here is the number of the file."""
    rows = tmp_path / "numbered"
    rows.mkdir()
    for number in range(4):
        (rows / f"part-{number}.csv").write_text(f"{number},1\n" * 10)

    def order(name: str, shuffle: int | None) -> list[np.ndarray]:
        channel = Channel(name="train", path=rows, content_type="text/csv;label_size=0", mode="Pipe", shuffle=shuffle)
        settings = {"feature_dim": "2", "epochs": "4", "mini_batch_size": "10"}
        job = running.start(describe(folder=tmp_path / name, hyperparameters=settings, channels=(channel,)))
        assert job.wait(PATIENCE) == "Completed", "\n".join(job.lines())
        trace = artifact.load(tmp_path / name / "model")[0]["trace"] / 10
        return np.array_split(trace, 4)

    plain, shuffled, again = order("plain", None), order("shuffled", 5), order("again", 5)

    assert [list(one) for one in plain] == [[0, 1, 2, 3]] * 4
    assert len({tuple(one) for one in shuffled}) > 1
    assert all(sorted(one) == [0, 1, 2, 3] for one in shuffled)
    np.testing.assert_array_equal(shuffled, again)


def test_a_stop_ends_the_pipes_with_the_job(describe: Describe) -> None:
    job = running.start(describe(settings=LONG, channel={"mode": "Pipe"}))
    until(job, "#progress_metric")

    job.stop()

    assert job.wait(PATIENCE) == "Stopped" and job.exit_code == 0
