"""What a channel says of itself: what was read, as what, what was passed over, and what does not fit together."""

import contextlib
import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from algoport.algorithms.contract.errors import LabelError, PlatformError, UserError
from algoport.algorithms.contract.group import Alone
from algoport.algorithms.contract.records import Rows
from algoport.containers.jobs import validate
from algoport.training import configuration
from algoport.training.channels import Channel, label_places
from algoport.training.channels.files import shards
from algoport.training.channels.opening import Opening, check
from algoport.training.formats import find
from algoport.training.formats.layout import Notes
from algoport.training.places import Places
from algoport.training.run import Parts
from tests.training.jobs import Place

FEATURES = np.arange(12, dtype=np.float32).reshape(6, 2)
LABELS = np.array([[0], [1]] * 3, np.float32)
PROTOBUF, PARQUET, CSV, LINES = "application/x-recordio-protobuf", "application/x-parquet", "text/csv", "jsonlines"
CSV_ROWS = b"0,1.5,2\n1,3,4\n"


@pytest.fixture
def job(tmp_path, caplog):
    """A job of which the channels are opened and read once; what it says of them."""
    caplog.set_level(logging.INFO)

    usual_settings = {"xgboost": {"num_round": "1"}, "kmeans": {"k": "2", "feature_dim": "2"}}

    def opened(algorithm: str, settings: dict | None, **channels: dict) -> dict[str, Channel]:
        parts = Parts.of(algorithm)
        usual = usual_settings.get(algorithm, {})
        place = Place(tmp_path).config("hyperparameters", usual | (settings or {}))
        entries = {name: {"TrainingInputMode": "File", **entry} for name, entry in channels.items()}
        place.config("inputdataconfig", entries)
        places = Places(tmp_path)
        own = configuration.read(places, parts.declaration, lambda given: check(given, parts.algorithm))
        return Opening(places, own, parts.algorithm, Alone()).sources()

    def run(algorithm: str = "xgboost", settings: dict | None = None, **channels: dict) -> tuple[str, dict]:
        sources = opened(algorithm, settings, **channels)
        batches = {name: [batch for batch in source.batches(100) if len(batch)] for name, source in sources.items()}
        return caplog.text, batches

    run.place, run.opened = Place(tmp_path), opened
    return run


def test_a_channel_says_what_was_read_as_what_and_what_was_passed_over(job):
    for name in ("a.csv", "b.csv"):
        job.place.file(f"train/{name}", CSV_ROWS)
    for name in ("README.md", "Thumbs.db", "notes.pdf", "_SUCCESS", ".crc"):
        job.place.file(f"train/{name}", b"some words\n")
    job.place.file("train/empty.csv", b"")

    text, _ = job(train={"ContentType": "text/csv"})

    assert (
        "Channel 'train': 4 rows of 2 features, dense, with 1 label each in 2 files; text/csv (the content type that "
        "was given). Passed over: " in text
    )
    assert "a file that is no data, by its name (train/" in text and " and 2 more)" in text
    assert "an empty file (train/empty.csv)" in text
    assert "a file whose name says that it is hidden (train/" in text


def test_of_a_channel_that_was_not_given_nothing_is_said(job):
    job.place.file("train/a.csv", b"1,2,3\n0,4,5\n")

    text, _ = job(train={"ContentType": CSV})

    assert "Channel 'train': 2 rows" in text and "Channel 'validation'" not in text


def test_weights_that_are_all_0_are_refused_also_where_a_pass_was_given_up(job):
    """As where it is only looked whether there is a record, and all of them are asked for then."""
    job.place.file("train/a.csv", b"1,0,2,3\n0,0,4,5\n")
    train = job.opened("xgboost", {"num_round": "1", "csv_weights": "1"}, train={"ContentType": CSV})["train"]
    train.head(1)

    with pytest.raises(UserError, match="Channel 'train': all weights are 0; at least one must be above 0"):
        train.all()


@pytest.mark.parametrize("media", [PROTOBUF, PARQUET, CSV, "application/jsonlines", "text/libsvm", "application/x-npy"])
@pytest.mark.parametrize("algorithm", ["xgboost", "kmeans"])
def test_without_a_content_type_data_is_read_as_what_it_plainly_is(job, algorithm, media):
    data = find(media).write(Rows(features=FEATURES + 1, label=LABELS))
    job.place.file("train/part", data)

    # k-means takes CSV without a label, and says so.
    given = {"ContentType": "text/csv;label_size=1"} if (algorithm, media) == ("kmeans", CSV) else {}
    text, batches = job(algorithm, train=given)

    np.testing.assert_array_equal(batches["train"][0].dense()[:, -2:], FEATURES + 1)
    why = "the content type that was given" if given else "by its first bytes, as no content type was given"
    default = Parts.of(algorithm).algorithm.channel("train").default_content_type
    assert f"{media} (" in text or f"{media};" in text
    assert why in text or media == default


