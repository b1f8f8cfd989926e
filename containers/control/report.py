"""What a training job took, what it would have cost, and what it could have done with."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from algoport.containers.control.prices import Prices
from algoport.containers.control.records import Attempt, Request, Row
from algoport.containers.control.store import COMPLETED, FAILED, TRAINING, Store

_MIB = 1 << 20
_ROOM = 1.3  # of memory: what a job needs more on another day
_LONG = 5.0  # seconds below which a job's use of its cores says little


def of(row: Row, store: Store, prices: Prices) -> dict[str, Any]:
    """The report of a job, as DescribeTrainingJob has it where it has it, for programs."""
    request = Request.from_json(row.request)
    attempts = store.attempts(row.name)
    description, outcome = request.description, row.outcome
    training = sum(attempt.seconds for attempt in attempts)
    metrics = outcome.get("metrics", {})
    return {
        "TrainingJobName": row.name,
        "TrainingJobStatus": "Stopping" if row.stop and row.ended is None else row.state,
        "SecondaryStatus": outcome.get("secondary") if row.ended is not None else _secondary(row, attempts),
        "FailureReason": outcome.get("failure") if row.state == FAILED else None,
        "ExitCode": outcome.get("code"),
        "Algorithm": description.algorithm or description.image or " ".join(description.program),
        "HyperParameters": dict(description.hyperparameters),
        "ModelArtifacts": str(description.folder.absolute() / "model") if row.state != FAILED else None,
        "Folder": str(description.folder.absolute()),
        "CreationTime": row.created,
        "TrainingStartTime": row.started,
        "TrainingEndTime": row.ended,
        "SecondsWaiting": round((row.started or row.ended or row.created) - row.created, 3),
        "Attempts": [_attempt(attempt) for attempt in attempts],
        "SecondaryStatusTransitions": _transitions(store, row),
        "FinalMetricDataList": [
            {"MetricName": name, "Value": values[-1]} for name, values in metrics.items() if values
        ],
        "TuningJobName": row.parent,
        "Data": request.data,
        "Image": outcome.get("image"),
        "Revision": request.revision,
        **_cost(request, training, prices),
        "Usage": _usage(request, attempts),
        "Advice": list(_advice(request, row, attempts, prices)),
    }


def _secondary(row: Row, attempts: list[Attempt]) -> str:
    if row.state == "InProgress":
        return "Training"
    return "Interrupted" if attempts and row.state == "Pending" else row.state


def _attempt(attempt: Attempt) -> dict[str, Any]:
    """Times of a start. Data is linked and the model lies where it was written: nothing is copied either way."""
    phases = {}
    if attempt.ended is not None:
        spoke = attempt.spoke if attempt.spoke is not None else attempt.started
        phases = {
            "downloading": 0.0,
            "starting": round(max(0.0, spoke - attempt.started), 3),
            "training": round(max(0.0, attempt.ended - spoke), 3),
            "uploading": 0.0,
        }
    return {
        "number": attempt.number,
        "started": attempt.started,
        "ended": attempt.ended,
        "seconds": phases,
        "exit_code": attempt.code,
        "asked_to_stop": attempt.reason,
        "failure": attempt.failure,
    }


def _transitions(store: Store, row: Row) -> list[dict[str, Any]]:
    return [
        {"StartTime": time, "Status": what, "StatusMessage": message}
        for time, what, message in store.events(TRAINING, row.name)
    ]


def _cost(request: Request, training: float, prices: Prices) -> dict[str, Any]:
    """Billable seconds and cost (contract, section 9): a spot job's are the price of spot over that on demand."""
    hosts = request.description.hosts
    billable = training * (prices.spot if request.spot else 1.0)
    name = request.instance or prices.smallest(request.cores / hosts, (request.memory or 0) / hosts)
    price = prices.instances.get(name or "")
    per_second = price.hour / 3600 * hosts if price is not None else None
    saved = round((1 - billable / training) * 100, 1) if request.spot and training > 0 else 0.0
    return {
        "TrainingTimeInSeconds": round(training, 3),
        "BillableTimeInSeconds": round(billable, 3),
        "SpotSavingsPercent": saved,
        "InstanceType": name,
        "InstanceCount": hosts,
        "Cost": round(billable * per_second, 6) if per_second is not None else None,
        "SavedBySpot": round((training - billable) * per_second, 6) if per_second is not None else None,
        "Currency": prices.currency,
    }


