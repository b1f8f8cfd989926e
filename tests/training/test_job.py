"""One host, from the outside: what goes in, what comes out, and what is said when something is wrong."""

import gzip
import io
import json
import os
import re
import tarfile

import numpy as np
import pytest

from tests.training.jobs import Place, csv, digits, digits_job

SHAPE = re.compile(r"^\[\d\d/\d\d/\d{4} \d\d:\d\d:\d\d INFO \d+\] ")


def test_files_become_a_model_metrics_and_a_readable_log(tmp_path):
    place = digits_job(tmp_path, epochs=2)

    run = place.run()

    assert run.code == 0, run.log
    arrays, facts = place.model
    np.testing.assert_allclose(arrays["mean"], digits().mean(axis=0, dtype=np.float64), rtol=1e-12)
    assert facts["count"] == 2 * len(digits())
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["model.json", "model.safetensors"]
    lines = run.log.splitlines()
    assert lines[0] == "Docker entrypoint called with argument(s): train"
    for start in ("Reading default configuration", "Merging with provided configuration from", "Final configuration"):
        assert any(SHAPE.match(line) and start in line for line in lines)
    assert "#quality_metric: host=algo-1, epoch=2, train norm <score>=" in run.log
    assert re.search(r"#throughput_metric: host=algo-1, train throughput=[\d.]+ records/second", run.log)
    emitted = [json.loads(line.removeprefix("#metrics ")) for line in lines if line.startswith("#metrics ")]
    assert all(entry["Dimensions"]["Algorithm"] == "Test/RunningMean" for entry in emitted)
    assert emitted[-1]["Metrics"]["totaltime"]["count"] == 1
    assert place.metrics["metrics"]["train:norm"]["goal"] == "minimize"
    assert place.metrics["rows"] == {"train": 2 * len(digits())}
    assert not place.failure
    assert "\t" not in run.log and "\r" not in run.log and "\x1b" not in run.log


def test_strays_hidden_and_empty_files_are_left_out_and_links_and_gzip_are_followed(tmp_path):
    place = Place(tmp_path).settings().channels(train={}, code={}, sm_drivers={})
    rows = digits()
    place.file("train/a/deep/part.csv", csv(rows[:500]))
    place.file("train/b.csv.gz", gzip.compress(csv(rows[500:900])))
    place.file("train/c", gzip.compress(csv(rows[900:1000])))  # known by its first bytes
    place.file("train/_SUCCESS", b"oops").file("train/.part.csv.crc", b"crc").file("train/empty.csv", b"")
    place.file("train/_temporary/part.csv", b"oops").file("train/.hidden/part.csv", b"oops")
    place.file("train-manifest", b"s3://bucket/train/b.csv\n").file("checkpoints-manifest", b"")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "d.csv").write_bytes(csv(rows[1000:]))
    (tmp_path / "input/data/train/linked").symlink_to(elsewhere)
    (tmp_path / "input/data/train/linked/loop").symlink_to(tmp_path / "input/data/train")

    run = place.run()

    assert run.code == 0, run.log
    assert place.model[1]["count"] == len(rows)


def test_a_channel_can_be_a_single_file_and_a_manifest_says_which_files_count(tmp_path):
    one = Place(tmp_path / "one").settings().channels(train={}).file("train", csv(digits()))
    two = Place(tmp_path / "two").settings().channels(train={})
    for number in range(3):
        two.file(f"train/sub/{number}.csv", csv(digits()[number * 10 : number * 10 + 10]))
    two.file("train/chosen.manifest", b'[{"prefix": "s3://b/p/"}, "sub/2.csv", "sub/0.csv"]')

    assert one.run().code == 0
    assert two.run().code == 0

    assert one.model[1]["count"] == len(digits())
    assert two.model[1]["count"] == 20
    assert two.model[0]["trace"][0] == digits()[[*range(20, 30), *range(10)], 0].sum()


def test_without_configuration_files_folders_are_channels(tmp_path):
    place = Place(tmp_path).settings().file("train/a.csv", csv(np.c_[np.ones(30), digits()[:30]]))

    run = place.run()

    assert run.code == 0, run.log
    assert place.model[1]["count"] == 30  # the first column is the label, as for all training data in CSV


def test_malformed_optional_files_are_worth_a_warning_only(tmp_path):
    place = digits_job(tmp_path).config("checkpointconfig", "{not json").config("profilerconfig", "[")
    place.config("resourceconfig", {"current_host": "x", "unknown": 1})

    run = place.run()

    assert run.code == 0, run.log
    assert "WARNING" in run.log and "checkpointconfig.json: must be a JSON object" in run.log


