"""Every manifest against the schemas of Kubernetes, and what it says against what was asked for."""

from __future__ import annotations

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from algoport.containers.cli import main

VERSIONS = ["1.29", "1.33", "1.37"]
TRAIN = [
    "train", "kmeans", "--name", "three", "--hosts", "10", "--output", "pvc://shared/jobs", "--hp", "k=3",
    "--hp", "feature_dim=3", "--channel", "train=pvc://data/clouds;text/csv;label_size=0", "--sharded", "train",
    "--channel", "test=pvc://data/test.csv;text/csv;label_size=0", "--cores", "4", "--memory", "8Gi", "--gpus", "1",
    "--spot", "--retries", "2", "--runtime", "3600", "--queue", "night", "--env", "NOTE=costs $(MUCH) 'money', $$",
]  # fmt: skip
CLAIM = ["--storage", "100Gi", "--storage-class", "nfs", "--pull-secret", "registry"]
TUNE = [
    "tune", "kmeans", "--name", "search", "--output", "pvc://shared", "--channel", "train=/data/clouds.csv", "--hp",
    "feature_dim=3", "--tune", "k=2..9", "--tune", "init_method=random,kmeans++", "--jobs", "12", "--parallel", "3",
]  # fmt: skip
SERVE = ["serve", "kmeans", "--name", "clusters", "--model", "pvc://shared/jobs/three/model", "--most", "6"]
KINDS = {
    "train": ["kubernetes", *TRAIN, *CLAIM],
    "one host": ["kubernetes", *TRAIN[:4], *TRAIN[6:]],
    "own image": ["kubernetes", "train", "--image", "registry.example/own:1", "--name", "own", "--output", "/data/out"],
    "tune": ["kubernetes", *TUNE],
    "grid": ["kubernetes", *TUNE[:-8], "--tune", "k=2,3,4", "--strategy", "Grid", "--jobs", "3"],
    "serve": ["kubernetes", *SERVE],
    "one server": ["kubernetes", "serve", "--image", "registry.example/own:1", "--name", "own", "--memory", "2Gi"],
    "kubeflow": ["kubeflow", *TRAIN, *CLAIM],
    "kserve": ["kserve", *SERVE],
}


def rendered(*words: str, capsys: Any) -> list[dict[str, Any]]:
    assert main(["render", *words]) == 0
    return list(yaml.safe_load_all(capsys.readouterr().out))


def pods(value: Any) -> list[dict[str, Any]]:
    """Every pod, wherever it stands in a document."""
    if isinstance(value, list):
        return [pod for one in value for pod in pods(one)]
    if not isinstance(value, dict):
        return []
    return ([value] if "containers" in value else []) + [pod for one in value.values() for pod in pods(one)]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_document_keeps_the_schema(kind: str, version: str, capsys: pytest.CaptureFixture[str]) -> None:
    documents = rendered(*KINDS[kind], capsys=capsys)

    assert documents
    for document in documents:
        group = document["apiVersion"].partition("/")[0]
        if not group.endswith((".org", ".io")) or group.endswith("k8s.io"):
            assert kubernetes_validate.validate(document, version, strict=True) == version
        if group.endswith("kserve.io"):
            continue
        # What other projects call their own kinds holds pods of Kubernetes all the same.
        for pod in pods(document):
            whole = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": pod}
            kubernetes_validate.validate(whole, version, strict=True)


def test_a_misspelled_field_is_seen(capsys: pytest.CaptureFixture[str]) -> None:
    job = rendered(*KINDS["train"], capsys=capsys)[-1]
    wrong = copy.deepcopy(job)
    wrong["spec"]["template"]["spec"]["containers"][0]["volumeMounts"][0]["mountpath"] = "/tmp"

    with pytest.raises(kubernetes_validate.ValidationError, match="mountpath"):
        kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)


def test_kubeflows_own_kinds_are_as_its_client_has_them(capsys: pytest.CaptureFixture[str]) -> None:
    from kubeflow_trainer_api import models

    claim, given, runtime, job = rendered(*KINDS["kubeflow"], capsys=capsys)

    assert [claim["kind"], given["kind"]] == ["PersistentVolumeClaim", "ConfigMap"]
    for document, model in (
        (runtime, models.TrainerV1alpha1ClusterTrainingRuntime),
        (job, models.TrainerV1alpha1TrainJob),
    ):
        # The client drops what it does not know: what comes back is what Kubeflow Trainer would see.
        assert json.loads(model.from_dict(document).to_json()) == document
    assert job["spec"]["runtimeRef"]["name"] == runtime["metadata"]["name"]


