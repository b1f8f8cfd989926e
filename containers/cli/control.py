"""Jobs in the background: `algoport jobs`, `algoport logs`, `algoport stop`, and `algoport train --detach`."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared import machine
from algoport.containers.jobs import running
from algoport.containers.jobs.description import Description

Job = Annotated[str, typer.Argument(help="A job's name, or the folder of one.", show_default=False)]
Some = Annotated[list[str], typer.Argument(help="Names of jobs, or folders of such.", show_default=False)]
One = Annotated[str | None, typer.Argument(help="A job's name: its report. None: a list of all.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


def jobs(
    name: One = None,
    state: Annotated[str | None, typer.Option(help="Only those: Pending, InProgress, Completed, …")] = None,
    as_json: AsJson = False,
) -> None:
    """List jobs in the background, or report on one.

    Those of `train --detach` and `tune`.

    The report has times, attempts, metrics, cost by a table of prices, and what the job could have done with.
    """
    from algoport.containers.control import process, report
    from algoport.containers.control.home import Home
    from algoport.containers.control.prices import Prices
    from algoport.containers.control.store import TRAINING, TUNING, Store

    home = Home.from_environment()
    store, prices = Store(home.store), Prices.of(home)
    if not store.is_idle():
        process.ensure(home)
    if name is not None:
        searched = store.get(TUNING, name)
        if searched is not None:
            _show_search(searched, store, as_json)
            return
        row = store.get(TRAINING, name)
        if row is None:
            raise UserError(_unknown(name, [one.name for one in store.all(TRAINING)]))
        whole = report.of(row, store, prices)
        print(json.dumps(whole, indent=2) if as_json else "\n".join(report.text(whole)))
        return
    rows = [row for row in [*store.all(TUNING), *store.all(TRAINING)] if state in (None, row.state)]
    if as_json:
        facts = ("name", "state", "attempt", "created", "started", "ended", "parent")
        print(json.dumps([{fact: getattr(row, fact) for fact in facts} for row in rows], indent=2))
        return
    for row in sorted(rows, key=lambda row: row.created):
        print(_line(row))
    print(f"{len(rows)} jobs, recorded in {home.folder}.")


def _show_search(row: Any, store: Any, as_json: bool) -> None:
    from algoport.containers.tuning import report
    from algoport.containers.tuning.history import jobs_of
    from algoport.containers.tuning.request import Tuning

    tuning = Tuning.from_json(row.request)
    whole = report.of(row, tuning, jobs_of(store, row.name, tuning, lambda name: {}))
    print(json.dumps(whole, indent=2) if as_json else "\n".join(report.text(whole)))


def _line(row: Any) -> str:
    submitted = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row.created))
    seconds = (row.ended or time.time()) - row.started if row.started else 0.0
    state = "Stopping" if row.stop and row.ended is None else row.state
    why = str(row.outcome.get("failure") or "").splitlines()
    return f"{row.name:<40} {state:<11} {submitted}  {seconds:8.1f} s{'  ' + why[0] if why else ''}".rstrip()


def logs(
    name: Job,
    follow: Annotated[bool, typer.Option("--follow", help="Go on to the job's end.")] = False,
    host: Annotated[str, typer.Option(help="Whose log, of several hosts.")] = "algo-1",
) -> None:
    """What a job has printed, in all its attempts."""
    from algoport.containers.control import waiting
    from algoport.containers.control.home import Home
    from algoport.containers.control.store import TRAINING, Store

    home = Home.from_environment()
    store = Store(home.store)
    if store.get(TRAINING, name) is None:
        job = _of_folder(name, [one.name for one in store.all(TRAINING)])
        _known_host(host, job.description)
        lines = job.lines(host, until=None if follow else 0.0)
    else:
        lines = waiting.lines(store, home, name, host, follow=follow)
    for line in lines:
        print(line, flush=True)


def stop(
    names: Some,
    interrupt: Annotated[bool, typer.Option("--interrupt", help="As a spot machine does: it resumes later.")] = False,
) -> None:
    """Ask jobs to end with the models they have.

    A tuning job ends with its jobs.
    """
    from algoport.containers.control import process
    from algoport.containers.control.home import Home
    from algoport.containers.control.records import Request
    from algoport.containers.control.store import ENDED, TRAINING, TUNING, Store

    home = Home.from_environment()
    store = Store(home.store)
    why = running.INTERRUPTED if interrupt else running.STOPPED
    there = [(name, kind, row) for name in names for kind in (TUNING, TRAINING) if (row := store.get(kind, name))]
    listed = {name for name, _, _ in there}
    known = [one.name for one in store.all(TRAINING)]
    others = [_of_folder(name, known) for name in names if name not in listed]
    for name, kind, row in there:
        if row.state in ENDED:
            raise UserError(f"{name}: has ended already, as {row.state}.")
        if interrupt and (kind == TUNING or not Request.from_json(row.request).spot):
            raise UserError(f"{name}: is no spot job, and would not be started again; stop it without --interrupt.")
    for name, kind, _ in there:
        store.ask_to_stop(kind, name, why)
    for job in others:
        job.stop()
    process.ensure(home)
    print(f"Asked {len(names)} to stop: {', '.join(names)}. algoport jobs NAME says when they have.")


def _of_folder(name: str, known: list[str]) -> running.Running:
    if Path(name).is_dir():
        return running.adopt(Path(name))
    raise UserError(_unknown(name, known))


def _unknown(name: str, known: list[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]}?" if near else " `algoport jobs` lists those there are."
    return f"There is no job '{name}'.{hint}"


def _known_host(host: str, description: Description) -> None:
    if host not in description.host_names:
        raise UserError(f"--host: must be one of {', '.join(description.host_names)}; it is {host!r}.")


def detach(
    description: Description,
    *,
    retries: int,
    spot: bool,
    cores: float | None,
    memory: int | None,
    wait: float | None,
    instance: str | None,
) -> None:
    """Give a job to the control process, and say where it can be seen."""
    from algoport.containers.control import submission
    from algoport.containers.control.home import Home
    from algoport.containers.control.prices import Prices
    from algoport.containers.control.records import Request
    from algoport.containers.control.store import Store

    home = Home.from_environment()
    prices = Prices.of(home)
    if instance is not None and instance not in prices.instances:
        raise UserError(f"--instance: must be one of the table of prices: {', '.join(prices.instances)}.")
    description.check()
    request = Request(
        description=description,
        cores=cores or machine.cores(),
        memory=memory,
        retries=retries,
        spot=spot,
        wait=wait,
        instance=instance,
        data=submission.data(description.channels),
        revision=submission.revision(),
        search=submission.search(),
    )
    submission.submit(Store(home.store), home, request)
    print(f"Job {description.name} is in the background, in {description.folder.absolute()}.")
    print(f"See it: algoport logs {description.name} --follow, or algoport jobs {description.name}")
