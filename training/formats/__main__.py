"""`python -m algoport.training.formats`: compile the decoders' kernels into the cache, as an image is built."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import numpy as np
from scipy import sparse

from algoport.algorithms.contract.records import Rows
from algoport.algorithms.shared import compiled


def main() -> None:
    """For each level of processors, as `algoport.containers.image.kernels` does; for one alone where it is chosen."""
    if os.environ.get(compiled.PROCESSOR):
        decode_examples()
        return
    for level in compiled.levels_here() or ["generic"]:
        command = [sys.executable, "-P", "-m", "algoport.training.formats"]
        subprocess.run(command, env=os.environ | {compiled.PROCESSOR: level}, check=True)  # noqa: S603 (our own)


def decode_examples() -> None:
    """Decode a little of each format that has kernels. They come from the cache if they are there."""
    compiled.prepare()
    from algoport.training.formats import libsvm, recordio
    from algoport.training.formats.layout import Layout
    from algoport.training.formats.lines import text

    rows = 4096
    diagonal = sparse.csr_array(sparse.eye_array(rows, dtype=np.float32))
    label = np.ones((rows, 1), np.float32)
    for module in (recordio, libsvm):
        data = module.write(Rows(features=diagonal, label=label))
        # More than is left to the slow readers, so that what runs is what is compiled.
        repeated = data * (1 + (1 << 17) // len(data))
        count = sum(len(part) for part in module.read(io.BytesIO(repeated), Layout("example", labels=1, width=rows)))
        assert count == len(repeated) // len(data) * rows
    for lines in text.read(io.BytesIO(b"__label__a one line\n"), Layout("example")):
        assert len(lines) == 1


if __name__ == "__main__":
    main()
