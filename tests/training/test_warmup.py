"""Before the first job on a machine kernels are compiled, side by side, and the job says so."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from algoport.algorithms import ahead
from algoport.algorithms.contract.errors import PlatformError
from algoport.algorithms.shared import compiled
from algoport.containers.cli.make import copy_template
from algoport.training import warmup
from tests.training.jobs import ROOT, STANDINS, Place

NAME = "my-algorithm"
COUNT = """
from algoport.algorithms.shared import compiled
compiled.prepare()
from algoport.training.examples import run_example
run_example("my-algorithm")
print(compiled.compilations())
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of kernels, and an algorithm with a few small ones."""
    copy_template(tmp_path / "own/my_algorithm", NAME)
    monkeypatch.setenv("ALGORITHM_PATH", f"{tmp_path / 'own'}:{STANDINS}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv(compiled.KERNELS, raising=False)
    monkeypatch.delenv(compiled.COMPILE, raising=False)
    compiled.folder.cache_clear()
    yield tmp_path / "cache"
    compiled.folder.cache_clear()


def test_what_is_compiled_before_is_not_compiled_by_a_job(cache: Path) -> None:
    assert warmup.missing([NAME]) == [NAME]

    said: list[str] = []
    assert warmup.run([NAME], whole=True, say=said.append)

    announcement, done = said
    assert announcement.startswith(f"Compiling kernels for this processor, once ({NAME}); later they are loaded from ")
    assert re.match(r"Compiled [1-9]\d* kernels for ", done)
    assert warmup.missing([NAME]) == [] == warmup.missing([NAME], whole=True)
    done = subprocess.run([sys.executable, "-P", "-c", COUNT], text=True, capture_output=True, check=False)
    assert done.stdout == "0\n", done.stdout + done.stderr
    for name in compiled.folder().glob(f"{NAME}-*"):
        name.unlink()
    assert warmup.run([NAME], say=said.append)
    assert len(said) == 2, "kernels that are all there are not said to be compiled"


def test_entries_of_a_list_that_are_stale_are_passed_over(cache: Path, tmp_path: Path) -> None:
    module = "algoport.algorithms.my_algorithm.kernels"
    stale: list[list[object]] = [
        ["is_gone", "int64"],
        ["_add_rows", "int64"],
        ["_add_rows", "no_such_type"],
        ["finite"],
    ]
    kernels = [*stale, ["_add_rows", ["float32", 2, "C", "readonly"], ["float64", 1, "C", ""]]]
    lists = {"fit": {module: kernels, "algoport.algorithms.my_algorithm.gone": [["any"]]}, "predict": {}}
    (tmp_path / "own/my_algorithm" / ahead.LIST).write_text(json.dumps(lists))
    said: list[str] = []

    assert warmup.run([NAME], say=said.append)

    assert said[1].startswith("Compiled ") and "Compiled 0 " not in said[1]
    assert len(said) == 3 and "passed over" in said[2]
    for reason in (
        "is_gone (AttributeError)",
        "_add_rows (TypeError)",
        "_add_rows (AttributeError)",
        "gone.any (ModuleNotFoundError)",
    ):
        assert reason in said[2]
    assert warmup.missing([NAME]) == []


def test_nobody_waits_for_what_another_algorithm_needs(cache: Path) -> None:
    said: list[str] = []

    with ahead.alone(["another-algorithm", warmup.DECODERS]):
        assert warmup.run([NAME], say=said.append)

    assert said[0].startswith("Compiling") and len(said) == 2


def test_who_only_waits_for_another_process_says_so(cache: Path) -> None:
    said: list[str] = []

    with ahead.alone([NAME]):
        job = threading.Thread(target=warmup.run, args=([NAME],), kwargs={"say": said.append})
        job.start()
        while not said:
            time.sleep(0.01)
        ahead.note(NAME, "fit").touch()
    job.join()

    assert said[0] == f"Another process prepares kernels of {NAME}; this one waits for it."
    assert len(said) == 2 and re.match(r"Another process has prepared the kernels; this one waited \d", said[1])


def test_kernels_compiled_side_by_side_are_those_that_one_process_compiles(cache: Path, tmp_path: Path) -> None:
    """Saved under the same names, and optimized alike, which their size shows."""
    warmup.run([NAME], whole=True)
    alone = tmp_path / "alone"

    environment = os.environ | {"XDG_CACHE_HOME": str(alone)}
    subprocess.run([sys.executable, "-P", "-c", COUNT], env=environment, check=True, capture_output=True)

    def sizes(place: Path) -> dict[str, int]:
        files = sorted(place.glob("algoport/kernels/*/*/*.nbc"))
        return {path.name.split("-")[0]: path.stat().st_size for path in files}

    mine, theirs = sizes(cache), sizes(alone)
    assert mine.keys() == theirs.keys() and mine
    for name, size in theirs.items():
        assert mine[name] == pytest.approx(size, rel=0.05), name


def test_an_image_has_its_kernels(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(compiled.KERNELS, "/opt/kernels")

    assert warmup.missing([NAME, warmup.DECODERS]) == []


def test_what_nobody_would_find_again_is_not_compiled_before(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "_mine", lambda path: False)

    assert warmup.missing([NAME]) == []


def test_there_is_nothing_to_compile_where_there_is_no_example(cache: Path) -> None:
    assert warmup.missing(["running-mean", "no-such-algorithm"]) == []


@pytest.mark.parametrize(
    ("media", "parts"),
    [
        (["text/csv", "application/json"], []),
        (["text/csv", "text/libsvm"], [warmup.DECODERS]),
        (["application/x-recordio-protobuf"], [warmup.DECODERS]),
    ],
)
def test_decoders_are_compiled_for_the_formats_that_have_some(media: list[str], parts: list[str]) -> None:
    assert warmup.decoders(media) == parts


def test_a_stop_ends_it_at_once(cache: Path) -> None:
    start = time.monotonic()

    assert warmup.run([NAME], stop=lambda: True) is False

    assert time.monotonic() - start < 5
    assert warmup.missing([NAME]) == [NAME]


def test_a_failure_is_a_sentence_and_no_kernels_are_noted(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "own/my_algorithm/example.py").write_text("raise OSError('it is broken')\n")

    with pytest.raises(PlatformError, match=r"Kernels could not be compiled beforehand \(OSError: it is broken\)"):
        warmup.run([NAME])

    assert warmup.missing([NAME]) == [NAME]


def test_the_first_job_compiles_in_a_phase_of_its_own_and_the_second_not_at_all(cache: Path, tmp_path: Path) -> None:
    place = Place(tmp_path / "ml").config("hyperparameters", {"feature_dim": "3"})
    place.channels(train={"ContentType": "application/x-npy;label_size=0"})
    (tmp_path / "ml/input/data/train").mkdir(parents=True)
    np.save(tmp_path / "ml/input/data/train/rows.npy", np.ones((50, 3), np.float32))

    paths = {"ALGORITHM": NAME, "ALGORITHM_PATH": os.environ["ALGORITHM_PATH"]}
    first = place.run(**paths)
    phases = place.metrics["seconds"]
    second = place.run(**paths)

    assert first.code == second.code == 0, first.log + second.log
    assert f"Compiling kernels for this processor, once ({NAME}); later they are loaded from" in first.log
    assert '"compile.time"' in first.log and list(phases) == ["compile", "setup", "training", "saving"]
    assert "Compiling" not in second.log and "compile" not in place.metrics["seconds"]
