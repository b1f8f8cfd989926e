"""The files of `input/config` and the environment, whatever they hold: a configuration, or sentences of one line."""

from __future__ import annotations

import json
import os
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from algoport.algorithms.contract.errors import PlatformError, UserError
from algoport.algorithms.contract.hyperparameters import Settings, integer, real, text
from algoport.training import configuration, environment
from algoport.training.channels.opening import check
from algoport.training.places import Places, require_writable
from algoport.training.run import Parts
from tests.training.jobs import Place, digits_job

FILES = ("hyperparameters", "inputdataconfig", "resourceconfig", "checkpointconfig", "trainingjobconfig")
TEXT = some.text(max_size=12) | some.text(string.printable, max_size=6)
ANY = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | TEXT | some.just(10**400),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
NAMES = some.sampled_from(
    ["k", "rate", "epochs", "_seed", "train", "hosts", "current_host", "network_interface_name", "LocalPath"]
)
ENTRIES = some.dictionaries(
    some.sampled_from(["TrainingInputMode", "S3DistributionType", "RecordWrapperType", "ContentType"]), ANY, max_size=3
)


class Plain(Settings):
    k: int = integer("a count", default=1, low=1)
    rate: float = real("a rate", default=0.5, above=0)
    words: str = text("any text", default="")


def sentences(place: Path) -> list[str]:
    """What is wrong with the configuration; none where there is one."""
    try:
        configuration.read(Places(place), Plain)
    except UserError as error:
        return error.findings
    return []


def written(place: Path, name: str, data: bytes) -> list[str]:
    """What is wrong where that is the only file."""
    folder = place / "input/config"
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        file.unlink()
    (folder / f"{name}.json").write_bytes(data)
    return sentences(place)


def assert_plain(findings: list[str]) -> None:
    for sentence in findings:
        assert sentence.isprintable() and sentence.endswith(".") and len(sentence) < 1500, sentence
        assert not any(word in sentence for word in ("Traceback", "codec", "Expecting", "NoneType", "pydantic"))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some.sampled_from(FILES), some.dictionaries(NAMES | TEXT, ANY | ENTRIES, max_size=4) | ANY)
def test_any_json_is_a_configuration_or_sentences(tmp_path: Path, name: str, value: Any) -> None:
    assert_plain(written(tmp_path, name, json.dumps(value).encode()))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some.sampled_from(FILES), some.binary(max_size=40))
def test_any_bytes_are_a_configuration_or_sentences(tmp_path: Path, name: str, data: bytes) -> None:
    assert_plain(written(tmp_path, name, data))


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        (
            "hyperparameters",
            b"[" * 100_000,
            "hyperparameters.json: must be a flat JSON object; it is nested too deeply.",
        ),
        ("hyperparameters", b'{"k": "\xff"}', "hyperparameters.json: must be UTF-8; byte 7 begins no letter."),
        (
            "hyperparameters",
            b'{"k": 1,}',
            "must be a JSON object; at line 1, column 9 it is none.",
        ),
        ("hyperparameters", b"[1]", "hyperparameters.json: must be a JSON object; it is a list."),
        ("hyperparameters", b'{"k": 1, "k": 2}', "must have each name once; 'k' is there twice."),
        ("hyperparameters", b'{"k": ' + b"9" * 5000 + b"}", "must hold numbers that can be read; one has thousands"),
        ("hyperparameters", b'{"k": ' + b"9" * 401 + b"}", "which is beyond the largest whole number"),
        ("hyperparameters", b'{"k": {"a": [1]}}', "k: must be a whole number at least 1; it is {'a': [1]}."),
        ("hyperparameters", b'{"_seed": "\xc2\xb2"}', "_seed: must be a whole number at least 0; it is '\xb2'."),
        ("resourceconfig", b'{"hosts": 5}', "resourceconfig.json: hosts must be a list of names of hosts; it is 5."),
        ("resourceconfig", b'{"hosts": ["a b"]}', "hosts must be a list of names of hosts; it is ['a b']."),
        ("resourceconfig", b'{"hosts": ["a", "b"]}', "current_host must be one of hosts (a, b); it is ''."),
        ("resourceconfig", b'{"network_interface_name": 1}', "network_interface_name must be text; it is 1."),
        ("inputdataconfig", b'{"train": 5}', "inputdataconfig.json: channel 'train' must be an object; it is 5."),
        ("inputdataconfig", b'{"train": {"ContentType": 5}}', "Channel 'train': ContentType must be text; it is 5."),
        (
            "inputdataconfig",
            b'{"train": {"TrainingInputMode": "Disk"}}',
            "Channel 'train': TrainingInputMode must be File, FastFile or Pipe; it is 'Disk'.",
        ),
    ],
)
def test_a_fault_of_a_file_is_one_sentence_of_ours(tmp_path: Path, name: str, data: bytes, sentence: str) -> None:
    (only,) = written(tmp_path, name, data)

    assert sentence in only
    assert_plain([only])


