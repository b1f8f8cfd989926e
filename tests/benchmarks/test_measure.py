"""A run shows its rows and writes none unless asked; a case that needs what is not installed stops no other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import data, measure, record
from benchmarks.measure import Case, Laps, Row


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    return tmp_path


def case(name: str, *seconds: float, promised: bool = True) -> Case:
    row = Row(case=name, peer="peer", ours=Laps(seconds, None), peers=Laps([2 * each for each in seconds], None))
    return Case(name, lambda: [row], promised)


def without_clothes() -> list[Row]:
    raise AssertionError(f"not reached: {data.fashion()[0].shape}")


def without_peer() -> list[Row]:
    raise ModuleNotFoundError("No module named 'sklearnex.decomposition'", name="sklearnex.decomposition")


@pytest.mark.parametrize("arguments", [[], ["--json"], ["--only", "one"], ["--all", "--json"]])
def test_a_run_writes_nothing_unless_it_is_asked_to_keep(
    results: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    code = measure.main("races", [case("one", 1.0)], arguments)

    assert code == 0
    assert "one" in capsys.readouterr().out
    assert not list(results.iterdir())


def test_json_is_one_object_a_line_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    measure.main("races", [case("one", 1.0), case("two", 3.0)], ["--json"])

    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["case"], row["ours_s"], row["speed"]) for row in rows] == [("one", 1.0, 2.0), ("two", 3.0, 2.0)]


def test_what_is_kept_replaces_the_same_cases_and_leaves_the_others(results: Path) -> None:
    measure.main("races", [case("one", 1.0), case("two", 3.0)], ["--keep"])

    measure.main("races", [case("one", 1.5), case("two", 9.0)], ["--keep", "--only", "one"])

    (path,) = results.rglob("races.json")  # where this processor's level has it
    document = json.loads(path.read_text())
    assert {row["case"]: row["ours_s"] for row in document["rows"]} == {"one": 1.5, "two": 3.0}
    assert not any("on" in row for row in document["rows"]), "the same machine"
    assert {"machine", "processor", "level", "cores", "versions", "date"} <= set(document)


@pytest.mark.parametrize(
    ("lacking", "remedy"),
    [(without_clothes, "apt-get install dataset-fashion-mnist"), (without_peer, "pip install scikit-learn-intelex")],
    ids=["data", "peer"],
)
def test_what_is_not_installed_is_a_sentence_with_its_remedy_and_the_other_cases_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, lacking: object, remedy: str
) -> None:
    monkeypatch.setenv(data.FOLDER, str(tmp_path))
    data.fashion.cache_clear()

    code = measure.main("races", [Case("first", lacking), case("second", 1.0)], ["--json"])  # type: ignore[arg-type]

    shown = capsys.readouterr()
    assert code == 0
    assert [json.loads(line)["case"] for line in shown.out.splitlines()] == ["second"]
    (sentence,) = shown.err.splitlines()
    assert sentence.startswith("first: left out.") and remedy in sentence


def test_a_run_of_which_nothing_is_left_says_so_by_its_code() -> None:
    assert measure.main("races", [Case("first", without_peer)], []) == 2


def test_a_module_of_ours_that_is_missing_is_a_fault_and_no_missing_peer() -> None:
    def broken() -> list[Row]:
        raise ModuleNotFoundError("No module named 'algoport.lost'", name="algoport.lost")

    with pytest.raises(ModuleNotFoundError, match="lost"):
        measure.main("races", [Case("first", broken)], [])
