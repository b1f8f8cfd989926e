"""The SageMaker Python SDK as its users type it: the examples of docs/clients.md, a few of them here and all of them
with `make clients`."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from algoport import algorithms
from tests import making
from tests.clients.examples import ENVIRONMENTS, ROOT, Example, examples, run
from tests.containers.conftest import built

# Two hosts, three formats and the predictor of Amazon's own; each client at least once.
FEW = (
    *("version 2: kmeans", "version 2: Every content type", "version 2: Batch transform"),
    *("version 2: Programs of one's own", "version 3: kmeans", "version 3: A program of one's own"),
)


def test_each_client_has_an_example_of_each_algorithm() -> None:
    names = {example.name for example in examples()}

    wanted = {f"{client}: {name}" for client in ENVIRONMENTS for name in algorithms.names()}
    assert sorted(wanted - names) == []


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.name)
def test_an_example_is_whole(example: Example) -> None:
    ast.parse(example.code)

    assert example.images and "assert " in example.code


def without(reason: str) -> None:
    """Skip, unless that is forbidden."""
    (pytest.fail if os.environ.get("ALGOPORT_REQUIRE_DOCKER") == "1" else pytest.skip)(reason)


def environment(example: Example) -> str:
    """What `make` calls the client's."""
    return f"{ENVIRONMENTS[example.client].relative_to(ROOT)}/installed"


def needing(example: Example) -> Any:
    """An example, with what is to be made for it."""
    images = [pytest.mark.makes(*making.image(name)) for name in example.images]
    return pytest.param(example, marks=[pytest.mark.makes(environment(example)), *images], id=example.name)


@pytest.mark.docker
@pytest.mark.parametrize("example", [needing(each) for each in examples() if each.name in FEW])
def test_an_example_does_what_the_page_says_and_nothing_leaves_the_machine(example: Example, tmp_path: Path) -> None:
    for image in example.images:
        built(image)
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    if plugin.returncode != 0 and shutil.which("docker-compose") is None:
        without("local mode needs Docker Compose, as a plugin or as docker-compose")
    made = making.make(environment(example))
    if made.returncode != 0:
        without(f"the client cannot be installed: {made.stderr[-300:]}")

    done = run(example, tmp_path)

    assert done.code == 0, done.output
    assert done.strangers == 0
