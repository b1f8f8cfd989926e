"""`algoport-run`, the entrypoint of every image: the first word says what to do.

`train`, `serve`, `describe` and `validate` are the platform's own; any other word is a program to execute, so
that `docker run IMAGE bash` and the entry points of script mode work.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path


def main() -> int:
    """Do what the command line says; its exit code."""
    word, *rest = sys.argv[1:] or ["train"]
    known = _WORDS.get(word)
    if known is None:
        return execute([word, *rest])
    return known([word, *rest])


def _train(words: Sequence[str]) -> int:
    sentence = unmounted(_base(), "input", "train")
    if sentence:
        return _refuse(sentence)
    sys.argv = list(words)
    from algoport.training.__main__ import main as train

    return train() or 0


def _serve(words: Sequence[str]) -> int:
    many = os.environ.get("SAGEMAKER_MULTI_MODEL", "").lower() in ("true", "1")
    sentence = None if many else unmounted(_base(), "model", "serve")
    if sentence:
        return _refuse(sentence)
    sys.argv = list(words)
    from algoport.serving.__main__ import main as serve

    return serve() or 0


def _describe(words: Sequence[str]) -> int:
    from algoport.containers.jobs.describe import main as describe

    return describe(words[1:])


def _validate(words: Sequence[str]) -> int:
    sentence = unmounted(_base(), "input", "validate")
    if sentence:
        return _refuse(sentence)
    from algoport.containers.jobs.validate import main as validate

    return validate(words[1:])


def execute(words: Sequence[str]) -> int:
    """Become that program; the shells' exit codes where there is none, or none that can be started."""
    program = shutil.which(words[0])
    if program is None:
        known = ", ".join(_WORDS)
        print(f"There is no program '{words[0]}' in this image, and it is none of {known}.", file=sys.stderr)
        return 127
    try:
        os.execv(program, list(words))  # noqa: S606  (the user's own words, and no shell)
    except OSError as error:
        print(f"{program}: cannot be started: {error.strerror}.", file=sys.stderr)
        return 126


def unmounted(base: Path, folder: str, word: str) -> str | None:
    """A sentence where the job's folder is not there, which is what a forgotten or mistyped mount looks like."""
    if (base / folder).is_dir():
        return None
    how = f"docker run -v FOLDER:{base} IMAGE {word}, where FOLDER holds {folder}/"
    if not base.is_dir():
        return f"{base}: nothing is mounted here. Start with {how}."
    if not any(base.iterdir()):
        return (
            f"{base}: is empty. Docker makes an empty folder of a path that it does not find: "
            f"check the spelling, and start with {how}."
        )
    entries = ", ".join(sorted(entry.name for entry in base.iterdir())[:5])
    return f"{base / folder}: is missing; {base} holds {entries}. Start with {how}."


def _refuse(sentence: str) -> int:
    """Exit code 2, with the sentence in the log and, where that can be written, in the failure file."""
    sentence = f"ClientError: {sentence}"
    print(sentence, file=sys.stderr, flush=True)
    failure = _base() / "output" / "failure"
    try:
        if _base().is_dir() and not failure.exists():
            failure.parent.mkdir(exist_ok=True)
            failure.write_text(sentence)
            from algoport.training.places import Places, hand_over

            hand_over([Places(_base()).output])
    except OSError:
        pass  # a read-only or absent mount; the log has the sentence
    return 2


def _base() -> Path:
    return Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))


_WORDS: dict[str, Callable[[Sequence[str]], int]] = {
    "train": _train,
    "serve": _serve,
    "describe": _describe,
    "validate": _validate,
}

if __name__ == "__main__":
    sys.exit(main())
