"""What decoding is expected to take, beside what it does take."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest

from algoport.algorithms.contract.records import Rows
from algoport.algorithms.shared.vision.decoding import encode
from algoport.serving import memory
from algoport.training import formats
from algoport.training.formats import ContentType, Layout

COUNT = 20_000


def bodies() -> dict[str, tuple[str, bytes]]:
    rows = np.ones((COUNT, 2), np.float32)
    lists = json.dumps({"instances": [{"features": [1.5, 2.5]}] * COUNT}).encode()
    mixed = json.dumps({"instances": [{"data": {"features": {"values": [1.5, 2.5]}}}] * COUNT}).encode()
    wide = json.dumps({"instances": [{"features": [1.5] * 500}] * (COUNT // 250)}).encode()
    kinds = {"csv": "text/csv", "npy": "application/x-npy", "libsvm": "text/libsvm", "lines": "application/jsonlines"}
    written = {name: (media, formats.find(media).write(Rows(features=rows))) for name, media in kinds.items()}
    json_ = "application/json"
    return {**written, "json": (json_, lists), "nested": (json_, mixed), "wide": (json_, wide)}


@pytest.mark.parametrize("name", bodies())
def test_no_decoding_takes_much_more_than_was_expected(name: str) -> None:
    media, body = bodies()[name]
    kind, layout = ContentType(media), Layout("request", block=1 << 16)
    formats.whole(body, kind, layout)  # what is imported at first use is not counted
    expected = memory.to_decode(body, kind)

    tracemalloc.start()
    try:
        formats.whole(body, kind, layout)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 1.25 * expected + (1 << 20)
    assert expected < 4 * peak + (1 << 20)


@pytest.mark.parametrize("media", ["image/png", "application/x-image"])
def test_a_picture_takes_what_its_pixels_do_however_few_bytes_say_them(media: str) -> None:
    body = encode(np.zeros((900, 2000, 3), np.uint8))

    expected = memory.to_decode(body, ContentType(media))

    assert len(body) < 30_000
    assert 900 * 2000 * 3 <= expected <= 900 * 2000 * 7
    assert memory.to_decode(body[:20], ContentType(media)) == 40  # which says no size
