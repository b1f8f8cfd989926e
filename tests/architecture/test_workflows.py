"""The workflows of a public forge, as far as they can be judged without one: pinned, with few permissions, naming no
host, and calling what is there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.architecture.test_tree import ROOT

FOLDER = ROOT / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
PINNED = re.compile(r"^[a-z-]+/[a-z-]+@[0-9a-f]{40}$")
VERSIONED = re.compile(r"uses: \S+@[0-9a-f]{40}  # v\d+\.\d+\.\d+$")
HOST = re.compile(r"\b[a-z0-9-]+(\.[a-z0-9-]+)*\.(io|com|org|net|dev|ai)\b")
# The steps that may write something, by the job they stand in or that calls them.
WRITERS = {("release.yml", "images"): {"packages"}, ("release.yml", "publish"): {"id-token"}}


def read(path: Path) -> dict[str, Any]:
    """A workflow; its key `on`, which YAML takes for a truth value, by its name."""
    workflow: dict[Any, Any] = yaml.safe_load(path.read_text())
    return {("on" if key is True else key): value for key, value in workflow.items()}


def jobs() -> Iterator[tuple[Path, str, dict[str, Any]]]:
    for path in FILES:
        for name, job in read(path)["jobs"].items():
            yield path, name, job


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, name, job in jobs():
        yield from ((f"{path.name}: {name}", step) for step in job.get("steps", ()))


def test_there_are_workflows_that_check_build_and_publish() -> None:
    assert [path.name for path in FILES] == ["checks.yml", "images.yml", "release.yml"]
    assert {"push", "pull_request", "workflow_call"} <= set(read(FOLDER / "checks.yml")["on"])
    assert list(read(FOLDER / "release.yml")["on"]) == ["push"] and "tags" in read(FOLDER / "release.yml")["on"]["push"]
    platforms = read(FOLDER / "images.yml")["jobs"]["build"]["strategy"]["matrix"]["include"]
    assert [each["platform"] for each in platforms] == ["amd64", "arm64"]


def test_every_action_is_pinned_by_its_commit_and_says_its_version() -> None:
    used = [(where, step["uses"]) for where, step in steps() if "uses" in step]
    used += [(f"{path.name}: {name}", job["uses"]) for path, name, job in jobs() if "uses" in job]
    lines = [line.strip() for path in FILES for line in path.read_text().splitlines() if "uses: actions/" in line]

    wrong = [f"{where}: {name}" for where, name in used if not name.startswith("./") and not PINNED.match(name)]
    wrong += [line for line in lines if not VERSIONED.search(line)]
    versions: dict[str, set[str]] = {}
    for _, name in used:
        action, _, commit = name.partition("@")
        versions.setdefault(action, set()).add(commit)

    assert len(used) > 10
    assert not wrong, wrong
    assert all(len(commits) == 1 for commits in versions.values()), versions


def test_nobody_may_write_who_publishes_nothing() -> None:
    assert all(read(path)["permissions"] == {"contents": "read"} for path in FILES)

    rights = {
        (path.name, name): {right for right, how in job["permissions"].items() if how != "read"}
        for path, name, job in jobs()
        if "permissions" in job
    }

    assert {place: writes for place, writes in rights.items() if writes} == WRITERS


def test_a_checkout_keeps_no_credentials_and_who_publishes_the_package_has_none() -> None:
    checkouts = [(where, step) for where, step in steps() if step.get("uses", "").startswith("actions/checkout@")]

    assert checkouts
    assert [where for where, step in checkouts if step["with"].get("persist-credentials") is not False] == []
    publish = read(FOLDER / "release.yml")["jobs"]["publish"]
    assert publish["environment"] == "release"
    assert not any("checkout" in step.get("uses", "") for step in publish["steps"])


def test_no_command_has_an_expression_in_it() -> None:
    """Names of branches and titles are chosen by strangers: what a command needs comes through its environment."""
    wrong = [f"{where}: {step['run']}" for where, step in steps() if "${{" in step.get("run", "")]

    assert not wrong, wrong


def test_every_job_ends_some_time() -> None:
    without = [
        f"{path.name}: {name}" for path, name, job in jobs() if "uses" not in job and "timeout-minutes" not in job
    ]

    assert not without, without


def test_registries_are_named_by_settings_and_context_alone() -> None:
    wrong = [f"{path.name}: {match[0]}" for path in FILES for match in HOST.finditer(path.read_text())]

    assert not wrong, wrong
    assert "vars.REGISTRY" in (FOLDER / "images.yml").read_text()


def test_what_workflows_call_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = "\n".join(step["run"] for _, step in steps() if "run" in step)
    made = set(re.findall(r"\bmake (?:--\w+ )?([a-z-]+)", commands))
    modules = set(re.findall(r"python -m (algoport[.\w]+)", commands))
    names = {(path.name, name) for path, name, _ in jobs()}

    assert {"check", "docs", "install", "test-images", "names"} <= made <= targets, made - targets
    assert modules and all(find_spec(name) for name in modules)
    assert all(
        (path.name, name) in names
        for path, _, job in jobs()
        for name in ([job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", []))
    )
    assert (ROOT / ".ci/run").stat().st_mode & 0o111
    for word in re.findall(r"tests/[\w/]+\.py", commands):
        assert (ROOT / word).is_file(), word


@pytest.mark.parametrize("command", [pytest.param(step["run"], id=where) for where, step in steps() if "run" in step])
def test_a_command_is_one_that_bash_can_read(command: str) -> None:
    done = subprocess.run(["bash", "-n"], input=command, text=True, capture_output=True, check=False)

    assert done.returncode == 0, done.stderr


def test_the_forge_s_own_schema_accepts_each() -> None:
    """That of SchemaStore, which the package carries; contexts, expressions and inputs too where actionlint is here."""
    pytest.importorskip("check_jsonschema")
    words = ["-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", *map(str, FILES)]

    done = subprocess.run([sys.executable, "-P", *words], text=True, capture_output=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    if lint := shutil.which("actionlint"):
        done = subprocess.run([lint, *map(str, FILES)], text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
