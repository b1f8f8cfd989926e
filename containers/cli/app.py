"""The commands by name. Each subject is a module beside this one; a mistake is one sentence and exit code 2."""

from __future__ import annotations

import errno
import math
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import typer
import typer.core

from algoport.algorithms.contract.errors import AlgoportError, PlatformError, UserError
from algoport.containers.cli import (
    answer,
    control,
    deploy,
    images,
    job,
    label,
    look,
    make,
    pipeline,
    process,
    render,
    script,
    text,
    transform,
    tune,
)

app = typer.Typer(
    name="algoport",
    help="Machine-learning algorithms that train and serve: on this machine, or as containers.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

_COMMANDS: dict[str, Callable[..., Any]] = {
    "list": look.listing,
    "describe": look.describe,
    "validate": job.validate,
    "train": job.train,
    "run": script.run,
    "process": process.process,
    "tune": tune.tune,
    "jobs": control.jobs,
    "logs": control.logs,
    "stop": control.stop,
    "serve": answer.serve,
    "predict": answer.predict,
    "deploy": deploy.deploy,
    "transform": transform.transform,
    "pipeline": pipeline.pipeline,
    "warm-up": make.warm_up,
    "build": make.build,
    "new": make.new,
    "images": images.images,
    "label": label.label,
    "export": answer.export,
    "text": text.text,
}


class _Command(typer.core.TyperCommand):
    """A command none of whose numbers is infinite, or none at all: such a limit would be none."""

    def parse_args(self, context: Any, words: list[str]) -> list[str]:
        """The words left over; `UserError` where an option has no number."""
        rest: list[str] = super().parse_args(context, words)
        for parameter in self.params:
            value = context.params.get(parameter.name)
            if isinstance(value, float) and not math.isfinite(value):
                raise UserError(f"{parameter.opts[0]}: must be a number; it is {value}.")
        return rest


for _name, _command in _COMMANDS.items():
    app.command(_name, cls=_Command)(_command)
app.add_typer(render.render, name="render")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    try:
        code = int(app(arguments, standalone_mode=False) or 0)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read this wants no more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1  # as typer does
    except Exception as error:
        known = _known(error)
        if known is None:
            raise
        print("\n".join(known.findings), file=sys.stderr)
        return known.code


# What a command needs beyond the package itself, by the name of the extra.
_EXTRAS = {"control": ("httptools", "optuna", "uvicorn", "uvloop"), "cli": ("matplotlib", "yaml", "rich", "urllib3")}
# Errors of a path, which a user has given.
_PATHS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST}
_PATHS |= {errno.ENAMETOOLONG, errno.ELOOP, errno.ENXIO, errno.ENODEV, errno.EINVAL}


def _known(error: Exception) -> AlgoportError | None:
    """The error in sentences; None where it is a bug."""
    if isinstance(error, AlgoportError):
        return error
    if isinstance(error, OSError):
        return _of_a_path(error)
    if isinstance(error, ModuleNotFoundError):
        extra = next((extra for extra, names in _EXTRAS.items() if error.name in names), None)
        return None if extra is None else UserError(f"This needs {error.name}: pip install 'algoport[{extra}]'.")
    # typer's own usage errors: of click, or of the copy of it that newer releases carry
    message = getattr(error, "format_message", None)
    if message is None:
        return None
    sentence = message().rstrip(".")
    stop = "" if sentence.endswith("?") else "."
    return UserError(f"{sentence}{stop} See {_words(getattr(error, 'ctx', None))} --help.")


def _of_a_path(error: OSError) -> AlgoportError | None:
    place = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return PlatformError(f"{place or 'Disk'}: no space is left on its device.")
    if not place or error.errno not in _PATHS:
        return None
    return UserError(f"{place}: {(error.strerror or 'cannot be used').lower()}, for user {os.geteuid()}.")


def _words(context: Any) -> str:
    """The words of the command that was misused, as far as they were understood."""
    words: list[str] = []
    while context is not None and context.parent is not None:
        words.insert(0, context.info_name)
        context = context.parent
    return " ".join(["algoport", *words])
