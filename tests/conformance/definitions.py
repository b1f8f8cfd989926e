"""The metric definitions with which jobs of the originals are read, and what they read in a log."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from algoport import algorithms

# Figures of the platform, which are no metrics of the algorithm.
PROGRESS, THROUGHPUT = "train:progress", "train:throughput"


@dataclass(frozen=True)
class Definition:
    """A name and the expression whose first group is the value."""

    name: str
    regex: str

    def read(self, lines: Sequence[str]) -> list[float]:
        """The values that the service finds in lines: it sees #011 for a tab."""
        matches = (re.search(self.regex, line.replace("\t", "#011")) for line in lines)
        return [float(match.group(1).partition("#011")[0]) for match in matches if match]


@dataclass(frozen=True)
class JobLog:
    """The lines that jobs of an algorithm have logged, and the metrics that were reported to them."""

    lines: list[str]
    history: list[dict[str, Any]]

    def reported(self, name: str) -> list[float]:
        """The values of a metric in the order in which they came, but those that are not finite."""
        return [float(entry["value"]) for entry in self.history if entry["metric"] == name]

    def wanted(self, name: str) -> list[float]:
        """What a definition of that name is to find: figures within epochs, or those at the end of something."""
        within = name.endswith(":batch")
        short = name.removesuffix(":epoch").removesuffix(":batch")
        entries = [entry for entry in self.history if entry["metric"] == short]
        return [float(entry["value"]) for entry in entries if (entry["batch"] is not None) == within]


def published(name: str) -> Iterator[Definition]:
    """The original's definitions, as far as they are known: `definitions.yaml` of the algorithm's folder."""
    for entry in _published(name):
        for full in entry["names"]:
            channel, _, metric = full.partition(":")
            regex = entry["regex"].replace("CHANNEL", channel).replace("METRIC", re.escape(metric))
            yield Definition(name=full, regex=regex)


@cache
def _published(name: str) -> Sequence[Mapping[str, Any]]:
    path = algorithms.folder(name) / "definitions.yaml"
    return yaml.safe_load(path.read_text()) if path.is_file() else ()