def test_a_content_type_that_is_given_counts(job):
    job.place.file("train/part", find(PROTOBUF).write(Rows(features=FEATURES, label=LABELS)))

    with pytest.raises(UserError, match="train/part: is plainly RecordIO .*, where the content type is text/csv"):
        job(train={"ContentType": "text/csv"})


def test_the_index_of_pandas_is_named(job):
    data = (Path(__file__).parent / "data/pandas_index.parquet").read_bytes()
    job.place.file("train/part.parquet", data)

    text, batches = job(train={"ContentType": PARQUET})

    assert batches["train"][0].width == 2
    said = "column '__index_level_0__', the index of the table of pandas that was written (train/part.parquet)"
    assert f"Passed over: {said}" in text


@pytest.mark.parametrize("media", [PROTOBUF, PARQUET, CSV, "application/jsonlines", "application/x-npy"])
@pytest.mark.parametrize("width", [1, 3])
def test_a_validation_channel_of_another_width_is_refused(job, media, width):
    def rows(count: int) -> bytes:
        return find(media).write(Rows(features=np.ones((4, count), np.float32), label=LABELS[:4]))

    job.place.file("train/a", rows(2)).file("validation/b", rows(width))

    with pytest.raises(UserError) as caught:
        job(train={"ContentType": media}, validation={"ContentType": media})
    assert str(caught.value) == (
        f"validation/b: its rows have {width} features, where those of channel 'train' have 2. All channels must have "
        "the same features in the same order."
    )


def test_sparse_channels_may_differ_in_width(job):
    job.place.file("train/a", b"1 0:1 5:2\n").file("validation/b", b"1 0:1 2:2\n")
    job(train={"ContentType": "libsvm"}, validation={"ContentType": "libsvm"})


def test_an_empty_validation_channel_is_noted_with_what_follows(job):
    job.place.file("train/a.csv", CSV_ROWS).file("validation/b.csv", b"")

    text, batches = job(train={"ContentType": CSV}, validation={"ContentType": CSV})

    assert list(batches) == ["train"]
    assert (
        "Channel 'validation' is given and has no records, so that the job runs as one without it. "
        "Passed over: an empty file (validation/b.csv)." in text
    )


def test_the_empty_file_of_a_required_channel_is_named(job):
    job.place.file("train/train.rec", b"")
    with pytest.raises(UserError, match=r"has no records. Passed over: an empty file \(train/train.rec\)."):
        job(train={"ContentType": CSV})


@pytest.mark.parametrize(
    ("media", "data", "sentence"),
    [
        (
            PROTOBUF,
            find(PROTOBUF).write(Rows(features=FEATURES, label=LABELS)),
            "csv_weights says that every record has",
        ),
        ("text/libsvm", b"1 0:2\n", "csv_weights says that every record has a weight, and in text/libsvm it has none"),
        (
            "application/jsonlines",
            b'{"features": [1], "label": 1}\n',
            "csv_weights says that every record has a weight",
        ),
        (PARQUET, find(PARQUET).write(Rows(features=FEATURES, label=LABELS)), "must have a column named weight"),
        (CSV, b"1,0,3\n0,0,4\n", "Channel 'train': all weights are 0; at least one must be above 0."),
    ],
)
def test_weights_that_are_asked_for_must_be_there_and_count(job, media, data, sentence):
    job.place.file("train/a", data)
    with pytest.raises(UserError, match=sentence):
        job(settings={"csv_weights": "1"}, train={"ContentType": media})


@pytest.mark.parametrize(
    ("media", "data"),
    [
        ("application/jsonlines", b'{"features": [3], "label": 1, "weight": 2}\n'),
        ("text/libsvm", b"1:2 0:3\n"),
        (CSV, b"1,2,3\n"),
        ("application/x-npy", find("npy").write(Rows(features=np.array([[1, 2, 3]], np.float32)))),
    ],
)
def test_each_format_has_weights_of_its_own(job, media, data):
    job.place.file("train/a", data)

    _, batches = job(settings={"csv_weights": "1"}, train={"ContentType": media})

    (rows,) = batches["train"]
    assert (rows.label.tolist(), rows.weight.tolist(), rows.dense().tolist()) == ([[1]], [2], [[3]])


