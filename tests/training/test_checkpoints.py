"""A checkpoint is the state that was saved, to the bit, of this job on these data; else it is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from algoport.algorithms.contract.group import Alone
from algoport.training import checkpoints, log
from algoport.training.channels import fingerprint
from algoport.training.channels.files import Shard, shards
from algoport.training.checkpoints import CheckpointFolder
from algoport.training.configuration import ChannelConfig
from algoport.training.places import Places
from tests.training.jobs import digits, digits_job

ARRAYS = {"weights": np.arange(6, dtype=np.float32).reshape(2, 3), "best": np.array([1, 2], np.int64)}
FACTS = {"epoch": 3, "done": False, "best_round": 17}


def saved(place: Path, count: int = 1) -> list[Path]:
    """So many checkpoints, the newest last."""
    for number in range(count):
        CheckpointFolder(place, {"settings": {"k": 3}}, Alone()).save(ARRAYS, {**FACTS, "number": number})
    return sorted(place.glob("*.checkpoint"))


def latest(place: Path) -> tuple[dict[str, Any], dict[str, Any]] | None:
    return CheckpointFolder(place, {"settings": {"k": 3}}, Alone()).latest()


def flipped(data: bytes, bit: int) -> bytes:
    other = bytearray(data)
    other[bit // 8] ^= 1 << bit % 8
    return bytes(other)


def test_a_checkpoint_gives_back_what_was_saved(tmp_path: Path) -> None:
    saved(tmp_path)

    arrays, facts = latest(tmp_path) or ({}, {})

    assert facts == {**FACTS, "number": 0}
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype


def test_no_bit_can_be_flipped_unseen(tmp_path: Path) -> None:
    """In arrays, in their names, shapes and types, in facts and in the digest itself."""
    (path,) = saved(tmp_path)
    data = path.read_bytes()
    assert len(data) < 2000 and checkpoints._read(data)

    for bit in range(8 * len(data)):
        with pytest.raises(ValueError, match="it is not as it was written"):
            checkpoints._read(flipped(data, bit))
    for length in range(len(data)):
        with pytest.raises(ValueError, match="it is not as it was written"):
            checkpoints._read(data[:length])


def test_the_one_before_a_damaged_one_is_resumed_from(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log.start()
    before, newest = saved(tmp_path, 2)
    newest.write_bytes(flipped(newest.read_bytes(), 1000))

    _, facts = latest(tmp_path) or ({}, {})

    assert facts["number"] == 0
    out = capfd.readouterr().out
    assert f"{newest}: this checkpoint is damaged and is left out: it is not as it was written" in out
    assert f"Resuming from checkpoint {before}." in out


def test_where_all_are_damaged_the_log_says_that_training_starts_from_the_beginning(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log.start()
    for path in saved(tmp_path, 2):
        path.write_bytes(path.read_bytes()[:-1])

    assert latest(tmp_path) is None
    assert "no checkpoint can be resumed from; training starts from the beginning." in capfd.readouterr().out


def test_other_data_of_the_same_names_and_sizes_are_noticed(tmp_path: Path) -> None:
    place = digits_job(tmp_path, epochs=1, pause=0.01)
    (tmp_path / "checkpoints").mkdir()
    assert place.run().code == 0
    part = tmp_path / "input/data/train/part-1.csv"
    data = part.read_bytes()
    middle = data.index(b",", len(data) // 2) + 1
    other = b"1" if data[middle : middle + 1] != b"1" else b"2"
    part.write_bytes(data[:middle] + other + data[middle + 1 :])

    run = place.run()

    assert run.code == 0 and part.stat().st_size == len(data)
    assert "is of another job and is left out; different: data." in run.log
    assert "Resuming" not in run.log and place.model[1]["count"] == len(digits())


def test_pictures_in_folders_are_part_of_the_fingerprint(tmp_path: Path) -> None:
    channels = [ChannelConfig(name="train"), ChannelConfig(name="train_lst")]
    files = {"train/cat/1.jpg": b"one", "train/dog/2.jpg": b"two", "train_lst/a.lst": b"1\t0\tcat/1.jpg\n"}
    for name, data in files.items():
        path = tmp_path / "input/data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    whole = fingerprint.fingerprint(Places(tmp_path), channels)

    assert [name for name, _, _ in whole] == sorted(files)
    for name, data in files.items():
        (tmp_path / "input/data" / name).write_bytes(data[:-1] + b"X")
        assert fingerprint.fingerprint(Places(tmp_path), channels) != whole
        (tmp_path / "input/data" / name).write_bytes(data)
    assert fingerprint.fingerprint(Places(tmp_path), channels) == whole


def test_of_little_data_every_byte_counts_and_of_much_a_part_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, size in enumerate((5, 8, 0, 1, 30)):
        (tmp_path / f"{number}").write_bytes(bytes(range(size)))
    files = shards(tmp_path, "train")
    monkeypatch.setattr(fingerprint, "BLOCK", 4)
    monkeypatch.setattr(fingerprint, "HEAD", 1)

    def read_parts(blocks: int) -> set[tuple[str, int]]:
        monkeypatch.setattr(fingerprint, "BLOCKS", blocks)
        parts: set[tuple[str, int]] = set()

        def digest(shard: Shard, places: list[tuple[int, int]]) -> str:
            parts.update((shard.name, byte) for first, end in places for byte in range(first, end))
            return "x"

        monkeypatch.setattr(fingerprint, "_digest", digest)
        list(fingerprint.digests(files))
        return parts

    assert read_parts(100) == {(shard.name, byte) for shard in files for byte in range(shard.size)}
    some = read_parts(5)
    assert 5 <= len(some) <= 5 * 4 + len(files) and {name for name, _ in some} == {shard.name for shard in files}
