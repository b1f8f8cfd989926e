"""What a job reports: lines that programs look for in the log, and the files of `output/data`."""

from __future__ import annotations

import json
import re
import string
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from algoport.algorithms.contract import Algorithm, Metric, Reporter
from algoport.algorithms.shared.machine import peak_memory
from algoport.training import environment, log, tables

INTERVAL = 10.0  # seconds between lines of progress; ALGOPORT_PROGRESS_INTERVAL
# How a line names its epoch, by whether the metric's lines do.
_EPOCH = {None: r"(?:epoch=\d+, )?", True: r"epoch=\d+, ", False: ""}
_SPELLED = {None: r"(?:epoch: \d+, )?", True: r"epoch: \d+, ", False: ""}
_BRACKETED = {None: r"(?:Epoch\[\d+\] )?", True: r"Epoch\[\d+\] ", False: ""}
_BATCH = {None: r"(?:batch=\d+, )?", True: r"batch=\d+, ", False: ""}
_BARE = {None: r"(?:batch=\d+ )?", True: r"batch=\d+ ", False: ""}
TRAIN = "train"  # the channel of which lines of progress tell
TRAINING = "training"  # the phase of the passes over the data
MOST_HISTORY = 100_000  # entries that metrics.json keeps; the log has them all


def definitions(algorithm: Algorithm) -> list[dict[str, str]]:
    """For each metric its name and the regular expression whose first group is the value in the log."""
    return [{"Name": metric.name, "Regex": _regex(algorithm, metric)} for metric in algorithm.metrics]


def _regex(algorithm: Algorithm, metric: Metric) -> str:
    """The template of the lines, with what varies from line to line left open."""
    pieces = {
        "host": r"\S+",
        "epoch": _EPOCH[metric.epochs],
        "spelled": _SPELLED[metric.epochs],
        "Epoch": _BRACKETED[metric.epochs],
        "batch": _BATCH[metric.batches],
        "Batch": _BARE[metric.batches],
        "channel": re.escape(metric.channel),
        "Channel": re.escape(metric.channel.capitalize()),
        "metric": r"\S+".join(map(re.escape, (metric.written or metric.short).split("*"))),
        "kind": re.escape(metric.kind),
        "value": r"([^\s#]+)" if algorithm.round_line else r"(\S+)",  # the next figure stands behind a tab, or #011
    }
    figure = _pattern(algorithm.quality_line, pieces)
    if not algorithm.round_line:
        return figure
    return _pattern(algorithm.round_line, {"round": r"\d+", "figures": ".*" + figure})


def _pattern(template: str, pieces: Mapping[str, str]) -> str:
    """A template as a regular expression. A tab is also what the platform's log viewer makes of it."""
    whole = ""
    for literal, name, _, _ in string.Formatter().parse(template):
        # re.escape would write "\ " and "\=", which are longer and mean the same.
        whole += re.sub(r"([.^$*+?{}\[\]\\|()])", r"\\\1", literal).replace("\t", r"(?:\t|#011)")
        whole += pieces[name] if name else ""
    return whole


@dataclass
class _Pass:
    """One pass over a channel so far."""

    rows: int = 0
    batches: int = 0
    share: float | None = None  # of the pass, where it is known


