"""Channels of plain files: in a folder, through a pipe, and with some of them at each host."""

from __future__ import annotations

import gzip
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from algoport.algorithms.contract.errors import Stopped, UserError
from algoport.training.channels import auxiliary
from algoport.training.channels.auxiliary import everywhere, of_folder, of_pipe
from algoport.training.formats.recordio import frame
from tests.groups import together


def pipe(path: Path, data: bytes) -> Path:
    os.mkfifo(path)
    threading.Thread(target=path.write_bytes, args=(data,), daemon=True).start()
    return path


def test_files_of_a_folder_are_there_by_their_paths(tmp_path: Path) -> None:
    (tmp_path / "aux/sub").mkdir(parents=True)
    (tmp_path / "aux/vocab.txt").write_bytes(b"a\nb\n")
    (tmp_path / "aux/sub/v.gz").write_bytes(gzip.compress(b"vectors"))
    (tmp_path / "aux/.hidden").write_bytes(b"x")
    os.mkfifo(tmp_path / "aux/pipe")

    files = of_folder(tmp_path / "aux", "auxiliary")

    assert files.names == ("sub/v.gz", "vocab.txt")
    assert files.read("vocab.txt", limit=9) == b"a\nb\n"
    assert files.read("sub/v.gz", limit=7) == b"vectors"
    with pytest.raises(UserError, match="auxiliary/sub/v.gz: must have at most 6 bytes; it has more"):
        files.read("sub/v.gz", limit=6)


def test_links_lead_to_files_and_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "aux").mkdir()
    (tmp_path / "real.txt").write_bytes(b"there")
    (tmp_path / "aux/a").symlink_to(tmp_path / "real.txt")
    (tmp_path / "aux/b").symlink_to(tmp_path / "missing")
    (tmp_path / "aux/c").symlink_to("/dev/zero")
    (tmp_path / "aux/d").symlink_to(tmp_path / "aux")

    files = of_folder(tmp_path / "aux", "auxiliary")

    assert files.names == ("a",)
    assert files.read("a", limit=9) == b"there"


@pytest.mark.parametrize("data", [b"a\nb\n", gzip.compress(b"a\nb\n", mtime=0)], ids=["plain", "gzip"])
def test_what_a_pipe_brings_is_one_file_of_any_name(tmp_path: Path, data: bytes) -> None:
    files = of_pipe(pipe(tmp_path / "aux_0", data), "auxiliary", wrapped=False, stop_requested=lambda: False)

    assert [line for _, line in files.lines("vocab.txt", limit=99)] == ["a", "b"]
    assert files.read(limit=99) == b"a\nb\n"


@pytest.mark.parametrize("data", [bytes(1 << 20), gzip.compress(bytes(1 << 24), mtime=0)])
def test_a_pipe_is_not_read_beyond_the_limit(tmp_path: Path, data: bytes) -> None:
    files = of_pipe(pipe(tmp_path / "aux_0", data), "auxiliary", wrapped=False, stop_requested=lambda: False)

    with pytest.raises(UserError, match="Channel 'auxiliary': must have at most 1,000 bytes; it has more"):
        files.read(limit=1000)


def test_a_damaged_gzip_stream_is_a_sentence(tmp_path: Path) -> None:
    files = of_pipe(
        pipe(tmp_path / "aux_0", b"\x1f\x8bno gzip"), "auxiliary", wrapped=False, stop_requested=lambda: False
    )

    with pytest.raises(UserError, match="aux_0: must be a whole gzip file"):
        files.read(limit=1000)


def test_frames_of_a_pipe_are_a_file_each(tmp_path: Path) -> None:
    one = of_pipe(pipe(tmp_path / "one_0", frame(b"abc")), "auxiliary", wrapped=True, stop_requested=lambda: False)
    two = of_pipe(
        pipe(tmp_path / "two_0", frame(b"a") + frame(b"b")), "auxiliary", wrapped=True, stop_requested=lambda: False
    )

    assert one.read("vocab.txt", limit=9) == b"abc"
    with pytest.raises(UserError, match="must hold one file where it comes through a pipe"):
        two.read("vocab.txt", limit=9)


def test_a_stop_ends_the_wait_for_a_pipe(tmp_path: Path) -> None:
    files = of_pipe(tmp_path / "never_0", "auxiliary", wrapped=False, stop_requested=lambda: True)

    with pytest.raises(Stopped):
        files.read(limit=9)


def test_files_that_lie_each_at_one_host_are_seen_at_all(tmp_path: Path) -> None:
    for rank, name in enumerate(["vocab.src.json", "vocab.trg.json"]):
        (tmp_path / str(rank)).mkdir()
        (tmp_path / str(rank) / name).write_bytes(f"of {rank}".encode())
    (tmp_path / "2").mkdir()

    every = together(3, lambda group: everywhere(of_folder(tmp_path / str(group.rank), "vocab"), group))

    for files in every:
        assert files.names == ("vocab.src.json", "vocab.trg.json")
        assert files.read("vocab.trg.json", limit=9) == b"of 1"


def test_too_much_to_tell_other_hosts_is_refused_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auxiliary, "SHARED", 100)
    for rank in range(2):
        (tmp_path / str(rank)).mkdir()
        (tmp_path / str(rank) / "v").write_bytes(bytes(90 if rank else 9))

    def fault(group: Any) -> str:
        with pytest.raises(UserError) as refusal:
            everywhere(of_folder(tmp_path / str(group.rank), "vocab"), group)
        return str(refusal.value)

    assert all("at most 100 bytes" in fault_ and "FullyReplicated" in fault_ for fault_ in together(2, fault))
