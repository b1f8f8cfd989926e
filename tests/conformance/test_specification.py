"""The judge itself: it finds nothing where a declaration follows the facts, and something where it does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from algoport.algorithms.contract.setting import Setting
from tests.conformance import specification


def _beyond(name: str, fact: Mapping[str, Any]) -> list[Any]:
    where = f"{name}-{fact['name']}"
    return [pytest.mark.xfail(reason=BEYOND[where], strict=True)] if where in BEYOND else []


NAMES = sorted(path.stem for path in specification.FOLDER.glob("*.yaml"))
# What the words of algorithms.declare cannot say as yet; who ports one of these adds the word, or the exception.
BEYOND = {
    "ntm-clip_gradient": "a default that is infinite",
    "seq2seq-rnn_attention_num_hidden": "a default that is another setting",
}
FACTS = [
    pytest.param(fact, id=f"{name}-{fact['name']}", marks=_beyond(name, fact))
    for name in NAMES
    for fact in (specification.facts(name) or {})["hyperparameters"]
]
WORDS = {"string": "text", "json": "text", "categorical": "choice", "float": "real"}


def _words(fact: Mapping[str, Any]) -> list[str]:
    """The words beside the values of the kind; `auto` is one as soon as it is the default."""
    words = list(fact.get("special_values") or [])
    return [*words, "auto"] if fact["default"] == "auto" and "auto" not in words else words


def declared(fact: Mapping[str, Any]) -> Setting:
    """A declaration that says what the fact says, in the words there are."""
    kind: Any = WORDS.get(fact["type"], fact["type"])
    values = [str(value) for value in fact["values"] or []] if kind in ("choice", "list") else []
    if kind == "list" and not all(isinstance(value, str) for value in fact["values"] or []):
        values = []
    bounds: dict[str, Any] = {}
    for word, reached, open_end in (("min", "low", "above"), ("max", "high", "below")):
        if fact[word] is not None and kind in ("integer", "real"):
            bounds[open_end if fact.get(f"{word}_exclusive") else reached] = float(fact[word])
    tunable = fact["tunable"]
    tune = None if tunable is None else tunable.get("values") or (float(tunable["min"]), float(tunable["max"]))
    plain = Setting(name=fact["name"], kind=kind, meaning="", required=fact["required"], values=values, **bounds)
    setting = replace(
        plain,
        words=_words(fact) if kind != "choice" else (),
        tune=tune,
        scale=(tunable or {}).get("scale") or "Auto",
    )
    default = fact["default"]
    if default in (None, ""):
        return setting
    return replace(
        setting,
        default=setting.read(default if isinstance(default, str) else specification.describe.as_setting(default)),
    )


@pytest.mark.parametrize("fact", FACTS)
def test_a_declaration_that_follows_the_facts_has_no_difference(fact: Mapping[str, Any]) -> None:
    differences = list(specification.settings_differ(declared(fact), fact))

    assert differences in ([], ["type"]) if declared(fact).kind == "text" else differences == []


@pytest.mark.parametrize("fact", [each for each in FACTS if not each.marks])
def test_a_declaration_that_says_something_else_has_a_difference(fact: Mapping[str, Any]) -> None:
    setting = declared(fact)
    others = {"required": replace(setting, required=not setting.required)}
    if setting.kind in ("integer", "real"):
        step = 1 if setting.kind == "integer" else 1e-9
        for end, sign in (("low", 1), ("above", 1), ("high", -1), ("below", -1)):
            bound = getattr(setting, end)
            if bound is not None:
                others[f"{end} tighter"] = replace(setting, **{end: bound + sign * step})
                others[f"{end} looser"] = replace(setting, **{end: bound - sign * step})
                others[f"{end} gone"] = replace(setting, **{end: None})
        if setting.low is None and setting.above is None:
            others["a bound too many"] = replace(setting, low=-1e300 if setting.kind == "real" else -(10**12))
        others["default"] = replace(setting, default=12345.5 if setting.default is None else None)
    if setting.kind == "choice":
        others["a word too few"] = replace(setting, values=list(setting.values)[1:])
        others["a word too many"] = replace(setting, values=[*setting.values, "another"])
    if setting.tune is not None:
        others["not tuned"] = replace(setting, tune=None)
        others["tuned elsewhere"] = replace(setting, tune=(*list(setting.tune)[:-1], 1e9))
    else:
        others["tuned"] = replace(setting, tune=(1, 2))

    missed = [word for word, other in others.items() if not list(specification.settings_differ(other, fact))]

    assert missed == []


@pytest.mark.parametrize("original", NAMES)
def test_every_metric_line_of_the_facts_can_be_matched(original: str) -> None:
    """The lines are well formed: a number stands where the value is."""
    for fact in (specification.facts(original) or {})["metrics"] or []:
        line = fact.get("log_line") or ""
        if line.startswith("#quality_metric"):
            assert specification.matches(r"(?:loss|score)>=(\S+)", line), line


def test_a_line_with_another_value_or_none_does_not_match() -> None:
    assert specification.matches(r"test msd <loss>=(\S+)", "#quality_metric: host=algo-1, test msd <loss>=VALUE")
    assert not specification.matches(r"test ssd <loss>=(\S+)", "#quality_metric: host=algo-1, test msd <loss>=VALUE")
