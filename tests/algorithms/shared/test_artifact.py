"""A model on disk: whole or not there, and nothing that is read can do harm."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from hypothesis.extra import numpy as arrays_of

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared import artifact

CENTERS = np.arange(6, dtype=np.float32).reshape(2, 3)
FACTS = {"algorithm": "any", "k": 2, "names": ["a", "é"], "nothing": None, "rate": 0.1}


def saved(folder: Path) -> Path:
    artifact.save(folder, {"centers": CENTERS}, FACTS)
    return folder


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        artifact.load(folder)
    (sentence,) = caught.value.findings
    return sentence


DTYPES = ["f4", "f8", "i1", "i4", "i8", "u1", "u8", "?", "f2", ">f4", ">i8"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(
    some.sampled_from(DTYPES).flatmap(
        lambda kind: arrays_of.arrays(kind, arrays_of.array_shapes(min_dims=0, min_side=0))
    )
)
def test_an_array_comes_back_bit_for_bit_whatever_its_shape_type_and_order(tmp_path: Path, array: Any) -> None:
    given = {"plain": array, "turned": array.T, "every other": array[::2] if array.ndim else array}

    artifact.save(tmp_path, given, {})
    arrays, _ = artifact.load(tmp_path)

    for name, want in given.items():
        assert arrays[name].shape == want.shape
        assert arrays[name].dtype == want.dtype.newbyteorder("=")
        assert (
            np.ascontiguousarray(arrays[name]).tobytes()
            == np.ascontiguousarray(want, want.dtype.newbyteorder("=")).tobytes()
        )


def test_facts_come_back_and_the_format_version_with_them(tmp_path: Path) -> None:
    _, facts = artifact.load(saved(tmp_path / "new" / "folder"))

    assert facts == {"format_version": artifact.FORMAT_VERSION, **FACTS}


def test_the_same_model_is_the_same_bytes(tmp_path: Path) -> None:
    one, two = saved(tmp_path / "one"), saved(tmp_path / "two")

    assert sorted(os.listdir(one)) == sorted([artifact.ARRAYS, artifact.FACTS])
    for name in os.listdir(one):
        assert (one / name).read_bytes() == (two / name).read_bytes()


@pytest.mark.parametrize("which", [1, 2])
def test_a_death_while_saving_leaves_no_model_and_no_litter(tmp_path: Path, monkeypatch: Any, which: int) -> None:
    real, calls = os.replace, []

    def dies(*paths: Any) -> None:
        calls.append(paths)
        if len(calls) == which:
            raise KeyboardInterrupt
        real(*paths)

    monkeypatch.setattr(os, "replace", dies)
    with pytest.raises(KeyboardInterrupt):
        saved(tmp_path)

    assert not artifact.exists(tmp_path)
    assert refusal(tmp_path) == "model.json: there is no model in this folder."
    assert set(os.listdir(tmp_path)) <= {artifact.ARRAYS}


def test_a_death_while_saving_over_an_older_model_never_mixes_the_two(tmp_path: Path, monkeypatch: Any) -> None:
    saved(tmp_path)
    real = artifact.put

    def dies(path: Path, data: bytes) -> None:
        if path.name == artifact.FACTS:
            raise OSError(28, "No space left on device")
        real(path, data)

    monkeypatch.setattr(artifact, "put", dies)
    with pytest.raises(OSError, match="No space left"):
        artifact.save(tmp_path, {"centers": CENTERS + 1}, {"k": 3})

    assert not artifact.exists(tmp_path)


def test_a_file_is_never_seen_half_written(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))

    with pytest.raises(OSError, match="No space left"):
        artifact.put(path, b"new" * 1000)

    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def lengthened(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"0")


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def garbled(path: Path) -> None:
    path.write_bytes(bytes(range(255, 0, -1)) * 9)


def nested(path: Path) -> None:
    path.write_bytes(b"[" * 200_000)


def listed(path: Path) -> None:
    path.write_bytes(b"[1, 2]")


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [truncated, lengthened, emptied, garbled, nested, listed, a_folder])
@pytest.mark.parametrize("name", [artifact.ARRAYS, artifact.FACTS])
def test_a_damaged_file_is_refused_by_its_name(tmp_path: Path, name: str, damage: Callable[[Path], None]) -> None:
    damage(saved(tmp_path) / name)

    assert refusal(tmp_path).startswith(f"{name}: ")


def test_a_missing_file_is_reported_by_its_name(tmp_path: Path) -> None:
    (saved(tmp_path) / artifact.ARRAYS).unlink()

    assert refusal(tmp_path) == "model.safetensors: is missing beside model.json."


@pytest.mark.parametrize("version", [artifact.FORMAT_VERSION + 1, 99, 10**9])
def test_a_newer_version_is_refused_with_both_numbers(tmp_path: Path, version: Any) -> None:
    (saved(tmp_path) / artifact.FACTS).write_text(json.dumps({"format_version": version}))

    assert refusal(tmp_path) == f"model.json: has format version {version}; this release reads up to 1."


@pytest.mark.parametrize("version", ["1", None, [], {}, True, 0, -1, 1.5, 9.0])
def test_what_is_no_version_is_refused(tmp_path: Path, version: Any) -> None:
    (saved(tmp_path) / artifact.FACTS).write_text(json.dumps({"format_version": version}))

    assert refusal(tmp_path).startswith("model.json: ")


def header(entries: object, length: int | None = None, data: bytes = b"\0" * 24) -> bytes:
    written = json.dumps(entries).encode()
    return struct.pack("<Q", len(written) if length is None else length) + written + data


def entry(shape: list[int], offsets: list[int], dtype: str = "F32") -> dict[str, Any]:
    return {"centers": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


@pytest.mark.parametrize(
    "malformed",
    [
        header(entry([2, 3], [0, 24]), length=2**63),
        header(entry([2, 3], [0, 24]), length=2**40),
        header(entry([2, 3], [0, 2**40])),
        header(entry([2, 3], [24, 48])),
        header(entry([2, 3], [24, 0])),
        header(entry([2**32, 2**32], [0, 24])),
        header(entry([2**40], [0, 24])),
        header(entry([-2, -3], [0, 24])),
        header(entry([2, 3], [0, 24], "PICKLE")),
        header({"a": entry([2, 3], [0, 24])["centers"], "b": entry([2, 3], [0, 24])["centers"]}),
        header([1, 2]),
        header("x"),
    ],
)
def test_a_malformed_header_is_refused_and_costs_nothing(tmp_path: Path, malformed: bytes) -> None:
    (saved(tmp_path) / artifact.ARRAYS).write_bytes(malformed)

    assert refusal(tmp_path) == (
        "model.safetensors: cannot be read as safetensors: it is cut off, damaged, or longer than its header says. "
        "Copy the model once more."
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "it stops to be JSON at line 1, column 1"),
        (b'{\n"a": 1', "it stops to be JSON at line 2, column 7"),
        (b'{"a": ' + b"9" * 5000 + b"}", "one of its numbers has thousands of digits"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b'{"a": "\xff"}', "its byte 7 begins no letter of UTF-8"),
    ],
)
def test_facts_that_are_no_json_are_refused_in_our_words(tmp_path: Path, text: bytes, why: str) -> None:
    (saved(tmp_path) / artifact.FACTS).write_bytes(text)

    assert refusal(tmp_path) == f"model.json: is not JSON: {why}."


def test_an_array_s_name_is_no_path(tmp_path: Path) -> None:
    """Names are keys within one file; none reaches the file system."""
    artifact.save(tmp_path / "model", {"../../outside": CENTERS}, {})

    arrays, _ = artifact.load(tmp_path / "model")

    assert list(arrays) == ["../../outside"]
    assert os.listdir(tmp_path) == ["model"]


@pytest.mark.parametrize("shape", [(3, 5), (), (0, 4)])
def test_a_mapped_array_is_the_same_and_outlives_its_file(tmp_path: Path, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).normal(size=shape)
    artifact.save(tmp_path, {"centers": CENTERS, "large": array, "after": CENTERS}, FACTS)

    arrays, _ = artifact.load(tmp_path, mapped=("large", "not there"))
    (tmp_path / artifact.ARRAYS).unlink()

    assert set(arrays) == {"centers", "large", "after"}
    assert isinstance(arrays["large"], np.memmap) is bool(array.size) and not isinstance(arrays["centers"], np.memmap)
    np.testing.assert_array_equal(arrays["large"], array)
    np.testing.assert_array_equal(arrays["after"], CENTERS)
