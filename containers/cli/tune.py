"""`algoport tune`: hyperparameter tuning, by options or by a request as clients of the original service write it."""

from __future__ import annotations

import json
import secrets
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared import machine
from algoport.containers.cli import options
from algoport.containers.cli.look import checked_name
from algoport.containers.cli.options import Channels, Instance, Memory, Retries, Runtime, Settings, Spot
from algoport.containers.jobs.description import Definition, Description, Limits

if TYPE_CHECKING:
    from algoport.containers.control.home import Home
    from algoport.containers.control.store import Store
    from algoport.containers.tuning.request import Tuning

STRATEGIES = ("Bayesian", "Random", "Grid", "Hyperband")
GOALS = ("Minimize", "Maximize")
LOOK = 0.3  # seconds between two looks at how far it is

Algorithm = Annotated[str | None, typer.Argument(help="An algorithm, as `algoport list` names it.", show_default=False)]
Output = Annotated[Path | None, typer.Option(help="The folder of all jobs, and of the report.")]
Ranges = Annotated[list[str] | None, typer.Option("--tune", help="NAME=LOW..HIGH[:log], NAME=A,B,C, or NAME.")]
Objective = Annotated[str | None, typer.Option(help="The metric to be optimized: validation:auc.")]
Metrics = Annotated[list[str] | None, typer.Option("--metric", help="NAME=REGEX: a metric in the log.")]
Channel = Annotated[str | None, typer.Option(help="The channel of that name: PATH or 'PATH;content type'.")]


