"""The facts about the originals beside what is declared here; every difference has a name."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from algoport import algorithms
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.setting import Setting
from algoport.containers.jobs import describe
from algoport.training import formats, metrics

FOLDER = Path(__file__).parents[1] / "specification"
KINDS = {
    "integer": ("integer",),
    "float": ("real",),
    "boolean": ("boolean",),
    "categorical": ("choice",),
    "string": ("text", "choice", "integer", "list"),
    "list": ("list", "text", "choice"),
    "json": ("list", "text"),
}
# What the platform gives to every algorithm alike.
PLATFORM_CHANNELS = {"model", "code"}


@cache
def facts(name: str) -> dict[str, Any] | None:
    """What is known of the original of that name; None of an algorithm that has none."""
    path = FOLDER / f"{name}.yaml"
    return yaml.safe_load(path.read_text()) if path.is_file() else None


def differences(name: str) -> Iterator[str]:
    """Every difference in a few words, "k: default": under this name it can be excused, with its reason."""
    known = facts(name)
    if known is None:
        return
    yield from _settings(name, known)
    yield from _channels(name, known)
    yield from _answers(name, known)
    yield from _metrics(name, known)
    algorithm = algorithms.find(name)
    for word, declared in (("gpu", algorithm.gpu), ("multi_host", algorithm.hosts)):
        if known["hardware"][word] and not declared:
            yield f"hardware: {word}"


def _settings(name: str, known: Mapping[str, Any]) -> Iterator[str]:
    declared = {
        setting.name: setting for setting in algorithms.part(name, "hyperparameters").Hyperparameters.settings()
    }
    names = [fact["name"] for fact in known["hyperparameters"]]
    names += [
        fact["name"] if isinstance(fact, dict) else fact for fact in known.get("undocumented_hyperparameters", [])
    ]
    yield from (f"{extra}: is not in the specification" for extra in declared if extra not in names)
    for fact in known["hyperparameters"]:
        setting = declared.get(fact["name"])
        if setting is not None:
            yield from (f"{setting.name}: {word}" for word in settings_differ(setting, fact))
        elif not fact["name"].startswith("_"):
            yield f"{fact['name']}: is not declared"


def settings_differ(setting: Setting, fact: Mapping[str, Any]) -> Iterator[str]:
    """In one word each, what a declaration says otherwise than the fact."""
    special = fact.get("special_values") or []
    if setting.kind not in KINDS[fact["type"]] and not (special and setting.kind in ("text", "choice")):
        yield "type"
    if setting.required != fact["required"]:
        yield "required"
    if not _same_default(setting, fact["default"]):
        yield "default"
    if fact["type"] in ("integer", "float"):
        yield from _bounds(setting, fact)
    if any(not accepts(setting, value) for value in [*_values(fact), *special]):
        yield "values"
    if fact["type"] == "categorical" and set(map(str, setting.values)) - set(map(str, [*fact["values"], *special])):
        yield "values"
    yield from _tuning(setting, fact["tunable"])


def accepts(setting: Setting, value: object) -> bool:
    """True where the value is read, in the plain dialect."""
    try:
        setting.read(describe.as_setting(value) if not isinstance(value, str) else value)
    except (ValueError, TypeError, OverflowError):
        return False
    return True


def _same_default(setting: Setting, default: Any) -> bool:
    if default in (None, ""):
        return setting.default in (None, "", ())
    try:
        return bool(
            setting.read(describe.as_setting(default) if not isinstance(default, str) else default) == setting.default
        )
    except (ValueError, TypeError, OverflowError):
        return False


def _bounds(setting: Setting, fact: Mapping[str, Any]) -> Iterator[str]:
    """Where the file has a bound it is the bound; where it has none there is none."""
    for word, sign, inner, outer in (("min", -1, setting.low, setting.above), ("max", 1, setting.high, setting.below)):
        bound, exclusive = fact[word], bool(fact.get(f"{word}_exclusive"))
        if bound is None:
            if inner is not None or outer is not None:
                yield word
            continue
        whole = fact["type"] == "integer"
        inside, beyond = ((bound - s) if whole else math.nextafter(float(bound), -s * math.inf) for s in (sign, -sign))
        if accepts(setting, bound) is exclusive or accepts(setting, beyond) or not accepts(setting, inside):
            yield word


def _values(fact: Mapping[str, Any]) -> list[Any]:
    return [value for value in fact["values"] or []]


def _tuning(setting: Setting, fact: Mapping[str, Any] | None) -> Iterator[str]:
    if fact is None:
        if setting.tune is not None:
            yield "tunable"
        return
    tune = setting.tune or ()
    if "values" in fact:
        if set(map(describe.as_setting, tune)) != set(map(describe.as_setting, fact["values"])):
            yield "tunable"
    elif [float(end) for end in tune] != [float(fact["min"]), float(fact["max"])]:
        yield "tunable"
    if fact.get("scale") and setting.scale.lower() != str(fact["scale"]).lower():
        yield "tuning scale"


def media(text: str) -> str:
    """A content type under its own name and without parameters."""
    return formats.ContentType.parse(text).media


def _channels(name: str, known: Mapping[str, Any]) -> Iterator[str]:
    algorithm = algorithms.find(name)
    modes = {
        channel["Name"]: channel["SupportedInputModes"] for channel in describe.training(name, "")["TrainingChannels"]
    }
    for fact in known["channels"]:
        if fact["name"] in PLATFORM_CHANNELS:
            continue
        channel = algorithm.channel(fact["name"])
        if channel is None:
            yield f"channel {fact['name']}: is not declared"
            continue
        if channel.required != fact["required"]:
            yield f"channel {channel.name}: required"
        yield from (
            f"channel {channel.name}: {given}"
            for given in fact["content_types"]
            if media(given) not in {media(own) for own in channel.content_types}
        )
        yield from (
            f"channel {channel.name}: {way}" for way in fact["distribution"] if way not in channel.distributions
        )
        yield from (
            f"channel {channel.name}: {mode}" for mode in known["input_modes"] if mode not in modes[channel.name]
        )


def _answers(name: str, known: Mapping[str, Any]) -> Iterator[str]:
    answer = algorithms.find(name).answer
    for word, own in (("accept_requests", answer.accepts), ("responses", answer.responses)):
        ours = {media(given) for given in own}
        yield from (f"{word}: {given}" for given in known["inference"][word] if media(given) not in ours)


def _metrics(name: str, known: Mapping[str, Any]) -> Iterator[str]:
    algorithm = algorithms.find(name)
    regexes = {entry["Name"]: entry["Regex"] for entry in metrics.definitions(algorithm)}
    for fact in known["metrics"] or []:
        metric = algorithm.metric(fact["name"])
        if metric is None:
            yield f"metric {fact['name']}: is not declared"
        elif fact["goal"] and metric.goal != fact["goal"]:
            yield f"metric {fact['name']}: goal"
        elif fact.get("log_line") and not matches(regexes[fact["name"]], fact["log_line"]):
            yield f"metric {fact['name']}: log line"


def matches(regex: str, template: str) -> bool:
    """True where the line of the original, the last form that the file shows, gives its value."""
    line = template.rsplit("; ", maxsplit=1)[-1].partition(" (form")[0]
    line = re.sub(r"\bVALUE\b", "12.625", re.sub(r"\bepoch=E\b", "epoch=3", re.sub(r"\bbatch=B\b", "batch=40", line)))
    match = re.search(regex, line)
    return match is not None and float(match.group(1)) == 12.625


def refused(declared: Any, given: Mapping[str, object]) -> list[str]:
    """The sentences with which settings are refused; none where they are accepted."""
    try:
        declared.read(given)
    except UserError as error:
        return error.findings
    return []
