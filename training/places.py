"""Where a job finds its input and leaves what it makes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from algoport.algorithms.contract.errors import PlatformError


@dataclass(frozen=True)
class Places:
    """The folders below `/opt/ml`, or below `SAGEMAKER_BASE_DIR`."""

    base: Path

    @classmethod
    def from_environment(cls) -> Places:
        """The folder that the environment names."""
        return cls(Path(os.environ.get("SAGEMAKER_BASE_DIR") or "/opt/ml"))

    @property
    def config(self) -> Path:
        """The JSON files that describe the job."""
        return self.base / "input" / "config"

    @property
    def data(self) -> Path:
        """A folder or a numbered pipe for each channel, and strays."""
        return self.base / "input" / "data"

    @property
    def model(self) -> Path:
        """What becomes the model archive."""
        return self.base / "model"

    @property
    def output(self) -> Path:
        """`data`, which becomes the output archive, and `failure`."""
        return self.base / "output"

    @property
    def failure(self) -> Path:
        """The sentence that says why the job failed."""
        return self.output / "failure"

    @property
    def checkpoints(self) -> Path:
        """Where checkpoints lie unless `checkpointconfig.json` names another folder."""
        return self.base / "checkpoints"

    @property
    def unmounted(self) -> str:
        """What to say where there is no input at all."""
        base = self.base
        return f"There is no {base}/input: mount the folder of the job, as in docker run -v $PWD/job:{base} …"

    def outputs(self) -> list[Path]:
        """The folders in which a job writes."""
        return [self.model, self.output, self.checkpoints]


def require_writable(folder: Path) -> None:
    """`PlatformError` where a job could not write into the folder, which it would else find after hours.

    A file is made and removed, in the folder or, where there is none yet, in the nearest that there is.
    """
    if folder.exists() and not folder.is_dir():
        raise PlatformError(f"{folder}: must be a folder; it is a file.")
    nearest = folder
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    probe = nearest / f".writable-{os.getpid()}"
    try:
        with open(probe, "xb"):
            pass
        probe.unlink()
    except OSError as error:
        raise PlatformError(
            f"{folder}: must be a folder that user {os.geteuid()} can write to; it is not: {error.strerror or error}."
        ) from None


def hand_over(folders: list[Path]) -> None:
    """Give what root has written to the owner of the folder that was mounted.

    A folder mounted by a user must not be left with files that this user cannot delete, nor with folders that
    were made in it. Where the owner is root, as on the platform itself, nothing happens. Never fails a job.
    """
    if os.geteuid() != 0:
        return
    for folder in folders:
        owner = _owner(folder)
        if owner is None:
            continue
        _hand_over(str(folder), owner.st_uid, owner.st_gid)
        for root, inner, files in os.walk(folder):
            for name in (*inner, *files):
                _hand_over(os.path.join(root, name), owner.st_uid, owner.st_gid)


def _owner(folder: Path) -> os.stat_result | None:
    """Whose the folder is or, where it is root's, the one that it was made in; None where both are root's."""
    try:
        stats = [place.stat() for place in (folder, folder.parent)]
    except OSError:
        return None
    return next((one for one in stats if one.st_uid != 0), None)


def _hand_over(path: str, user: int, group: int) -> None:
    try:
        if os.lstat(path).st_uid == 0:
            os.lchown(path, user, group)
    except OSError:  # gone meanwhile, or a file system that knows no owners
        return
