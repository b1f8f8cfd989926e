"""A search as an indexed Job: a pod a trial, whose hyperparameters have been drawn before.

Nobody has to look on: each index has its place in the grid, or in the sequence of random draws. A search that learns
from its results needs a process that sees them, which is what `algoport tune` is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from algoport.algorithms.contract.errors import UserError
from algoport.containers.kubernetes import pods, training
from algoport.containers.kubernetes.description import Training
from algoport.containers.kubernetes.places import Json
from algoport.containers.kubernetes.writing import labels, metadata
from algoport.containers.tuning.space import Range, combination, combinations, written
from algoport.containers.tuning.strategies import drawn

COMPONENT = "tuning"
MOST_BYTES = 900_000  # a ConfigMap holds a MiB
STRATEGIES = ("Random", "Grid")
# Takes the drawn values, and hands on to the script that every host runs. Each trial is a job of one host.
_TRIAL = """#!/bin/sh
# The hyperparameters of one trial, TRIAL, and then the folder of its one host.
set -eu
mkdir -p /tmp/given "$OUTPUT"
cat "/etc/algoport/trial-$TRIAL.json" | tee "$OUTPUT/hyperparameters.json" >/tmp/given/hyperparameters.json
for file in inputdataconfig.json checkpointconfig.json; do
    [ ! -e "/etc/algoport/$file" ] || cat "/etc/algoport/$file" >"/tmp/given/$file"
done
GIVEN=/tmp/given HOST_INDEX=0 exec sh /etc/algoport/host.sh
"""


@dataclass(frozen=True, kw_only=True)
class Search:
    """Which trials there are."""

    job: Training
    ranges: tuple[Range, ...]
    strategy: str = "Random"
    trials: int = 20
    parallel: int = 1
    seed: int = 0

    def check(self) -> None:
        """`UserError` with all that is wrong."""
        faults = []
        if self.strategy not in STRATEGIES:
            faults.append(
                f"--strategy: must be {' or '.join(STRATEGIES)}; it is {self.strategy!r}. One that learns from results "
                "needs a process that sees them: `algoport tune`, on one machine."
            )
        if not self.ranges:
            faults.append("--tune: is required, NAME=LOW..HIGH[:log] or NAME=A,B,C.")
        if not 1 <= self.trials <= 1000:
            faults.append(f"--jobs: must be from 1 to 1,000; it is {self.trials}.")
        if not 1 <= self.parallel <= self.trials:
            faults.append(f"--parallel: must be from 1 to the number of jobs, {self.trials}; it is {self.parallel}.")
        if self.job.hosts != 1:
            faults.append(f"--hosts: a trial runs on one; it is {self.job.hosts}.")
        for one in self.ranges:
            faults += one.faults()
        names = [one.name for one in self.ranges]
        faults += [f"{name}: is searched twice." for name in sorted(set(names)) if names.count(name) > 1]
        faults += [f"{name}: is searched, and set by --hp." for name in names if name in self.job.hyperparameters]
        if self.strategy == "Grid" and not faults:
            if any(one.kind != "Categorical" for one in self.ranges):
                faults.append("--strategy: Grid is for ranges of single values, NAME=A,B,C.")
            elif self.trials > combinations(self.ranges):
                faults.append(f"--jobs: the grid has {combinations(self.ranges)}; it is {self.trials}.")
        if faults:
            raise UserError(faults)

    @property
    def points(self) -> list[dict[str, str]]:
        """The hyperparameters of each trial."""
        grid = self.strategy == "Grid"
        values = [
            combination(self.ranges, number) if grid else drawn(self.ranges, self.seed, number)
            for number in range(self.trials)
        ]
        return [{**self.job.hyperparameters, **written(one)} for one in values]


def documents(search: Search) -> list[Json]:
    """All that the cluster has to be given, in order."""
    search.check()
    points = search.points
    for point in (points[0], points[-1]):
        replace(search.job, hyperparameters=point).check()
    claim = [training.storage(search.job)] if search.job.storage is not None else []
    return [*claim, _configuration(search, points), _job(search)]


def _configuration(search: Search, points: list[dict[str, str]]) -> Json:
    made = training.configuration(search.job)
    made["metadata"] = metadata(search.job.name, COMPONENT)
    made["data"]["trial.sh"] = _TRIAL
    made["data"] |= {f"trial-{number}.json": f"{json.dumps(point)}\n" for number, point in enumerate(points)}
    size = sum(len(text) for text in made["data"].values())
    if size > MOST_BYTES:
        raise UserError(f"--jobs: their hyperparameters must fit into a ConfigMap, 900 kB; they are {size:,} bytes.")
    return made


def _job(search: Search) -> Json:
    job = search.job
    layout = pods.Layout(index="TRIAL", folder=f"{job.name}/trials/$(TRIAL)", host="0")
    pod = pods.training_pod(job, ["trial"], layout)
    host = pod["initContainers"][0]
    host["command"] = ["sh", f"{pods.GIVEN}/trial.sh"]
    host["volumeMounts"].append({"name": "tmp", "mountPath": "/tmp"})  # noqa: S108  (in the container)
    spec = {
        "completionMode": "Indexed",
        "completions": search.trials,
        "parallelism": search.parallel,
        **training.policy(job),
        # A trial that fails is no reason to end the others.
        "backoffLimitPerIndex": job.retries,
        "maxFailedIndexes": search.trials,
        "template": {"metadata": {"labels": labels(job.name, COMPONENT)}, "spec": pod},
    }
    del spec["backoffLimit"]
    spec["podFailurePolicy"]["rules"][0]["action"] = "FailIndex"
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata(job.name, COMPONENT), "spec": spec}
