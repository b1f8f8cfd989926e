"""`python -m benchmarks.pictures [NAME ...]`: of all algorithms that have one, or of some."""

import sys
from pathlib import Path

from algoport import algorithms
from algoport.algorithms.shared import compiled
from benchmarks.data import Missing
from benchmarks.pictures import picture


def main(names: list[str]) -> int:
    """Draw them; how many could not be, as their data are not here."""
    compiled.prepare()
    drawn = {path.stem for path in Path(__file__).parent.glob("[a-z]*.py")}
    missing = 0
    for name in names or [name for name in algorithms.names() if algorithms.folder(name).name in drawn]:
        try:
            path = picture(name)
        except Missing as reason:
            print(f"{name}: {reason}", file=sys.stderr)
            missing += 1
        else:
            print(f"{path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}: "
                  f"{path.stat().st_size:,} bytes")  # fmt: skip
    return missing


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
