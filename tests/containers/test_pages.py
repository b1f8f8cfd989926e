"""What is printed about an algorithm is made from its declaration, and is current."""

from __future__ import annotations

import pytest

from algoport import algorithms
from algoport.algorithms.contract.setting import Setting
from algoport.containers import pages
from algoport.containers.cli.progress import share
from algoport.containers.jobs import describe


def test_the_tables_of_the_pages_are_current() -> None:
    old = [str(path.relative_to(pages.ROOT)) for path in pages.old_pages(write=False)]
    assert old == [], "make readme"


def test_every_page_of_an_algorithm_has_its_table() -> None:
    without = [
        folder.name
        for folder in algorithms.folders()
        if "<!-- /hyperparameters -->" not in (folder / "README.md").read_text()
    ]
    assert without == []


def test_a_table_is_put_between_its_markers_and_nothing_else_changes() -> None:
    page = "a\n<!-- algorithms -->\nold\n<!-- /algorithms -->\nb\n"

    new = pages.renewed(page, "algorithms", "| new |\n")

    assert new == "a\n<!-- algorithms -->\n| new |\n<!-- /algorithms -->\nb\n"
    assert pages.renewed(new, "hyperparameters", "x") == new


@pytest.mark.parametrize("name", algorithms.names())
def test_the_specification_is_one_that_the_service_takes(name: str) -> None:
    """The limits and forms of CreateAlgorithm (contract, section 8)."""
    found = describe.request(name, "image")["TrainingSpecification"]

    names = [entry["Name"] for entry in found["SupportedHyperParameters"]]
    assert len(names) == len(set(names)) <= 100
    for entry in found["SupportedHyperParameters"]:
        assert entry["Type"] in ("Integer", "Continuous", "Categorical", "FreeText")
        assert not (entry["IsRequired"] and "DefaultValue" in entry)
        assert "Range" in entry or not entry["IsTunable"]
        assert all(isinstance(value, str) for value in _leaves(entry.get("Range", {})))
    assert len(found["TrainingChannels"]) <= 8
    defined = {entry["Name"] for entry in found["MetricDefinitions"]}
    assert {entry["MetricName"] for entry in found["SupportedTuningJobObjectiveMetrics"]} <= defined
    assert all(len(entry["Regex"]) <= 500 for entry in found["MetricDefinitions"])


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
