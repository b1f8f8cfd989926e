"""What several algorithms need is written once: a table of what to look for, and where alone it may stand.

A further piece is one more line. A pattern is searched in all code of algorithms and of the template.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SHARED = "algorithms/shared"

# What, a pattern of the line that would be written again, and the files that may have it.
ONCE = {
    "the constants of SplitMix64": (
        r"0x(9E3779B97F4A7C15|BF58476D1CE4E5B9|94D049BB133111EB)",
        [f"{SHARED}/randomness.py"],
    ),
    "a seed for each use": (r"SeedSequence\(\[", [f"{SHARED}/randomness.py"]),
    "arrays that are fixed for kernels": (
        r"writeable\s*=\s*False|setflags\(write=False",
        [f"{SHARED}/arrays.py"],
    ),
    "a model of another algorithm": (r"is a model of \{", [f"{SHARED}/artifact.py"]),
    "a setting that must be the start model's": (
        r"must be that of the model to (go on|start) from, \{[^}]*\}; it is",
        [f"{SHARED}/start.py"],
    ),
    "rows of another width": (r"a row has \{[^}]*\} numbers, where feature_dim is", [f"{SHARED}/features.py"]),
    "seconds after a stop": (r"^GRACE\s*=", [f"{SHARED}/scoring.py"]),
    "a note on a missing test channel": (r"Test data is not provided", [f"{SHARED}/scoring.py"]),
    "when a checkpoint is due": (
        r"checkpoints\.due\(",
        ["algorithms/contract/job.py", f"{SHARED}/streaming.py", f"{SHARED}/neural/loop.py"],
    ),
    "saving of checkpoints": (r"checkpoints\.save\(", [f"{SHARED}/streaming.py", f"{SHARED}/neural/loop.py"]),
    "reading of checkpoints": (
        r"checkpoints\.latest\(",
        # Boosting looks once more, for the folds of a cross-validation that are over.
        [f"{SHARED}/streaming.py", f"{SHARED}/neural/loop.py", "algorithms/xgboost/train.py"],
    ),
}


def sources() -> dict[str, str]:
    return {
        str(path.relative_to(ROOT)): path.read_text()
        for folder in ("algorithms", "containers/template")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "__pycache__" not in path.parts
    }


@pytest.mark.parametrize("what", ONCE)
def test_it_is_written_once(what: str) -> None:
    pattern, homes = ONCE[what]

    places = [name for name, text in sources().items() if re.search(pattern, text, re.M | re.I)]

    assert set(homes) <= set(places), "the pattern no longer finds what it is for"
    assert sorted(places) == sorted(homes)
