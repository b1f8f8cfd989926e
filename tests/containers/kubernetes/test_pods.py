"""The pods of rendered manifests, run as they stand there in containers of Docker."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.conformance.example import Example
from tests.containers.engine import docker
from tests.containers.kubernetes.cluster import Cluster, rendered

pytestmark = pytest.mark.docker

TRAIN = [
    "kubernetes", "train", "kmeans", "--name", "three", "--hosts", "2", "--output", "pvc://shared/jobs",
    "--hp", "k=3", "--hp", "feature_dim=3", "--hp", "mini_batch_size=100",
    "--channel", "train=pvc://data/clouds;text/csv;label_size=0", "--sharded", "train", "--spot",
]  # fmt: skip


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Two claims: six files of rows, and a place for what jobs write."""
    data, shared = tmp_path / "data", tmp_path / "shared"
    (data / "clouds").mkdir(parents=True)
    (shared / "jobs").mkdir(parents=True)
    (shared / "jobs").chmod(0o777)
    random = np.random.default_rng(0)
    rows = np.repeat([[0, 0, 0], [9, 9, 0], [0, 9, 9]], 200, axis=0) + random.normal(size=(600, 3))
    for number, part in enumerate(np.split(random.permutation(rows), 6)):
        np.savetxt(data / "clouds" / f"part-{number}.csv", part, "%.4f", ",")
    made = Cluster(tmp_path / "pods", {"data": data, "shared": shared})
    yield made
    made.close()


def test_two_pods_of_a_job_train_one_model_and_a_deployment_serves_it(image: str, cluster: Cluster) -> None:
    pods = cluster.job(rendered(*TRAIN, "--image", image, python=sys.executable))
    assert [pod.end() for pod in pods] == [0, 0], "\n".join(pod.log for pod in pods)

    folder = cluster.claims["shared"] / "jobs" / "three"
    centers = Example("kmeans").Model.load(folder / "model").centers
    assert sorted(map(tuple, np.round(centers / 9).astype(int).tolist())) == [(0, 0, 0), (0, 1, 1), (1, 1, 0)]
    assert {"0", "1"} == {entry.name for entry in (folder / "output").iterdir()}
    for number, pod in enumerate(pods):
        assert f"host three-{number}.three ({number + 1} of 2)" in pod.log

    serve = ["kubernetes", "serve", "--name", "clusters", "--image", image, "--model", "pvc://shared/jobs/three/model"]
    server = cluster.deployment(rendered(*serve, python=sys.executable))
    answer = server.ask("/invocations", "9,9,0\n0,9,9\n")
    assert answer.status == 200, answer.body
    nearest = [int(one["closest_cluster"]) for one in answer.json["predictions"]]
    assert len(set(nearest)) == 2
    docker("stop", "-t", "45", server.name)
    assert server.end() == 0


def test_the_pods_of_an_interrupted_job_end_so_that_all_come_back_and_resume(image: str, cluster: Cluster) -> None:
    """Otherwise the Job would count the hosts that have ended with the interrupted one as complete."""
    documents = rendered(*TRAIN, "--hp", "epochs=1000000", "--image", image, python=sys.executable)
    first = cluster.job(documents)
    first[0].says("#progress_metric")
    docker("stop", "-t", "60", first[1].name)
    assert [pod.end() for pod in first] == [143, 143], "\n".join(pod.log for pod in first)

    second = cluster.job(documents)
    second[0].says("#progress_metric")
    log = second[0].log
    docker("stop", "-t", "60", second[0].name)
    assert [pod.end() for pod in second] == [143, 143]
    assert "esum" in log, log


def test_a_mistake_of_the_user_ends_a_pod_with_the_code_that_fails_the_job(image: str, cluster: Cluster) -> None:
    words = [word if word != "feature_dim=3" else "feature_dim=4" for word in TRAIN]
    pods = cluster.job(rendered(*words, "--image", image, python=sys.executable))

    assert [pod.end() for pod in pods] == [2, 2], "\n".join(pod.log for pod in pods)
    failure = cluster.claims["shared"] / "jobs" / "three" / "output" / "0" / "failure"
    assert failure.read_text().startswith("ClientError: ")


def test_each_trial_of_a_search_leaves_its_model_and_its_settings(image: str, cluster: Cluster) -> None:
    words = ["kubernetes", "tune", "kmeans", "--name", "search", "--image", image, "--output", "pvc://shared/jobs"]
    words += ["--channel", "train=pvc://data/clouds;text/csv;label_size=0", "--hp", "feature_dim=3"]
    words += ["--tune", "k=2,5", "--strategy", "Grid", "--jobs", "2", "--parallel", "2"]
    pods = cluster.job(rendered(*words, python=sys.executable))
    assert [pod.end() for pod in pods] == [0, 0], "\n".join(pod.log for pod in pods)

    trials = cluster.claims["shared"] / "jobs" / "search" / "trials"
    shapes = [Example("kmeans").Model.load(trials / str(number) / "model").centers.shape for number in range(2)]
    assert shapes == [(2, 3), (5, 3)]
    assert '"k": "5"' in (trials / "1" / "hyperparameters.json").read_text()
