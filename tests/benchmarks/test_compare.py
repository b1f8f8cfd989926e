"""Two runs are compared row by row, and only where the machine was the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import compare

MACHINE = {"machine": "M", "processor": {"family": "1", "flags": "avx2"}, "level": "x86-64-v3", "cores": 2}


def row(case: str, ours: float, peer: float = 1.0, spread: float = 0.1, **more: Any) -> dict[str, Any]:
    seconds = {"ours_s": ours, "peer_s": peer, "ours_range": [ours * (1 - spread), ours * (1 + spread)]}
    return {"case": case, "peer": "peer", **seconds, **more}


def written(path: Path, *rows: dict[str, Any], **facts: Any) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**MACHINE, "versions": {}, "date": "2026-11-28", **facts, "rows": rows}))
    return str(path)


def test_ratios_are_after_over_before_and_slower_is_what_lies_beyond_the_laps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = written(tmp_path / "a.json", row("same", 1.0), row("slow", 1.0), row("gone", 1.0), row("fast", 2.0))
    after = written(tmp_path / "b.json", row("same", 1.15), row("slow", 1.5, 1.2), row("fast", 1.0), row("new", 1.0))

    code = compare.main([before, after])

    lines = {line.split(" | ")[0]: line for line in capsys.readouterr().out.splitlines()}
    assert code == 0
    assert lines["| same"].endswith("| 1.150 | 1.000 |")
    assert lines["| slow"].endswith("| **1.500 slower** | 1.200 |")
    assert lines["| fast"].endswith("| 0.500 | 1.000 |")
    assert "only before: gone, peer" in lines and "only after: new, peer" in lines
    assert "3 rows compared, 1 slower beyond their ranges." in lines


@pytest.mark.parametrize(("after", "slower"), [(1.09, False), (1.11, True)])
def test_a_single_lap_is_allowed_a_tenth(after: float, slower: bool) -> None:
    pair = compare.Pair("case", "peer", row("case", 1.0, spread=0), row("case", after, spread=0))

    assert pair.slower is slower


@pytest.mark.parametrize(
    "facts",
    [{"machine": "N"}, {"cores": 4}, {"level": "x86-64-v4"}, {"processor": {"family": "1", "flags": "avx2 fma"}}],
    ids=lambda facts: next(iter(facts)),
)
def test_other_machines_flags_and_levels_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], facts: dict[str, Any]
) -> None:
    before, after = (
        written(tmp_path / "a.json", row("one", 1.0)),
        written(tmp_path / "b.json", row("one", 1.0), **facts),
    )

    code = compare.main([before, after])

    shown = capsys.readouterr()
    assert code == 2 and "not comparable" in shown.err and next(iter(facts)) in shown.err
    assert "|" not in shown.out


def test_a_row_that_another_machine_left_is_refused(tmp_path: Path) -> None:
    before = written(tmp_path / "a.json", row("one", 1.0))
    after = written(tmp_path / "b.json", row("one", 1.0, on={**MACHINE, "machine": "N"}))

    assert compare.main([before, after]) == 2


def test_an_older_file_without_flags_is_taken_by_name_and_cores(tmp_path: Path) -> None:
    old = tmp_path / "a.json"
    old.write_text(json.dumps({"machine": "M", "cores": 2, "date": "2026-11-01", "rows": [row("one", 1.0)]}))

    assert compare.main([str(old), written(tmp_path / "b.json", row("one", 1.0))]) == 0


def test_folders_are_compared_file_by_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder, seconds in (("a", 1.0), ("b", 2.0)):
        for name in ("kmeans", "pca"):
            written(tmp_path / folder / f"{name}.json", row("one", seconds))
    written(tmp_path / "a" / "alone.json", row("one", 1.0))

    code = compare.main([str(tmp_path / "a"), str(tmp_path / "b")])

    shown = capsys.readouterr().out
    assert code == 0 and shown.count("**2.000 slower**") == 2 and "alone" not in shown


def test_what_is_no_file_of_results_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = compare.main([str(tmp_path / "none.json"), str(tmp_path / "none.json")])

    assert code == 2 and "none.json: must be a file of results" in capsys.readouterr().err