@pytest.mark.parametrize(
    "data", [b'{"LocalPath": 5}', b'{"LocalPath": "a/b"}', b'{"LocalPath": "/a\\u0000"}', b"[" * 9999]
)
def test_a_fault_of_the_file_on_checkpoints_is_a_warning(tmp_path: Path, data: bytes) -> None:
    assert written(tmp_path, "checkpointconfig", data) == []
    assert configuration.read(Places(tmp_path), Plain).checkpoints is None


def test_a_pipe_in_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "input/config").mkdir(parents=True)
    os.mkfifo(tmp_path / "input/config/hyperparameters.json")

    assert sentences(tmp_path) == ["hyperparameters.json: cannot be read: it is no plain file."]


@pytest.mark.parametrize("name", configuration.SCRIPT)
def test_a_program_of_the_users_is_refused_with_what_it_is_for(tmp_path: Path, name: str) -> None:
    (only,) = written(tmp_path, "hyperparameters", json.dumps({name: '"train.py"', "sagemaker_region": '"x"'}).encode())

    assert only.startswith(f"{name}: must not be given to a built-in algorithm")
    assert "script mode" in only and "Remove it" in only
    assert written(tmp_path, "hyperparameters", json.dumps({name: '""', "sagemaker_job_name": "x"}).encode()) == []


@pytest.mark.parametrize("name", environment._READERS)
@pytest.mark.parametrize("value", ["\u00b2", "-1", "soon", "1e", "0x10"])
def test_every_variable_of_the_environment_is_checked_at_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    (sentence,) = environment.faults()

    assert sentence.startswith(f"{name}: must be ") and sentence.endswith(f"; it is '{value}'.")


def test_the_environment_without_any_of_them_has_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in environment._READERS:
        monkeypatch.delenv(name, raising=False)

    assert environment.faults() == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """As root, to whom modes mean nothing, a file stands where the folder should."""
    (tmp_path / "model").write_text("")

    with pytest.raises(PlatformError, match=f"^{tmp_path}/model/inner: must be a folder that user .* can write to"):
        require_writable(tmp_path / "model/inner")
    require_writable(tmp_path / "output/data")

    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_jobs_end_at_once_with_the_exit_code_of_whoever_can_correct_them(tmp_path: Path) -> None:
    """Each in a process of its own, as a platform starts them; no traceback."""
    forged = "x\n#quality_metric: host=algo-1, test msd <loss>=0"
    cases = (
        ("hyperparameters", {"feature_dim": "64", forged: "1"}, {}, 2),
        ("resourceconfig", {"hosts": 5}, {"ALGOPORT_LOCAL_MEMBERS": "2"}, 2),
        ("resourceconfig", {}, {"ALGOPORT_LOCAL_MEMBERS": "\u00b2"}, 2),
        ("model", None, {}, 1),
        ("output/data", None, {}, 1),
        ("checkpoints", None, {}, 1),
    )
    for number, (name, value, variables, code) in enumerate(cases):
        place: Place = digits_job(tmp_path / str(number))
        if value is None:
            place.config("checkpointconfig", {"LocalPath": "/opt/ml/checkpoints"})
            (place.base / name).parent.mkdir(exist_ok=True)
            (place.base / name).write_text("a file")
        else:
            place.config(name, value)

        run = place.run(**variables)

        assert run.code == code, run.log
        assert place.failure.startswith("ClientError: " if code == 2 else "InternalServerError: "), run.log
        assert "Traceback" not in run.log and "#quality_metric" not in run.log
        assert len(place.failure.splitlines()) == 1


def test_channels_are_checked_with_the_names_that_files_give_them() -> None:
    algorithm = Parts.of("kmeans").algorithm
    odd = configuration.ChannelConfig(name="tr\nain", content_type="\n")

    assert check({"tr\nain": odd}, algorithm) == []
