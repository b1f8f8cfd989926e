"""Two runs of the same benchmarks on the same machine, row by row: has anything become slower?

    python -m benchmarks.compare BEFORE AFTER      two files of results, or two folders of them

The ratio is the time after over the time before: below 1 is faster. The peer's ratio beside it is how much the machine
itself differed between the runs, since the peer is the same program both times. A row counts as slower where its
fastest lap after took longer than its slowest lap before, by a tenth where there was but one. Results of different
machines, flags or levels of kernels are not compared; older files, which name no flags, are taken by the processor's
name and the number of cores.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import record


class NotComparable(Exception):
    """Two results that say nothing about each other, and why."""


@dataclass(frozen=True)
class Pair:
    """A row of both runs."""

    case: str
    peer: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]

    @property
    def ratio(self) -> float:
        """Our time after over our time before."""
        return float(self.after["ours_s"] / self.before["ours_s"])

    @property
    def peer_ratio(self) -> float | None:
        """The same of the peer; None where there is none."""
        before, after = self.before["peer_s"], self.after["peer_s"]
        return float(after / before) if before and after else None

    @property
    def slower(self) -> bool:
        """Whether the laps do not even touch; a single lap has no range and is allowed a tenth."""
        least, most = self.before["ours_range"]
        return bool(self.after["ours_range"][0] > (most if most > least else 1.1 * most))


def main(arguments: Sequence[str] | None = None) -> int:
    """Show; 0 whatever the rows say, 2 where nothing can be compared."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    options = parser.parse_args(arguments)
    codes = []
    try:
        for before, after in files(options.before, options.after):
            codes.append(_compared(before, after))
    except NotComparable as reason:
        print(reason, file=sys.stderr)
        return 2
    return max(codes)


def files(before: Path, after: Path) -> list[tuple[Path, Path]]:
    """The files to compare with each other: the two, or those of one name in two folders."""
    if before.is_dir() and after.is_dir():
        names = sorted({path.name for path in before.glob("*.json")} & {path.name for path in after.glob("*.json")})
        if not names:
            raise NotComparable(f"{before} and {after}: no file of results has the same name in both.")
        return [(before / name, after / name) for name in names]
    for path in (before, after):
        if not path.is_file():
            raise NotComparable(f"{path}: must be a file of results, or both must be folders of them.")
    return [(before, after)]


def pairs(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[list[Pair], list[str]]:
    """The timed rows that both have, and what is left out, in words. Refused where one was measured elsewhere."""
    olds, news = ({(row["case"], row["peer"]): row for row in _time(results)} for results in (before, after))
    both = [Pair(*key, old, news[key]) for key, old in olds.items() if key in news]
    for pair in both:
        other = record.difference(record.facts_of(pair.before, before), record.facts_of(pair.after, after))
        if other:
            raise NotComparable(f"{pair.case}, {pair.peer}: not comparable, {other}.")
    left = [f"only before: {case}, {peer}" for case, peer in olds if (case, peer) not in news]
    return both, left + [f"only after: {case}, {peer}" for case, peer in news if (case, peer) not in olds]


def _time(results: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [row for row in results["rows"] if row.get("ours_s") and row.get("ours_range")]


def _compared(before: Path, after: Path) -> int:
    old, new = record.read(before), record.read(after)
    try:
        both, left = pairs(old, new)
    except NotComparable as reason:
        print(f"{before.name}: {reason}", file=sys.stderr)
        return 2
    print(f"\n### {before.stem}: {old['date']} and {new['date']}, {new['machine']}, {new['cores']} cores")
    changed = _versions(old.get("versions", {}), new.get("versions", {}))
    print(f"\nOther versions: {', '.join(changed)}" if changed else "")
    print("| case | peer | before, s (range) | after, s (range) | ratio | peer's |\n|---|---|---|---|--:|--:|")
    for pair in both:
        ratio = f"**{pair.ratio:.3f} slower**" if pair.slower else f"{pair.ratio:.3f}"
        peer = "" if pair.peer_ratio is None else f"{pair.peer_ratio:.3f}"
        print(f"| {pair.case} | {pair.peer} | {_laps(pair.before)} | {_laps(pair.after)} | {ratio} | {peer} |")
    print("".join(f"\n{line}" for line in left))
    slower = [pair for pair in both if pair.slower]
    print(f"{len(both)} rows compared, {len(slower)} slower beyond their ranges.")
    return 0


def _laps(row: Mapping[str, Any]) -> str:
    least, most = row["ours_range"]
    return f"{row['ours_s']:.4g} ({least:.4g}-{most:.4g})"


def _versions(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    names = sorted({*before, *after})
    return [f"{n} {before.get(n)} -> {after.get(n)}" for n in names if before.get(n) != after.get(n)]


if __name__ == "__main__":
    sys.exit(main())
