"""The controller of training jobs: it compares what the store wants with what runs, and does what is missing.

It holds nothing that another one could not find again: `step` may be called by a process that has just begun, after
an earlier one was killed at any moment. A job is started in three steps, of which each can be seen from outside: the
store says `Starting`; the folder is laid out and noted; processes are noted and let go, or containers of a known name
are created and started. So a start that was broken off is completed, and never made twice.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from algoport.algorithms.contract.errors import AlgoportError, PlatformError, UserError
from algoport.containers.control import scheduler
from algoport.containers.control.following import Log
from algoport.containers.control.records import Attempt, Request, Row
from algoport.containers.control.scheduler import Machine, Need
from algoport.containers.control.store import (
    COMPLETED,
    ENDED,
    FAILED,
    PENDING,
    RUNNING,
    STARTING,
    STOPPED,
    TRAINING,
    Store,
)
from algoport.containers.jobs import docker, running
from algoport.containers.jobs import folder as folders
from algoport.containers.jobs.running import INTERRUPTED, Running

OVERDUE = "MaxWaitTimeExceeded"
EARLY = "EarlyStopping"
_AWAY = 2.0  # seconds until a place that does not answer is asked again
_SAMPLES = 2.0  # seconds between two looks at what containers use


@dataclass
class _Watch:
    """A job that runs, as this process sees it."""

    request: Request
    job: Running
    log: Log
    attempt: Attempt
    next_look: float = 0.0
    next_sample: float = 0.0


class Jobs:
    """All training jobs of a store on this machine."""

    def __init__(self, store: Store, machine: Machine) -> None:
        self._store, self._machine = store, machine
        self._watched: dict[str, _Watch] = {}

    def step(self) -> bool:
        """Look at everything once; whether anything has changed."""
        rows = self._store.unfinished(TRAINING)
        changed = [self._look(row) for row in rows if row.state in (STARTING, RUNNING)]
        if any(changed):
            rows = self._store.unfinished(TRAINING)
        return any([*changed, *self._admit(rows)])

    def metrics(self, name: str) -> dict[str, list[float]]:
        """The values that the log of a running job has reported so far."""
        watch = self._watched.get(name)
        return watch.log.metrics if watch is not None else {}

    # What waits

    def _admit(self, rows: list[Row]) -> list[bool]:
        """Start what fits; interrupt spot jobs where a job on demand needs their place."""
        changed = []
        waiting: list[tuple[Row, Need]] = []
        holders: list[tuple[Row, Need]] = []
        for row in rows:
            request = _request(row)
            if row.state == PENDING and (row.stop not in (None, INTERRUPTED) or _is_overdue(row, request)):
                changed.append(self._finish(row, STOPPED, row.stop or OVERDUE))
            else:
                (waiting if row.state == PENDING else holders).append((row, _need(request)))
        needs = (
            [need for _, need in waiting],
            [need for _, need in sorted(holders, key=lambda one: one[0].started or 0)],
        )
        ready = {need.name for need in scheduler.admitted(*needs, self._machine)}
        changed += [self._start(row) for row, need in waiting if need.name in ready]
        if not ready and not any(row.stop for row, _ in holders):
            for need in scheduler.interrupted(*needs, self._machine):
                changed.append(self._store.ask_to_stop(TRAINING, need.name, INTERRUPTED))
        return changed

    def _start(self, row: Row) -> bool:
        """Take the first step, which is to say so, then the others."""
        number, now = row.attempt + 1, time.time()
        if not self._store.change(TRAINING, row, STARTING, attempt=number, started=row.started or now):
            return False
        self._store.forget_interruption(row.name)
        self._store.set_attempt(row.name, Attempt(number=number, started=now))
        self._begin(replace(row, state=STARTING, attempt=number, started=row.started or now))
        return True

    def _begin(self, row: Row) -> None:
        request = _request(row)
        description = request.attempt(row.attempt, self._spent(row))
        try:
            _put_aside(request, row.attempt)
            _make_findable(request)
            job = running.start(description)
        except (AlgoportError, OSError) as error:
            self._failed(row, error)
            return
        self._watch(row, request, job)
        self._store.change(TRAINING, row, RUNNING)

    def _spent(self, row: Row) -> float:
        """Seconds of the attempts before this one."""
        return sum(attempt.seconds for attempt in self._store.attempts(row.name) if attempt.number < row.attempt)

    # What runs

    def _look(self, row: Row) -> bool:
        watch = self._watched.get(row.name)
        now = time.monotonic()
        if watch is not None and now < watch.next_look:
            return False
        try:
            if row.state == STARTING:
                return self._complete(row)
            watch = watch or self._adopt(row)
            watch.next_look = now + watch.job.pause
            return self._follow(row, watch, now)
        except PlatformError as error:  # the engine may answer later
            if watch is not None:
                watch.next_look = now + _AWAY
            self._store.say(TRAINING, row.name, "Warning", str(error))
            return False
        except (UserError, OSError) as error:  # somebody has removed its folder
            self._failed(row, error)
            return True

    def _complete(self, row: Row) -> bool:
        """End the start of a job that an earlier control process has begun."""
        request = _request(row)
        description = request.attempt(row.attempt, self._spent(row))
        noted = folders.read(description.run / "job.json") or {}
        if noted.get("description", {}).get("name") != description.name:  # not laid out
            self._begin(row)
            return True
        try:
            _make_findable(request)
            job = running.complete(description.folder)
        except (UserError, OSError) as error:
            self._failed(row, error)
            return True
        if job is not None:
            self._watch(row, request, job)
            self._store.change(TRAINING, row, RUNNING, "adopted")
        return job is not None

    def _adopt(self, row: Row) -> _Watch:
        request = _request(row)
        _make_findable(request)
        return self._watch(row, request, running.adopt(request.description.folder))

    def _watch(self, row: Row, request: Request, job: Running) -> _Watch:
        attempt = next(each for each in self._store.attempts(row.name) if each.number == row.attempt)
        watch = _Watch(request, job, Log(job.description, row.outcome.get("metrics")), attempt)
        self._watched[row.name] = watch
        return watch

    def _follow(self, row: Row, watch: _Watch, now: float) -> bool:
        job = watch.job
        state = job.poll()
        watch.log.read()
        if watch.attempt.spoke is None and watch.log.began is not None:
            watch.attempt = replace(watch.attempt, spoke=watch.log.began)
            self._store.set_attempt(row.name, watch.attempt)
        if state not in ENDED:
            if row.stop is None and _is_overdue(row, watch.request):
                self._store.ask_to_stop(TRAINING, row.name, OVERDUE)
            elif row.stop is not None and job.reason is None:
                job.stop(row.stop if row.stop == INTERRUPTED else running.STOPPED)
            if watch.request.description.image is not None and now > watch.next_sample:
                watch.next_sample = now + _SAMPLES
                _ = job.usage  # which notes it
            return False
        watch.log.read(all_of_it=True)
        self._end(row, watch)
        return True

    # What has ended

    def _end(self, row: Row, watch: _Watch) -> None:
        job = watch.job
        attempt, used = watch.attempt, job.usage.values()
        attempt = replace(
            attempt,
            ended=attempt.started + job.seconds,
            reason=job.reason,
            code=job.exit_code,
            failure=job.failure,
            cpu=sum(one.cpu for one in used) if used else None,
            peak=max(one.peak for one in used) if used else None,
        )
        self._store.set_attempt(row.name, attempt)
        image = watch.request.description.image
        outcome = {
            "code": job.exit_code,
            "failure": job.failure,
            "metrics": watch.log.metrics,
            "image": docker.digest(image) if image is not None else None,
        }
        state = job.poll()
        if job.reason == INTERRUPTED and not _is_users(attempt) and row.stop in (None, INTERRUPTED):
            self._again(row, outcome, "Interrupted")
        elif state == FAILED and self._may_retry(row, watch.request, attempt):
            self._again(row, outcome, f"Retrying: {attempt.failure or 'it has failed'}")
        elif row.stop not in (None, INTERRUPTED) and (state != FAILED or not _is_users(attempt)):
            self._finish(row, STOPPED, str(row.stop), outcome)
        else:
            secondary = job.reason if state == STOPPED and job.reason else state
            self._finish(row, state, str(secondary), outcome)
        self._watched.pop(row.name, None)

    def _may_retry(self, row: Row, request: Request, attempt: Attempt) -> bool:
        if _is_users(attempt) or row.stop not in (None, INTERRUPTED):
            return False
        failures = [one for one in self._store.attempts(row.name) if one.code and one.reason != INTERRUPTED]
        return len(failures) <= request.retries

    def _again(self, row: Row, outcome: Mapping[str, Any], message: str) -> None:
        """Let the job wait for its next start."""
        self._store.change(TRAINING, row, PENDING, message, outcome=outcome)

    def _failed(self, row: Row, error: Exception) -> None:
        """A job that could not be started."""
        prefix = error.prefix if isinstance(error, AlgoportError) else "InternalServerError"
        now, failure = time.time(), f"{prefix}: {error}"
        code = error.code if isinstance(error, AlgoportError) else 1
        attempt = Attempt(number=row.attempt, started=now, ended=now, code=code, failure=failure)
        self._store.set_attempt(row.name, attempt)
        outcome = {"code": code, "failure": failure, "metrics": row.outcome.get("metrics", {})}
        if self._may_retry(row, _request(row), attempt):
            self._again(row, outcome, f"Retrying: {failure}")
        else:
            self._finish(row, FAILED, FAILED, outcome)

    def _finish(self, row: Row, state: str, secondary: str, outcome: Mapping[str, Any] | None = None) -> bool:
        known = {**(row.outcome if outcome is None else outcome), "secondary": secondary}
        message = secondary if state != COMPLETED else ""
        return self._store.change(TRAINING, row, state, message, ended=time.time(), outcome=known)


def _request(row: Row) -> Request:
    return Request.from_json(row.request)


def _need(request: Request) -> Need:
    return Need(name=request.description.name, cores=request.cores, memory=request.memory or 0, spot=request.spot)


def _is_overdue(row: Row, request: Request) -> bool:
    return request.wait is not None and time.time() > row.created + request.wait


def _is_users(attempt: Attempt) -> bool:
    """Whether its user, or who has written the algorithm, has to act: the same start would fail again."""
    return attempt.code == UserError.code or (attempt.failure or "").startswith(("ClientError", "AlgorithmError"))


def _put_aside(request: Request, number: int) -> None:
    """Keep what is known of the attempt before: the folder of a job is about to be laid out anew."""
    run = request.description.run
    noted = folders.read(run / "job.json") if number > 1 else None
    if noted is not None:
        aside = request.description.folder.absolute() / "attempts" / str(number - 1)
        aside.parent.mkdir(exist_ok=True)
        if not aside.exists():
            run.rename(aside)


def _make_findable(request: Request) -> None:
    """Let the algorithms be found that whoever asked for the job could find."""
    known = os.environ.get("ALGORITHM_PATH", "").split(os.pathsep)
    missing = [place for place in request.search if place not in known]
    if missing:
        os.environ["ALGORITHM_PATH"] = os.pathsep.join(filter(None, [*known, *missing]))
