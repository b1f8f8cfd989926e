"""What `train` promises for every algorithm: the command itself, run on files from outside."""

from __future__ import annotations

import itertools
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from algoport.training import formats, metrics, warmup
from tests import baking
from tests.conformance.definitions import PROGRESS, THROUGHPUT, JobLog, published
from tests.conformance.example import CLOSE, Example, same
from tests.conformance.folder import PATIENCE, Folder, Trained, ml_folder, typed_folder, wider

PRINTED: dict[str, float] = {"rel": 1e-6, "abs": 1e-5}  # some lines have but five digits
LINES = ("text/csv", "application/jsonlines", "text/libsvm")  # formats in which a row is a line


def test_train_runs_from_a_bare_ml_folder(example: Example, model: object, trained: Trained) -> None:
    """And the model is the one that the same rows give without files."""
    assert trained.run.returncode == 0, trained.log
    assert trained.folder.failure == ""
    same(example.answers(model), example.answers(trained.folder.model()), **CLOSE)


def test_every_declared_metric_is_reported_and_its_regex_matches(example: Example, job_log: JobLog) -> None:
    """Each finds its own value, a finite number, in lines that no other metric's regex takes for its own."""
    definitions = metrics.definitions(example.algorithm)

    assert [entry["Name"] for entry in definitions] == [metric.name for metric in example.algorithm.metrics]
    owners: dict[tuple[str, int], str] = {}
    for entry in definitions:
        assert len(entry["Regex"]) <= 500
        matches = [(line, match) for line in job_log.lines if (match := re.search(entry["Regex"], line))]
        assert matches, f"{entry['Name']}: no line matches {entry['Regex']}"
        for line, match in matches:
            assert math.isfinite(float(match.group(1))), line
            where = line, match.start(1)
            assert owners.setdefault(where, entry["Name"]) == entry["Name"], f"{line} is also {owners[where]}"
            assert len(line) <= 1000 and ("\t" not in match.group(0) or example.algorithm.round_line)


def test_regexes_read_the_same_values_in_a_log_as_it_is_and_where_tabs_read_011(
    example: Example, job_log: JobLog
) -> None:
    """And these values are the ones that the job was handed."""
    for entry in metrics.definitions(example.algorithm):
        plain, escaped = (
            [float(match.group(1)) for line in lines if (match := re.search(entry["Regex"], line))]
            for lines in (job_log.lines, [line.replace("\t", "#011") for line in job_log.lines])
        )
        assert plain == escaped == pytest.approx(job_log.reported(entry["Name"]), **PRINTED), entry["Name"]


def test_the_originals_metric_definitions_read_our_values(example: Example, job_log: JobLog) -> None:
    """Each of them finds a line, and in every line the value that the job was handed."""
    for definition in published(example.name):
        values = definition.read(job_log.lines)
        assert values, f"{definition.name}: no line matches {definition.regex}"
        if definition.name == PROGRESS:
            # The log is of several jobs, one after another.
            assert values[-1] == 100 and all(b > a or a == 100 for a, b in itertools.pairwise(values)), values
        elif definition.name == THROUGHPUT:
            assert min(values) > 0
        else:
            assert values == pytest.approx(job_log.wanted(definition.name), **PRINTED), definition.name


def test_every_declared_content_type_is_trained_on(example: Example, trained: Trained, tmp_path: Path) -> None:
    """In two files each, and each gives the same model."""
    channel = example.algorithm.channel("train")
    assert channel is not None
    for media in channel.content_types:
        folder = typed_folder(tmp_path / media.replace("/", " "), example, media)
        run = folder.train()
        assert run.returncode == 0, f"{media}: {run.stdout}{run.stderr}{folder.failure}"
        same(example.answers(trained.folder.model()), example.answers(folder.model()), **CLOSE)


def test_a_faulty_row_is_named_by_file_and_line(example: Example, tmp_path: Path) -> None:
    channel = example.algorithm.channel("train")
    assert channel is not None
    for media in [media for media in LINES if media in channel.content_types]:
        folder = typed_folder(tmp_path / media.replace("/", " "), example, media)
        part = folder.path / "input/data/train/part-1"
        lines = part.read_bytes().split(b"\n")
        lines[2] = b"one,two:three}"
        part.write_bytes(b"\n".join(lines))

        run = folder.train()

        assert run.returncode == 2, run.stdout + run.stderr
        first = folder.failure.splitlines()[0]
        assert first.startswith("ClientError: ") and "part-1, line 3" in first, first
        assert_same_faults(folder)


def test_a_row_of_the_wrong_width_is_named_by_file(example: Example, tmp_path: Path) -> None:
    channel = example.algorithm.channel("train")
    assert channel is not None
    if channel.kind != "rows":
        pytest.skip(f"{channel.kind} have no width")
    folder = typed_folder(tmp_path, example, channel.content_types[0])
    rows = example.rows()["train"]
    folder.put("input/data/train/part-2", formats.find(channel.content_types[0]).write(wider(rows[:4])))

    run = folder.train()

    assert run.returncode == 2, run.stdout + run.stderr
    first = folder.failure.splitlines()[0]
    assert "part-2" in first and str(rows.width) in first and str(rows.width + 1) in first, first
    assert_same_faults(folder)


