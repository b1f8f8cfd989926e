"""Answering files: `algoport transform`."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from algoport.algorithms.contract.errors import UserError
from algoport.containers.cli.options import variables
from algoport.containers.jobs.channels import agreed

if TYPE_CHECKING:
    from algoport.containers.transform.driver import Transform

TargetName = Annotated[
    str,
    typer.Argument(help="The folder of a job or of a model, or the URL of an endpoint that runs.", show_default=False),
]
Input = Annotated[
    str | None,
    typer.Argument(
        metavar="[INPUT]", help="The objects: a file, a folder, or how their paths begin.", show_default=False
    ),
]
OutputFolder = Annotated[
    str | None, typer.Option("--output", help="The folder for the outputs, each named OBJECT.out.")
]
RequestFile = Annotated[
    Path | None, typer.Option("--request", help="A CreateTransformJob request (JSON); options take precedence.")
]
Objects = Annotated[Path | None, typer.Option(help="The folder that stands for S3: it holds a folder a bucket.")]
Image = Annotated[str | None, typer.Option(help="Answer with this image instead of the program here.")]
ContentType = Annotated[str | None, typer.Option(help="Of the records; by default what the names of the files say.")]
Accept = Annotated[
    str | None, typer.Option(help="Of the answers; that of the records where they are CSV or JSON Lines.")
]
SplitBy = Annotated[
    str | None,
    typer.Option("--split", help="Line, RecordIO, TFRecord or None; by default what suits the content type."),
]
Assemble = Annotated[str | None, typer.Option("--assemble-with", help="Line or None: what stands behind each answer.")]
Strategy = Annotated[str | None, typer.Option(help="MultiRecord or SingleRecord: how many records a request has.")]
Payload = Annotated[
    int | None, typer.Option("--max-payload", help="MB of a request; 0: an object a request, of any size.")
]
Concurrent = Annotated[int | None, typer.Option("--max-concurrent", help="Requests at a time at each instance.", min=1)]
Records = Annotated[int | None, typer.Option(help="Records of a request, at most.", min=1)]
InputFilter = Annotated[str | None, typer.Option(help="What of a record is sent, as JSONPath: '$[1:]'.")]
OutputFilter = Annotated[str | None, typer.Option(help="What of the answer, or of both joined, is kept: '$[0,-1]'.")]
Join = Annotated[bool, typer.Option("--join", help="Put the record before its answer.")]
Gzip = Annotated[bool, typer.Option("--gzip", help="The objects are compressed.")]
Variables = Annotated[list[str] | None, typer.Option("--env", help="NAME=VALUE for the container. Repeat it.")]
Instances = Annotated[int | None, typer.Option(help="How many servers share the objects.", min=1)]
Timeout = Annotated[int | None, typer.Option(help="Seconds that an answer may take.", min=1, max=3600)]
Retries = Annotated[int | None, typer.Option(help="How often a request is tried again.", min=0, max=3)]
KeepGoing = Annotated[
    bool, typer.Option("--keep-going", help="Leave out records that are refused; OBJECT.errors.jsonl names them.")
]
Again = Annotated[bool, typer.Option("--again", help="Begin anew, whatever is there.")]
Algorithm = Annotated[str | None, typer.Option(help="Which algorithm, where the model itself does not say.")]

LINES = ("text/csv", "application/jsonlines")
FRAMES = "application/x-recordio-protobuf"
PAUSE = 5.0  # seconds between two lines where there is no terminal


def transform(
    target: TargetName,
    objects_: Input = None,
    output: OutputFolder = None,
    request: RequestFile = None,
    objects: Objects = None,
    image: Image = None,
    content_type: ContentType = None,
    accept: Accept = None,
    split: SplitBy = None,
    assemble_with: Assemble = None,
    strategy: Strategy = None,
    max_payload: Payload = None,
    max_concurrent: Concurrent = None,
    records: Records = None,
    input_filter: InputFilter = None,
    output_filter: OutputFilter = None,
    join: Join = False,
    gzip: Gzip = False,
    env: Variables = None,
    instances: Instances = None,
    timeout: Timeout = None,
    retries: Retries = None,
    keep_going: KeepGoing = False,
    again: Again = False,
    algorithm: Algorithm = None,
) -> int:
    """Answer all records of files, in their order.

    Run again after an interruption, it goes on where it was; each output is complete or absent.
    """
    from algoport.containers.cli.targets import Target
    from algoport.containers.transform import inputs
    from algoport.containers.transform.driver import Transform, check
    from algoport.containers.transform.ledger import FOLDER
    from algoport.containers.transform.request import TransformRequest, media_of

    written: dict[str, Any] = {}
    if request is not None:
        written = TransformRequest.of_file(request)
        if not isinstance(written, dict):
            raise UserError(f"{request}: must hold a JSON object, a CreateTransformJob request.")
    given = {
        ("TransformInput", "DataSource", "S3DataSource", "S3Uri"): objects_,
        ("TransformInput", "ContentType"): content_type,
        ("TransformInput", "SplitType"): split,
        ("TransformInput", "CompressionType"): "Gzip" if gzip else None,
        ("TransformOutput", "S3OutputPath"): output,
        ("TransformOutput", "Accept"): accept,
        ("TransformOutput", "AssembleWith"): assemble_with,
        ("TransformResources", "InstanceCount"): instances,
        ("ModelClientConfig", "InvocationsTimeoutInSeconds"): timeout,
        ("ModelClientConfig", "InvocationsMaxRetries"): retries,
        ("DataProcessing", "InputFilter"): input_filter,
        ("DataProcessing", "OutputFilter"): output_filter,
        ("DataProcessing", "JoinSource"): "Input" if join else None,
        ("BatchStrategy",): strategy,
        ("MaxPayloadInMB",): max_payload,
        ("MaxConcurrentTransforms",): max_concurrent,
        ("Environment",): {**written.get("Environment", {}), **variables(env)} if env else None,
    }
    if request is None:
        if objects_ is None:
            raise UserError("Say which objects: a file, a folder, or --request with a request that names them.")
        if output is None:
            raise UserError("--output: is required, the folder for the outputs, or --request with one.")
        given = _completed(given, inputs.located(objects_, objects), media_of)
    for path, value in given.items():
        if value is not None:
            _put(written, path, value)
    asked = TransformRequest.read(written)
    items = inputs.listed(asked.TransformInput.DataSource.S3DataSource, objects)
    source = Target.of(target, image, algorithm, asked.environment)
    folder = inputs.located(asked.TransformOutput.S3OutputPath, objects)
    job = Transform(asked, items, folder, model=source.identity, most=records, keep_going=keep_going, again=again)
    start = time.monotonic()
    try:
        with _stopped_by_signals(job), _shown(job) as hide:
            if not job.is_done:
                with source.endpoints(asked.TransformResources.InstanceCount, folder / FOLDER) as endpoints:
                    job.run(endpoints)
                    hide()
    finally:
        job.close()
    if job.was_stopped and not job.progress.failed:
        print(f"Stopped: {_sums(job)}. The same command resumes here.")
        return 130
    check(job.progress)
    print(f"Results in {folder}: {_sums(job)}, {time.monotonic() - start:.1f} s.")
    return 0


def _completed(given: dict[tuple[str, ...], Any], place: Path, media_of: Any) -> dict[tuple[str, ...], Any]:
    """What the options leave open, as it suits the content type. A request in a file has the API's own defaults."""
    kind, split = ("TransformInput", "ContentType"), ("TransformInput", "SplitType")
    assemble, accept = ("TransformOutput", "AssembleWith"), ("TransformOutput", "Accept")
    made = dict(given)
    if made[kind] is None and place.exists():
        made[kind] = agreed(place)
    media = media_of(made[kind])
    if made[split] is None:
        made[split] = "Line" if media in LINES else "RecordIO" if media == FRAMES else "None"
    if made[accept] is None and media in LINES:
        made[accept] = media
    if made[assemble] is None:
        made[assemble] = "Line" if made[split] == "Line" else "None"
    return made


