"""What came of a tuning job: every job with its values, the best so far, and which hyperparameters mattered."""

from __future__ import annotations

import collections
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from algoport.containers.control.records import Row
from algoport.containers.control.store import COMPLETED, ENDED, FAILED, STOPPED
from algoport.containers.jobs import folder as folders
from algoport.containers.tuning.history import Job
from algoport.containers.tuning.request import Tuning
from algoport.containers.tuning.space import Range

REPORT, PICTURE, BEST = "report.json", "report.png", "best"
_ENOUGH = 10  # jobs from which on importance says something


def of(row: Row, tuning: Tuning, jobs: Sequence[Job]) -> dict[str, Any]:
    """The report, in the words of DescribeHyperParameterTuningJob where it has them, for programs."""
    best = best_job(tuning, jobs)
    counters = collections.Counter(job.state if job.state in ENDED else "InProgress" for job in jobs)
    seconds = sum((job.ended or 0) - job.started for job in jobs if job.started and job.ended)
    return {
        "HyperParameterTuningJobName": row.name,
        "HyperParameterTuningJobStatus": "Stopping" if row.stop and row.state not in ENDED else row.state,
        "FailureReason": row.outcome.get("failure"),
        "EndedBecause": row.outcome.get("secondary"),
        "Strategy": tuning.strategy,
        "HyperParameterTuningJobObjective": {"Type": tuning.goal, "MetricName": tuning.objective},
        "Folder": str(tuning.job.description.folder.absolute()),
        "CreationTime": row.created,
        "HyperParameterTuningStartTime": row.started,
        "HyperParameterTuningEndTime": row.ended,
        "TrainingJobStatusCounters": {
            "Completed": counters[COMPLETED],
            "InProgress": counters["InProgress"],
            "NonRetryableError": counters[FAILED],
            "RetryableError": 0,
            "Stopped": counters[STOPPED],
        },
        "ObjectiveStatusCounters": {
            "Succeeded": sum(job.objective is not None for job in jobs),
            "Pending": sum(job.running for job in jobs),
            "Failed": sum(job.objective is None and not job.running for job in jobs),
        },
        "ConsumedResources": {"RuntimeInSeconds": round(seconds, 1)},
        "BestTrainingJob": _entry(best, row, tuning) if best is not None else None,
        "TuningJobCompletionDetails": {"NumberOfTrainingJobsObjectiveNotImproving": _since_best(tuning, jobs)},
        "Importance": importance(tuning.ranges, jobs),
        "TrainingJobs": [_entry(job, row, tuning) for job in jobs],
    }


def best_job(tuning: Tuning, jobs: Sequence[Job]) -> Job | None:
    """The one with the best objective, the first of several."""
    judged = [job for job in jobs if job.objective is not None]
    return min(judged, key=lambda job: _loss(tuning, job), default=None)


def _loss(tuning: Tuning, job: Job) -> float:
    return (job.objective or 0.0) * (1 if tuning.goal == "Minimize" else -1)


def _since_best(tuning: Tuning, jobs: Sequence[Job]) -> int:
    judged = sorted((job for job in jobs if job.objective is not None), key=lambda job: job.ended or 0.0)
    best = best_job(tuning, judged)
    return len(judged) - 1 - judged.index(best) if best is not None else 0


def _entry(job: Job, row: Row, tuning: Tuning) -> dict[str, Any]:
    objective = {"Type": tuning.goal, "MetricName": tuning.objective, "Value": job.objective}
    since = row.started or row.created
    return {
        "TrainingJobName": job.name,
        "TrainingJobStatus": job.state,
        "SecondaryStatus": job.secondary,
        "TunedHyperParameters": dict(job.values),
        "FinalHyperParameterTuningJobObjectiveMetric": objective if job.objective is not None else None,
        "ObjectiveStatus": "Pending" if job.running else "Succeeded" if job.objective is not None else "Failed",
        "Epochs": len(job.history),
        "StartSeconds": round(job.started - since, 3) if job.started else None,
        "EndSeconds": round(job.ended - since, 3) if job.ended else None,
        "FailureReason": job.failure if job.state == FAILED else None,
    }


