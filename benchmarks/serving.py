"""How many requests a server answers and how soon, with wrk on the same machine, beside MLServer.

    python -m benchmarks.serving [--seconds 10] [--overload 60] [--only kmeans] [--json] [--keep]

Needs `wrk` (Debian's package) and, for the peer, MLServer in an environment of its own (`make bench-mlserver`); without
it our rows stand alone. Both serve K-Means of scikit-learn's digits, from as many workers as there are cores, and are
asked about the same rows: ours in CSV and in its JSON, MLServer in its own JSON. XGBoost with 100 trees, DeepAR and
ResNet-18 are served by ours alone. The load comes from one thread of wrk, on the same cores.

Saturation is the best of several numbers of connections. At half of it, requests come at that pace (each connection
waits between its requests), and the 99th percentile is the figure. Overload is four times as many connections as the
server has places for, for a minute: every request must be answered, with 200 or 503, and the memory must stay.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from algoport.algorithms.shared import machine
from benchmarks.load import Load, at_rate, memory, saturating, wrk
from benchmarks.record import header, keep
from benchmarks.served import MLSERVER, SERVERS, Endpoint

# Times MLServer's requests/s; ms at half of saturation; ms of the first answer; the growth of memory that is none.
GOAL_SPEED, GOAL_P99, GOAL_FIRST, GROWTH = 2.0, 10.0, 200.0, 1.02
PLACES = 66  # requests that a worker holds at a time: two predictions, and 64 that wait


def main() -> int:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving")
    parser.add_argument("--seconds", type=int, default=10, help="of each run of wrk")
    parser.add_argument("--overload", type=int, default=60, help="seconds of it; 0: leave it out")
    parser.add_argument("--only", nargs="*", default=list(SERVERS), choices=list(SERVERS))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/serving.json")
    given = parser.parse_args()
    if shutil.which("wrk") is None:
        print("wrk is needed: apt-get install wrk", file=sys.stderr)
        return 2
    facts = {**header(), "wrk": _version("wrk", "-v"), "mlserver": _version(str(MLSERVER / "mlserver"), "--version")}
    facts |= {"seconds": given.seconds, "overload": given.overload}
    rows = list(measure(given.only, given.seconds, given.overload))
    if given.keep:
        keep("serving", facts, rows, by=("server",))
    if given.json:
        print("\n".join(json.dumps(row) for row in rows))
    else:
        print(f"{facts['machine']}, {facts['cores']} cores; {facts['mlserver']}, {facts['wrk']}")
        _show(rows)
    return 0


def measure(names: Sequence[str], seconds: int, overload: int) -> Iterator[dict[str, Any]]:
    """A row a server and case."""
    for name in names:
        with tempfile.TemporaryDirectory() as temporary, SERVERS[name](Path(temporary)) as served:
            if served is None:
                continue
            folder = Path(temporary)
            for case, asked in served.cases.items():
                print(f"{served.name}: {case}", file=sys.stderr)
                best = saturating(asked, folder, seconds)
                yield _row(served, case, best, at_rate(asked, folder, best.requests / 2, seconds))
            if overload and served.ours:
                print(f"{served.name}: overload", file=sys.stderr)
                yield overload_row(served, folder, overload)


def overload_row(served: Endpoint, folder: Path, seconds: int) -> dict[str, Any]:
    """Four times the connections there is room for; then it must be healthy, and no larger than it was."""
    asked = next(iter(served.cases.values()))
    connections = 4 * PLACES * machine.cores()
    wrk(asked, folder, connections, max(2, seconds // 6))  # once before: threads and buffers are made at first use
    before = memory(served.process.pid)
    load = wrk(asked, folder, connections, seconds, counted=True)
    after = memory(served.process.pid)
    good = load.codes.get("200", 0)
    others = sum(count for code, count in load.codes.items() if code not in ("200", "503"))
    recovered = served.recovered()
    return {
        "server": served.name,
        "case": f"overload: {connections} connections, {seconds} s",
        "answered_200": good,
        "answered_503": load.codes.get("503", 0),
        "answered_otherwise": others,
        "lost": load.lost,
        "p50_ms": load.p50,
        "p99_ms": load.p99,
        "memory_before_mb": round(before / 1e6),
        "memory_after_mb": round(after / 1e6),
        "recovered_s": recovered,
        "met": good > 0 and not others and not load.lost and recovered is not None and after < GROWTH * before,
    }


def _row(served: Endpoint, case: str, best: Load, half: Load) -> dict[str, Any]:
    return {
        "server": served.name,
        "case": case,
        "requests_s": round(best.requests, 1),
        "connections": best.connections,
        "p50_ms": best.p50,
        "p99_ms": best.p99,
        "half_requests_s": round(half.requests, 1),
        "half_p50_ms": half.p50,
        "half_p99_ms": half.p99,
        "goal_p99_ms": GOAL_P99 if served.ours else None,
        "first_ms": served.first,
        "goal_first_ms": GOAL_FIRST if served.ours else None,
        "refused": best.refused + half.refused,
        "lost": best.lost + half.lost,
    }


def _show(rows: Sequence[Mapping[str, Any]]) -> None:
    peers = {row["case"]: row["requests_s"] for row in rows if row["server"].startswith("MLServer")}
    print("\n| server | case | requests/s | beside MLServer | p50 | p99 | p99 at half | first answer | lost |")
    print("|---|---|--:|--:|--:|--:|--:|--:|--:|")
    for row in rows:
        if "requests_s" not in row:
            continue
        peer = peers.get(row["case"].replace("CSV", "JSON")) if "kmeans" in row["server"] else None
        speed = f"{row['requests_s'] / peer:.2f}x" if peer else ""
        print(
            f"| {row['server']} | {row['case']} | {row['requests_s']:,.0f} | {speed} | {row['p50_ms']:.2f} ms | "
            f"{row['p99_ms']:.1f} ms | {row['half_p99_ms']:.1f} ms at {row['half_requests_s']:,.0f}/s | "
            f"{row['first_ms']:.0f} ms | {row['lost']} |"
        )
    print("\n| server | overload | 200 | 503 | other codes | lost | memory before, after | answers again after |")
    print("|---|---|--:|--:|--:|--:|--:|---|")
    for row in rows:
        if "answered_200" in row:
            print(
                f"| {row['server']} | {row['case'].partition(': ')[2]} | {row['answered_200']:,} | "
                f"{row['answered_503']:,} | {row['answered_otherwise']} | {row['lost']} | "
                f"{row['memory_before_mb']}, {row['memory_after_mb']} MB | {row['recovered_s']} s |"
            )


def _version(*command: str) -> str | None:
    try:
        text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return None
    return " ".join(text.split("[")[0].split("Copyright")[0].split())


if __name__ == "__main__":
    sys.exit(main())
