"""Adding an algorithm is adding one folder, and nothing else: the template, copied into a copy of the tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from algoport.containers.cli.make import TEMPLATE
from algoport.containers.pages import clients
from tests import making

ROOT = Path(__file__).parents[1]
NAME, FOLDER = "my-algorithm", "my_algorithm"
# What `make readme` writes, and where `make clients` notes how examples went.
GENERATED = {"README.md", "docs/clients.md", "benchmarks/results/clients.jsonl"}
pytestmark = pytest.mark.xdist_group("one folder")


def contents(tree: Path) -> dict[str, bytes]:
    """The files of a tree by their places, but the new folder's and what running leaves."""
    left_out = {"__pycache__", ".pytest_cache", ".ruff_cache", ".hypothesis", ".peers", FOLDER}
    paths = (path for path in tree.rglob("*") if path.is_file() and not path.is_symlink())
    return {
        str(path.relative_to(tree)): path.read_bytes()
        for path in paths
        if not left_out & set(path.relative_to(tree).parts) and path.suffix not in (".nbi", ".nbc")
    }


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """All tracked files, and one more folder; after the tests, which files of the tree have changed is looked at."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("needs a checkout of the repository")
    copy = tmp_path_factory.mktemp("tree")
    for name in filter(None, listed.stdout.split("\0")):
        if os.path.lexists(ROOT / name):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name, follow_symlinks=False)
    before: dict[str, bytes] = {}
    for words in (("pages",), ("cli", "new", NAME, "--into", "algorithms"), ("pages",)):
        done = run(copy, "-m", f"algoport.containers.{words[0]}", *words[1:])
        assert done.returncode == 0, done.stdout + done.stderr
        before = before or contents(copy)  # with pages that are current
    yield copy
    after = contents(copy)
    assert {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)} <= GENERATED


def run(tree: Path, *words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Python, in the copy, with what lies there."""
    settled = {name: value for name, value in os.environ.items() if name not in ("ALGORITHM_PATH", "PYTEST_ADDOPTS")}
    return subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=tree, env=settled | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", **environment},
        text=True, capture_output=True, timeout=600, check=False,
    )  # fmt: skip


def suite(tree: Path, *words: object, **environment: str) -> str:
    """What pytest says in the copy, where all has passed."""
    done = run(tree, "-m", "pytest", "-p", "no:cacheprovider", "-rs", *words, **environment)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


def test_the_copy_is_what_is_imported(tree: Path) -> None:
    done = run(tree, "-c", f"from algoport import algorithms; print(algorithms.folder({NAME!r}).resolve())")

    assert done.stdout.strip() == str((tree / "algorithms" / FOLDER).resolve()), done.stderr


def test_the_guide_names_each_file_of_the_folder_and_these_commands() -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text()
    files = {path.name for path in TEMPLATE.iterdir() if path.is_file()} - {"Dockerfile", "test_kernels.py"}

    assert [name for name in sorted(files) if f"| `{name}` |" not in guide] == []
    for command in (f"algoport new {NAME} --into algorithms", "make readme", f"pytest tests/conformance -k {NAME}"):
        assert command in guide


def test_style_and_the_arrows_of_imports_hold(tree: Path) -> None:
    for words in (("check", f"algorithms/{FOLDER}"), ("format", "--check", f"algorithms/{FOLDER}")):
        done = run(tree, "-m", "ruff", *words, "--no-cache")
        assert done.returncode == 0, done.stdout + done.stderr

    suite(tree, "tests/architecture")


def test_it_keeps_every_promise(tree: Path) -> None:
    said = suite(tree, "tests/conformance", "-k", NAME)

    assert " passed" in said or "[100%]" in said
    assert "does not promise" not in said


def test_its_own_tests_run_where_they_lie(tree: Path) -> None:
    suite(tree, f"algorithms/{FOLDER}")


