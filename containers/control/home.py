"""The folder in which this user's jobs are recorded: the store, the lock and the log of the control process."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "ALGOPORT_HOME"


@dataclass(frozen=True)
class Home:
    """Where everything lies that outlives a command."""

    folder: Path

    @classmethod
    def from_environment(cls) -> Home:
        """That of `ALGOPORT_HOME`, else `.algoport` in the user's own folder; it is made where it is missing."""
        given = os.environ.get(VARIABLE)
        home = cls((Path(given).expanduser() if given else Path.home() / ".algoport").absolute())
        home.folder.mkdir(parents=True, exist_ok=True)
        return home

    @property
    def store(self) -> Path:
        """The database."""
        return self.folder / "control.db"

    @property
    def lock(self) -> Path:
        """The file that the control process has locked while it lives."""
        return self.folder / "control.lock"

    @property
    def log(self) -> Path:
        """What control processes had to say."""
        return self.folder / "control.log"

    @property
    def jobs(self) -> Path:
        """Where the folders of jobs lie for which nobody has named a place."""
        return self.folder / "jobs"

    @property
    def endpoints(self) -> Path:
        """A folder for each endpoint: its lock, its logs, where the process that runs it can be reached."""
        return self.folder / "endpoints"

    @property
    def prices(self) -> Path:
        """The user's own table of prices, where there is one."""
        return self.folder / "prices.json"

    @property
    def buckets(self) -> Path:
        """Folders that stand for buckets: `s3://BUCKET/KEY` is `buckets/BUCKET/KEY`."""
        return self.folder / "buckets"