@pytest.mark.parametrize("kind", KINDS)
def test_names_refer_to_what_is_there(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    documents = rendered(*KINDS[kind], capsys=capsys)

    configurations = {one["metadata"]["name"] for one in documents if one["kind"] == "ConfigMap"}
    for pod in pods(documents):
        volumes = {volume["name"] for volume in pod.get("volumes", [])}
        containers = pod.get("initContainers", []) + pod["containers"]
        assert {mount["name"] for one in containers for mount in one["volumeMounts"]} == volumes
        for one in containers:
            places = [mount["mountPath"] for mount in one["volumeMounts"]]
            assert len(places) == len(set(places)), places
            assert one["securityContext"]["readOnlyRootFilesystem"]
            known = {variable["name"] for variable in one.get("env", [])}
            for mount in one["volumeMounts"]:
                used = [part.partition(")")[0] for part in mount.get("subPathExpr", "").split("$(")[1:]]
                assert set(used) <= known
        named = {volume["configMap"]["name"] for volume in pod.get("volumes", []) if "configMap" in volume}
        assert named <= configurations


def test_the_job_says_what_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    claim, given, service, job = rendered(*KINDS["train"], capsys=capsys)

    assert claim["metadata"]["name"] == "shared" and claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert json.loads(given["data"]["hyperparameters.json"]) == {"k": "3", "feature_dim": "3"}
    assert json.loads(given["data"]["inputdataconfig.json"])["train"]["S3DistributionType"] == "ShardedByS3Key"
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    assert (spec["completions"], spec["parallelism"], spec["backoffLimit"]) == (10, 10, 20)
    assert spec["activeDeadlineSeconds"] == 3600
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "night"
    host, train = pod["initContainers"][0], pod["containers"][0]
    names = next(one["value"] for one in host["env"] if one["name"] == "HOST_NAMES").split()
    assert names[3] == f"{job['metadata']['name']}-3.{pod['subdomain']}"
    assert pod["subdomain"] == service["metadata"]["name"] and service["spec"]["clusterIP"] == "None"
    assert train["resources"] == {
        "requests": {"cpu": "4", "memory": "8Gi", "nvidia.com/gpu": 1},
        "limits": {"memory": "8Gi", "nvidia.com/gpu": 1},
    }
    # Kubernetes puts variables in: a dollar sign that is meant stands there twice.
    assert {"name": "NOTE", "value": "costs $$(MUCH) 'money', $$$$"} in train["env"]


def test_trials_are_drawn_as_the_search_would(capsys: pytest.CaptureFixture[str]) -> None:
    given, job = rendered(*KINDS["tune"], capsys=capsys)

    trials = [json.loads(given["data"][f"trial-{number}.json"]) for number in range(12)]
    assert len({json.dumps(trial) for trial in trials}) > 6
    assert {trial["init_method"] for trial in trials} == {"random", "kmeans++"}
    assert all(2 <= int(trial["k"]) <= 9 and trial["feature_dim"] == "3" for trial in trials)
    assert job["spec"]["backoffLimitPerIndex"] == 0 and "backoffLimit" not in job["spec"]
    grid, _ = rendered(*KINDS["grid"], capsys=capsys)
    assert [json.loads(grid["data"][f"trial-{n}.json"])["k"] for n in range(3)] == ["2", "3", "4"]


def test_only_what_can_scale_has_an_autoscaler(capsys: pytest.CaptureFixture[str]) -> None:
    scaled = rendered(*KINDS["serve"], capsys=capsys)
    fixed = rendered(*KINDS["one server"], capsys=capsys)

    assert [one["kind"] for one in scaled] == [
        "Service",
        "Deployment",
        "HorizontalPodAutoscaler",
        "PodDisruptionBudget",
    ]
    assert "replicas" not in scaled[1]["spec"]
    assert [one["kind"] for one in fixed] == ["Service", "Deployment"]
    assert fixed[1]["spec"]["replicas"] == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--name", "Three"], "--name: must have 1 to 50 lower-case letters"),
        (["--output", "shared/jobs"], "--output: must be pvc://CLAIM/PATH"),
        (["--output", "pvc://shared/../x"], "no step '..'"),
        (["--output", "pvc://sha red/x"], "a claim has lower-case letters"),
        (["--output", "/data/`id`"], "a path has letters"),
        (["--hosts", "0"], "--hosts: must be from 1 to 1000; it is 0."),
        (["--hp", "clusters=3"], "clusters"),
        (["--sharded", "trian"], "there is no channel 'trian'"),
        (["--memory", "8 gigs"], "--memory: must be a number with"),
        (["--env", "A-B=1"], "--env: 'A-B' is no name of a variable."),
        (["--image", "own; rm"], "--image: must be the name of an image"),
        (["--user", "0"], "nothing here runs as root"),
        (["--channel", "train"], "--channel: must be NAME=PLACE"),
        (["--into", "nowhere/three.yaml"], "nowhere/three.yaml: cannot be written"),
        (["--into", "."], "--into: must be the name of a file to write; . is a folder."),
        (["--output", "pvc://a..b/x"], "a claim has lower-case letters and digits"),
        (["--output", "pvc://" + "a" * 254], "a claim has lower-case letters and digits"),
        (["--output", "/"], "--output: must be a folder below /, not all of a node's file system; it is '/'."),
        (["--memory", "8"], "--memory: must be a number with k, M, G, T, Ki, Mi, Gi or Ti behind it, at least 16Mi"),
        (["--memory", "8K"], "--memory: must be a number with k, M, G,"),
        (["--memory", "9" * 400], "--memory: must be a number with k, M, G,"),
        (["--storage", "0Gi"], "--storage: must be a size such as 100Gi; it is '0Gi'."),
        (
            ["--storage-class", "Fast Disks"],
            "--storage-class: is of the claim that --storage makes; say --storage, too.",
        ),
        (["--storage", "1Gi", "--storage-class", "Fast Disks"], "--storage-class: has lower-case letters and digits"),
        (["--pull-secret", "my_secret"], "--pull-secret: a secret has lower-case letters and digits"),
        (["--pull-secret", "a\nb: c"], "--pull-secret: a secret has lower-case letters and digits"),
        (["--queue", "night\nshift"], "--queue: must have 1 to 63 letters, digits, dots, hyphens and underscores"),
        (["--env", "HOST_INDEX=3"], "--env: HOST_INDEX is set by the manifest itself."),
        (["--env", "A=\udcff"], "--env: the value of A must be UTF-8; it is '\\udcff'."),
        (["--cores", "nan"], "--cores: must be"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_writes_nothing(
    change: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    # The last of two is what counts; a channel or setting more is added.
    assert main(["render", "kubernetes", *TRAIN, "--into", "three.yaml", *change]) == 2

    captured = capsys.readouterr()
    assert said in captured.err and not captured.out
    assert not list(tmp_path.iterdir())


def test_missing_channels_and_other_strategies_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    few = ["train", "kmeans", "--name", "three", "--output", "/o", "--hp", "k=3", "--hp", "feature_dim=3"]
    assert main(["render", "kubernetes", *few]) == 2
    assert "Channel 'train' is required" in capsys.readouterr().err
    assert main(["render", "kubernetes", *TUNE, "--strategy", "Bayesian"]) == 2
    assert "needs a process that sees them" in capsys.readouterr().err
    assert main(["render", "slurm", *TRAIN]) == 2
    assert capsys.readouterr().err.count("as Slurm knows no claims") == 3
    assert main(["render", "kubernetes", "train", "--bogus"]) == 2
    assert "See algoport render kubernetes train --help." in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["train", "tune"])
def test_scripts_are_shell(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = next(one for one in rendered(*KINDS[kind], capsys=capsys) if one["kind"] == "ConfigMap")

    scripts = [text for name, text in given["data"].items() if name.endswith(".sh")]
    assert len(scripts) == (1 if kind == "train" else 2)
    for script in scripts:
        for shell in ("bash", "sh"):
            assert subprocess.run([shell, "-n"], input=script, text=True, check=False).returncode == 0


def test_the_names_of_kubeflows_pods_have_room(capsys: pytest.CaptureFixture[str]) -> None:
    """A pod of JobSet is called NAME-node-0-HOST-SUFFIX, in 63 letters."""
    named = [*TRAIN[:2], *TRAIN[4:], "--name"]
    assert main(["render", "kubeflow", *named, "a" * 48]) == 0
    capsys.readouterr()

    assert main(["render", "kubeflow", *named, "a" * 49]) == 2

    assert capsys.readouterr().err == "--name: must have at most 48 letters for 10 hosts; it has 49.\n"


@pytest.mark.parametrize(("memory", "megabytes"), [("8Gi", 8192), ("1.5Gi", 1536), ("1G", 954), ("2147483648", 2048)])
def test_slurm_is_told_the_memory_in_its_own_unit(
    memory: str, megabytes: int, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "slurm",
        "train",
        "kmeans",
        "--name",
        "a",
        "--output",
        "/o",
        "--channel",
        "train=/d",
        "--hp",
        "k=2",
        "--hp",
    ]
    assert main(["render", *words, "feature_dim=2", "--memory", memory, "--env", "NOTE=a,b 'c'"]) == 0

    text = capsys.readouterr().out
    assert f"#SBATCH --mem={megabytes}M\n" in text
    # Apptainer's own --env would make two variables of it.
    assert "export APPTAINERENV_NOTE='a,b '\"'\"'c'\"'\"''\n" in text and "--env NOTE" not in text