def test_the_pages_show_it(tree: Path) -> None:
    assert f"[{NAME}](algorithms/{FOLDER}/README.md)" in (tree / "README.md").read_text()
    assert "| `feature_dim` |" in (tree / "algorithms" / FOLDER / "README.md").read_text()
    assert (tree / "docs/clients.md").read_text().count(f"\n### {NAME}\n") == 3

    suite(tree, "tests/containers/test_pages.py")


def test_its_client_examples_are_whole(tree: Path) -> None:
    said = suite(tree, "tests/clients/test_examples.py", "-m", "not docker", "-vv", "-k", f"each or whole or {NAME}")

    for client in ("version 2", "version 3"):
        assert f"test_an_example_is_whole[{client}: {NAME}] PASSED" in said


def test_what_its_page_says_reads_its_model(tree: Path) -> None:
    """Here in this environment; `tests/clients/test_readers.py` does it where nothing of ours is installed."""
    program = clients.code(clients.section(tree / "algorithms" / FOLDER, "What reads the model"))
    script = f"""
import tempfile
from pathlib import Path

import numpy

from tests.conformance.example import Example

example, model = Example({NAME!r}), Path(tempfile.mkdtemp())
fitted, rows = example.fit(), example.requests().dense()
fitted.save(model)
{program}
for column, values in answers.items():
    numpy.testing.assert_allclose(values, fitted.predict(example.requests(), None)[column], rtol=1e-4)
assert answers
"""

    done = run(tree, "-c", script)

    assert done.returncode == 0, done.stderr


def test_faults_and_fuzzing_take_it_up(tree: Path) -> None:
    script = f"""
from tests.faults.work import works
from tests.fuzzing import artifacts, endpoints
from tests.fuzzing.fuzzer import fuzz

assert {NAME!r} in [work.name for work in works()]
targets = [*artifacts.targets({NAME!r}), *endpoints.targets({NAME!r})]
own = [target for target in targets if {NAME!r} in target.name]
assert len(own) > 4, own
for target in own:
    report = fuzz(target, 10)
    assert not report.findings, report.findings
"""

    done = run(tree, "-c", script)

    assert done.returncode == 0, done.stdout + done.stderr


def test_its_image_is_made_by_the_recipe_of_all(tree: Path, tmp_path: Path) -> None:
    """The two steps that are of one algorithm, as the Dockerfile has them: what it installs, and its kernels."""
    recipe = (tree / "containers/image/Dockerfile").read_text()
    assert "containers/image/own.py" in recipe and "algoport.containers.image.kernels" in recipe

    own = run(
        tree, "containers/image/own.py", f"algorithms/{FOLDER}/requirements.txt", tmp_path / "none", tmp_path / "own"
    )
    assert own.returncode == 0 and not list((tmp_path / "own").iterdir()), own.stderr

    kernels = run(tree, "-m", "algoport.containers.image.kernels", NAME, ALGOPORT_KERNELS=str(tmp_path / "kernels"))
    assert kernels.returncode == 0, kernels.stdout + kernels.stderr
    assert [path for path in (tmp_path / "kernels").rglob("*.nbi") if "_squared_distances" in path.name]


@pytest.mark.docker
@pytest.mark.makes(".peers/sagemaker/installed")
def test_its_image_trains_and_serves_and_the_client_example_runs(tree: Path) -> None:
    if not making.has_engine():
        (pytest.fail if os.environ.get("ALGOPORT_REQUIRE_DOCKER") == "1" else pytest.skip)("no Docker Engine answers")
    done = making.make(".peers/sagemaker/installed")
    assert done.returncode == 0, done.stderr
    (tree / ".peers").symlink_to(ROOT / ".peers")
    command = ["make", "base", "image", f"A={NAME}"]
    built = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
    try:
        suite(tree, "tests/containers/test_every_image.py", "-k", NAME, ALGOPORT_IMAGES="all")
        done = run(tree, "-m", "tests.clients.examples", f"version 2: {NAME}")
        assert done.returncode == 0, done.stdout
    finally:
        subprocess.run(["docker", "image", "rm", "-f", f"algoport/{NAME}:cpu"], capture_output=True, check=False)
