"""From a tuning job that somebody wants to a line of the store: all that can be wrong is said before the first job."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from algoport import algorithms
from algoport.algorithms.contract.errors import UserError
from algoport.containers.control import process, scheduler
from algoport.containers.control.home import Home
from algoport.containers.control.scheduler import Machine, Need
from algoport.containers.control.store import TUNING, Store
from algoport.containers.tuning import declared, history
from algoport.containers.tuning.request import Tuning
from algoport.containers.tuning.space import Range

_SCALES = {"log": "Logarithmic", "linear": "Linear", "reverselog": "ReverseLogarithmic", "auto": "Auto"}
_SPAN = re.compile(r"(?P<low>[^:]+?)\.\.(?P<high>[^:]+?)(?::(?P<scale>\w+))?")


def submit(store: Store, home: Home, tuning: Tuning) -> Tuning:
    """Put it into the store, and see that somebody sees to it; the job as it stands there, its scales completed."""
    tuning = checked(store, tuning)
    store.submit(TUNING, tuning.name, tuning.to_json())
    process.ensure(home)
    return tuning


def resume(store: Store, home: Home, name: str, jobs: int | None) -> Tuning:
    """Let one go on that was stopped or has ended, with as many jobs in all as are asked for now."""
    row = store.get(TUNING, name)
    if row is None:
        raise UserError(f"There is no tuning job '{name}'.")
    tuning = Tuning.from_json(row.request)
    if row.ended is not None:
        tuning = replace(tuning, jobs=jobs if jobs is not None else tuning.jobs)
        tuning.check()
        store.reopen(TUNING, name, tuning.to_json())
    elif jobs is not None:
        raise UserError(f"jobs: can be changed when '{name}' has ended; it is {row.state}.")
    process.ensure(home)
    return tuning


def checked(store: Store, tuning: Tuning) -> Tuning:
    """The job, or `UserError` with all that is wrong with it."""
    faults: list[str] = []
    description = tuning.job.description
    for check in (tuning.check, tuning.job.check, lambda: _fits(tuning), lambda: _is_empty(tuning)):
        try:
            check()
        except UserError as error:
            faults += error.findings
    if not faults and description.algorithm is not None:
        faults += _of_algorithm(description.algorithm, tuning)
    if not faults and description.algorithm is None:
        faults += _of_others(tuning)
    if faults:
        raise UserError(faults)
    if description.algorithm is not None:
        tuning = replace(tuning, ranges=declared.completed(description.algorithm, tuning.ranges))
    history.check(store, tuning)
    return tuning


def _fits(tuning: Tuning) -> None:
    scheduler.check(Need(name=tuning.name, cores=tuning.job.cores, memory=tuning.job.memory or 0), Machine.here())


def _is_empty(tuning: Tuning) -> None:
    folder = tuning.job.description.folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: must be a new folder, or an empty one; it holds something.")


def _of_algorithm(algorithm: str, tuning: Tuning) -> Iterator[str]:
    description = tuning.job.description
    fixed = dict(description.hyperparameters)
    if tuning.resource is not None and tuning.resource.name is not None:
        fixed[tuning.resource.name] = str(tuning.resource.high)
    try:
        declared.check(algorithm, tuning.ranges, fixed)
    except UserError as error:
        yield from error.findings
    own = {definition.name for definition in description.metrics}
    try:
        goal = declared.objective(algorithm, tuning.objective) if tuning.objective not in own else tuning.goal
    except UserError as error:
        yield from error.findings
        return
    if goal != tuning.goal:
        yield f"objective: '{tuning.objective}' is one to {goal.lower()}; the request says {tuning.goal}."
    channel = tuning.objective.partition(":")[0]
    given = {one.name for one in description.channels}
    optional = {one.name for one in algorithms.find(algorithm).channels if not one.required}
    if channel in optional and channel not in given:
        yield f"objective: '{tuning.objective}' needs the channel '{channel}', which is not given."


def _of_others(tuning: Tuning) -> Iterator[str]:
    names = [definition.name for definition in tuning.job.description.metrics]
    if tuning.objective not in names:
        there = f"there are {', '.join(names)}" if names else "there are none"
        yield f"objective: '{tuning.objective}' must be one of the metrics that are defined; {there}."


def ranges(texts: Iterable[str], algorithm: str | None) -> tuple[Range, ...]:
    """From what `--tune` says: `NAME=LOW..HIGH`, `NAME=LOW..HIGH:log`, `NAME=A,B,C`, or `NAME` for the range that the
    algorithm proposes."""
    return tuple(_range(text, algorithm) for text in texts)


def _range(text: str, algorithm: str | None) -> Range:
    name, equals, value = text.partition("=")
    if not equals:
        if algorithm is None:
            raise UserError(f"--tune: must be NAME=LOW..HIGH[:scale] or NAME=A,B,C; it is {text!r}.")
        return declared.shortened(algorithm, name)
    span = _SPAN.fullmatch(value.strip())
    if span is None:
        if ".." in value or not value:
            raise UserError(f"--tune {name}: must be LOW..HIGH, LOW..HIGH:log or values with commas; it is {value!r}.")
        return Range(name=name, kind="Categorical", values=tuple(each.strip() for each in value.split(",")))
    scale = span["scale"] or "auto"
    if scale not in _SCALES:
        raise UserError(f"--tune {name}: the scale must be one of {', '.join(_SCALES)}; it is {scale!r}.")
    try:
        low, high = float(span["low"]), float(span["high"])
    except ValueError:
        raise UserError(
            f"--tune {name}: the ends must be numbers; they are {span['low']} and {span['high']}."
        ) from None
    whole = all(re.fullmatch(r"\s*[+-]?\d+\s*", span[end]) for end in ("low", "high"))
    kind = declared.kind(algorithm, name) if algorithm is not None else ""
    if kind not in ("Integer", "Continuous"):
        kind = "Integer" if whole else "Continuous"
    return Range(name=name, kind=kind, low=low, high=high, scale=_SCALES[scale])  # type: ignore[arg-type]