def tune(
    name: Algorithm = None,
    output: Output = None,
    train: Channel = None,
    validation: Channel = None,
    test: Channel = None,
    channel: Channels = None,
    hp: Settings = None,
    tune: Ranges = None,
    objective: Objective = None,
    metric: Metrics = None,
    goal: Annotated[str | None, typer.Option(help="Minimize or Maximize, where no algorithm says so.")] = None,
    jobs: Annotated[int | None, typer.Option(help="How many jobs at most; 20.", min=1)] = None,
    parallel: Annotated[int, typer.Option(help="How many at once; they share the machine.", min=1)] = 1,
    strategy: Annotated[str, typer.Option(help=f"{', '.join(STRATEGIES)}.")] = "Bayesian",
    early_stopping: Annotated[bool, typer.Option("--early-stopping", help="End jobs below the median.")] = False,
    target: Annotated[float | None, typer.Option(help="End when the objective is this good.")] = None,
    patience: Annotated[int | None, typer.Option(help="End after so many jobs without a better one.")] = None,
    converge: Annotated[bool, typer.Option("--converge", help="End when jobs gain no more.")] = False,
    total_runtime: Annotated[float | None, typer.Option(help="Seconds after which the whole ends.")] = None,
    min_resource: Annotated[int | None, typer.Option(help="Of Hyperband: the least epochs of a job.")] = None,
    max_resource: Annotated[int | None, typer.Option(help="Of Hyperband: the most.")] = None,
    parent: Annotated[list[str] | None, typer.Option(help="An ended tuning job to start from. Repeat it.")] = None,
    transfer: Annotated[bool, typer.Option("--transfer", help="The parents had other data.")] = False,
    seed: Annotated[int, typer.Option(help="Of the search.", min=0)] = 0,
    docker: Annotated[bool, typer.Option("--docker", help="Run images instead of the programs here.")] = False,
    image: Annotated[str | None, typer.Option(help="An image of your own; needs --metric.")] = None,
    script: Annotated[Path | None, typer.Option(help="A Python program of your own; needs --metric.")] = None,
    cores: Annotated[float | None, typer.Option(help="Processors a job; else the machine's, shared out.")] = None,
    memory: Memory = None,
    runtime: Runtime = None,
    retries: Retries = 0,
    spot: Spot = False,
    instance: Instance = None,
    job_name: Annotated[str | None, typer.Option("--name", help="What the tuning job is called.")] = None,
    request: Annotated[Path | None, typer.Option(help="A CreateHyperParameterTuningJob request, as JSON.")] = None,
    resume: Annotated[str | None, typer.Option(help="A tuning job to go on with, or to watch again.")] = None,
    detach: Annotated[bool, typer.Option("--detach", help="In the background: see `algoport jobs`.")] = False,
) -> int:
    """Search hyperparameters with many jobs.

    Ctrl-C ends the search with what it has; --resume NAME goes on with it.
    """
    from algoport.containers.control.home import Home
    from algoport.containers.control.records import Request
    from algoport.containers.control.store import Store
    from algoport.containers.tuning import declared, service, submission
    from algoport.containers.tuning.request import Tuning

    home = Home.from_environment()
    store = Store(home.store)
    limit = options.size("--memory", memory)
    if resume is not None:
        return _watch(store, home, submission.resume(store, home, resume, jobs), detach)
    if request is not None:
        call = _call(request)
        limits = call.get("HyperParameterTuningJobConfig", {}).get("ResourceLimits", {})
        share = cores or _share(limits.get("MaxParallelTrainingJobs", 1))
        wanted = service.read(call, home, output=output, docker=docker, cores=share, memory=limit)
        return _watch(store, home, submission.submit(store, home, _recorded(wanted)), detach)
    if sum(one is not None for one in (name, image, script)) != 1:
        raise UserError("Which jobs? Give one of an algorithm's name, --image, --script, --request and --resume.")
    wanted_options = {"--output": output, "--objective": objective, "--tune": tune}
    missing = [option for option, value in wanted_options.items() if not value]
    if output is None or objective is None or not tune:
        raise UserError(f"{' and '.join(missing)}: must be given.")
    if strategy not in STRATEGIES:
        raise UserError(f"--strategy: must be one of {', '.join(STRATEGIES)}; it is {strategy!r}.")
    name = checked_name(name) if name is not None else None
    own = tuple(_metric(text) for text in metric or [])
    known = declared.objective(name, objective) if name is not None and goal is None else None
    if known is None and (goal or "") not in GOALS:
        raise UserError(f"--goal: must be {' or '.join(GOALS)}; it is {goal!r}.")
    named = [("train", train), ("validation", validation), ("test", test)]
    description = Description(
        folder=output.absolute(),
        name=job_name or f"tune-{secrets.token_hex(4)}",
        algorithm=name,
        image=image or (f"algoport/{name}:cpu" if docker else None),
        program=_program(script) if script is not None else (),
        hyperparameters=options.hyperparameters(hp or []),
        channels=tuple(replace(one, path=one.path.absolute()) for one in options.channels(named, channel or [])),
        limits=Limits(runtime=runtime),
        checkpoints=output.absolute() / "checkpoints" if spot else None,
        metrics=own,
    )
    description.check()
    ranges = submission.ranges(tune, name)
    wanted = Tuning(
        name=description.name,
        job=Request(
            description=description,
            cores=cores or _share(parallel),
            memory=limit,
            retries=retries,
            spot=spot,
            instance=instance,
        ),
        ranges=ranges,
        objective=objective,
        goal=known or goal,  # type: ignore[arg-type]
        strategy=strategy,  # type: ignore[arg-type]
        jobs=service.count(jobs if jobs or strategy == "Grid" else 20, strategy, ranges),
        parallel=parallel,
        runtime=total_runtime,
        early=early_stopping,
        target=target,
        patience=patience,
        converge=converge,
        seed=seed,
        resource=service.resource(strategy, min_resource, max_resource, description),
        parents=tuple(parent or ()),
        warm="TransferLearning" if transfer else "IdenticalDataAndAlgorithm",
    )
    return _watch(store, home, submission.submit(store, home, _recorded(wanted)), detach)


def _share(parallel: int) -> float:
    """The processors of a job where so many share the machine; at least one, so that more jobs than processors wait."""
    return max(1.0, machine.cores() / max(1, int(parallel)))


def _recorded(tuning: Tuning) -> Tuning:
    """With what the record of each job holds beside the request."""
    from algoport.containers.control import submission

    tuning.job.description.check()
    facts = {
        "data": submission.data(tuning.job.description.channels),
        "revision": submission.revision(),
        "search": submission.search(),
    }
    return replace(tuning, job=replace(tuning.job, **facts))  # type: ignore[arg-type]


