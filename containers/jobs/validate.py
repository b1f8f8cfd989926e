"""`validate`: what a job would find wrong with its settings and data, in seconds: the same checks, and no model."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from algoport.algorithms.contract import kinds
from algoport.algorithms.contract.errors import AlgoportError, UserError
from algoport.algorithms.contract.group import Alone
from algoport.containers.jobs import trial
from algoport.training import artifacts, configuration, environment
from algoport.training.channels import Channel, inspection
from algoport.training.channels.opening import MODEL, SILENT, Opening, check
from algoport.training.configuration import Configuration
from algoport.training.places import Places
from algoport.training.run import Parts

SECONDS = 10.0
ROWS = 5000  # looked at between two looks at the clock
PICTURES = 100  # the same of records of which each is inspected


@dataclass
class Findings:
    """Sentences on what must be corrected, and on what was seen to be right."""

    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def findings(name: str, folder: Path, seconds: float = SECONDS, *, settings_only: bool = False) -> Findings:
    """Check the job in an ml folder as `train` would, then read its channels for that long at most.

    The first records of every channel are read in any case. Pipes are left alone, as they can be read but once.
    """
    report = Findings(faults=environment.faults())
    try:
        parts = Parts.of(name)
        places = Places(folder)
        job = configuration.read(places, parts.declaration, lambda channels: check(channels, parts.algorithm))
        report.notes.append(f"Settings: {len(job.settings.effective())}, all valid.")
        report.notes += job.settings.notices()
        if not settings_only:
            _unread(job, parts, report)
            _read(places, job, parts, seconds, report)
    except UserError as error:
        report.faults += error.findings
    return report


def _unread(job: Configuration, parts: Parts, report: Findings) -> None:
    names = [channel.name for channel in parts.algorithm.channels]
    for name in job.channels:
        if name not in names and name not in SILENT:
            report.notes.append(f"Channel '{name}': is not one that this algorithm reads; it reads {', '.join(names)}.")


def _read(places: Places, job: Configuration, parts: Parts, seconds: float, report: Findings) -> None:
    """Every channel in turn, each with an equal part of the time that is left."""
    start_time = time.monotonic()
    start = None
    if MODEL in job.channels:
        start = artifacts.start(places.data / MODEL, parts.load)
        report.notes.append(
            "Channel 'model': there is a model to start from." if start else "Channel 'model': is empty."
        )
    opening = Opening(places, job, parts.algorithm, Alone(), say=report.notes.append)
    sources = list(opening.sources().values())
    report.notes += [
        f"Channel '{files.channel}': {'is a pipe' if files.nameless else ', '.join(files.names)}; for the algorithm."
        for files in opening.files().values()
    ]
    whole = True
    for number, source in enumerate(sources):
        left = max(0.0, seconds - (time.monotonic() - start_time))
        try:
            scan = _scan(source, left / (len(sources) - number))
        except UserError as error:
            report.faults += error.findings
            continue
        report.notes += [*scan.remarks, scan.sentence]
        whole = whole and scan.whole
    if report.faults:
        return
    if not whole:
        report.notes.append("What the algorithm asks of all records together was not checked, as not all were read.")
        return
    report.faults += trial.findings(places, job, parts, start, seconds)


@dataclass(frozen=True)
class _Scan:
    """What was seen of a channel."""

    sentence: str
    whole: bool  # whether that was all of it
    remarks: tuple[str, ...] = ()  # on records that can be read and are not as they should be


def _scan(source: Channel, seconds: float) -> _Scan:
    if source.is_piped:
        return _Scan(f"Channel '{source.name}': is a pipe, which can be read but once; not read.", whole=False)
    end, rows = time.monotonic() + seconds, 0
    whole = True
    look = inspection.inspector(source.kind)
    inspected = inspection.Inspection(source.name, kinds.find(source.kind).noun)
    for batch in source.batches(ROWS if look is None else PICTURES):
        rows += len(batch)
        if look is not None:
            inspected.add(batch, look)
        if time.monotonic() > end:
            whole = source.rows == rows
            break
    inspected.check()
    kind = kinds.find(source.kind)
    noun = kind.noun
    seen = f"{rows:,} {noun}" if whole else f"the first {rows:,} {noun}"
    wide = f" of {source.width} {kind.columns}" if kind.columns else ""
    passed = source.summary.passed_over()
    sentence = f"Channel '{source.name}': {seen}{wide}, all readable. {source.summary.source()}. {passed}".rstrip()
    return _Scan(sentence, whole, tuple(inspected.remarks()))


def main(arguments: Sequence[str] | None = None) -> int:
    """The image's command: checks what is mounted; 0, or 2 where something must be corrected."""
    parser = argparse.ArgumentParser(prog="validate", description="Check settings and data without training.")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long to read the data for, at most")
    given = parser.parse_args(arguments)
    try:
        report = findings(configuration.named_algorithm(), Places.from_environment().base, given.seconds)
    except AlgoportError as error:
        report = Findings(faults=error.findings)
    print("\n".join(report.notes))
    print("\n".join(f"ClientError: {fault}" for fault in report.faults), file=sys.stderr)
    return 2 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