def test_a_missing_channel_is_named_with_what_it_would_hold(example: Example, tmp_path: Path) -> None:
    folder = ml_folder(tmp_path, example)
    shutil.rmtree(tmp_path / "input/data/train")

    run = folder.train()

    assert run.returncode == 2
    channel = example.algorithm.channel("train")
    assert channel is not None
    assert "'train'" in folder.failure and channel.meaning in folder.failure
    assert_same_faults(folder)


def test_all_faulty_settings_are_reported_at_once_and_briefly(example: Example, tmp_path: Path) -> None:
    """Exit code 2, at most 1,024 characters, the prefix, and no traceback."""
    folder = ml_folder(tmp_path, example)
    names = [setting.name for setting in example.Hyperparameters.settings()]
    folder.hyperparameters({**example.given, **{f"{name}_": "x" * 300 for name in names}, "wholly_unknown": "1"})

    run = folder.train()

    assert run.returncode == 2
    assert folder.failure.startswith("ClientError: ")
    assert f"{names[0]}_: " in folder.failure and names[0] in folder.failure
    assert len(folder.failure) <= 1024
    assert "Traceback" not in run.stdout + run.stderr
    assert not list((tmp_path / "model").glob("*"))
    assert_same_faults(folder)


def assert_same_faults(folder: Folder) -> None:
    """`validate` refuses in the words of `train`, whose failure file has the first of them."""
    (first, *_), said = folder.validate(), folder.failure.splitlines()[0]
    assert said.startswith(f"ClientError: {first[:300]}"), f"train: {said}\nvalidate: {first}"


def test_validation_refuses_what_training_refuses_of_labels(example: Example, tmp_path: Path) -> None:
    """Of five columns of labels, and of none, `validate` says what `train` says, or both take them."""
    channel = example.algorithm.channel("train")
    assert channel is not None
    if channel.kind != "rows" or "text/csv" not in channel.content_types:
        pytest.skip(f"{channel.kind} have no columns of labels")
    for number, labels in enumerate((0, 5)):
        folder = ml_folder(tmp_path / str(number), example)
        names = [path.name for path in (folder.path / "input/data").iterdir()]
        for path in (folder.path / "input/data/train").iterdir():
            path.unlink()
        rows = example.rows()["train"]
        width = rows.width if labels == 0 else rows.width + 5
        lines = [",".join(["1", "0"] * width)[: 2 * width - 1]] * len(rows)
        folder.put("input/data/train/rows.csv", "\n".join(lines).encode())
        folder.channels({**dict.fromkeys(names, "text/csv;label_size=0"), "train": f"text/csv;label_size={labels}"})

        run, faults = folder.train(), folder.validate()

        assert (run.returncode == 2) is bool(faults), f"{run.stdout}{run.stderr}{faults}"
        if faults:
            assert_same_faults(folder)


def test_the_model_channel_takes_what_train_left(example: Example, trained: Trained, tmp_path: Path) -> None:
    folder = ml_folder(tmp_path, example)
    for file in (trained.folder.path / "model").iterdir():
        folder.put(f"input/data/model/{file.name}", file.read_bytes())

    run = folder.train()

    assert run.returncode == 0, run.stdout + run.stderr + folder.failure
    started = example.fit(start=trained.folder.model())
    same(example.answers(started), example.answers(folder.model()), **CLOSE)


def test_nothing_compiles_after_the_example_job(example: Example, tmp_path: Path) -> None:
    """With the kernels that an image holds, its example jobs' and the decoders', every other way to train and to answer
    compiles none."""
    kernels, level = tmp_path / "kernels", baking.level()
    for part in (example.name, warmup.DECODERS):
        shutil.copytree(baking.baked(part), kernels, dirs_exist_ok=True)
    environment = ml_folder(tmp_path / "ml", example).environment(ALGOPORT_KERNELS=str(kernels), ALGOPORT_CPU=level)

    def run(*module: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *module],
            env=environment,
            text=True,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    files = {str(path) for path in kernels.rglob("*") if path.is_file()}
    printed = run("tests.conformance.variations", example.name)
    run("algoport.training")

    assert printed.splitlines()[-1] == "compiled: 0", printed
    assert {str(path) for path in kernels.rglob("*") if path.is_file()} == files
    assert os.path.isdir(tmp_path / "ml" / "model")


def test_stray_files_in_a_channel_are_passed_over(example: Example, trained: Trained, tmp_path: Path) -> None:
    """What is hidden, what marks the end of an upload, and what is empty; each is no row, so one job tells of all."""
    folder = ml_folder(tmp_path, example)
    for name, data in ((".hidden", b"not a row"), ("_SUCCESS", b"not a row"), ("empty.csv", b"")):
        folder.put(f"input/data/train/{name}", data)

    run = folder.train()

    assert run.returncode == 0, run.stdout + run.stderr + folder.failure
    same(example.answers(trained.folder.model()), example.answers(folder.model()))
