"""The commands by name. Each subject is a module beside this one; a mistake is one sentence and exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import typer

from algoport.algorithms.contract.errors import AlgoportError
from algoport.containers.cli import answer, images, job, look, make

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
    "serve": answer.serve,
    "predict": answer.predict,
    "warm-up": make.warm_up,
    "build": make.build,
    "new": make.new,
    "images": images.images,
    "export": answer.export,
}
for _name, _command in _COMMANDS.items():
    app.command(_name)(_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    try:
        return int(app(arguments, standalone_mode=False) or 0)
    except AlgoportError as error:
        print("\n".join(error.findings), file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        # typer's own usage errors: of click, or of the copy of it that newer releases carry
        message = getattr(error, "format_message", None)
        if message is None:
            raise
        sentence = message().rstrip(".")
        stop = "" if sentence.endswith("?") else "."
        words = getattr(getattr(error, "ctx", None), "info_name", None)
        command = f"algoport {words}" if words in _COMMANDS else "algoport"
        print(f"{sentence}{stop} See {command} --help.", file=sys.stderr)
        return 2
