"""The words in which hyperparameters are declared: what is read, what is refused, and in which words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import ValidationError

from algoport.algorithms.contract import Job
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.hyperparameters import Settings, boolean, choice, integer, listing, real, text


class Everything(Settings):
    k: int = integer("a count", low=1, role="passes")
    width: int | Literal["auto"] = integer("a width", default="auto", low=2, high=9, auto=True, role="width")
    rate: float = real("a rate", default=0.5, above=0, high=1)
    tilt: float = real("a tilt", default=0.0, low=-1, below=1)
    solver: str = choice("a way", "adam", "sgd", "l-bfgs", default="adam")
    bias: bool = boolean("a switch", default=True)
    scores: tuple[str, ...] = listing("scores", "msd", "ssd", default=("msd",))
    layers: tuple[int, ...] = listing("sizes", default=(), of="integer")
    flag: int = integer("a switch of numbers", default=0, low=0, high=1)
    shape: str | None = text("sizes with commas", default=None, separated=True)
    wide: int | None = integer(
        "how many, of the solver l-bfgs alone", default=None, low=3, remedy="Two are for the solver sgd."
    )
    words: str = text("any text", default="")
    lambda_: float = real("a penalty", default=1.0, low=0, name="lambda", aliases=("reg_lambda",))
    objective: str = text("what the tuner looks at", default="", name="_tuning_objective_metric")

    @classmethod
    def without_effect(cls, given: Mapping[str, object]) -> Mapping[str, str]:
        return {} if given.get("solver") == "l-bfgs" else {"wide": "is of the solver l-bfgs alone"}

    def faults(self) -> Iterator[str]:
        if self.k > 100 and not self.bias:
            yield "bias: must be true where k is above 100."
        if self.k > 100 and self.rate == 1:
            yield "rate: must be below 1 where k is above 100."


def read(**given: Any) -> Everything:
    return Everything.read({"k": "1", **given})


def findings(given: dict[str, Any]) -> list[str]:
    with pytest.raises(UserError) as caught:
        Everything.read(given)
    return caught.value.findings


@pytest.mark.parametrize("nothing", ["", " ", "null", "None", None, '""', ' "null" '])
def test_what_counts_as_not_given_leaves_the_default(nothing: Any) -> None:
    fields = {field: nothing for field in ("width", "rate", "solver", "bias", "scores", "layers", "words", "lambda")}

    assert read(**fields) == read()
    assert findings({"k": nothing}) == ["k: is a required hyperparameter and was not given."]


@pytest.mark.parametrize(
    ("field", "inside", "outside"),
    [
        (
            "k",
            ["1", "1.0", "1e3"],
            [
                "0",
                "-1",
                "1.5",
                "one",
                "true",
                True,
                "nan",
                "inf",
                "1e400",
                "[1]",
                "1_0",
                "0x1",
                "²",
                "\uff11",
                2**63,
                "1e99999",
            ],
        ),
        ("width", ["2", "9"], ["1", "10", "automatic", "Auto"]),
        ("rate", ["1", "1e-300"], ["0", "-0.0", "1.0000001", "nan", "inf", "-inf", "infinity", "true", True, "0_1"]),
        ("tilt", ["-1", "0.999"], ["-1.01", "1", "1.0"]),
        ("flag", ["1.0", "True", "no", True, "'0'"], ["2", "0.5", "auto"]),
        ("solver", ["adam", "'adam'"], ["Adam", "adam sgd", "1", "['adam']"]),
        ("bias", ["Yes"], ["2", "on", "t", "0.5", "[true]"]),
        ("scores", ["msd"], ["rmse", "[]", "msd,rmse", '{"msd": 1}', "[[1]]", "7"]),
        ("lambda", ["0", "1e300"], ["-1", "inf", "-inf", "nan", "1e999"]),
    ],
)
def test_a_limit_is_accepted_and_what_lies_beyond_is_refused(field: str, inside: list[Any], outside: list[Any]) -> None:
    for written in inside:
        Everything.read({"k": "1", field: written})
    for written in outside:
        (sentence,) = findings({"k": "1", field: written})
        assert sentence.startswith(f"{field}: must be ")


def test_a_sentence_says_where_what_must_be_and_what_is() -> None:
    assert findings({"k": "0"}) == ["k: must be a whole number at least 1; it is '0'."]
    assert findings({"k": 1, "width": "1"}) == ["width: must be a whole number from 2 to 9 or 'auto'; it is '1'."]
    assert findings({"k": 1, "rate": "0"}) == ["rate: must be a number at most 1 and above 0; it is '0'."]
    assert findings({"k": 1, "tilt": "1"}) == ["tilt: must be a number at least -1 and below 1; it is '1'."]
    assert findings({"k": 1, "solver": "sdg"}) == ["solver: must be one of adam, sgd, l-bfgs; it is 'sdg'."]
    assert findings({"k": 1, "bias": "maybe"}) == ["bias: must be true or false; it is 'maybe'."]
    assert findings({"k": 1, "scores": "rmse"}) == ["scores: must be a list of msd, ssd; it is 'rmse'."]


def test_a_long_value_is_shown_by_its_beginning() -> None:
    (sentence,) = findings({"k": "9" * 3000 + "x"})

    assert len(sentence) < 200
    assert "'999" in sentence and "..." in sentence


def test_a_list_item_of_the_wrong_type_is_reported_by_the_setting_s_name() -> None:
    (sentence,) = findings({"k": 1, "layers": "[1, 'two']"})

    assert sentence.startswith("layers: ") and "two" in sentence


def test_all_faults_are_reported_together() -> None:
    sentences = findings({"width": "1", "rate": "2", "colour": "red", "solver": "x"})

    assert [sentence.partition(":")[0] for sentence in sorted(sentences)] == ["colour", "k", "rate", "solver", "width"]


def test_required_settings_that_are_missing_are_reported_in_one_sentence() -> None:
    class Two(Settings):
        k: int = integer("a count", low=1)
        feature_dim: int = integer("a width", low=1)
        lambda_: float = real("a penalty", name="lambda")

    with pytest.raises(UserError) as caught:
        Two.read({})

    assert caught.value.findings == ["k, feature_dim, lambda: are required and were not given."]


@pytest.mark.parametrize(
    ("written", "nearest"),
    [("solvr", "solver"), ("lamda", "lambda"), ("Bias", "bias"), ("width_", "width"), ("score", "scores")],
)
def test_an_unknown_name_is_reported_with_the_nearest_valid_ones(written: str, nearest: str) -> None:
    (sentence,) = findings({"k": "1", written: "1"})

    hint = r"is not a hyperparameter of this algorithm; the nearest valid name(?:s are| is) (.*)\.$"
    match = re.match(re.escape(f"{written}: ") + hint, sentence)
    assert match and nearest in match.group(1).split(", "), sentence


@pytest.mark.parametrize(
    ("written", "nearest"), [("reg-lambda", "reg_lambda"), ("Reg_Lambda", "reg_lambda"), ("SOLVER", "solver")]
)
def test_a_name_that_differs_by_a_dash_or_by_case_is_refused_with_the_one_that_is_meant(
    written: str, nearest: str
) -> None:
    assert findings({"k": "1", written: "1"}) == [
        f"{written}: is not a hyperparameter of this algorithm; the nearest valid name is {nearest}."
    ]


def test_an_unknown_name_stays_on_its_line_and_is_shown_by_its_beginning() -> None:
    (sentence,) = findings({"k": "1", "x\n#quality_metric: host=algo-1, test msd <loss>=0" + "y" * 300: "1"})

    assert "\n" not in sentence and sentence.startswith("x\\n#quality") and "y" * 100 not in sentence


def test_what_changes_nothing_is_passed_over_with_a_note_whatever_its_value() -> None:
    settings = read(wide="2")

    assert settings.wide is None
    assert list(settings.notices()) == ["wide: '2' is passed over, as wide is of the solver l-bfgs alone."]
    assert read(wide=7).wide is None and len(list(read(wide=7).notices())) == 1
    assert read(wide=7, solver="l-bfgs").wide == 7 and not list(read(wide=7, solver="l-bfgs").notices())
    assert findings({"k": 1, "wide": "two"}) == [
        "wide: must be a whole number at least 3; it is 'two'. Two are for the solver sgd."
    ]
    assert findings({"k": 1, "wide": 2, "solver": "l-bfgs"}) == [
        "wide: must be a whole number at least 3; it is 2. Two are for the solver sgd."
    ]


def test_a_number_of_too_many_digits_is_refused_with_the_largest_that_there_is() -> None:
    (sentence,) = findings({"k": "9" * 401})

    assert sentence.endswith("which is beyond the largest whole number, 9223372036854775807.") and len(sentence) < 250


def test_a_name_like_no_other_is_reported_with_all_there_are() -> None:
    (sentence,) = findings({"k": "1", "zzzzzzzz": "1"})

    assert "there are k, width, rate" in sentence and "lambda," in sentence and "lambda_" not in sentence


@pytest.mark.parametrize("name", ["_kvstore", "_num_gpus", "sagemaker_program", "sagemaker_anything"])
def test_reserved_names_are_passed_over(name: str) -> None:
    assert read(**{name: "auto"}) == read()


def test_a_reserved_name_that_is_declared_arrives() -> None:
    assert read(_tuning_objective_metric='"test:msd"').objective == "test:msd"


@pytest.mark.parametrize("name", ["lambda", "reg_lambda", "lambda_"])
def test_a_setting_is_found_by_the_contract_s_name_by_its_alias_and_by_the_field(name: str) -> None:
    assert read(**{name: "7"}).lambda_ == 7


def test_two_names_of_one_setting_must_agree() -> None:
    assert read(**{"lambda": "7", "reg_lambda": "7"}).lambda_ == 7
    (sentence,) = findings({"k": 1, "lambda": "7", "reg_lambda": "8"})

    assert sentence == "lambda: must be given once; it is given again, and differently, as reg_lambda."


def test_faults_of_several_settings_together_are_all_reported() -> None:
    assert findings({"k": "101", "bias": "no", "rate": "1"}) == [
        "bias: must be true where k is above 100.",
        "rate: must be below 1 where k is above 100.",
    ]
    assert read(k="101").k == 101


def test_the_effective_settings_carry_the_contract_s_names() -> None:
    effective = read().effective()

    assert effective["lambda"] == 1.0 and effective["width"] == "auto" and "lambda_" not in effective
    assert Everything.read({name: value for name, value in effective.items()}) == read()


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        read().k = 2


def test_a_declaration_tells_everything_about_itself() -> None:
    by_name = {setting.name: setting for setting in Everything.settings()}

    assert by_name["k"].required and by_name["k"].default is None and by_name["k"].low == 1
    assert not by_name["width"].required and by_name["width"].default == "auto" and by_name["width"].words == ("auto",)
    assert by_name["lambda"].aliases == ("reg_lambda",)
    assert by_name["solver"].values == ("adam", "sgd", "l-bfgs")
    assert by_name["rate"].above == 0 and by_name["rate"].low is None and by_name["rate"].high == 1


def test_the_platform_finds_a_setting_by_its_role_and_not_by_its_name() -> None:
    passes = Everything.with_role("passes")

    assert passes is not None and passes.name == "k" and Everything.with_role("classes") is None
    assert read(k="7").in_role("passes") == 7
    assert read(width="5").in_role("width") == 5
    assert read(width="auto").in_role("width") is None and read().in_role("classes") is None


class Batches(Settings):
    rows: int = integer("rows of a step", default=10, low=1, role="batch")


class BatchesOfHosts(Settings):
    rows: int = integer("rows of a step at each host", default=10, low=1, role="batch", each_host=True)


def test_a_step_takes_as_many_records_as_are_set_at_each_host_or_of_all_together() -> None:
    assert Job(hyperparameters=Batches(), channels={}, hosts=3).batch == 10
    assert Job(hyperparameters=BatchesOfHosts(), channels={}, hosts=3).batch == 30
    with pytest.raises(TypeError, match="declares no whole number with the role 'batch'"):
        read().batch_of(1)


def test_the_reader_says_what_a_setting_is() -> None:
    with pytest.raises(UserError, match="^kk: is not an option of this model; the nearest valid name is k.$"):
        Everything.read({"k": "1", "kk": "2"}, noun="an option of this model")


@given(
    some.dictionaries(some.sampled_from([*"kwx", "rate", "solver", "scores", "layers", "bias", "lambda"]), some.text())
)
def test_no_text_whatever_ends_in_anything_but_a_sentence(written: dict[str, str]) -> None:
    try:
        Everything.read(written)
    except UserError as error:
        assert all(sentence.endswith(".") and ": " in sentence for sentence in error.findings)
