"""The user's code: from a folder or an archive to the folder in which it runs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path, PurePosixPath

from algoport.algorithms.contract.errors import PlatformError, UserError
from algoport.training import artifacts

ARCHIVES = (".tar.gz", ".tgz", ".tar")


def checked_entry(entry: object) -> str:
    """The program's path below the folder of the code; `UserError` where it is none or leads out of it."""
    if not isinstance(entry, str) or not entry.strip() or "\0" in entry:
        raise UserError(
            "sagemaker_program: must name the program to run, relative to its folder, as in train.py; it is "
            f"{'missing' if not entry else repr(str(entry)[:80])}. The variable SAGEMAKER_PROGRAM does as well."
        )
    path = PurePosixPath(entry.strip())
    if path.is_absolute() or ".." in path.parts:
        raise UserError(f"sagemaker_program: must lie below the folder of the code; it is {entry[:80]!r}.")
    return str(path)


def provide(code: Path, submitted: str) -> None:
    """See that the folder has the code: as it is if it holds anything, else fetched from the folder or the archive
    that was submitted. `UserError` where there is nothing to be fetched."""
    if code.is_dir() and any(code.iterdir()):
        return
    place = Path(submitted.removeprefix("file://"))
    if not submitted or place == code:
        raise UserError(f"{code}: holds no code, and sagemaker_submit_directory names none.")
    if "://" in submitted and not submitted.startswith("file://"):
        raise UserError(
            f"sagemaker_submit_directory: is {submitted[:200]!r}, which is not on this machine, and {code} is empty; "
            "put the code there, or name a folder or an archive by its path or by file://."
        )
    if place.is_dir():
        _copy(place, code)
    elif place.is_file() and place.name.endswith(ARCHIVES):
        try:
            code.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(code, error) from None
        artifacts.extract(place, code)
    elif place.exists():
        raise UserError(f"{place}: must be a folder or an archive ({', '.join(ARCHIVES)}).")
    else:
        raise UserError(f"sagemaker_submit_directory: there is nothing at {place}.")


def _copy(place: Path, code: Path) -> None:
    """Files and folders as they are, links as what they lead to."""
    try:
        shutil.copytree(place, code, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", ".git"))
    except shutil.Error as error:
        source, _, why = error.args[0][0]
        raise UserError(f"{source}: cannot be copied to {code}: {why}.") from None
    except OSError as error:
        raise _unwritable(code, error) from None


def _unwritable(code: Path, error: OSError) -> PlatformError:
    return PlatformError(f"{code}: the code cannot be put there as user {os.geteuid()}: {error.strerror or error}.")
