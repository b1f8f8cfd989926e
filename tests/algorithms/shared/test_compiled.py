"""Kernels are compiled once, and then by nobody: not by another process, user, or from a folder that is read-only."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from algoport.algorithms.shared import compiled

TWICE = """
import sys
import numpy as np
from algoport.algorithms.shared import compiled
compiled.prepare()
from algoport.algorithms.shared.linalg.distances import pack
pack(np.ones((3, 2), np.float32))
print(compiled.compilations())
"""


IN_A_THREAD = """
import threading
import numpy as np
from algoport.algorithms.shared import compiled, log
compiled.prepare()
log.start()
from algoport.algorithms.shared.linalg.distances import pack
def work():
    try:
        pack(np.ones((3, 2), np.float32))
    except Exception as error:
        print(error)
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""
PACK = "algoport.algorithms.shared.linalg.distances."


def run(environment, *before):
    """How many kernels a new process compiles that uses one."""
    done = start(TWICE, environment, *before)
    return int(done.stdout)


def start(code, environment, *before):
    """A new process, with none of our own variables but these."""
    base = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "ALGOPORT_"))}
    done = subprocess.run(
        [*before, sys.executable, "-c", code],
        env=base | environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("action", ["refuse", "report", "report="])
def test_compilations_after_the_warm_up_are_told_or_refused(action, tmp_path):
    record = tmp_path / "record.txt"
    chosen = action.replace("=", f"={record}")
    environment = {"XDG_CACHE_HOME": str(tmp_path), compiled.COMPILE: chosen}

    first = start(IN_A_THREAD, environment)
    second = start(IN_A_THREAD, environment)

    lines = record.read_text() if record.exists() else first.stdout
    assert PACK in lines and "array(float32, 2d, C" in lines
    if action == "refuse":
        assert "is not compiled, as ALGOPORT_COMPILE is refuse" in second.stdout
    else:
        assert (first.stdout == "") is record.exists()
        assert second.stdout == "" and (not record.exists() or record.read_text() == lines)


def test_a_second_process_compiles_nothing(tmp_path):
    first = run({"XDG_CACHE_HOME": str(tmp_path)})

    assert first > 0
    assert run({"XDG_CACHE_HOME": str(tmp_path)}) == 0


def test_a_folder_that_cannot_be_written_is_read(tmp_path):
    baked = {compiled.KERNELS: str(tmp_path / "baked"), "XDG_CACHE_HOME": str(tmp_path / "unused"), "HOME": "/nowhere"}
    run(baked)
    powerless = []
    if os.getuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root can write anywhere, and there is no setpriv to stop it")
        powerless = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"]
    for path in [*(tmp_path / "baked").rglob("*"), tmp_path / "baked"]:
        path.chmod(stat.S_IREAD | (stat.S_IEXEC if path.is_dir() else 0))

    assert run(baked, *powerless) == 0
    assert not (tmp_path / "unused").exists()


def test_an_empty_folder_that_cannot_be_written_is_no_failure(tmp_path):
    (tmp_path / "baked").mkdir()
    (tmp_path / "baked").chmod(stat.S_IREAD | stat.S_IEXEC)
    powerless = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"] if os.getuid() == 0 else []
    if powerless and shutil.which("setpriv") is None:
        pytest.skip("root can write anywhere, and there is no setpriv to stop it")

    assert run({compiled.KERNELS: str(tmp_path / "baked")}, *powerless) > 0


def test_each_level_of_processors_has_its_own_kernels(tmp_path):
    levels = compiled.levels_here()
    for level in levels:
        assert run({compiled.KERNELS: str(tmp_path), compiled.PROCESSOR: level}) > 0

    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(levels)
    assert run({compiled.KERNELS: str(tmp_path)}) == 0


def test_the_best_level_that_is_baked_is_taken(tmp_path, monkeypatch):
    monkeypatch.delenv(compiled.PROCESSOR, raising=False)
    monkeypatch.setenv(compiled.KERNELS, str(tmp_path))
    monkeypatch.setattr(compiled, "levels_here", lambda: ["x86-64-v4", "x86-64-v3"])
    (tmp_path / "x86-64-v3").mkdir()

    assert compiled.processor() == "x86-64-v3"

    (tmp_path / "x86-64-v4").mkdir()
    assert compiled.processor() == "x86-64-v4"


def test_kernels_lie_under_one_name_wherever_the_packages_are_installed(tmp_path):
    """An image's kernels, and those that a test has compiled from another clone, are found in any place."""
    root = Path(compiled.__file__).parents[2]

    assert compiled._place(root / "algorithms" / "kmeans" / "kernels" / "a.py") == "algorithms-kmeans-kernels"
    assert compiled._place(root / "training" / "formats" / "lines" / "kernels.py") == "training-formats-lines"
    assert compiled._place(tmp_path / "mine" / "kernels.py").startswith("mine-")


def test_a_cache_folder_that_others_may_write_is_not_used(tmp_path):
    """What lies in it is run."""
    place = tmp_path / "algoport" / "kernels" / "version"
    assert compiled._mine(place)

    place.chmod(0o777)

    assert not compiled._mine(place)


def test_an_edit_of_any_kernel_file_is_another_version(tmp_path, monkeypatch):
    shutil.copytree(Path(compiled.__file__).parent, tmp_path / "algorithms")
    monkeypatch.setattr(compiled, "_HERE", tmp_path / "algorithms")
    compiled.version.cache_clear()
    before = compiled.version()

    with open(tmp_path / "algorithms" / "distances.py", "a") as file:
        file.write("# numba\n")
    compiled.version.cache_clear()
    after = compiled.version()
    compiled.version.cache_clear()

    assert before != after
