"""What an algorithm that is installed here says of its hyperparameters and metrics, applied to a tuning job."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatch

from algoport import algorithms
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.setting import Setting
from algoport.containers.jobs.describe import settings
from algoport.containers.tuning.space import Range, Value, point, written
from algoport.containers.tuning.strategies import Goal

_KINDS = {"integer": "Integer", "real": "Continuous"}


def shortened(algorithm: str, name: str) -> Range:
    """The range that the algorithm itself proposes for one of its hyperparameters; `UserError` where it has none."""
    setting = _setting(algorithm, name)
    if setting.tune is None:
        raise UserError(f"{name}: the algorithm proposes no range for it; write {name}=LOW..HIGH or {name}=A,B,C.")
    if setting.kind in _KINDS:
        low, high = setting.tune
        return Range(name=name, kind=_KINDS[setting.kind], low=low, high=high, scale=setting.scale)  # type: ignore[arg-type]
    return Range(name=name, kind="Categorical", values=tuple(map(str, setting.tune)))


def kind(algorithm: str, name: str) -> str:
    """Which kind of range a hyperparameter has when its ends are numbers."""
    return _KINDS.get(_setting(algorithm, name).kind, "Categorical")


def completed(algorithm: str, ranges: Sequence[Range]) -> tuple[Range, ...]:
    """The ranges with the scales that the algorithm declares, where the request leaves them open."""
    return tuple(
        replace(one, scale=_setting(algorithm, one.name).scale)
        if one.kind != "Categorical" and one.scale == "Auto" and _fits(one, _setting(algorithm, one.name).scale)
        else one
        for one in ranges
    )


def _fits(one: Range, scale: str) -> bool:
    return not list(replace(one, scale=scale).faults())  # type: ignore[arg-type]


def check(algorithm: str, ranges: Sequence[Range], fixed: Mapping[str, str]) -> None:
    """`UserError` with all that the algorithm would refuse: of each range its ends or values, of settings those at a
    corner of the space, as the platform reads them before a job."""
    faults: list[str] = []
    for one in ranges:
        try:
            faults += _faults(_setting(algorithm, one.name), one)
        except UserError as error:
            faults += error.findings
    if not faults:
        faults = list(_refused(algorithm, {**fixed, **written(point(ranges, [0.5] * len(ranges)))}))
    if faults:
        raise UserError(faults)


def _faults(setting: Setting, one: Range) -> Iterator[str]:
    if one.kind in ("Integer", "Continuous") and setting.kind not in _KINDS:
        yield f"{one.name}: is {setting.allowed}, and has no range of numbers; write {one.name}=A,B,C."
        return
    if one.kind == "Continuous" and setting.kind == "integer":
        yield f"{one.name}: is {setting.allowed}: its range must be one of integers."
        return
    ends: tuple[Value, ...] = one.values
    if one.kind != "Categorical":
        ends = (int(one.low), int(one.high)) if one.kind == "Integer" else (one.low, one.high)
    for end in ends:
        try:
            setting.read(end if isinstance(end, str) else repr(end))
        except (ValueError, OverflowError, TypeError):
            yield setting.refusal(end)


def _refused(algorithm: str, given: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with settings taken together."""
    declared = algorithms.part(algorithm, "hyperparameters").Hyperparameters
    try:
        declared.read(dict(given))
    except UserError as error:
        yield from error.findings


def objective(algorithm: str, name: str) -> Goal:
    """Whether a metric is to be as small or as large as it can; `UserError` where the algorithm reports none such."""
    metrics = algorithms.find(algorithm).metrics
    for metric in metrics:
        if metric.name == name or ("*" in metric.name and fnmatch(name, metric.name)):
            return "Minimize" if metric.goal == "minimize" else "Maximize"
    names = [metric.name for metric in metrics]
    near = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean {near[0]}?" if near else f" It reports {', '.join(names)}."
    raise UserError(f"objective: the algorithm reports no metric '{name}'.{hint}")


def passes(algorithm: str) -> str | None:
    """The hyperparameter that counts passes over the data, by which Hyperband measures; None where there is none."""
    return next((setting.name for setting in settings(algorithm) if setting.role == "passes"), None)


def _setting(algorithm: str, name: str) -> Setting:
    declared = settings(algorithm)
    for setting in declared:
        if name == setting.name or name in setting.aliases:
            return setting
    near = difflib.get_close_matches(name, [setting.name for setting in declared], n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise UserError(f"{name}: the algorithm has no such hyperparameter.{hint}")
