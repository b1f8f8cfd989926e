"""`serve` for scripts: the platform's server, with a script's functions in the place of an algorithm."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from algoport.algorithms.contract import Algorithm, Answer
from algoport.algorithms.contract.errors import AlgoportError
from algoport.containers.scripts import content, environment, packages
from algoport.containers.scripts.functions import Functions, code_folders
from algoport.serving import log, server
from algoport.serving.prediction import Predictor, Reply
from algoport.serving.settings import Settings

INSTALLED = "ALGOPORT_SCRIPT_PACKAGES"  # the environment into which packages were installed; set for this program alone


@dataclass(frozen=True)
class Loaded:
    """A model with the functions that know it."""

    functions: Functions
    model: Any
    folder: Path


@dataclass(frozen=True)
class ScriptPredictor(Predictor):
    """How models of scripts are asked."""

    def load(self, folder: Path) -> Any:
        """The script, and its model."""
        functions = Functions.of(folder)
        return Loaded(functions, functions.load(folder), folder)

    def answer(
        self,
        model: Any,
        body: bytes,
        content_type: str | None,
        accept: str | None,
        hold: Callable[[int], None] = lambda size: None,
    ) -> Reply:
        """What the script's functions make of a request."""
        kind = (content_type or "").strip() or content.JSON
        want = content.wanted(accept, self.default)
        text, answered = model.functions.answer(model.model, model.folder, body, kind, want)
        hold(len(text))
        return Reply(text, answered, 1)

    def warm_up(self, model: Any) -> None:
        """What a script does before its first request stands in its `model_warmup_fn`."""


class ScriptServer(server.Server):
    """Workers that load the script themselves: what it starts when it is imported would not outlive a fork."""

    def _compile(self) -> None:
        """There are no kernels."""


def main() -> int:
    """Serve until a SIGTERM; 0, or 2 where the user can correct what is wrong, else 1."""
    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    log.start(number="process")
    try:
        settings = Settings.read(os.environ, gpu=lambda: True)
        _provide(settings.model)
        default = settings.accept or content.JSON
        answer = Answer(columns=(), accepts=content.READ, responses=content.WRITTEN, default_accept=content.JSON)
        script = Algorithm(
            name="script",
            title="A script",
            summary="A model that is served by functions of its user's own.",
            problem="any",
            source="",
            channels=(),
            answer=answer,
            metrics=(),
            log_name="script",
        )
        predictor = ScriptPredictor("a script", script, default)
        return server.serve(settings, predictor, began, ahead=False, kind=ScriptServer)
    except AlgoportError as error:
        for finding in error.findings:
            log.fault(finding)
        return error.code
    finally:
        if os.environ.get(INSTALLED):
            shutil.rmtree(os.environ[INSTALLED], ignore_errors=True)


def _provide(model: Path) -> None:
    """Install what the code asks for, once, and begin again with the Python that sees it."""
    if os.environ.get(INSTALLED):
        return
    code = next((one for one in code_folders(model) if (one / packages.REQUIREMENTS).is_file()), None)
    if code is None:
        return
    folder = tempfile.mkdtemp(prefix="algoport-packages-")
    python = packages.install(code, Path(folder) / "python", environment.python())
    again = os.environ | {INSTALLED: folder}
    os.execve(python, [python, "-P", "-m", "algoport.containers.scripts", "serve"], again)  # noqa: S606  (no shell)