def test_all_that_is_wrong_with_the_configuration_is_said_at_once(tmp_path):
    place = digits_job(tmp_path, epochs="many", epoch=3, _seed="-1", _kvstore="auto", sagemaker_program="x.py")
    place.channels(train={"ContentType": "text/html"}, test={"TrainingInputMode": "Stream"})

    run = place.run()

    assert run.code == 2
    first, *rest = place.failure.splitlines()
    assert first.startswith("ClientError: ")
    whole = "\n".join([first, *rest])
    for part in (
        "epochs: must be a whole number at least 1; it is 'many'.",
        "epoch: is not a hyperparameter of this algorithm; the nearest valid name is epochs.",
        "_seed: must be a whole number at least 0; it is '-1'.",
        "Channel 'train': the content type must be one of text/csv, application/x-recordio-protobuf, "
        "application/x-npy; it is 'text/html'.",
        "Channel 'test': TrainingInputMode must be File, FastFile or Pipe; it is 'Stream'.",
    ):
        assert part in whole
        assert part in run.log


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ((), "There is no {base}/input: mount the folder of the job"),
        (("trian/a.csv",), "Channel 'train' is required and has no records. It holds the rows to average, as text/csv"),
        (("trian/a.csv",), "In {base}/input/data there is trian/."),
        (("train/_a.csv",), "Channel 'train' is required and has no records."),
    ],
)
def test_a_missing_channel_is_explained_by_what_is_there_instead(tmp_path, there, said):
    place = Place(tmp_path / "ml")
    if there:
        place.settings().channels(train={})
    for name in there:
        place.file(name, csv(digits()[:5]))

    run = place.run()

    assert run.code == 2
    assert said.format(base=tmp_path / "ml") in place.failure


def test_the_only_channel_may_be_called_training(tmp_path):
    """As the SageMaker SDK calls it where its user gives none a name."""
    place = Place(tmp_path).settings().channels(training={}).file("training/a.csv", csv(digits()[:5]))

    run = place.run()

    assert run.code == 0, run.log
    assert place.model[1]["count"] == 5 and "not one that this algorithm reads" not in run.log


def test_beside_a_channel_train_one_called_training_is_not_read(tmp_path):
    place = Place(tmp_path).settings().channels(train={}, training={})
    place.file("train/a.csv", csv(digits()[:5])).file("training/a.csv", b"no,rows\n")

    run = place.run()

    assert run.code == 0, run.log
    assert place.model[1]["count"] == 5 and "Channel 'training' is not one that" in run.log


def test_a_channel_under_another_name_is_asked_about(tmp_path):
    place = Place(tmp_path).settings().channels(trian={}).file("trian/a.csv", csv(digits()[:5]))

    assert place.run().code == 2

    assert "Channel 'train' is required and was not given. Was 'trian' meant?" in place.failure


def test_a_faulty_row_is_named_by_file_and_line(tmp_path):
    place = digits_job(tmp_path).file("train/part-1.csv", csv(digits()[:9]) + b"1,zwei\n")

    run = place.run()

    assert run.code == 2
    assert place.failure.startswith("ClientError: train/part-1.csv, line 10: ")
    assert not list((tmp_path / "model").glob("*")) if (tmp_path / "model").exists() else True


@pytest.mark.parametrize("damaged", [lambda data: data[:-200], lambda data: data[:300] + b"\xff" * 300 + data[600:]])
def test_a_damaged_gzip_file_is_named(tmp_path, damaged):
    place = digits_job(tmp_path).file("train/part-3.csv.gz", damaged(gzip.compress(csv(digits()))))

    assert place.run().code == 2
    assert place.failure.startswith("ClientError: train/part-3.csv.gz: must be a whole gzip file; ")


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        ("user", 2, "ClientError: train/part-3.csv, line 121: not a row of numbers: '1,zwei'.\nAnd another."),
        ("bug", 1, "AlgorithmError: IndexError: index 7 is out of bounds\n(caused by KeyError: 'center')"),
        ("memory", 1, "InternalServerError: Memory: more is needed than there is (Unable to allocate 9 EiB); the li"),
        (
            "torch",
            1,
            "InternalServerError: Memory: more is needed than there is (can't allocate memory: you tried to allocate 9 "
            "bytes); the limit is ",
        ),
        ("kill", 1, "InternalServerError: Training was killed (SIGKILL, exit code 137)"),
    ],
)
def test_every_end_leaves_its_sentence(tmp_path, fault, code, said):
    place = digits_job(tmp_path, fault=fault)

    run = place.run()

    assert run.code == code
    assert place.failure.startswith(said)
    assert len(place.failure) <= 1024
    assert ("Traceback" in run.log) == (fault in ("bug", "memory", "torch"))
    if fault == "kill":
        assert re.search(r"it had [\d.]+ [MG]iB at most, the limit is", place.failure)


def test_a_file_whose_name_is_no_text_is_named_all_the_same(tmp_path):
    place = digits_job(tmp_path)
    with open(os.fsencode(tmp_path / "input/data/train") + b"/part-\xff.csv", "wb") as file:
        file.write(b"1,zwei\n")

    run = place.run()

    assert run.code == 2
    assert place.failure.startswith("ClientError: train/part-\\udcff.csv, line 1: ")
    assert "ClientError: train/part-\\udcff.csv, line 1: " in run.log


