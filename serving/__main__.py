"""`serve`: gunicorn with Flask. The parent loads the model and computes nothing; forked workers share its memory.

A process that has run threaded kernels cannot fork safely, so each worker makes its first prediction itself, and
counts as ready after it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from pathlib import Path

from algoport import algorithms
from algoport.algorithms.contract.errors import AlgoportError, UserError
from algoport.algorithms.shared import artifact, compiled
from algoport.serving.settings import Settings

# What malloc keeps (M_ARENA_MAX, M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h): 16 MB in each of two arenas.
# Pieces from 8 MB on go back at once; from 1 MB on they would cost requests of a thousand rows a tenth of their time.
MALLOC_LIMITS = {-8: 2, -1: 16 << 20, -3: 8 << 20}


def main() -> int:
    """Serve until a SIGTERM; 0, or 2 where the user can correct what is wrong, else 1."""
    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the server says that it passes it over
    try:
        base = Path(os.environ.get("SAGEMAKER_BASE_DIR") or "/opt/ml")
        name = named_algorithm(base / "model")
        settings = Settings.read(os.environ, gpu=lambda: bool(algorithms.find(name).gpu))
        _set_threads(settings)
        _keep_little()
        # Only now, as libraries read the environment when they are imported.
        from algoport.serving import log, server

        log.start(settings.log_level, number="process")
        return server.run(settings, name, began)
    except AlgoportError as error:
        from algoport.serving import log

        log.start(number="process")
        for finding in error.findings:
            log.fault(finding)
        return error.code


def named_algorithm(model: Path) -> str:
    """The one that `ALGORITHM` names, or that the model is of, or the only one there is."""
    name = os.environ.get("ALGORITHM", "")
    names = algorithms.names()
    if not name:
        with contextlib.suppress(UserError):
            name = artifact.algorithm_of(artifact.find(model))
    if not name and len(names) == 1:
        name = names[0]
    if name not in names:
        raise UserError(f"ALGORITHM: must be one of {', '.join(names)}; it is '{name}'.")
    return name


def _set_threads(settings: Settings) -> None:
    """Each worker computes on its share of the processors, whatever it computes with."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(variable, str(settings.threads))
    compiled.prepare()


def _keep_little() -> None:
    """Let the C library give memory back when it is free. Left to itself it comes to keep up to 64 MB in each of many
    arenas, which models then lack. Of no concern where there is no mallopt."""
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        for parameter, value in MALLOC_LIMITS.items():
            library.mallopt(parameter, value)


if __name__ == "__main__":
    sys.exit(main())