@pytest.mark.parametrize(
    ("media", "files", "place"),
    [
        (CSV, [b"0,1\n1,2\n", b"\n0,1\n\n-1,3\n"], "train/b, line 4"),
        ("text/csv;header=present", [b"y,x\n1,2\n", b"y,x\n0,1\n-1,3\n"], "train/b, line 3"),
        ("text/libsvm", [b"0 0:1\n", b"# none\n-1 0:1\n"], "train/b, line 2"),
        (
            PROTOBUF,
            [find(PROTOBUF).write(Rows(features=FEATURES[:3], label=np.array([[0], [1], [x]], "f"))) for x in (1, -1)],
            "train/b, record 3",
        ),
    ],
)
@pytest.mark.parametrize("algorithm", ["xgboost", "linear-learner"])
def test_a_label_that_cannot_be_learned_from_is_named_by_file_and_line(job, algorithm, media, files, place):
    for name, data in zip("ab", files, strict=True):
        job.place.file(f"train/{name}", data)
    settings = {"xgboost": {"objective": "binary:logistic"}, "linear-learner": {"predictor_type": "binary_classifier"}}

    sources = job.opened(algorithm, settings[algorithm], train={"ContentType": media})
    with pytest.raises(UserError) as caught, label_places(sources):
        for batch in sources["train"].batches(100):
            wrong = batch.label[batch.label < 0]
            if len(wrong):
                raise LabelError("train", "label: must be 0 or 1; it is -1.", float(wrong[0]), 2)

    assert str(caught.value) == f"{place}: label: must be 0 or 1; it is -1. Classes count from 0: write 0 for -1."


def test_classes_from_one_to_k_come_with_their_remedy():
    sentence = "must be from 0 to 2; it is 3."
    assert str(LabelError("train", sentence, 3.0, 3)) == (
        f"Channel 'train': {sentence} Classes count from 0: write 0 for 1, and so on up to 2 for 3."
    )
    assert str(LabelError("train", sentence, 7.0, 3)) == f"Channel 'train': {sentence}"


def test_files_beside_recordio_are_passed_over(tmp_path):
    for name in ("train.rec", "train.idx", "train.lst"):
        (tmp_path / name).write_bytes(b"x")
    notes = Notes()

    assert [shard.name for shard in shards(tmp_path, "train", notes=notes)] == ["train/train.rec"]
    assert list(notes) == [
        f"a file that belongs to one of RecordIO, by its ending {ending} (train/train{ending})"
        for ending in (".idx", ".lst")
    ]
    (tmp_path / "train.rec").unlink()
    assert len(shards(tmp_path, "train", notes=notes)) == 2


@pytest.fixture
def somebody():
    """A folder that all may enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """As somebody else, where this is root, whom no mode keeps from reading."""
    if os.geteuid() != 0:
        yield
        return
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.mark.parametrize(("mode", "noun"), [(0o000, "folder"), (0o444, "folder"), (0o000, "file")])
def test_what_cannot_be_read_is_named_and_not_left_out(somebody, mode, noun):
    inner = somebody / "train/part-2"
    inner.mkdir(parents=True)
    for path in (somebody / "train/a.csv", inner / "b.csv"):
        path.write_bytes(CSV_ROWS)
    what = inner if noun == "folder" else inner / "b.csv"
    what.chmod(mode)

    with unprivileged(), pytest.raises(PlatformError) as caught:
        shards(somebody / "train", "train")

    what.chmod(0o755)
    assert str(caught.value).startswith(f"Channel 'train': {noun} {what} must be readable for user ")
    assert "its records would be missing" in str(caught.value)


def test_validate_says_the_same(job, tmp_path):
    job.place.file("train/a.csv", CSV_ROWS).file("train/README.md", b"words\n")
    job(train={"ContentType": CSV})

    report = validate.findings("xgboost", tmp_path)

    assert not report.faults
    assert report.notes[-1] == (
        "Channel 'train': 2 rows of 2 features, all readable. 1 file; text/csv (the content type that was given). "
        "Passed over: a file that is no data, by its name (train/README.md)."
    )


def test_validate_names_a_channel_that_has_nothing(job, tmp_path):
    job.place.file("train/a.csv", CSV_ROWS).file("validation/b.csv", b"")
    job(train={"ContentType": CSV}, validation={"ContentType": CSV})

    report = validate.findings("xgboost", tmp_path)

    assert not report.faults
    assert (
        "Channel 'validation' is given and has no records, so that the job runs as one without it. "
        "Passed over: an empty file (validation/b.csv)." in report.notes
    )


def test_validate_names_file_and_line_of_a_label_as_a_job_does(job, tmp_path):
    job.place.file("train/a.csv", CSV_ROWS + b"nan,1,2\n")
    job(train={"ContentType": CSV})

    assert validate.findings("xgboost", tmp_path).faults == [
        "train/a.csv, line 3: a label must be a finite number for reg:squarederror; one is nan."
    ]
