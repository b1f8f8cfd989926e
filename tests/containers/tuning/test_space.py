"""Ranges on their scales."""

from __future__ import annotations

import math

import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.containers.tuning import space, submission
from algoport.containers.tuning.space import Range

LOG = Range(name="a", kind="Continuous", low=0.01, high=100, scale="Logarithmic")


def test_a_scale_is_even_in_its_own_measure() -> None:
    assert LOG.value(0.5) == pytest.approx(1) and LOG.share(1) == pytest.approx(0.5)
    reverse = Range(name="a", kind="Continuous", low=0, high=0.99, scale="ReverseLogarithmic")
    assert reverse.value(0.5) == pytest.approx(0.9) and reverse.share(0.9) == pytest.approx(0.5)
    assert [LOG.value(0), LOG.value(1)] == pytest.approx([0.01, 100])


def test_each_integer_has_as_much_room() -> None:
    three = Range(name="k", kind="Integer", low=1, high=3)
    values = [three.value((place + 0.5) / 300) for place in range(300)]
    assert [values.count(value) for value in (1, 2, 3)] == [100, 100, 100]


def test_the_scale_of_wide_ranges_is_logarithmic_where_nobody_says() -> None:
    assert Range(name="a", kind="Continuous", low=0.01, high=1).resolved == "Logarithmic"
    assert Range(name="a", kind="Continuous", low=0.0, high=1).resolved == "Linear"


def test_values_are_written_in_full_and_read_again() -> None:
    assert space.written({"a": 0.1, "k": 3, "c": "x"}) == {"a": "0.1", "k": "3", "c": "x"}
    assert LOG.read("0.1") == 0.1 and LOG.read("0.001") is None and LOG.read("x") is None


def test_a_grid_has_every_combination_once() -> None:
    grid = [
        Range(name="a", kind="Categorical", values=("x", "y")),
        Range(name="b", kind="Categorical", values=("1", "2", "3")),
    ]
    points = [tuple(space.combination(grid, number).items()) for number in range(space.combinations(grid))]
    assert len(set(points)) == 6


@pytest.mark.parametrize(
    ("one", "sentence"),
    [
        (Range(name="a", kind="Integer", low=3, high=1), "a: the lower end must be at most the upper"),
        (Range(name="a", kind="Continuous", low=0, high=1, scale="Logarithmic"), "a: on a logarithmic scale"),
        (Range(name="a", kind="Continuous", low=0, high=1, scale="ReverseLogarithmic"), "a: on a reverse logarithmic"),
        (Range(name="a", kind="Continuous", low=0, high=math.inf), "a: the lower end must be at most"),
        (Range(name="a", kind="Categorical"), "a: must have 1 to 30 values; it has 0"),
    ],
)
def test_what_cannot_be_searched_is_said(one: Range, sentence: str) -> None:
    assert next(one.faults()).startswith(sentence)


def test_the_short_form_of_a_range() -> None:
    made = submission.ranges(["a=0.1..10:log", "k=1..5", "c=x, y"], None)
    assert [(one.kind, one.low, one.high, one.scale, one.values) for one in made] == [
        ("Continuous", 0.1, 10, "Logarithmic", ()),
        ("Integer", 1, 5, "Auto", ()),
        ("Categorical", 0, 0, "Auto", ("x", "y")),
    ]


@pytest.mark.parametrize("text", ["a", "a=1..", "a=..2", "a=x..y", "a=1..2:cubic", "a="])
def test_a_wrong_short_form_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="--tune"):
        submission.ranges([text], None)
