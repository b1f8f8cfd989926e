"""The SageMaker SDK's record reader, in an environment of its own (`make bench-peers`).

    python formats_sagemaker.py FILE WHAT

Reads the file each time a line comes in, and answers with a line. WHAT is `matrix`: to a float32 matrix, as a user
must who wants to compute with the rows; or `records`: to the SDK's objects only.
"""

import logging
import os
import sys

logging.disable(logging.CRITICAL)
os.environ["SAGEMAKER_SUPPRESS_V2_WARNING"] = "1"

import numpy as np  # noqa: E402
from sagemaker.amazon.common import read_records  # noqa: E402


def main(path: str, what: str) -> None:
    for _ in sys.stdin:
        with open(path, "rb") as file:
            records = read_records(file)
        if what == "matrix":
            matrix = np.array([record.features["values"].float32_tensor.values for record in records], np.float32)
            print(matrix.shape, float(matrix[-1, -1]), flush=True)
        else:
            print(len(records), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
