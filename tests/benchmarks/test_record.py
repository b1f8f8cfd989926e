"""Results name the processor that they hold for, and rows of two machines are never taken for rows of one."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import pytest

from benchmarks import peers, record

INTEL = """processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 143
model name\t: Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz
stepping\t: 8
flags\t\t: fpu sse2 fma movbe avx f16c avx2 avx512f avx512_vnni avx512_bf16 amx_tile amx_bf16 hypervisor fma4x

processor\t: 1
model\t\t: 99
"""
GRAVITON = """processor\t: 0
Features\t: fp asimd aes asimddp sve i8mm bf16 svebf16
CPU implementer\t: 0x41
CPU architecture: 8
CPU part\t: 0xd40
CPU revision\t: 1
"""
FACTS = {"machine": "M", "processor": {"family": "1", "flags": "avx2"}, "level": "x86-64-v3", "cores": 2, "system": "S"}


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    return tmp_path


def test_a_processor_is_named_by_family_model_and_the_flags_that_choose_instructions(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(INTEL)

    name, facts = record.processor(tmp_path / "cpuinfo")

    assert name.startswith("Intel(R) Xeon(R)")
    assert facts == {
        "vendor": "GenuineIntel",
        "family": "6",
        "model": "143",
        "stepping": "8",
        "flags": "amx_bf16 amx_tile avx2 avx512_bf16 avx512_vnni avx512f f16c fma",
    }


def test_a_processor_that_is_no_x86_is_named_too(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(GRAVITON)

    name, facts = record.processor(tmp_path / "cpuinfo")

    assert name == (platform.processor() or platform.machine())
    assert facts["vendor"] == "0x41" and facts["model"] == "0xd40"
    assert facts["flags"] == "asimd asimddp bf16 i8mm sve svebf16"


def test_a_system_without_cpuinfo_has_a_name_and_no_flags(tmp_path: Path) -> None:
    name, facts = record.processor(tmp_path / "none")

    assert name and facts["flags"] == ""


def test_rows_that_another_machine_left_keep_its_facts(results: Path) -> None:
    other = FACTS | {"processor": {"family": "2", "flags": "avx2"}, "date": "2026-11-01"}
    record.keep("races", other, [{"case": "a", "s": 1}, {"case": "b", "s": 2}])

    record.keep("races", FACTS, [{"case": "b", "s": 3}])
    record.keep("races", FACTS, [{"case": "c", "s": 4}])

    document = json.loads((results / "avx2" / "races.json").read_text())
    own = {row["case"]: record.facts_of(row, document)["processor"]["family"] for row in document["rows"]}
    assert own == {"a": "2", "b": "1", "c": "1"}
    assert [row["s"] for row in document["rows"]] == [1, 3, 4]
    assert document["rows"][0]["on"]["date"] == "2026-11-01"


def test_the_rows_of_each_level_have_a_file_of_their_own(results: Path) -> None:
    record.keep("races", FACTS, [{"case": "a", "s": 1}])
    record.keep("races", FACTS | {"level": "x86-64-v4"}, [{"case": "a", "s": 2}])

    both = [json.loads((results / folder / "races.json").read_text()) for folder in ("avx2", "")]
    assert [[row["s"] for row in document["rows"]] for document in both] == [[1], [2]]


def test_rows_of_a_file_that_names_no_flags_are_not_taken_for_this_machine_s() -> None:
    older = {"machine": "M", "cores": 2, "system": "S", "rows": [{"case": "a"}]}

    (row,) = record.with_origin(older, FACTS)

    assert row == {"case": "a", "on": {"machine": "M", "cores": 2, "system": "S"}}


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (FACTS, ""),
        ({"machine": "M", "cores": 2}, ""),  # an older file
        (FACTS | {"cores": 4}, "cores is 2 in the one and 4 in the other"),
        (FACTS | {"level": "generic"}, "level is x86-64-v3 in the one and generic in the other"),
        (
            FACTS | {"processor": {"family": "1", "flags": "avx2 fma"}},
            "processor is family 1 flags avx2 in the one and family 1 flags avx2 fma in the other",
        ),
    ],
)
def test_machines_differ_in_what_both_say(other: dict[str, object], words: str) -> None:
    assert record.difference(FACTS, other) == words


def test_the_versions_are_those_of_our_dependencies_and_of_the_benchmark_s_own_peers() -> None:
    every, own = record.header()["versions"], record.header("xgboost")["versions"]

    assert {"numpy", "torch"} <= set(every) and "xgboost-cpu" not in every
    assert own["xgboost-cpu"] and set(every) <= set(own)
    assert "faiss-cpu" not in own


def test_each_peer_is_listed_beside_a_benchmark_and_with_the_name_it_is_imported_by() -> None:
    names = {path.name.partition(".")[0] for path in peers.HERE.glob("*.txt")}
    modules = {peer.package: (peer.module, peer.alone) for peer in peers.peers_of()}

    assert all((peers.HERE / f"{name}.py").is_file() for name in names)
    assert modules["faiss-cpu"] == ("faiss", False)
    assert modules["gluonts"] == ("gluonts", True)
