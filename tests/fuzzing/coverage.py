"""Coverage-guided fuzzing: libFuzzer, through atheris, adds inputs that reach new lines to its corpus.

    python -m tests.fuzzing.coverage KIND "TARGET" RUNS     (with the Python of `make bench-fuzzing`)

KIND is readers, artifacts, endpoints or jobs.

Ends with 0 after so many runs; with another code, and the input beside, where one is not answered with a sentence.
"""

from __future__ import annotations

import importlib
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from algoport import algorithms
from algoport.algorithms.shared import compiled
from tests.fuzzing.fuzzer import Target

ROOT = Path(__file__).parents[2]

LENGTH, PATIENCE, MEMORY = 1 << 16, 10, 4096  # bytes of an input, seconds for one, MB for all
TRACED = (
    "algoport.training.formats",
    "algoport.training.channels",
    "algoport.training.artifacts",
    "algoport.serving",
    "algoport.algorithms",
)


def main(kind: str, name: str, runs: int) -> None:
    """Fuzz one target."""
    import atheris  # type: ignore[import-not-found]

    _import_kernels()
    corpus = Path(tempfile.mkdtemp())
    with atheris.instrument_imports(include=list(TRACED)):
        target = next(own for own in targets(kind, _algorithm(name)) if own.name == name)
        for number, seed in enumerate(target.seeds):
            target.feed(seed)  # what is imported or compiled at first use is so now
            (corpus / f"seed-{number}").write_bytes(seed)
    limits = [f"-runs={runs}", f"-timeout={PATIENCE}", f"-max_len={LENGTH}", f"-rss_limit_mb={MEMORY}", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *limits, "-print_final_stats=1", str(corpus)], lambda data: target.feed(data) and None)
    atheris.Fuzz()


def targets(kind: str, *names: str) -> Iterator[Target]:
    """All of a kind; of some algorithms, or of all."""
    module = importlib.import_module(f"tests.fuzzing.{kind}")
    yield from module.targets() if kind == "readers" else module.targets(*names)


def _algorithm(name: str) -> str:
    """The algorithm that a target's name names; where it names none, any will do."""
    return next((known for known in algorithms.names() if known in re.split("[ /]", name)), "kmeans")


def _import_kernels() -> None:
    """Import what is compiled before anything is traced: the compiler knows nothing of traces."""
    compiled.prepare()
    for folder in ("algorithms", "training"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "import numba" in path.read_text():
                importlib.import_module(".".join(["algoport", *path.relative_to(ROOT).with_suffix("").parts]))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