def _usage(request: Request, attempts: list[Attempt]) -> dict[str, Any]:
    known = [attempt for attempt in attempts if attempt.cpu is not None and attempt.seconds > 0]
    seconds, busy = sum(one.seconds for one in known), sum(one.cpu or 0.0 for one in known)
    return {
        "cores_given": request.cores,
        "cores_used": round(busy / seconds, 2) if seconds else None,
        "memory_given": request.memory,
        "memory_peak": max((attempt.peak or 0 for attempt in attempts), default=0) or None,
    }


def _advice(request: Request, row: Row, attempts: list[Attempt], prices: Prices) -> Iterator[str]:
    """Sentences on what to ask for the next time."""
    usage, hosts = _usage(request, attempts), request.description.hosts
    used, peak = usage["cores_used"], usage["memory_peak"]
    if row.state != COMPLETED or used is None or peak is None:
        return
    seconds = sum(attempt.seconds for attempt in attempts)
    enough = max(1, math.ceil(used / hosts - 0.25)) * hosts
    need = math.ceil(peak * _ROOM / _MIB)
    if seconds < _LONG:
        yield f"It took {seconds:.1f} s, most of which is the start: too little to say how many cores it needs."
    elif enough < request.cores:
        yield f"It kept {used:.1f} of its {request.cores:g} cores busy: {enough} would do."
    elif used > 0.9 * request.cores:
        yield f"It kept all of its {request.cores:g} cores busy: with more it may be faster."
    if request.memory is None:
        yield f"It used {peak // _MIB} MiB at most: with --memory {need}M more jobs are known to fit beside it."
    elif need * _MIB < request.memory / 2:
        yield f"It used {peak // _MIB} of its {request.memory // _MIB} MiB: {need} MiB would do."
    elif peak * hosts > 0.9 * request.memory:
        yield f"It used {peak // _MIB} of its {request.memory // _MIB} MiB, which is close: give it {need} MiB."
    name = prices.smallest(enough / hosts if seconds >= _LONG else request.cores / hosts, peak * _ROOM)
    if name is not None and name != request.instance:
        price = prices.instances[name].hour
        yield f"The smallest instance of the table for that is {name}, {price:g} {prices.currency} an hour."


def text(report: dict[str, Any]) -> Iterator[str]:
    """The report for people."""
    yield f"{report['TrainingJobName']}: {report['TrainingJobStatus']}, {report['SecondaryStatus']}"
    if report["FailureReason"]:
        yield f"  {report['FailureReason'].splitlines()[0]}"
    yield f"  runs {report['Algorithm']} in {report['Folder']}"
    for name, value in report["HyperParameters"].items():
        yield f"  {name} = {value}"
    for metric in report["FinalMetricDataList"]:
        yield f"  {metric['MetricName']}: {metric['Value']:.6g}"
    for attempt in report["Attempts"]:
        phases = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in attempt["seconds"].items() if seconds)
        asked = f", asked to stop: {attempt['asked_to_stop']}" if attempt["asked_to_stop"] else ""
        code = f", exit code {attempt['exit_code']}" if attempt["exit_code"] is not None else ""
        yield f"  attempt {attempt['number']}: {phases or 'runs'}{code}{asked}"
    yield f"Training seconds: {report['TrainingTimeInSeconds']:.0f}"
    yield f"Billable seconds: {report['BillableTimeInSeconds']:.0f}"
    if report["SpotSavingsPercent"]:
        yield f"Managed Spot Training savings: {report['SpotSavingsPercent']:.1f}%"
    if report["Cost"] is not None:
        saved = f"; spot saved {report['SavedBySpot']:.4f}" if report["SavedBySpot"] else ""
        machines = f"{report['InstanceCount']} x {report['InstanceType']}"
        yield f"Cost on {machines}: {report['Cost']:.4f} {report['Currency']}{saved}"
    used = report["Usage"]
    if used["cores_used"] is not None:
        peak = f", {used['memory_peak'] // _MIB} MiB at most" if used["memory_peak"] else ""
        yield f"Used: {used['cores_used']:.1f} of {used['cores_given']:g} cores{peak}"
    yield from report["Advice"]
