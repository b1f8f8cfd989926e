"""Models, archives and lists of files that are damaged or made to harm end in a model or in a sentence."""

from __future__ import annotations

import gzip
import io
import tarfile
import time
from pathlib import Path

import pytest

from algoport import algorithms
from algoport.algorithms.contract.errors import UserError
from algoport.training.artifacts import start
from tests.fuzzing import artifacts
from tests.fuzzing.fuzzer import fuzz

QUICK = ("kmeans",)  # whose example takes no time; `make soak` takes them all


def unpacked(folder: Path, data: bytes) -> None:
    (folder / "channel").mkdir()
    (folder / "channel" / "model.tar.gz").write_bytes(data)
    start(folder / "channel", algorithms.part("kmeans", "model").Model.load)


def with_entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as tar:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = kind, link
        tar.addfile(entry, io.BytesIO(b""))
    return sink.getvalue()


def test_changed_files_of_models_end_in_a_model_or_in_a_sentence() -> None:
    reports = [fuzz(target, 150) for target in artifacts.targets(*QUICK)]

    assert {report.target: report.findings for report in reports if report.findings} == {}
    assert all(report.slowest < 5 for report in reports)


@pytest.mark.parametrize(
    ("name", "kind", "link"),
    [
        ("../model.json", tarfile.REGTYPE, ""),
        ("a/../../model.json", tarfile.REGTYPE, ""),
        ("/tmp/model.json", tarfile.REGTYPE, ""),
        ("model.json", tarfile.SYMTYPE, "/etc/passwd"),
        ("model.json", tarfile.LNKTYPE, "/etc/passwd"),
        ("model.json", tarfile.CHRTYPE, ""),
        ("model.json", tarfile.BLKTYPE, ""),
        ("model.json", tarfile.FIFOTYPE, ""),
    ],
)
def test_an_archive_with_more_than_plain_files_below_it_is_refused(
    tmp_path: Path, name: str, kind: bytes, link: str
) -> None:
    with pytest.raises(UserError, match="must hold"):
        unpacked(tmp_path, with_entry(name, kind, link))


def test_a_name_of_hundreds_of_megabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """A kilobyte a megabyte: the header says that a long name follows, and zeros do."""
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 1 << 28
    with pytest.raises(UserError, match="name"):
        unpacked(tmp_path, gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 20)))


def test_names_of_names_of_names_are_refused(tmp_path: Path) -> None:
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 4
    with pytest.raises(UserError):
        unpacked(tmp_path, gzip.compress((header.tobuf(tarfile.GNU_FORMAT) + b"abc\0".ljust(512, b"\0")) * 3000))


def test_nested_lists_are_no_manifest(tmp_path: Path) -> None:
    from algoport.training.channels.files import shards

    (tmp_path / "x.manifest").write_bytes(b'[{"prefix":"a"},' + b"[" * 100_000)
    with pytest.raises(UserError, match="manifest"):
        shards(tmp_path, "train")


def test_an_archive_of_a_million_folders_is_refused_at_once(tmp_path: Path) -> None:
    header = tarfile.TarInfo("a")
    header.type = tarfile.DIRTYPE
    (tmp_path / "model.tar.gz").write_bytes(gzip.compress(header.tobuf() * 1_000_000, 1))
    begin = time.monotonic()

    with pytest.raises(UserError, match="must hold at most 10,000 files and folders"):
        start(tmp_path, algorithms.part("kmeans", "model").Model.load)

    assert time.monotonic() - begin < 20