@dataclass
class Metrics:
    """Where a job's figures go. Of several members only the first one's are printed and kept."""

    algorithm: Algorithm
    host: str
    folder: Path
    first: bool = True
    speaks: bool = True  # whether it is this member that says how fast its host is
    epochs: int | None = None  # passes that the settings ask for, to know how much is left
    history: list[dict[str, Any]] = field(default_factory=list)
    latest: dict[str, float] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    _interval: float = field(default_factory=lambda: environment.seconds("ALGOPORT_PROGRESS_INTERVAL", INTERVAL))
    _passes: dict[str, _Pass] = field(default_factory=dict)
    _resets: dict[str, int] = field(default_factory=dict)
    _epoch: int = 0
    _examples: int = 0  # that an algorithm counts for itself
    _start_time: float = field(default_factory=time.time)
    _clock: float = field(default_factory=time.monotonic)  # since when, for what is measured: clocks are set
    _training: float = field(default_factory=time.monotonic)  # since when rows are counted by the second
    _last: float = field(default_factory=time.monotonic)
    _epoch_begun: float = field(default_factory=time.time)
    _epoch_clock: float = field(default_factory=time.monotonic)

    def reporter(self) -> Reporter:
        """What an algorithm says its figures with."""
        return Reporter(
            report=self.report,
            figures=self.figures,
            note=log.note,
            progress=self.progress,
            examples=self.examples,
            throughput=lambda count, seconds: self._speed(TRAIN, count, seconds),
            keep=self.keep,
            host=self.host,
        )

    def report(
        self,
        values: Mapping[str, float],
        *,
        epoch: int | None = None,
        batch: int | None = None,
        written: Mapping[str, str] | None = None,
    ) -> None:
        """Print and keep figures: {"train:msd": 1.5}, of an epoch where they belong to one; `written`: their names in
        the log where these vary."""
        lines = []
        for name, value in values.items():
            self.latest[name] = float(value)
            if len(self.history) < MOST_HISTORY:
                entry = {"time": round(time.time(), 3), "epoch": epoch, "batch": batch}
                self.history.append({**entry, "metric": name, "value": float(value)})
            lines.append(self._line(name, (written or {}).get(name), float(value), epoch, batch))
        if self.algorithm.round_line and epoch is not None:
            lines = [self.algorithm.round_line.format(round=epoch, figures="".join(lines))]
        for line in lines if self.first else ():
            log.line(line)

    def _line(self, name: str, written: str | None, value: float, epoch: int | None, batch: int | None) -> str:
        channel, _, short = name.partition(":")
        metric = self.algorithm.metric(name)
        known = metric.written if metric and "*" not in metric.written else ""
        return self.algorithm.quality_line.format(
            host=self.host,
            epoch="" if epoch is None else f"epoch={epoch}, ",
            spelled="" if epoch is None else f"epoch: {epoch}, ",
            Epoch="" if epoch is None else f"Epoch[{epoch}] ",
            batch="" if batch is None else f"batch={batch}, ",
            Batch="" if batch is None else f"batch={batch} ",
            channel=channel,
            Channel=channel.capitalize(),
            metric=written or known or short,
            kind=metric.kind if metric else "loss",
            value=value,
        )

    def figures(self, values: Mapping[str, float], **dimensions: Any) -> None:
        """A `#metrics` line of figures that are no metrics, with what they are of: figures({"loss": 1.5}, model=3)."""
        self._emit(values, self._epoch_begun, **dimensions)

    def progress(self, done: float, of: float, unit: str = "epochs") -> None:
        """Take how far the job is; log it every ten seconds, and when all is done. Rows are counted by the channels."""
        if unit == "epochs":
            self._epoch, self.epochs = int(done), int(of)
            self._totals(self._epoch - 1)
        if self.first:
            log.line(f"#progress_metric: host={self.host}, completed {100 * done / of:.1f} % of {unit}")
        self._say()

    def used(self, channel: str, rows: int, share: float | None) -> None:
        """So many more rows of a channel were handed out, which is that share of its pass."""
        current = self._passes.setdefault(channel, _Pass())
        current.rows += rows
        current.batches += 1
        current.share = share
        self.rows[channel] = self.rows.get(channel, 0) + rows
        self._say()

    def examples(self, count: int, epochs: int | None = None) -> None:
        """So many more examples were learned from, of records that the algorithm has in memory; from then on these are
        the records of the lines of progress, which thus tell of the same as those of throughput."""
        self._examples += count
        self._epoch = self._epoch if epochs is None else epochs
        self._say()

    def passed(self, channel: str, rows: int, seconds: float) -> None:
        """A pass over a channel is over."""
        self._passes[channel] = _Pass()
        self._resets[channel] = self._resets.get(channel, 0) + 1
        self._speed(channel, rows, seconds)

    def _speed(self, channel: str, rows: int, seconds: float) -> None:
        if not self.speaks:
            return
        speed = rows / max(seconds, 1e-9)
        log.line(f"#throughput_metric: host={self.host}, {channel} throughput={speed:.1f} records/second")

    def _say(self) -> None:
        now = time.monotonic()
        if now - self._last < self._interval:
            return
        self._last = now
        channel = max(self.rows, key=lambda name: self.rows[name], default=None)
        if channel is None:
            return
        total, spent = self.rows[channel], now - self._training
        if self._examples:
            channel, total = TRAIN, self._examples
        where = f"epoch {min(self._epoch + 1, self.epochs)} of {self.epochs}, " if self.epochs else ""
        left = self._left(channel, spent)
        log.note(f"{where}{total:,} {channel} rows, {total / spent:,.0f} rows/s{left}")

    def _left(self, channel: str, spent: float) -> str:
        share = 0.0 if self._examples else self._passes.get(channel, _Pass()).share
        if not self.epochs or share is None:
            return ""
        done = (self._epoch + min(share, 1.0)) / self.epochs
        return f", about {_span(spent * (1 - done) / done)} left" if 0 < done < 1 else ""

    def _totals(self, epoch: int) -> None:
        """The `#metrics` line of an epoch that is over."""
        figures = {"epochs": 1.0}
        for channel, total in (self.rows | ({TRAIN: self._examples} if self._examples else {})).items():
            figures[f"{channel} Total Records Seen"] = float(total)
        figures["update.time"] = 1000 * (time.monotonic() - self._epoch_clock)
        self._emit(figures, self._epoch_begun, epoch=epoch)
        self._epoch_begun, self._epoch_clock = time.time(), time.monotonic()

    def _emit(self, figures: Mapping[str, float], since: float, **more: Any) -> None:
        if not self.first:
            return
        dimensions = {"Algorithm": self.algorithm.log_name, "Host": self.host, "Operation": "training", **more}
        whole = {
            "StartTime": round(since, 6),
            "EndTime": round(time.time(), 6),
            "Dimensions": dimensions,
            "Metrics": {name: {"sum": v, "count": 1, "min": v, "max": v} for name, v in figures.items()},
        }
        log.line(f"#metrics {json.dumps(whole)}")

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the seconds of a part of the job. Passes over the data begin with that of training."""
        start_time = time.monotonic()
        if name == TRAINING:
            self._training = self._last = self._epoch_clock = start_time
            self._epoch_begun = time.time()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - start_time

    def keep(self, name: str, what: Any) -> None:
        """Leave a table or a figure in `output/data`."""
        if self.first:
            _unless_unwritable(lambda: tables.write(self.folder, name, what), self.folder)

    def close(self, settings: Mapping[str, Any]) -> None:
        """Print the totals, and write `metrics.json` and the history as a table."""
        peak = peak_memory()
        times = {f"{name}.time": 1000 * seconds for name, seconds in self.seconds.items()}
        total = 1000 * (time.monotonic() - self._clock)
        self._emit({**times, "totaltime": total, "peak.memory": float(peak)}, self._start_time)
        phases = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.seconds.items())
        log.note(f"Time: {phases}. Peak memory: {peak / 2**20:,.0f} MiB.")
        if not self.first:
            return
        goals = {metric.name: metric.goal for metric in self.algorithm.metrics}
        whole = {
            "algorithm": self.algorithm.name,
            "metrics": {name: {"value": value, "goal": goals.get(name)} for name, value in self.latest.items()},
            "history": self.history,
            "rows": self.rows,
            "seconds": {name: round(seconds, 3) for name, seconds in self.seconds.items()},
            "peak_memory_bytes": peak,
            "hyperparameters": dict(settings),
        }
        self.keep("metrics.json", whole)
        names = ("time", "epoch", "batch", "metric", "value")
        self.keep("metrics.csv", {column: [entry[column] for entry in self.history] for column in names})


def _unless_unwritable(act: Any, folder: Path) -> None:
    """Figures are no reason to lose a model."""
    try:
        act()
    except OSError as error:
        log.warn(f"{folder}: cannot be written: {error.strerror or error}.")


def _span(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"
