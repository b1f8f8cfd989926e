"""docs/from-sagemaker.md, run as it stands there: on this machine, in Docker, and its notebook in local mode."""

from __future__ import annotations

import ast
import json
import re
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import yaml

from algoport import algorithms
from tests import making, worked
from tests.clients.examples import Example, run
from tests.clients.test_examples import environment, without
from tests.containers.conftest import built

PAGE = "from-sagemaker.md"
DOCKER, NOTEBOOK, LOCAL = "With Docker", "The notebook", "The notebook, in local mode"
# The file that the original's image leaves, a list of MXNet arrays.
ORIGINAL = worked.ROOT / "tests/algorithms/kmeans/original/model_algo-1"


def original(folder: Path) -> None:
    """An archive as the service gives it, and points to ask about, which the page has of its reader."""
    with tarfile.open(folder / "model.tar.gz", "w:gz") as archive:
        archive.add(ORIGINAL, ORIGINAL.name)
    from algoport.algorithms.shared import mxnet

    (centers,) = mxnet.load(ORIGINAL)
    np.savetxt(folder / "points.csv", np.asarray(centers)[::-1], "%g", ",")


def assigned(job: ast.Module | str) -> set[str]:
    """The names that a block gives at its top."""
    tree = ast.parse(job) if isinstance(job, str) else job
    return {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def notebook() -> tuple[str, str, str]:
    """The first lines at AWS, those of local mode, and the job below either."""
    parts = worked.chapters(PAGE)
    aws, job = worked.blocks(parts[NOTEBOOK], "python")
    (local,) = worked.blocks(parts[LOCAL], "python")
    return aws, local, job


def test_the_page_does_what_it_says_without_docker(tmp_path: Path) -> None:
    original(tmp_path)

    said = worked.run(PAGE, tmp_path, without=[DOCKER])

    answers = np.loadtxt(tmp_path / "answers.csv")
    label = np.loadtxt(tmp_path / "validation/part-0.csv", delimiter=",")[:, 0]
    assert len(answers) == 169 and ((answers > 0.5) == label).mean() > 0.93
    assert re.search(r"^validation:auc is 0\.9[89]", said, re.MULTILINE)
    clusters = [each["closest_cluster"] for each in json.loads(said[said.index('{"predictions"') :])["predictions"]]
    assert clusters == sorted(clusters, reverse=True) and len(set(clusters)) == len(clusters) > 1
    kinds = {
        each["kind"]
        for name in ("train", "serve")
        for each in yaml.safe_load_all((tmp_path / f"{name}.yaml").read_text())
    }
    assert {"Job", "Service", "ConfigMap", "Deployment", "HorizontalPodAutoscaler"} <= kinds


def test_a_worse_model_fails_the_job_in_ci(tmp_path: Path) -> None:
    """Run from the same chapters, with a bound that no model reaches."""
    page = (worked.ROOT / "docs" / PAGE).read_text()
    assert page.count("figure < 0.98") == 1
    others = [title for title in worked.chapters(PAGE) if title not in (NOTEBOOK, "In CI")]

    with pytest.raises(AssertionError, match=r"validation:auc is 0\.9"):
        worked.run(PAGE, tmp_path, without=others, change=("figure < 0.98", "figure < 1.01"))


def test_local_mode_changes_the_first_lines_and_nothing_else() -> None:
    aws, local, job = notebook()

    uses = {node.id for node in ast.walk(ast.parse(job)) if isinstance(node, ast.Name)}
    assert assigned(local) == {"place", "image", "role", "instance"} == assigned(aws) - {"session"}
    assert assigned(local) <= uses and not {"sagemaker", "session"} & uses


def test_every_algorithm_s_model_from_aws_has_its_row() -> None:
    table = worked.chapters(PAGE)["Models that were trained at AWS"]

    assert re.findall(r"^\| ([a-z0-9-]+) \|", table, re.MULTILINE)[1:] == list(algorithms.names())


def test_a_folder_is_read_where_the_page_says_so() -> None:
    """What is read has a reader, and what is not has none."""
    rows = re.findall(r"^\| ([a-z0-9-]+) \| (.*) \|$", worked.chapters(PAGE)["Models that were trained at AWS"], re.M)
    refused = {name for name, words in rows if words.startswith("not read")}

    pages = {name: (algorithms.folder(name) / "README.md").read_text() for name in algorithms.names()}

    says = re.compile(
        r"of\s+the\s+original\s+image|from\s+the\s+original\s+image|`model_algo-1`|fastText's files|original\s+images"
    )
    assert {name for name, text in pages.items() if not says.search(text)} == refused


@pytest.mark.docker
@pytest.mark.makes(*making.image("xgboost"))
def test_the_page_does_what_it_says_in_docker(tmp_path: Path) -> None:
    built("xgboost")
    original(tmp_path)

    said = worked.run(PAGE, tmp_path)

    assert "validation:auc is 0.9" in said
    assert (tmp_path / "docker.csv").read_bytes() == (tmp_path / "answers.csv").read_bytes()


EXAMPLE = Example("version 2", "notebook", "")


@pytest.mark.docker
@pytest.mark.makes(environment(EXAMPLE))
@pytest.mark.makes(*making.image("xgboost"))
def test_the_notebook_runs_in_local_mode_and_nothing_leaves_the_machine(tmp_path: Path) -> None:
    built("xgboost")
    if shutil.which("docker-compose") is None:
        without("local mode needs Docker Compose")
    made = making.make(environment(EXAMPLE))
    if made.returncode != 0:
        without(f"the client cannot be installed: {made.stderr[-300:]}")
    _, local, job = notebook()
    (data,) = (block for block in worked.blocks((worked.ROOT / "docs" / PAGE).read_text()) if "load_breast" in block)
    program = data[data.index("import numpy") : data.rindex("'")]
    code = f"import os\nos.mkdir('train')\nos.mkdir('validation')\n{program}\n{local}\n{job}"

    done = run(Example("version 2", "notebook", code), tmp_path)

    assert done.code == 0, done.output
    assert done.strangers == 0
    assert done.output.count("'0.") > 100, "a probability a row"
