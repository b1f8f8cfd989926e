"""The controller of tuning jobs: it compares what was asked for with the jobs there are, and does what is missing.

Like the controller of training jobs it remembers nothing that is not in the store: a training job's number is taken in
the transaction that submits it, and its values follow from the history, so that a control process that is killed
anywhere leaves what its successor goes on with.
"""

from __future__ import annotations

import contextlib
import logging
import math
import secrets
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from algoport.algorithms.contract.errors import AlgoportError
from algoport.containers.control.controller import EARLY, Jobs
from algoport.containers.control.records import Request, Row
from algoport.containers.control.store import (
    COMPLETED,
    FAILED,
    PENDING,
    RUNNING,
    STOPPED,
    TRAINING,
    TUNING,
    Store,
)
from algoport.containers.tuning import report, stopping
from algoport.containers.tuning.history import TRANSFER, Job, best_of_parents, jobs_of, parents
from algoport.containers.tuning.request import OBJECTIVE, Tuning
from algoport.containers.tuning.space import Value, written
from algoport.containers.tuning.strategies import Trial, suggest, warm_up

HOPELESS = 3  # jobs that fail, and none that does not, after which the rest is not tried
TRANSFERRED = 5  # values of the parents of other data that are tried first
_FLAT, _LAST = 1e-3, 10  # convergence: the best of the last jobs is no better by this share of all that was gained
_log = logging.getLogger("algoport.control")


class Tunings:
    """All tuning jobs of a store."""

    def __init__(self, store: Store, jobs: Jobs) -> None:
        self._store, self._jobs = store, jobs
        self._known: dict[str, Tuning] = {}
        self._parents: dict[str, list[Trial]] = {}
        self._starts: dict[str, list[dict[str, Value]]] = {}
        self._ended: dict[str, dict[int, Job]] = {}
        self._drafts: dict[str, Future[dict[str, Value]]] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="suggestions")

    def step(self) -> bool:
        """Look at everything once; whether anything has changed."""
        return any([self._look(row) for row in self._store.unfinished(TUNING)])

    def _look(self, row: Row) -> bool:
        try:
            return self._advance(row, self._tuning(row))
        except (AlgoportError, OSError) as error:
            _log.warning("tuning job %s: %s", row.name, error)
            return self._store.change(
                TUNING, row, FAILED, str(error), ended=time.time(), outcome={"secondary": FAILED, "failure": str(error)}
            )

    def _tuning(self, row: Row) -> Tuning:
        if row.name not in self._known:
            self._known[row.name] = tuning = Tuning.from_json(row.request)
            self._parents[row.name] = parents(self._store, tuning)
            if tuning.warm == TRANSFER:
                self._starts[row.name] = best_of_parents(self._store, tuning, TRANSFERRED)
            if tuning.strategy == "Bayesian":
                self._thread.submit(warm_up)
        return self._known[row.name]

    def _advance(self, row: Row, tuning: Tuning) -> bool:
        if row.state == PENDING:
            return self._store.change(TUNING, row, RUNNING, started=time.time())
        jobs = self._jobs_of(row.name, tuning)
        running = [job for job in jobs if job.running]
        why = row.notes.get("ending") or self._reason_to_end(row, tuning, jobs)
        if why is None:
            self._stop_weak(tuning, jobs, running)
            return self._submit_next(row, tuning, jobs, running)
        if not row.notes.get("ending"):
            self._store.note(TUNING, row.name, {**row.notes, "ending": why})
        self._drafts.pop(row.name, None)
        for job in running:
            self._store.ask_to_stop(TRAINING, job.name, "Stopped")
        return not running and self._finish(row, tuning, jobs, str(why))

    def _jobs_of(self, name: str, tuning: Tuning) -> list[Job]:
        """All training jobs; those that have ended change no more, and are read once."""
        ended = self._ended.setdefault(name, {})
        for job in (others := jobs_of(self._store, name, tuning, self._jobs.metrics, ended)):
            if not job.running:
                ended[job.number] = job
        return sorted([*ended.values(), *(job for job in others if job.running)], key=lambda job: job.number)

    # Ends

    def _reason_to_end(self, row: Row, tuning: Tuning, jobs: Sequence[Job]) -> str | None:
        if row.stop is not None:
            return STOPPED
        if tuning.runtime is not None and time.time() > (row.started or row.created) + tuning.runtime:
            return "MaxRuntimeExceeded"
        ended = [job for job in jobs if not job.running]
        if len(ended) == len(jobs) and len(jobs) >= tuning.jobs:
            return "MaxNumberOfTrainingJobs"
        if len(ended) >= HOPELESS and all(job.state == FAILED for job in ended):
            return "AllJobsFailed"
        return _satisfied(tuning, [job for job in ended if job.objective is not None])

    def _finish(self, row: Row, tuning: Tuning, jobs: Sequence[Job], why: str) -> bool:
        failure = next((job.failure for job in jobs if job.failure), None)
        state = STOPPED if why in (STOPPED, "MaxRuntimeExceeded") else COMPLETED
        if not any(job.objective is not None for job in jobs) and state == COMPLETED:
            state = FAILED
            failure = failure or f"No training job has reported the objective '{tuning.objective}'."
        outcome = {"secondary": why, "failure": failure if state == FAILED else None}
        done = replace(row, state=state, ended=time.time(), outcome=outcome)
        try:
            report.write(done, tuning, jobs)
        except OSError as error:
            _log.warning("%s: the report cannot be written: %s", row.name, error)
        return self._store.change(TUNING, row, state, why, ended=done.ended, outcome=outcome)

    # What runs

    def _stop_weak(self, tuning: Tuning, jobs: Sequence[Job], running: Sequence[Job]) -> None:
        histories = {job.number - 1: job.history for job in jobs}
        finished = [job.history for job in jobs if job.state == COMPLETED]
        for job in running:
            weak = tuning.early and stopping.is_below_median(job.history, finished, tuning.goal)
            if tuning.strategy == "Hyperband" and tuning.resource is not None:
                low, high = tuning.resource.low, tuning.resource.high
                weak = stopping.is_cut(job.number - 1, histories, low, high, tuning.goal)
            if weak and not job.stopping:
                self._store.ask_to_stop(TRAINING, job.name, EARLY)

    # What comes next

    def _submit_next(self, row: Row, tuning: Tuning, jobs: Sequence[Job], running: Sequence[Job]) -> bool:
        number = len(jobs)
        if len(running) >= tuning.parallel or number >= tuning.jobs:
            return False
        draft = self._drafts.get(row.name)
        if draft is None:
            draft = self._thread.submit(self._suggested, tuning, [job.trial for job in jobs], number)
            self._drafts[row.name] = draft
            with contextlib.suppress(TimeoutError):  # what is quick need not wait for the next look
                draft.exception(0.02)
        if not draft.done():
            return False
        del self._drafts[row.name]
        values = draft.result()  # an error of it ends the tuning job
        request = job_request(tuning, number + 1, values)
        self._store.submit(
            TRAINING,
            request.description.name,
            request.to_json(),
            parent=row.name,
            number=number + 1,
            notes={"values": values},
        )
        return True

    def _suggested(self, tuning: Tuning, trials: Sequence[Trial], number: int) -> dict[str, Value]:
        starts = self._starts.get(tuning.name, [])
        if number < len(starts):
            return starts[number]
        history = [*self._parents[tuning.name], *trials]
        search = {"strategy": tuning.strategy, "goal": tuning.goal, "seed": tuning.seed}
        return suggest(tuning.ranges, history, number=number, **search)  # type: ignore[arg-type]


