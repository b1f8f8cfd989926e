"""A benchmark at the level of a machine without AVX-512, on one that has it: ours and the peers restricted to AVX2.

    python -m benchmarks.avx2 NAME [arguments of benchmarks.NAME]

With `--keep` the rows go to `benchmarks/results/avx2/NAME.json`, and from there into a column of the pages.
scikit-learn's Intel extension knows no such setting and may use what it finds.
"""

from __future__ import annotations

import os
import sys

LIMITS = {
    "ALGOPORT_CPU": "x86-64-v3",
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "FAISS_OPT_LEVEL": "AVX2",
}  # what each library reads when it is loaded


def main() -> None:
    """Become that benchmark."""
    if len(sys.argv) < 2:
        sys.exit("Which benchmark? python -m benchmarks.avx2 NAME")
    command = [sys.executable, "-m", f"benchmarks.{sys.argv[1]}", *sys.argv[2:]]
    os.execve(sys.executable, command, os.environ | LIMITS)


if __name__ == "__main__":
    main()
