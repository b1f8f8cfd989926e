"""Batches decoded ahead of the network."""

import numpy as np

from algoport.algorithms.contract.records import Images
from algoport.algorithms.shared.vision.decoding import encode
from algoport.algorithms.shared.vision.prefetch import prepare_ahead
from tests.algorithms.shared.vision.pictures import gradients


def test_batches_come_in_order_and_as_they_were():
    parts = [gradients(8, 6) + np.uint8(number) for number in range(40)]
    images = Images(encoded=[encode(each) for each in parts], label=np.arange(40, dtype=np.float32)[:, None])
    batches = (images[first : first + 7] for first in range(0, 40, 7))

    output = list(prepare_ahead(batches, (8, 6, 3), lambda number: lambda pixels, at, place: pixels, threads=3))

    assert [len(batch) for batch in output] == [7] * 5 + [5]
    np.testing.assert_array_equal(np.concatenate([batch.pixels for batch in output]), np.stack(parts))
    np.testing.assert_array_equal(np.concatenate([batch.label for batch in output]), images.label)


def test_whoever_stops_looking_lets_go_of_the_threads_and_of_the_source():
    closed = []

    def batches():
        try:
            while True:
                yield Images(encoded=[encode(gradients(8, 6))])
        finally:
            closed.append(True)

    ahead = prepare_ahead(batches(), (8, 6, 3), lambda number: lambda pixels, at, place: pixels)
    next(ahead)
    ahead.close()

    assert closed == [True]
