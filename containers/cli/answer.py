"""Asking models: `algoport serve` and `algoport predict`."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import sys
import tempfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from algoport import algorithms
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.explanations import unpacking_fault
from algoport.algorithms.shared.artifact import FACTS
from algoport.containers.cli.look import checked_name
from algoport.containers.jobs.channels import by_suffix
from algoport.containers.jobs.folder import ALGORITHM
from algoport.containers.jobs.script import LAUNCHER

Folder = Annotated[Path, typer.Argument(help="The folder of a job, or of a model.", show_default=False)]
Algorithm = Annotated[str | None, typer.Option(help="Which algorithm, where the model itself does not say.")]


def serve(
    folder: Folder,
    port: Annotated[int, typer.Option(help="Where it listens.", min=1, max=65535)] = 8080,
    algorithm: Algorithm = None,
    script: Annotated[Path | None, typer.Option(help="A program of yours that serves it: model_fn and others.")] = None,
) -> None:
    """Answer requests over HTTP.

    As the image does: /ping, /invocations and the other paths. A model with a folder code/ is served by the
    inference.py in it, as is any model by the program that --script names.
    """
    model = model_folder(folder)
    if script is not None and not script.is_file():
        raise UserError(f"--script: must be a file; there is none at {script}.")
    own = script is not None or (model / "code").is_dir()
    environment = os.environ | {
        **(_served_by(script) if own else {"ALGORITHM": algorithm_of(model, algorithm)}),
        "SAGEMAKER_BASE_DIR": str(_base_of(model)),
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "PYTHONUNBUFFERED": "1",
    }
    print(f"Serving {model} at http://localhost:{port}/invocations; Ctrl-C ends it.", flush=True)
    # -P: the current folder is the user's, and may hold another `algoport`.
    words = [*LAUNCHER, "serve"] if own else [sys.executable, "-P", "-m", "algoport.serving"]
    os.execve(sys.executable, words, environment)  # noqa: S606  (no shell)


def _served_by(script: Path | None) -> dict[str, str]:
    """The variables that name the program; without one it is the usual, in the model's folder."""
    if script is None:
        return {}
    return {"SAGEMAKER_PROGRAM": script.name, "SAGEMAKER_SUBMIT_DIRECTORY": str(script.absolute().parent)}


def predict(
    folder: Folder,
    file: Annotated[Path, typer.Argument(help="The records to answer.", show_default=False)],
    accept: Annotated[str | None, typer.Option(help="The content type of the answer.")] = None,
    content_type: Annotated[str | None, typer.Option(help="The content type of the records.")] = None,
    algorithm: Algorithm = None,
) -> None:
    """Answer the records of a file.

    In this process, with what the server would answer.
    """
    from algoport.algorithms.shared import compiled
    from algoport.serving.prediction import Predictor
    from algoport.serving.refusals import Refusal

    place = model_folder(folder)
    predictor = Predictor.of(algorithm_of(place, algorithm), environment=os.environ)
    predictor = replace(predictor, source=file.name, preface="")
    body, kind = _bytes(file), content_type or by_suffix(file.name) or predictor.algorithm.answer.default_accept
    if not kind:
        raise UserError(f"{file}: its name does not say what it holds; say it with --content-type, as in text/csv.")
    compiled.prepare()
    model = predictor.load(place)
    try:
        answered = predictor.answer(model, body, kind, accept)
    except Refusal as refusal:
        raise UserError(refusal.message) from None
    sys.stdout.buffer.write(answered.body)
    if answered.content_type == "application/json":
        sys.stdout.buffer.write(b"\n")
    sys.stdout.flush()


def export(
    folder: Folder,
    output: Annotated[Path | None, typer.Option(help="The file to write; model.onnx beside the model.")] = None,
    algorithm: Algorithm = None,
) -> None:
    """Write a network as ONNX, for other programs.

    Training does so itself, unless it was stopped.
    """
    from algoport.algorithms.shared.artifact import put

    place = model_folder(folder)
    name = algorithm_of(place, algorithm)
    model = algorithms.load_model(name, place)
    if not hasattr(model, "onnx"):
        raise UserError(f"{place}: a model of {name} is no network that ONNX could hold.")
    path = output or place / "model.onnx"
    put(path, model.onnx())
    print(f"{path} ({path.stat().st_size:,} bytes)")


def _bytes(file: Path) -> bytes:
    """What a file holds, decompressed where its name ends in .gz."""
    try:
        body = file.read_bytes()
        return gzip.decompress(body) if file.suffix == ".gz" else body
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UserError(f"{file}: cannot be decompressed: {unpacking_fault(error)}.") from None
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}.") from None


def _base_of(model: Path) -> Path:
    """The folder in which the server finds the model as `model`: the one above, or one that has a link of that name."""
    if model.name == "model":
        return model.parent
    base = Path(tempfile.mkdtemp(prefix="algoport-serve-"))
    (base / "model").symlink_to(model, target_is_directory=True)
    return base


def model_folder(folder: Path) -> Path:
    """The folder `model` in a job's folder, or that folder itself: any with files of its own and no `model` in it."""
    folder = folder.resolve()
    if not folder.is_dir():
        raise UserError(f"{folder}: must be the folder of a job, with model/ in it, or that of a model; there is none.")
    inner = folder / "model"
    model = inner if inner.is_dir() and folder.name != "model" else folder
    if (folder / "input").is_dir() and model is folder:
        raise UserError(f"{folder}: is the folder of a job that has left no model/.")
    if not any(model.iterdir()):
        raise UserError(f"{model}: is empty; there is no model yet.")
    return model


def algorithm_of(model: Path, given: str | None) -> str:
    """The algorithm whose model it is: what the user says, else what the model or its job says, else the only one
    there is."""
    if given:
        return checked_name(given)
    for place in (model / FACTS, model.parent / "input" / "config" / ALGORITHM):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            return checked_name(str(json.loads(place.read_bytes())["algorithm"]))
    names = algorithms.names()
    if len(names) == 1:
        return names[0]
    raise UserError(f"{model}: does not say whose model it is; say it with --algorithm.")