def _put(written: dict[str, Any], path: Sequence[str], value: Any) -> None:
    *above, last = path
    for name in above:
        written = written.setdefault(name, {})
        if not isinstance(written, dict):
            raise UserError(f"{name}: must be a JSON object.")
    written[last] = value


def _sums(job: Transform) -> str:
    """What has been done, in words."""
    done = job.progress
    parts = [f"{done.done:,} of {done.objects:,} objects"]
    parts += [f"{done.before:,} of them before"] if done.before else []
    parts += [f"{done.records:,} records"]
    parts += [f"{done.failures:,} records refused, named in *.errors.jsonl"] if done.failures else []
    return ", ".join(parts)


@contextmanager
def _stopped_by_signals(job: Transform) -> Iterator[None]:
    """While entered, Ctrl-C and SIGTERM stop the transform where it can be resumed; a second one ends it at once."""

    def stop(number: int, frame: FrameType | None) -> None:
        if job.was_stopped:
            raise KeyboardInterrupt
        job.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _shown(job: Transform) -> Iterator[Callable[[], None]]:
    """While entered, how far it is: a bar on a terminal, a line every few seconds elsewhere. What it gives ends it."""
    over = threading.Event()
    show = _bar if sys.stdout.isatty() else _lines
    shower = threading.Thread(target=show, args=(job, over), daemon=True)
    shower.start()

    def hide() -> None:
        over.set()
        shower.join()

    try:
        yield hide
    finally:
        hide()


def _lines(job: Transform, over: threading.Event) -> None:
    while not over.wait(PAUSE):
        print(f"{_share(job):.0%}: {_sums(job)}", flush=True)


def _bar(job: Transform, over: threading.Event) -> None:
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, transient=True) as progress:
        task = progress.add_task("starting", total=1.0)
        while not over.wait(0.2):
            progress.update(task, completed=_share(job), description=_sums(job))


def _share(job: Transform) -> float:
    """How much of the objects has been answered, from 0 to 1; more is read of compressed ones than they have."""
    return min(1.0, job.progress.read / max(1, job.progress.size))
