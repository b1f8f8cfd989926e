"""What this process may use, read from a made-up control group."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from algoport.algorithms.shared import machine

GIB = 1 << 30


@pytest.fixture
def cgroup(tmp_path: Path, monkeypatch: Any) -> Any:
    """Writes the files of a control group; the machine itself has 64 processors and 64 GiB, half of it free."""
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    monkeypatch.setattr(machine, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 64 * GIB // 4096}.__getitem__)
    (tmp_path / "meminfo").write_text(f"MemTotal: {64 << 20} kB\nMemFree: 1 kB\nMemAvailable:   {32 << 20} kB\n")

    def write(**files: object) -> None:
        for name, words in files.items():
            path = tmp_path / name.replace("__", "/").replace("_of", ".")
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"{words}\n")

    return write


def test_without_a_limit_it_is_the_whole_machine(cgroup: Any) -> None:
    assert machine.cores() == 64
    assert machine.memory_limit() == 64 * GIB
    assert machine.memory_free() == 32 * GIB


@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        ("max 100000", 64),
        ("100000 100000", 1),
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("140000 100000", 1),
        ("10000 100000", 1),
        ("25000 50000", 1),
        ("99900000 100000", 64),
    ],
)
def test_processors_are_cut_by_the_quota_and_never_below_one(cgroup: Any, quota: str, cores: int) -> None:
    cgroup(cpu_ofmax=quota)

    assert machine.cores() == cores


@pytest.mark.parametrize(("quota", "cores"), [(-1, 64), (300000, 3), (50000, 1)])
def test_processors_are_cut_by_the_quota_of_the_older_kind_too(cgroup: Any, quota: int, cores: int) -> None:
    cgroup(cpu__cpu_ofcfs_quota_us=quota, cpu__cpu_ofcfs_period_us=100000)

    assert machine.cores() == cores


def test_processors_are_cut_by_affinity(cgroup: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 7})
    cgroup(cpu_ofmax="800000 100000")

    assert machine.cores() == 3


def test_memory_is_the_group_s_and_its_page_cache_counts_as_free(cgroup: Any) -> None:
    cgroup(memory_ofmax=4 * GIB, memory_ofcurrent=3 * GIB)
    cgroup(memory_ofstat=f"anon {GIB}\nfile {2 * GIB}\nactive_file {GIB // 4}\ninactive_file {GIB // 2}")

    assert machine.memory_limit() == 4 * GIB
    assert machine.memory_free() == GIB + GIB // 4 + GIB // 2


def test_memory_is_the_group_s_of_the_older_kind_too(cgroup: Any) -> None:
    cgroup(memory__memory_oflimit_in_bytes=4 * GIB, memory__memory_ofusage_in_bytes=3 * GIB)

    assert machine.memory_limit() == 4 * GIB
    assert machine.memory_free() == GIB


@pytest.mark.parametrize("unlimited", ["max", 9223372036854771712])
def test_a_group_without_a_limit_of_memory_leaves_the_machine_s(cgroup: Any, unlimited: object) -> None:
    cgroup(memory_ofmax=unlimited, memory_ofcurrent=3 * GIB)

    assert machine.memory_limit() == 64 * GIB
    assert machine.memory_free() == 32 * GIB


def test_a_limit_above_the_machine_s_memory_promises_nothing(cgroup: Any) -> None:
    cgroup(memory_ofmax=999 * GIB, memory_ofcurrent=GIB)

    assert machine.memory_limit() == 64 * GIB
    assert machine.memory_free() == 32 * GIB


def test_a_full_group_has_nothing_left_and_not_less(cgroup: Any) -> None:
    cgroup(memory_ofmax=GIB, memory_ofcurrent=GIB + 4096)

    assert machine.memory_free() == 0


def test_peak_memory_grows_with_what_is_touched() -> None:
    before = machine.peak_memory()

    touched = bytearray(os.urandom(1 << 20)) * 64

    assert machine.peak_memory() >= min(before + 1, len(touched))
    assert 10 << 20 < machine.peak_memory() < 1 << 40


def test_blas_threads_are_limited_while_entered_and_no_longer() -> None:
    import numpy as np
    from threadpoolctl import threadpool_info

    def counts() -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    assert np.ones((2, 2)) @ np.ones((2, 2)) is not None
    before = counts()

    with machine.blas_threads(1):
        assert before and set(counts()) == {1}
    assert counts() == before
