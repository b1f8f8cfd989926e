"""A model's folder may hold anything: only plain files are opened, at once or not at all."""

from __future__ import annotations

import json
import os
import shutil
import socket
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from algoport import algorithms
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared import artifact, model_folder
from tests.conformance.example import Example

NAMES = algorithms.names()


def fitted(name: str, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    _model(name).save(folder)
    return folder


@cache
def _model(name: str) -> Any:
    return Example(name).fit()


def refusal(name: str, folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        algorithms.load_model(name, folder)
    assert len(caught.value.findings) == 1
    return caught.value.findings[0]


def loads(name: str, folder: Path) -> bool:
    try:
        algorithms.load_model(name, folder)
    except UserError:
        return False
    return True


@pytest.mark.parametrize("name", NAMES)
def test_what_lies_around_a_model_is_passed_over(name: str, tmp_path: Path) -> None:
    fitted(name, tmp_path / "deep" / "model")
    for place in (tmp_path / "deep", tmp_path / "deep" / "model"):
        (place / "README.txt").write_text("Trained on Monday.")
        (place / "config.json").write_text("{}")
        (place / "code").mkdir()
        (place / ".DS_Store").write_bytes(b"\0" * 50)
    os.mkfifo(tmp_path / "deep" / "model" / "pipe")

    for place in (tmp_path / "deep", tmp_path / "deep" / "model"):
        assert algorithms.load_model(name, place).width == _model(name).width


@pytest.mark.parametrize("name", NAMES)
def test_two_models_in_folders_below_are_one_too_many(name: str, tmp_path: Path) -> None:
    for own in ("a", "b"):
        fitted(name, tmp_path / own)

    assert refusal(name, tmp_path) == "One folder below must hold a model; 2 do: 'a', 'b'."


@pytest.mark.parametrize("name", NAMES)
def test_a_pipe_in_place_of_any_file_of_a_model_does_not_hold_up_its_load(name: str, tmp_path: Path) -> None:
    needed = 0
    for file in [path.name for path in fitted(name, tmp_path / "whole").iterdir()]:
        folder = fitted(name, tmp_path / file)
        (folder / file).unlink()
        is_export = loads(name, folder)  # what is written for other programs alone is never opened
        os.mkfifo(folder / file)

        if is_export and loads(name, folder):
            continue
        assert f"{file}: must be a plain file; it is" in refusal(name, folder)
        needed += 1
    assert needed


@pytest.mark.parametrize("kind", ["a FIFO", "a socket", "a device", "a folder"])
def test_what_is_no_plain_file_is_named_for_what_it_is(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "f"
    if kind == "a FIFO":
        os.mkfifo(path)
    elif kind == "a folder":
        path.mkdir()
    elif kind == "a device":
        path.symlink_to("/dev/zero")
    else:
        with socket.socket(socket.AF_UNIX) as own:
            own.bind(str(path))

    with pytest.raises(UserError, match="f: (must be a plain file; it is|cannot be read)") as caught:
        model_folder.read_file(path)

    assert kind in str(caught.value) or kind == "a socket"


@pytest.mark.parametrize("name", NAMES)
def test_a_model_of_another_algorithm_is_named_with_what_to_do(name: str, tmp_path: Path) -> None:
    for other in ("kmeans", "xgboost"):
        if other != name:
            sentence = refusal(name, fitted(other, tmp_path / other))

            assert f"is a model of {other} and not of {name};" in sentence and f"ALGORITHM={other}" in sentence


def test_a_folder_of_more_entries_than_any_model_has_is_refused_before_they_are_looked_at(tmp_path: Path) -> None:
    for number in range(model_folder.MOST_ENTRIES + 1):
        (tmp_path / str(number)).touch()

    assert "must have at most 10,000 entries" in refusal("kmeans", tmp_path)
    assert "must have at most 10,000 entries" in refusal("xgboost", tmp_path)


@pytest.mark.parametrize(("kind", "other"), [("F32", "I32"), ("F64", "I64"), ("I32", "F32"), ("I64", "F64")])
@pytest.mark.parametrize("name", NAMES)
def test_arrays_of_another_type_than_was_saved_are_refused(name: str, kind: str, other: str, tmp_path: Path) -> None:
    path = fitted(name, tmp_path) / artifact.ARRAYS
    if not path.is_file() or f'"{kind}"'.encode() not in path.read_bytes():
        return
    beside = [one for one in tmp_path.iterdir() if one.is_file() and one != path]
    for at in range(path.read_bytes().count(f'"{kind}"'.encode())):
        pieces = path.read_bytes().split(f'"{kind}"'.encode())
        whole = f'"{kind}"'.encode().join(pieces[: at + 1]) + f'"{other}"'.encode()
        folder = tmp_path / str(at)
        folder.mkdir()
        for one in beside:
            shutil.copy(one, folder)
        (folder / artifact.ARRAYS).write_bytes(whole + f'"{kind}"'.encode().join(pieces[at + 1 :]))

        assert artifact.ARRAYS in refusal(name, folder)
        shutil.rmtree(folder)


@pytest.mark.parametrize("name", NAMES)
def test_sizes_that_disagree_with_the_arrays_are_refused(name: str, tmp_path: Path) -> None:
    path = fitted(name, tmp_path) / artifact.FACTS
    if not path.is_file():
        return
    facts = json.loads(path.read_bytes())
    lengths = {length for array in artifact.load(tmp_path, name)[0].values() for length in array.shape}
    sizes = {"k", "feature_dim", "num_components", "num_classes", "num_trees", "num_cells", "num_layers"}
    for size in sizes & {each for each, value in facts.items() if value}:
        if size == "k" and facts[size] not in lengths:
            continue  # it is no size where a user may change it: how many neighbors are asked
        path.write_text(json.dumps({**facts, size: facts[size] + 1}))

        assert refusal(name, tmp_path)