def test_a_failure_that_stands_is_not_overwritten_and_a_long_one_is_cut(tmp_path):
    place = digits_job(tmp_path, **{f"unknown_{i}": 1 for i in range(30)})

    assert place.run().code == 2
    assert len(place.failure) <= 1024 and len(place.failure.splitlines()) == 7
    before = place.failure
    place.settings(epochs="many")
    assert place.run().code == 2
    assert place.failure == before


def test_an_algorithm_that_does_not_exist_or_does_not_import_is_said(tmp_path):
    place = digits_job(tmp_path)

    assert place.run(ALGORITHM="running-meen").code == 2
    assert "There is no algorithm 'running-meen'." in place.failure and "Did you mean running-mean?" in place.failure
    (tmp_path / "output/failure").unlink()
    broken = tmp_path / "more/broken"
    broken.mkdir(parents=True)
    for name in ("hyperparameters", "train"):
        (broken / f"{name}.py").write_text("")
    (broken / "__init__.py").write_text("import no_such_module_anywhere")
    assert place.run(ALGORITHM="broken", ALGORITHM_PATH=str(tmp_path / "more")).code == 1
    assert "AlgorithmError: ModuleNotFoundError: No module named 'no_such_module_anywhere'" in place.failure


@pytest.mark.parametrize("kind", ["tar.gz", "tar", "extracted"])
def test_incremental_training_starts_from_a_model_in_any_wrapping(tmp_path, kind):
    first = digits_job(tmp_path / "first")
    assert first.run().code == 0
    second = digits_job(tmp_path / "second")
    entry = {"ContentType": "application/x-sagemaker-model"}
    second.channels(train={}, model=entry).file("model/.keep", b"")
    target = tmp_path / "second/input/data/model"
    if kind == "extracted":
        for path in (tmp_path / "first/model").iterdir():
            (target / path.name).write_bytes(path.read_bytes())
    else:
        with tarfile.open(target / f"model.{kind}", "w:gz" if kind == "tar.gz" else "w") as tar:
            tar.add(tmp_path / "first/model", ".")

    run = second.run()

    assert run.code == 0, run.log
    assert second.model[1]["count"] == 2 * len(digits())


def test_a_damaged_archive_is_named(tmp_path):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        entry = tarfile.TarInfo("model.safetensors")
        entry.size = 1 << 20
        tar.addfile(entry, io.BytesIO(np.random.default_rng(0).bytes(entry.size)))
    data = archive.getvalue()
    damaged = data[: 1 << 18] + b"\xff" * (1 << 17) + data[3 << 17 :]
    place = digits_job(tmp_path).channels(train={}, model={}).file("model/model.tar.gz", damaged)

    assert place.run().code == 2
    assert place.failure.startswith("ClientError: model.tar.gz: cannot be unpacked as a tar archive: ")


@pytest.mark.parametrize("evil", ["../../evil", "/tmp/evil", "link"])
def test_an_archive_that_reaches_out_of_its_folder_is_refused(tmp_path, evil):
    place = digits_job(tmp_path).channels(train={}, model={}).file("model/.keep", b"")
    with tarfile.open(tmp_path / "input/data/model/model.tar.gz", "w:gz") as tar:
        entry = tarfile.TarInfo("inner" if evil == "link" else evil)
        if evil == "link":
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(entry)

    assert place.run().code == 2
    assert place.failure.startswith("ClientError: model.tar.gz: must hold ")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
def test_what_root_writes_belongs_to_the_owner_of_the_mounted_folders(tmp_path):
    place = digits_job(tmp_path)
    for name in ("model", "output", "checkpoints"):
        (tmp_path / name).mkdir()
        os.chown(tmp_path / name, 12345, 54321)

    assert place.run().code == 0

    written = [path for name in ("model", "output", "checkpoints") for path in (tmp_path / name).rglob("*")]
    assert len(written) > 5
    assert {(path.stat().st_uid, path.stat().st_gid) for path in written} == {(12345, 54321)}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
def test_folders_that_root_makes_in_a_mounted_one_belong_to_its_owner(tmp_path):
    place = digits_job(tmp_path / "ml")
    os.chown(tmp_path / "ml", 12345, 54321)

    assert place.run().code == 0

    made = [tmp_path / "ml" / name for name in ("model", "output")]
    written = [*made, *(path for folder in made for path in folder.rglob("*"))]
    assert len(written) > 5
    assert {(path.stat().st_uid, path.stat().st_gid) for path in written} == {(12345, 54321)}


def test_output_that_can_no_longer_be_written_is_no_reason_to_lose_the_model(tmp_path):
    place = digits_job(tmp_path, epochs=10, pause=0.01)
    run = place.start().until("Final configuration")
    (tmp_path / "output").write_text("not a folder")

    run.wait()
    assert run.code == 0, run.log
    assert place.model[1]["count"] == 10 * len(digits())
    place.settings(epochs="many")
    run = place.run()
    assert run.code == 2
    assert "cannot be written" in run.log and "epochs: must be a whole number" in run.log