def _program(script: Path) -> tuple[str, ...]:
    if not script.is_file():
        raise UserError(f"--script: must be a file; there is none at {script}.")
    return (shutil.which("python") or sys.executable, str(script.absolute()))


def _metric(text: str) -> Definition:
    name, equals, regex = text.partition("=")
    if not equals or not name:
        raise UserError(f"--metric: must be NAME=REGEX; it is {text!r}.")
    return Definition(name=name, regex=regex)


def _call(path: Path) -> dict[str, Any]:
    try:
        call = json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise UserError(f"{path}: is no JSON: {error}.") from None
    if not isinstance(call, dict):
        raise UserError(f"{path}: must be one object.")
    return call


def _watch(store: Store, home: Home, tuning: Tuning, detach: bool) -> int:
    """Show each job as it ends, then what came of all; 0, or 1 where nothing did."""
    from algoport.containers.control.store import TUNING
    from algoport.containers.tuning import report
    from algoport.containers.tuning.history import jobs_of

    folder = tuning.job.description.folder
    print(f"Tuning job {tuning.name}: {tuning.strategy}, {tuning.jobs} jobs, {tuning.parallel} at once, in {folder}.")
    if detach:
        print(f"See it: algoport jobs {tuning.name}, or algoport tune --resume {tuning.name}")
        return 0
    try:
        _follow(store, home, tuning)
    except KeyboardInterrupt:
        store.ask_to_stop(TUNING, tuning.name, "Stopped")
        print("Stopping; its jobs end with the models they have.", flush=True)
        _follow(store, home, tuning)
    row = store.get(TUNING, tuning.name)
    assert row is not None
    whole = report.of(row, tuning, jobs_of(store, tuning.name, tuning, lambda name: {}))
    print("\n".join(report.text(whole)))
    if whole["BestTrainingJob"] is None:
        return 1
    print(f"The report is {folder / report.REPORT}, its picture {report.PICTURE}; the best job {folder / report.BEST}.")
    return 0


def _follow(store: Store, home: Home, tuning: Tuning) -> None:
    """A line a job, to the end of all; with a bar on a terminal."""
    from algoport.containers.control.store import ENDED, TUNING
    from algoport.containers.control.waiting import Care
    from algoport.containers.tuning import report
    from algoport.containers.tuning.history import Job, jobs_of

    care, ended = Care(home), dict[int, Job]()
    with Count(tuning.jobs) as shown:
        while True:
            row = store.get(TUNING, tuning.name)
            assert row is not None
            over = row.state in ENDED
            for job in jobs_of(store, tuning.name, tuning, lambda name: {}, ended):
                if not job.running:
                    ended[job.number] = job
                    best = report.best_job(tuning, list(ended.values()))
                    shown.show(len(ended), _line(job, len(ended), tuning, best.objective if best else None))
            if over:
                return
            care.see()
            time.sleep(LOOK)


def _line(job: Any, count: int, tuning: Tuning, best: float | None) -> str:
    from algoport.containers.tuning import report

    value = f"{tuning.objective}={job.objective:.6g}" if job.objective is not None else job.state
    reached = f", best {best:.6g}" if best is not None else ""
    early = ", stopped early" if job.secondary == "EarlyStopping" else ""
    return f"{count}/{tuning.jobs} {job.name}: {value}{reached}{early}  {report.settings(dict(job.values))}"


class Count:
    """Lines as they come, with a bar of how many there will be on a terminal."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._bar: Any = None

    def __enter__(self) -> Count:
        if sys.stdout.isatty():
            from rich.progress import Progress

            self._bar = Progress(transient=True)
            self._task = self._bar.add_task("jobs", total=self._total)
            self._bar.start()
        return self

    def show(self, count: int, line: str) -> None:
        """One line, and how many there are now."""
        if self._bar is None:
            print(line, flush=True)
            return
        self._bar.update(self._task, completed=count)
        self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()
