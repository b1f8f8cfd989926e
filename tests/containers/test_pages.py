"""What pages say of algorithms is generated from their folders and from results, and is current."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from algoport import algorithms
from algoport.algorithms.contract.setting import Setting
from algoport.containers import pages
from algoport.containers.cli.progress import share
from algoport.containers.jobs import describe
from algoport.containers.pages import clients, overview, speed, startup
from tests.conformance import test_models
from tests.conformance.conftest import promise


def test_the_generated_parts_of_the_pages_are_current() -> None:
    old = [str(path.relative_to(pages.ROOT)) for path in pages.old_pages(write=False)]
    assert old == [], "make readme"


def test_every_page_has_the_markers_of_its_parts() -> None:
    without = [
        f"{part.path.relative_to(pages.ROOT)}: {part.word}"
        for part in pages.parts()
        if f"<!-- {part.word} -->" not in (text := part.path.read_text()) or f"<!-- /{part.word} -->" not in text
    ]
    assert without == []


def test_a_part_is_put_between_its_markers_and_nothing_else_changes() -> None:
    page = "a\n<!-- algorithms -->\nold\n<!-- /algorithms -->\nb\n"

    new = pages.renew(page, "algorithms", "| new |\n")

    assert new == "a\n<!-- algorithms -->\n| new |\n<!-- /algorithms -->\nb\n"
    assert pages.renew(new, "hyperparameters", "x") == new


def test_the_first_page_names_what_is_still_to_come(tmp_path: Path) -> None:
    for name in algorithms.names():
        (tmp_path / f"{name}.yaml").touch()
    assert overview.coming(tmp_path) == ""

    for name in ("walks", "trees"):
        (tmp_path / f"{name}.yaml").touch()
    assert overview.coming(tmp_path) == "Two more are to come: trees, walks.\n"


def test_incremental_training_is_a_promise_of_the_conformance_tests() -> None:
    assert overview.INCREMENTAL in {promise(test) for test in vars(test_models).values() if callable(test)}


RACE = {
    "case": "small",
    "goal": 2,
    "metric": "error",
    "better": "lower",
    "ours": 0.1,
    "peers": 0.1,
    "quality_goal": None,
}
RECORDED = {
    "machine": "A Processor",
    "cores": 2,
    "python": "3.11.7",
    "versions": {"numpy": "2.4.6"},
    "date": "2026-01-02",
    "rows": [
        {**RACE, "peer": "slow", "peer_s": 9.0, "ours_s": 2.0, "speed": 4.5},
        {**RACE, "peer": "fast", "peer_s": 1.5, "ours_s": 2.0, "speed": 0.75, "ours": 0.2},
        {**RACE, "case": "first answer", "peer": "goal", "peer_s": 1.0, "ours_s": 0.01, "speed": 100.0},
        {**RACE, "case": "large", "peer": "fast", "peer_s": 60, "ours_s": 2.0, "speed": 30.0, "ours": None},
        {**RACE, "case": "aside", "goal": None, "peer": "fast", "peer_s": 1, "ours_s": 2.0, "speed": 0.5},
    ],
}


def test_the_first_page_has_a_row_for_each_algorithm_with_results_and_losses_are_bold(tmp_path: Path) -> None:
    name = algorithms.names()[0]
    (tmp_path / f"{algorithms.folder(name).name}.json").write_text(json.dumps(RECORDED))

    head, _, row, blank, machine = speed.summary(tmp_path).splitlines()

    assert head.startswith("| algorithm | case | fastest peer | speed |")
    assert f"[{name}](algorithms/{algorithms.folder(name).name}/README.md#speed)" in row
    assert row.endswith(
        "| small | fast | **0.75\N{MULTIPLICATION SIGN}** |  | error **0.2 / 0.1** |"
        " **0.75\N{MULTIPLICATION SIGN}** to 30\N{MULTIPLICATION SIGN} |"
    )
    assert (blank, machine) == ("", "2 cores of A Processor, 2026-01-02.")


def test_an_algorithm_s_page_has_all_races_each_with_the_machine_it_ran_on(tmp_path: Path) -> None:
    other = {
        "machine": "B Processor", "cores": 4, "level": "x86-64-v4", "processor": {"family": "6", "model": "143"},
        "date": "2026-01-03",
    }  # fmt: skip
    rows = [*RECORDED["rows"][:2], {**RECORDED["rows"][3], "on": other}]
    path = tmp_path / "some.json"
    path.write_text(json.dumps({**RECORDED, "rows": rows}))

    lines = speed.races(path).splitlines()

    assert [line.split(" | ")[:2] for line in lines[2:5]] == [["| small", "slow"], ["| ", "fast"], ["| large", "fast"]]
    assert "B Processor (family 6, model 143), AVX-512, 2026-01-03" in lines[6]
    assert "2 cores of A Processor, 2026-01-02" in lines[6]
    assert speed.races(tmp_path / "none.json") == speed.summary(tmp_path / "nowhere") == ""


def test_speeds_with_avx2_only_stand_beside_those_of_the_same_cases(tmp_path: Path) -> None:
    name = algorithms.names()[0]
    file = f"{algorithms.folder(name).name}.json"
    (tmp_path / "avx2").mkdir()
    (tmp_path / file).write_text(json.dumps(RECORDED))
    narrow = {
        "machine": "A Processor", "cores": 2, "level": "x86-64-v3", "processor": {"flags": "avx2 avx512f"},
        "rows": [{**race, "speed": 0.5} for race in RECORDED["rows"][:2]],
    }  # fmt: skip
    (tmp_path / "avx2" / file).write_text(json.dumps(narrow))

    page, first = speed.races(tmp_path / file), speed.summary(tmp_path)

    slow, large = page.splitlines()[2], page.splitlines()[5]
    assert slow.split(" | ")[4:7] == [
        "4.5\N{MULTIPLICATION SIGN}",
        "**0.5\N{MULTIPLICATION SIGN}**",
        "2\N{MULTIPLICATION SIGN}",
    ]
    assert large.split(" | ")[5] == ""
    assert first.splitlines()[2].split(" | ")[4] == "**0.5\N{MULTIPLICATION SIGN}**"
    restricted = "With AVX2 only: 2 cores of A Processor, which has AVX-512, ours and the peers restricted to AVX2."
    assert restricted in page and restricted in first


def test_images_have_a_row_with_cold_and_warm_starts(tmp_path: Path) -> None:
    rows = [
        {"image": "algoport/b:cpu", "caches": "cold", "train_s": 0.5, "serve_s": 1, "ping_s": 2},
        {"image": "algoport/a:cpu", "caches": "warm", "train_s": 0.25, "serve_s": 0.5, "ping_s": 1},
        {"image": "algoport/a:cpu", "caches": "cold", "train_s": 0.5, "serve_s": 1, "ping_s": 2.125},
    ]
    (tmp_path / "startup.json").write_text(json.dumps({"rows": rows}))

    lines = startup.starts(tmp_path / "startup.json").splitlines()

    assert lines[2:] == [
        "| a | 0.50 (0.25) | 1.00 (0.50) | 2.12 (1.00) |",
        "| b | 0.50 (-) | 1.00 (-) | 2.00 (-) |",
    ]
    assert startup.starts(tmp_path / "none.json") == ""


@pytest.mark.parametrize("name", algorithms.names())
def test_an_algorithm_s_clients_md_has_known_sections_only(name: str) -> None:
    text = (algorithms.folder(name) / clients.FILE).read_text()

    titles = re.findall("^## (.*)$", text, re.MULTILINE)

    assert titles and set(titles) <= set(clients.SECTIONS)
    assert all(clients.code(clients.section(algorithms.folder(name), title)) for title in titles)


@pytest.mark.parametrize("name", algorithms.names())
def test_the_specification_is_one_that_the_service_takes(name: str) -> None:
    """The limits and forms of CreateAlgorithm (contract, section 8)."""
    specification = describe.request(name, "image")["TrainingSpecification"]

    names = [entry["Name"] for entry in specification["SupportedHyperParameters"]]
    assert len(names) == len(set(names)) <= 100
    for entry in specification["SupportedHyperParameters"]:
        assert entry["Type"] in ("Integer", "Continuous", "Categorical", "FreeText")
        assert not (entry["IsRequired"] and "DefaultValue" in entry)
        assert "Range" in entry or not entry["IsTunable"]
        assert all(isinstance(value, str) for value in _leaves(entry.get("Range", {})))
    assert len(specification["TrainingChannels"]) <= 8
    defined = {entry["Name"] for entry in specification["MetricDefinitions"]}
    assert {entry["MetricName"] for entry in specification["SupportedTuningJobObjectiveMetrics"]} <= defined
    assert all(len(entry["Regex"]) <= 500 for entry in specification["MetricDefinitions"])


def _leaves(value: object) -> list[object]:
    if isinstance(value, dict):
        return [leaf for entry in value.values() for leaf in _leaves(entry)]
    if isinstance(value, list):
        return [leaf for entry in value for leaf in _leaves(entry)]
    return [value]


def test_the_document_has_a_range_where_tuners_search_and_free_text_where_a_word_is_allowed() -> None:
    def entry(**facts: object) -> dict[str, object]:
        return describe._hyperparameter(Setting(name="x", meaning="how much", **facts))  # type: ignore[arg-type]

    tuned = entry(kind="integer", default="auto", words=("auto",), low=1, tune=(4, 10))
    free = entry(kind="integer", default="auto", words=("auto",), low=1)
    real = entry(kind="real", default=0.5, above=0, high=1)
    flag = entry(kind="boolean", default=True)

    assert tuned["Type"] == "Integer" and tuned["IsTunable"] and "DefaultValue" not in tuned
    assert free["Type"] == "FreeText" and free["DefaultValue"] == "auto"
    assert real["Range"] == {"ContinuousParameterRangeSpecification": {"MinValue": "0", "MaxValue": "1"}}
    assert flag["DefaultValue"] == "true"


def test_progress_lines_move_the_bar_and_others_do_not() -> None:
    assert share("#progress_metric: host=algo-1, completed 12.5 % of epochs") == 0.125
    assert share("#quality_metric: host=algo-1, train msd <loss>=50.0 %") is None