def job_request(tuning: Tuning, number: int, values: Mapping[str, Value]) -> Request:
    """The n-th training job, from 1."""
    description = tuning.job.description
    name = f"{tuning.name}-{number:03}-{secrets.token_hex(4)}"
    folder = description.folder / "jobs" / name
    most = {}
    if tuning.resource is not None and tuning.resource.name is not None:
        most[tuning.resource.name] = str(tuning.resource.high)
    return replace(
        tuning.job,
        description=replace(
            description,
            name=name,
            folder=folder,
            checkpoints=folder / "checkpoints" if description.checkpoints is not None else None,
            hyperparameters={**description.hyperparameters, **most, **written(values), OBJECTIVE: tuning.objective},
        ),
    )


def _satisfied(tuning: Tuning, judged: Sequence[Job]) -> str | None:
    """Which completion criterion is met by the finished jobs."""
    sign = 1 if tuning.goal == "Minimize" else -1
    losses = [sign * (job.objective or 0.0) for job in sorted(judged, key=lambda job: job.ended or math.inf)]
    if not losses:
        return None
    best = min(losses)
    if tuning.target is not None and best <= sign * tuning.target:
        return "TargetObjectiveMetricValue"
    if tuning.patience is not None and len(losses) - 1 - losses.index(best) >= tuning.patience:
        return "BestObjectiveNotImproving"
    if tuning.converge and len(losses) >= 2 * _LAST:
        before, gained = min(losses[:-_LAST]), max(losses) - best
        if before - best <= _FLAT * gained:
            return "ConvergenceDetected"
    return None
