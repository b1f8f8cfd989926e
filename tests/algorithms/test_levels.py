"""Kernels with vectors are another program on another level of processors, which then passes the same tests.

The levels share the cache of kernels, so that only the first run compiles. `kmeans` and `linear_learner` see to it in
their own tests of kernels, at the generic level, too.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from algoport.algorithms.shared import compiled

HERE = Path(__file__).parent
FILES = ("pca/test_kernels.py", "randomcutforest/test_kernels.py", "xgboost/test_predict.py")


@pytest.mark.parametrize("level", compiled.levels_here()[1:])
def test_kernels_with_vectors_pass_their_tests_at_a_lower_level(level: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", "-k", "not every_processor"]
        + [str(HERE / file) for file in FILES],
        env=os.environ | {compiled.PROCESSOR: level},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout or "[100%]" in done.stdout
