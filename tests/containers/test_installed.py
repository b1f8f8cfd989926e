"""Installed, everything lies under one name, so that it meets no folder of a user's: not in the environment, and not in
the folder in which a command is run."""

from __future__ import annotations

import ast
import os
import re
import signal
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.containers.conftest import NAME, ROOT
from tests.containers.test_cli import SETTINGS, _answered, unlabeled
from tests.serving.servers import free_port

PACKAGES = ("algorithms", "training", "serving", "containers")


@pytest.fixture
def rubbish(tmp_path: Path) -> Path:
    """A folder in which whatever is imported from it ends the program."""
    folder = tmp_path / "users"
    for name in (*PACKAGES, "algoport"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("raise SystemExit('imported from the current folder')\n")
    np.savetxt(folder / "rows.csv", np.random.default_rng(0).normal(size=(200, 3)), "%.3f", ",")
    return folder


def clean() -> dict[str, str]:
    """The environment without what this process has put into it, or been given to find the checkout by."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "NUMBA_", "ALGO"))}


def run(folder: Path, *words: object, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, words)),
        cwd=folder,
        env=clean() | more,
        text=True,
        capture_output=True,
        timeout=300,
        check=False,
    )


def job(command: list[str], folder: Path, hosts: tuple[int, ...] = (1,), **more: str) -> None:
    """Every command of a job's life, in that folder."""
    train = ("--train", unlabeled(folder / "rows.csv"), *SETTINGS)
    validated = run(folder, *command, "validate", NAME, *train, **more)
    assert validated.returncode == 0, validated.stdout + validated.stderr
    for count in hosts:
        done = run(folder, *command, "train", NAME, *train, "--hosts", count, "--output", "job", **more)
        assert done.returncode == 0, done.stdout + done.stderr
    asked = run(folder, *command, "predict", "job", "rows.csv", **more)
    assert asked.returncode == 0 and "closest_cluster" in asked.stdout, asked.stderr
    port = free_port()
    server = subprocess.Popen([*command, "serve", "job", "--port", str(port)], cwd=folder, env=clean() | more)
    try:
        assert "predictions" in _answered(server, f"http://127.0.0.1:{port}/invocations", "9,9,0\n")
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0


def test_no_command_imports_from_the_folder_it_is_run_in(rubbish: Path) -> None:
    """-P is what a script that was installed has: its own folder is not the current one."""
    job([sys.executable, "-P", "-m", "algoport.containers.cli"], rubbish, PYTHONPATH=str(ROOT))


def test_what_a_user_puts_into_pythonpath_is_found_by_children(rubbish: Path, tmp_path: Path) -> None:
    """So is an algorithm of one's own, wherever it lies."""
    own, beside = tmp_path / "own/my_algorithm", tmp_path / "beside"
    command = [sys.executable, "-P", "-m", "algoport.containers.cli"]
    paths = {"PYTHONPATH": os.pathsep.join((str(ROOT), str(beside))), "ALGORITHM_PATH": str(own.parent)}
    beside.mkdir()
    (beside / "users_code.py").write_text("ANSWER = 42\n")
    assert run(rubbish, *command, "new", "my-algorithm", "--into", own.parent, **paths).returncode == 0
    text = (own / "train.py").read_text()
    (own / "train.py").write_text(text.replace("\nimport numpy", "\nimport users_code\nimport numpy", 1))

    train = unlabeled(rubbish / "rows.csv")
    words = ("train", "my-algorithm", "--train", train, "--hp", "feature_dim=3", "--output", "job")
    done = run(rubbish, *command, *words, **paths)

    assert "import users_code" in (own / "train.py").read_text()
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_python_that_we_start_leaves_the_current_folder_alone() -> None:
    """Where a program of ours starts another one in Python, -P, or -I, which means it too, stands behind the
    interpreter's name."""
    starts, wrong = 0, []
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.List | ast.Tuple) or not node.elts:
                continue
            if ast.unparse(node.elts[0]) == "sys.executable":
                starts += 1
                second = node.elts[1] if len(node.elts) > 1 else None
                if not (isinstance(second, ast.Constant) and second.value in ("-P", "-I")):
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}")

    assert starts > 5
    assert not wrong, wrong


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as it is installed, built from what git knows of this checkout."""
    place = tmp_path_factory.mktemp("wheel")
    source = place / "source"
    source.mkdir()
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False).stdout
    if not listed:
        pytest.skip("not in a checkout of git")
    for name in listed.decode().rstrip("\0").split("\0"):
        if (ROOT / name).is_file() or (ROOT / name).is_symlink():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_symlink():
                (source / name).symlink_to(os.readlink(ROOT / name))
            else:
                (source / name).write_bytes((ROOT / name).read_bytes())
    words = ("wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "-w", place, source)
    done = run(place, sys.executable, "-P", "-m", "pip", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = place.glob("*.whl")
    return made


@pytest.mark.slow
def test_a_wheel_holds_one_package_with_all_its_files(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    assert {name.split("/")[0] for name in names} <= {"algoport", wheel.name.split("-py3")[0] + ".dist-info"}
    listed = subprocess.run(["git", "ls-files", *PACKAGES], cwd=ROOT, text=True, capture_output=True, check=True).stdout
    tracked = {name for name in listed.split() if (ROOT / name).is_file()}
    assert not {f"algoport/{name}" for name in tracked} - names


@pytest.mark.slow
def test_what_a_wheel_installs_works_beside_folders_of_the_same_names(
    wheel: Path, rubbish: Path, tmp_path: Path
) -> None:
    """In an environment of its own, which sees the packages of this one and not its checkout."""
    place = tmp_path / "environment"
    venv.create(place)
    python = place / "bin/python"
    words = ("--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel)
    done = run(tmp_path, sys.executable, "-P", "-m", "pip", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    (packages,) = place.glob("lib/python3*/site-packages")
    (packages / "beside.pth").write_text(sysconfig.get_path("purelib") + "\n")
    home = run(rubbish, python, "-P", "-c", "import algoport; print(algoport.__file__)").stdout.strip()
    assert Path(home).parent.parent == packages, "the checkout is not in the way"

    job([str(place / "bin/algoport")], rubbish, hosts=(2, 1))

    assert re.search(r"^ *k +a whole number", run(rubbish, place / "bin/algoport", "describe", NAME).stdout, re.M)
    assert run(rubbish, place / "bin/describe", NAME).returncode == 0
    done = run(rubbish, place / "bin/train", SAGEMAKER_BASE_DIR=str(rubbish / "job"), ALGORITHM=NAME)
    assert done.returncode == 0, done.stdout + done.stderr
