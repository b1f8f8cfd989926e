"""The ways in which a value can be written: all of them give the same."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as some

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.hyperparameters import Settings, boolean, listing, real
from tests.algorithms.contract.test_hyperparameters import findings, read


def dialects(value: Any) -> list[Any]:
    """How a value arrives: plain, JSON-encoded, JSON-encoded twice over, as Python's str(), and as itself."""
    plain = value if isinstance(value, str) else json.dumps(value)
    return [plain, f"  {plain} ", json.dumps(value), json.dumps(plain), str(value), value]


@given(some.integers(1, 10**15))
def test_a_whole_number_reads_alike_in_every_dialect(value: int) -> None:
    for written in [*dialects(value), f"{value}.0"]:
        assert read(k=written).k == value
        assert type(read(k=written).k) is int


@given(some.floats(0, 1, exclude_min=True))
def test_a_number_reads_alike_in_every_dialect(value: float) -> None:
    for written in [*dialects(value), f"{value:.17e}"]:
        assert read(rate=written).rate == value


@pytest.mark.parametrize("value", [True, False])
def test_a_switch_reads_alike_in_every_dialect(value: bool) -> None:
    words = ["true", "TRUE", "1", "yes", "Yes"] if value else ["false", "FALSE", "0", "no", "No"]
    for written in [*dialects(value), *words, *map(json.dumps, words), int(value)]:
        assert read(bias=written).bias is value


@pytest.mark.parametrize("value", [0, 1])
def test_a_number_that_is_0_or_1_reads_alike_in_every_dialect_of_a_switch(value: int) -> None:
    words = ["true", "True", "yes", "1.0"] if value else ["false", "False", "no", "0.0"]
    for written in [*dialects(value), *words, *map(json.dumps, words), bool(value)]:
        flag = read(flag=written).flag
        assert flag == value and type(flag) is int


@pytest.mark.parametrize(
    "written",
    [
        "3,32,32",
        "3, 32, 32",
        "[3,32,32]",
        "(3, 32, 32)",
        "'3,32,32'",
        '"[3, 32, 32]"',
        [3, 32, 32],
        (3, 32.0, 32),
        "[ 3 32 32]",
        "[np.int64(3), np.int64(32), np.float64(32.0)]",
        '["3", "32", "32"]',
        "3.0,32,32",
        "3,32,32,",
    ],
)
def test_numbers_with_commas_are_read_from_every_spelling_of_a_list(written: Any) -> None:
    assert read(shape=written).shape == "3,32,32"
    assert read(layers=written).layers == (3, 32, 32)


@pytest.mark.parametrize("written", ["[3,32", "3,,32", "3,32]", "(3,32]", '{"a": 1}', "[[3], 32]", "[true]"])
def test_what_is_no_list_of_numbers_is_refused_in_one_sentence(written: str) -> None:
    for name in ("layers", "shape") if written not in ("3,,32",) else ("layers",):
        (sentence,) = findings({"k": "1", name: written})
        assert sentence.startswith(f"{name}: must be ")


@pytest.mark.parametrize("written", ["[3_2]", "3_2", "0x10", "[3] # 4", "3j", "[\u0663]", "[1e400]", "[nan]"])
def test_what_only_python_reads_is_no_number_of_a_list(written: str) -> None:
    (sentence,) = findings({"k": "1", "layers": written})
    assert sentence.startswith("layers: must be a list of whole numbers")


@pytest.mark.parametrize("value", ["adam", "sgd", "l-bfgs"])
def test_a_word_reads_alike_in_every_dialect(value: str) -> None:
    for written in dialects(value):
        assert read(solver=written).solver == value


class Worded(Settings):
    weight: float | Literal["balanced", "auto"] = real("a weight", default=1.0, above=0, words=("balanced", "auto"))
    shift: bool | Literal["auto"] = boolean("a switch", default="auto", auto=True)
    layers: tuple[int, ...] | Literal["auto"] = listing("sizes", default="auto", auto=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("weight", "balanced"),
        ("weight", "auto"),
        ("weight", 2.5),
        ("shift", "auto"),
        ("shift", True),
        ("shift", False),
        ("layers", "auto"),
    ],
)
def test_words_stand_beside_the_values_of_any_kind(name: str, value: Any) -> None:
    for written in dialects(value):
        assert getattr(Worded.read({name: written}), name) == value


def test_what_is_neither_a_value_nor_a_word_is_refused_with_both() -> None:
    with pytest.raises(UserError) as caught:
        Worded.read({"weight": "heavy", "shift": "maybe"})

    assert caught.value.findings == [
        "weight: must be a number above 0 or 'balanced' or 'auto'; it is 'heavy'.",
        "shift: must be true or false or 'auto'; it is 'maybe'.",
    ]


def test_the_word_auto_reads_alike_in_every_dialect_where_it_is_a_value() -> None:
    for written in dialects("auto"):
        assert read(width=written).width == "auto"
    assert findings({"k": "auto"}) == ["k: must be a whole number at least 1; it is 'auto'."]


@given(some.lists(some.sampled_from(["msd", "ssd"]), min_size=1, max_size=3))
def test_a_list_of_words_reads_alike_in_every_dialect(value: list[str]) -> None:
    for written in [*dialects(value), ",".join(value), ", ".join(value), f"[{', '.join(value)}]", tuple(value)]:
        assert read(scores=written).scores == tuple(value)


@given(some.lists(some.integers(-99, 99), max_size=4))
def test_a_list_of_numbers_reads_alike_in_every_dialect(value: list[int]) -> None:
    for written in [*dialects(value), *([",".join(map(str, value))] if value else [])]:
        assert read(layers=written).layers == tuple(value)


@given(some.text(some.characters(exclude_categories=["Cs", "Cc"]), min_size=1).map(str.strip))
def test_text_is_taken_as_it_is_but_for_blanks_and_one_pair_of_quotes(value: str) -> None:
    if value in ("", "null", "None") or value.startswith('"'):
        return
    assert read(words=value).words == value
    assert read(words=json.dumps(value)).words == value
