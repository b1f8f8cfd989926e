"""Manifests for a cluster: `algoport render`. They go to standard output, or whole into a file."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from algoport import algorithms
from algoport.algorithms.contract.errors import UserError
from algoport.containers.cli import options
from algoport.containers.cli.options import Settings

if TYPE_CHECKING:
    from algoport.containers.kubernetes.description import Resources, Training
    from algoport.containers.kubernetes.places import Json
    from algoport.containers.kubernetes.serving import Serving

Algorithm = Annotated[
    str | None,
    typer.Argument(help="An algorithm, as `algoport list` names it; of another --image it can be left out."),
]
Name = Annotated[str, typer.Option("--name", help="What it is called on the cluster.", show_default=False)]
Image = Annotated[str | None, typer.Option(help="REGISTRY/NAME:TAG, where the cluster finds it.")]
Channels = Annotated[
    list[str] | None,
    typer.Option("--channel", help="NAME=pvc://CLAIM/PATH[;content type], or /PATH that every node has. Repeat it."),
]
Sharded = Annotated[list[str] | None, typer.Option(help="A channel whose files the hosts share out. Repeat it.")]
Output = Annotated[str, typer.Option(help="pvc://CLAIM/PATH or /PATH: gets a folder NAME.", show_default=False)]
Cores = Annotated[float, typer.Option(help="Processors of each pod.")]
Memory = Annotated[str | None, typer.Option(help="Memory of each pod, also its limit: 8Gi.")]
Gpus = Annotated[int, typer.Option(help="GPUs of each pod.")]
User = Annotated[int, typer.Option(help="The number of the user that it runs as.")]
Env = Annotated[list[str] | None, typer.Option(help="NAME=VALUE of its environment. Repeat it.")]
Secret = Annotated[str | None, typer.Option("--pull-secret", help="The secret for the registry of the image.")]
Retries = Annotated[int, typer.Option(help="How often a host may come back after a failure that is not yours.")]
Spot = Annotated[bool, typer.Option("--spot", help="It may be interrupted: it writes checkpoints, and resumes.")]
Runtime = Annotated[int | None, typer.Option(help="Seconds after which it ends.")]
Queue = Annotated[str | None, typer.Option(help="A queue of Kueue; of Slurm a partition.")]
Storage = Annotated[str | None, typer.Option(help="Make the claim of --output, of this size: 100Gi.")]
StorageClass = Annotated[str | None, typer.Option(help="Of the claim that --storage makes.")]
Hosts = Annotated[int, typer.Option(help="How many pods train together.")]
Into = Annotated[Path | None, typer.Option("--into", help="Write this file; else to standard output.")]
Model = Annotated[str | None, typer.Option(help="pvc://CLAIM/PATH or /PATH of the model's files; else the image's.")]
Replicas = Annotated[int, typer.Option(help="How many pods serve.")]
Most = Annotated[int | None, typer.Option(help="How many pods there may be when there is much to do.")]
Busy = Annotated[int, typer.Option(help="Percent of its cores that a pod uses, above which there will be more.")]

render = typer.Typer(help="Write manifests for a cluster.", no_args_is_help=True)
kubernetes = typer.Typer(help="For kubectl apply: nothing but Kubernetes itself.", no_args_is_help=True)
kubeflow = typer.Typer(help="For Kubeflow Trainer.", no_args_is_help=True)
kserve = typer.Typer(help="For KServe.", no_args_is_help=True)
slurm = typer.Typer(help="For sbatch.", no_args_is_help=True)
for _word, _group in (("kubernetes", kubernetes), ("kubeflow", kubeflow), ("kserve", kserve), ("slurm", slurm)):
    render.add_typer(_group, name=_word)


@kubernetes.command("train")
def kubernetes_train(
    name: Name,
    output: Output,
    algorithm: Algorithm = None,
    image: Image = None,
    channel: Channels = None,
    sharded: Sharded = None,
    hp: Settings = None,
    hosts: Hosts = 1,
    cores: Cores = 1.0,
    memory: Memory = None,
    gpus: Gpus = 0,
    retries: Retries = 0,
    spot: Spot = False,
    runtime: Runtime = None,
    storage: Storage = None,
    storage_class: StorageClass = None,
    queue: Queue = None,
    user: User = 1000,
    env: Env = None,
    pull_secret: Secret = None,
    into: Into = None,
) -> None:
    """An indexed Job with a pod for each host, a Service by which they find each other, and their configuration."""
    from algoport.containers.kubernetes import training

    job = _training(
        algorithm, name, image, output, channel, sharded, hp, hosts, _resources(cores, memory, gpus), retries, spot,
        runtime, storage, storage_class, queue, user, env, pull_secret,
    )  # fmt: skip
    _write(training.documents(job), into, f"kubectl apply -f {into}")


@kubeflow.command("train")
def kubeflow_train(
    name: Name,
    output: Output,
    algorithm: Algorithm = None,
    image: Image = None,
    channel: Channels = None,
    sharded: Sharded = None,
    hp: Settings = None,
    hosts: Hosts = 1,
    cores: Cores = 1.0,
    memory: Memory = None,
    gpus: Gpus = 0,
    retries: Retries = 0,
    spot: Spot = False,
    runtime: Runtime = None,
    storage: Storage = None,
    storage_class: StorageClass = None,
    queue: Queue = None,
    user: User = 1000,
    env: Env = None,
    pull_secret: Secret = None,
    into: Into = None,
) -> None:
    """A ClusterTrainingRuntime and a TrainJob that uses it."""
    from algoport.containers.kubernetes import kubeflow

    job = _training(
        algorithm, name, image, output, channel, sharded, hp, hosts, _resources(cores, memory, gpus), retries, spot,
        runtime, storage, storage_class, queue, user, env, pull_secret,
    )  # fmt: skip
    _write(kubeflow.documents(job), into, f"kubectl apply -f {into}")


@slurm.command("train")
def slurm_train(
    name: Name,
    output: Output,
    algorithm: Algorithm = None,
    image: Image = None,
    channel: Channels = None,
    sharded: Sharded = None,
    hp: Settings = None,
    hosts: Hosts = 1,
    cores: Cores = 1.0,
    memory: Memory = None,
    gpus: Gpus = 0,
    retries: Retries = 0,
    spot: Spot = False,
    runtime: Runtime = None,
    queue: Queue = None,
    env: Env = None,
    engine: Annotated[str, typer.Option(help="What runs it on a node: apptainer, or process.")] = "apptainer",
    into: Into = None,
) -> None:
    """A file for sbatch, with a task for each host; data lies in a file system that all nodes have."""
    from algoport.containers.kubernetes import slurm

    job = _training(
        algorithm, name, image, output, channel, sharded, hp, hosts, _resources(cores, memory, gpus), retries, spot,
        runtime, None, None, queue, 1000, env, None,
    )  # fmt: skip
    tasks = "a task" if hosts == 1 else f"{hosts} tasks"
    _put(slurm.script(job, engine), into, f"{tasks} of {engine}. Start it: sbatch {into}")


@kubernetes.command("tune")
def kubernetes_tune(
    name: Name,
    output: Output,
    tune: Annotated[list[str], typer.Option(help="NAME=LOW..HIGH[:log], or NAME=A,B,C. Repeat it.")],
    algorithm: Algorithm = None,
    image: Image = None,
    channel: Channels = None,
    hp: Settings = None,
    jobs: Annotated[int, typer.Option(help="How many trials.")] = 20,
    parallel: Annotated[int, typer.Option(help="How many at once.")] = 1,
    strategy: Annotated[str, typer.Option(help="Random or Grid.")] = "Random",
    seed: Annotated[int, typer.Option(help="Of the random draws.", min=0)] = 0,
    cores: Cores = 1.0,
    memory: Memory = None,
    gpus: Gpus = 0,
    retries: Retries = 0,
    spot: Spot = False,
    runtime: Runtime = None,
    storage: Storage = None,
    storage_class: StorageClass = None,
    queue: Queue = None,
    user: User = 1000,
    env: Env = None,
    pull_secret: Secret = None,
    into: Into = None,
) -> None:
    """An indexed Job with a pod for each trial, whose hyperparameters are drawn now."""
    from algoport.containers.kubernetes import tuning
    from algoport.containers.tuning import declared
    from algoport.containers.tuning.submission import ranges

    job = _training(
        algorithm, name, image, output, channel, None, hp, 1, _resources(cores, memory, gpus), retries, spot,
        runtime, storage, storage_class, queue, user, env, pull_secret,
    )  # fmt: skip
    space = ranges(tune, algorithm)
    if algorithm is not None:
        space = declared.completed(algorithm, space)
        declared.check(algorithm, space, job.hyperparameters)
    search = tuning.Search(job=job, ranges=space, strategy=strategy, trials=jobs, parallel=parallel, seed=seed)
    _write(tuning.documents(search), into, f"kubectl apply -f {into}")


@kubernetes.command("serve")
def kubernetes_serve(
    name: Name,
    image: Image = None,
    algorithm: Algorithm = None,
    model: Model = None,
    replicas: Replicas = 1,
    most: Most = None,
    busy: Busy = 70,
    cores: Cores = 1.0,
    memory: Memory = None,
    gpus: Gpus = 0,
    user: User = 1000,
    env: Env = None,
    pull_secret: Secret = None,
    into: Into = None,
) -> None:
    """A Deployment with probes, a Service, and where there may be more pods, an autoscaler and a disruption budget."""
    from algoport.containers.kubernetes import serving

    resources = _resources(cores, memory, gpus)
    served = _serving(algorithm, name, image, model, replicas, most, busy, resources, user, env, pull_secret)
    _write(serving.documents(served), into, f"kubectl apply -f {into}")


@kserve.command("serve")
def kserve_serve(
    name: Name,
    model: Model,
    image: Image = None,
    algorithm: Algorithm = None,
    replicas: Replicas = 1,
    most: Most = None,
    busy: Busy = 70,
    cores: Cores = 1.0,
    memory: Memory = None,
    gpus: Gpus = 0,
    user: User = 1000,
    env: Env = None,
    into: Into = None,
) -> None:
    """A ServingRuntime, and an InferenceService that uses it."""
    from algoport.containers.kubernetes import kserve

    resources = _resources(cores, memory, gpus)
    served = _serving(algorithm, name, image, model, replicas, most, busy, resources, user, env, None)
    _write(kserve.documents(served), into, f"kubectl apply -f {into}")


def _resources(cores: float, memory: str | None, gpus: int) -> Resources:
    from algoport.containers.kubernetes.description import Resources

    return Resources(cores=cores, memory=memory, gpus=gpus)


def _training(
    algorithm: str | None,
    name: str,
    image: str | None,
    output: str,
    channel: Sequence[str] | None,
    sharded: Sequence[str] | None,
    hp: Sequence[str] | None,
    hosts: int,
    resources: Resources,
    retries: int,
    spot: bool,
    runtime: int | None,
    storage: str | None,
    storage_class: str | None,
    queue: str | None,
    user: int,
    env: Sequence[str] | None,
    secret: str | None,
) -> Training:
    from algoport.containers.kubernetes.description import Remote, Training
    from algoport.containers.kubernetes.places import Place

    known, picture = _named(algorithm, image, resources.gpus)
    channels, shared = [], set(sharded or [])
    for text in channel or []:
        word, equals, place = text.partition("=")
        if not equals:
            raise UserError(f"--channel: must be NAME=PLACE[;content type]; it is {text!r}.")
        place, _, media = place.partition(";")
        at = Place.parse(f"Channel '{word}'", place)
        channels.append(Remote(name=word, place=at, content_type=media.strip() or None, sharded=word in shared))
    unknown = shared - {one.name for one in channels}
    if unknown:
        raise UserError(f"--sharded: there is no channel '{min(unknown)}'.")
    return Training(
        name=name,
        image=picture,
        algorithm=known,
        output=Place.parse("--output", output),
        hyperparameters=options.hyperparameters(hp or []),
        channels=tuple(channels),
        hosts=hosts,
        resources=resources,
        retries=retries,
        spot=spot,
        runtime=runtime,
        storage=storage,
        storage_class=storage_class,
        queue=queue,
        user=user,
        environment=options.variables(env),
        secret=secret,
    )


def _serving(
    algorithm: str | None,
    name: str,
    image: str | None,
    model: str | None,
    replicas: int,
    most: int | None,
    busy: int,
    resources: Resources,
    user: int,
    env: Sequence[str] | None,
    secret: str | None,
) -> Serving:
    from algoport.containers.kubernetes.places import Place
    from algoport.containers.kubernetes.serving import Serving

    _, picture = _named(algorithm, image, resources.gpus)
    return Serving(
        name=name,
        image=picture,
        model=None if model is None else Place.parse("--model", model),
        replicas=replicas,
        most=replicas if most is None else most,
        busy=busy,
        resources=resources,
        user=user,
        environment=options.variables(env),
        secret=secret,
    )


def _named(algorithm: str | None, image: str | None, gpus: int) -> tuple[str | None, str]:
    """The algorithm, where it is one that is known here, and the image."""
    from algoport.containers.cli.look import checked_name

    known = checked_name(algorithm) if algorithm is not None else None
    if known is None and image is None:
        raise UserError(f"What is to run? Name an algorithm, one of {', '.join(algorithms.names())}, or an --image.")
    return known, image or f"algoport/{known}:{'gpu' if gpus else 'cpu'}"


def _write(documents: Sequence[Json], into: Path | None, command: str) -> None:
    from algoport.containers.kubernetes import writing

    kinds = [str(document["kind"]) for document in documents]
    _put(writing.text(documents), into, f"{', '.join(kinds)}. Start it: {command}")


def _put(text: str, into: Path | None, sentence: str) -> None:
    """Write it whole or not at all, and say what to do with it."""
    if into is None:
        print(text, end="")
        return
    if not into.name or into.is_dir():
        raise UserError(f"--into: must be the name of a file to write; {into} is a folder.")
    beside = into.with_name(f".{into.name}.part")
    try:
        beside.write_text(text)
        os.replace(beside, into)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise UserError(f"{into}: cannot be written: {error.strerror}.") from None
    print(f"{into}: {sentence}")
