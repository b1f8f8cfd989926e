"""What the environment says."""

from __future__ import annotations

import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared import machine
from algoport.serving import settings
from algoport.serving.settings import MB, Settings


def read(**environment: str) -> Settings:
    return Settings.read(environment, gpu=lambda: False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SAGEMAKER_BIND_TO_PORT", "eighty"),
        ("SAGEMAKER_BIND_TO_PORT", "65536"),
        ("SAGEMAKER_MODEL_SERVER_WORKERS", "0"),
        ("SAGEMAKER_MODEL_SERVER_WORKERS", "²"),
        ("SAGEMAKER_MODEL_SERVER_TIMEOUT", "soon"),
        ("SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS", "nan"),
        ("SAGEMAKER_STARTUP_TIMEOUT", "0"),
        ("SAGEMAKER_MULTI_MODEL", "maybe"),
        ("SAGEMAKER_CONTAINER_LOG_LEVEL", "INFO"),
        ("SAGEMAKER_MAX_PAYLOAD_IN_MB", "1e3"),
        ("MAX_CONTENT_LENGTH", "-1"),
        ("OMP_NUM_THREADS", "many"),
        ("SAGEMAKER_NUM_MODEL_WORKERS", "0"),
        ("ALGOPORT_ACCESS_LOG", "xml"),
        ("ALGOPORT_CSV_ANSWERS", "bunched"),
        ("ALGOPORT_CORES", "two"),
        ("ALGOPORT_MEMORY", "4GB"),
        ("MODEL_SERVER_WORKERS", "0"),
        ("SAGEMAKER_BATCH", "maybe"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_what_can(name: str, value: str) -> None:
    with pytest.raises(UserError, match=rf"{name}: must be .*; it is '{value}'\.$"):
        read(**{name: value})


def test_what_is_empty_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 4)
    monkeypatch.setattr(machine, "memory_limit", lambda: 64 << 30)

    configuration = read(SAGEMAKER_BIND_TO_PORT="", SAGEMAKER_MODEL_SERVER_WORKERS=" ")

    assert (configuration.port, configuration.workers, configuration.threads) == (8080, 4, 1)
    assert (configuration.payload, configuration.timeout, configuration.startup) == (100 * MB, 60, 600)


@pytest.mark.parametrize(
    ("cores", "memory", "devices", "workers"),
    [(8, 64 << 30, [], 8), (8, 3 << 30, [], 1), (64, 8 << 30, [], 13), (8, 64 << 30, ["nvidia0", "nvidiactl"], 1)],
)
def test_workers_are_as_many_as_cores_memory_and_device_allow(
    monkeypatch: pytest.MonkeyPatch, cores: int, memory: int, devices: list[str], workers: int
) -> None:
    monkeypatch.setattr(machine, "cores", lambda: cores)
    monkeypatch.setattr(machine, "memory_limit", lambda: memory)
    monkeypatch.setattr(settings, "_devices", lambda: devices)

    assert Settings.read({}, gpu=lambda: True).workers == workers
    assert Settings.read({"SAGEMAKER_MODEL_SERVER_WORKERS": "2"}, gpu=lambda: True).workers == 2
    assert Settings.read({"SAGEMAKER_MULTI_MODEL": "true"}, gpu=lambda: True).workers == 1


@pytest.mark.parametrize(
    ("environment", "concurrent", "strategy", "size"),
    [
        ({}, 3, "MULTI_RECORD", 6),
        ({"SAGEMAKER_BATCH": "true"}, 3, "MULTI_RECORD", 6),
        ({"SAGEMAKER_BATCH": "True"}, 3, "MultiRecord", 6),
        ({"SAGEMAKER_MAX_PAYLOAD_IN_MB": "50"}, 2, "MULTI_RECORD", 50),
        ({"SAGEMAKER_MAX_PAYLOAD_IN_MB": "500"}, 1, "MULTI_RECORD", 100),
        ({"MAX_CONTENT_LENGTH": str(2 * MB)}, 3, "MULTI_RECORD", 2),
    ],
)
def test_batch_transform_learns_what_suits_it(
    environment: dict[str, str], concurrent: int, strategy: str, size: int
) -> None:
    execution = read(SAGEMAKER_MODEL_SERVER_WORKERS="3", **environment).execution

    assert execution == {"MaxConcurrentTransforms": concurrent, "BatchStrategy": strategy, "MaxPayloadInMB": size}


def test_words_of_the_environment_are_read_in_any_case_and_a_misspelled_one_has_its_nearest_named() -> None:
    assert read(ALGOPORT_CSV_ANSWERS="Joined", SAGEMAKER_BATCH="TRUE").joined
    with pytest.raises(UserError, match="must be lines or joined; it is 'join'. The nearest of them is joined."):
        read(ALGOPORT_CSV_ANSWERS="join")


def test_the_platform_s_name_of_a_variable_wins_over_the_older_one() -> None:
    assert read(MODEL_SERVER_WORKERS="3").workers == 3
    assert read(MODEL_SERVER_WORKERS="3", SAGEMAKER_MODEL_SERVER_WORKERS="2").workers == 2