def importance(ranges: Sequence[Range], jobs: Sequence[Job]) -> dict[str, float] | None:
    """By how much each hyperparameter explains the objective, as shares of 1: what the splits on it gain in a forest of
    trees (Breiman 2001). None below ten jobs, or where all are alike."""
    judged = [job for job in jobs if job.objective is not None]
    if len(judged) < _ENOUGH or len({job.objective for job in judged}) == 1:
        return None
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.preprocessing import QuantileTransformer

    columns, owners = [], []
    for one in ranges:
        if one.kind == "Categorical":
            for value in one.values:
                columns.append([float(job.values[one.name] == value) for job in judged])
                owners.append(one.name)
        else:
            columns.append([one.share(job.values[one.name]) for job in judged])
            owners.append(one.name)
    # By rank: one job that went wrong altogether is not to decide alone.
    ranks = QuantileTransformer(n_quantiles=len(judged)).fit_transform([[job.objective] for job in judged])[:, 0]
    forest = RandomForestRegressor(200, min_samples_leaf=2, random_state=0)
    forest.fit(list(zip(*columns, strict=True)), ranks)
    shares: dict[str, float] = {one.name: 0.0 for one in ranges}
    for owner, gain in zip(owners, forest.feature_importances_, strict=True):
        shares[owner] += float(gain)
    return {name: round(share, 4) for name, share in sorted(shares.items(), key=lambda item: -item[1])}


def write(row: Row, tuning: Tuning, jobs: Sequence[Job]) -> None:
    """Leave the report in the folder of the tuning job: JSON, a picture if it can be drawn, a link to the best job."""
    folder = tuning.job.description.folder
    folder.mkdir(parents=True, exist_ok=True)
    whole = of(row, tuning, jobs)
    folders.write(folder / REPORT, whole)
    best = best_job(tuning, jobs)
    if best is None:
        return
    link = folder / f".{BEST}"
    link.unlink(missing_ok=True)
    link.symlink_to(Path("jobs") / best.name, target_is_directory=True)
    os.replace(link, folder / BEST)
    try:
        draw(whole, folder / PICTURE)
    except ModuleNotFoundError:
        return  # without matplotlib there is no picture


def draw(whole: dict[str, Any], path: Path) -> None:
    """Best so far against jobs and against seconds, and importance."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    objective = whole["HyperParameterTuningJobObjective"]
    metric, goal = objective["MetricName"], objective["Type"]
    judged = [entry for entry in whole["TrainingJobs"] if entry["FinalHyperParameterTuningJobObjectiveMetric"]]
    judged.sort(key=lambda entry: entry["EndSeconds"] or 0.0)
    values = [entry["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for entry in judged]
    seconds = [entry["EndSeconds"] for entry in judged]
    best = [(min if goal == "Minimize" else max)(values[: place + 1]) for place in range(len(values))]
    weights = whole["Importance"]
    figure = Figure(figsize=(15 if weights else 10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    places = figure.subplots(1, 3 if weights else 2)
    for place, along, label in ((places[0], range(1, len(values) + 1), "jobs"), (places[1], seconds, "seconds")):
        place.plot(along, values, "o", color="0.7", label="a job")
        place.step(along, best, where="post", color="tab:blue", label="best so far")
        place.set(xlabel=label, ylabel=metric)
        place.grid(alpha=0.3)
    places[0].legend()
    if weights:
        names = list(weights)[::-1]
        places[2].barh(names, [weights[name] for name in names], color="tab:blue")
        places[2].set(xlabel="importance")
    figure.suptitle(f"{whole['HyperParameterTuningJobName']}: {whole['Strategy']}, {goal.lower()} {metric}")
    figure.savefig(path, dpi=100)


def text(whole: dict[str, Any], most: int = 10) -> Iterator[str]:
    """The report for people: counts, the best jobs, importance."""
    objective = whole["HyperParameterTuningJobObjective"]
    because = f", {whole['EndedBecause']}" if whole["EndedBecause"] else ""
    yield f"{whole['HyperParameterTuningJobName']}: {whole['HyperParameterTuningJobStatus']}{because}"
    if whole["FailureReason"]:
        yield f"  {whole['FailureReason'].splitlines()[0]}"
    counts = ", ".join(f"{count} {name}" for name, count in whole["TrainingJobStatusCounters"].items() if count)
    yield f"  {counts or 'no jobs yet'}; {whole['ConsumedResources']['RuntimeInSeconds']:.0f} s of training"
    judged = [one for one in whole["TrainingJobs"] if one["FinalHyperParameterTuningJobObjectiveMetric"]]
    sign = 1 if objective["Type"] == "Minimize" else -1
    judged.sort(key=lambda one: sign * one["FinalHyperParameterTuningJobObjectiveMetric"]["Value"])
    if judged:
        yield f"  {objective['MetricName']:>14}  the best {min(most, len(judged))} of {len(judged)}"
    for one in judged[:most]:
        value = one["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
        yield f"  {value:>14.6g}  {one['TrainingJobName']}  {settings(one['TunedHyperParameters'])}"
    if whole["Importance"]:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in whole["Importance"].items())
        yield f"  importance: {shares}"


def settings(values: dict[str, Any]) -> str:
    """Values on one line."""
    shown = {name: f"{value:.5g}" if isinstance(value, float) else str(value) for name, value in values.items()}
    return " ".join(f"{name}={value}" for name, value in shown.items())
