"""What is wrong with pictures, before the first epoch: all of them are decoded once, and all that cannot be are named
together, not one a job.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Images
from algoport.algorithms.shared.machine import cores
from algoport.algorithms.shared.vision.decoding import decode
from algoport.algorithms.shared.vision.headers import head

COMPLETED = "lacks its end mark, and nothing else; it is read as if it had one."


def inspect(images: Images) -> Iterator[tuple[str, str, bool]]:
    """Place, what is to be said of it, and whether it cannot be used, for each picture of which something is."""
    with ThreadPoolExecutor(cores(), thread_name_prefix="inspect") as pool:
        sentences = list(pool.map(_sentence, images.encoded))
    for number, (sentence, fatal) in enumerate(sentences):
        if sentence:
            yield images.place(number), sentence, fatal


def _sentence(data: bytes) -> tuple[str, bool]:
    try:
        decode(data, 3, "")
    except UserError as error:
        return error.findings[0].removeprefix(": "), True
    known = head(data)
    return ("", False) if known is None or known.whole else (COMPLETED, False)
