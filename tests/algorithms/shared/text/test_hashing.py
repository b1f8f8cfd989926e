"""Hashes of texts, beside the published values."""

import numpy as np
import pytest

from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.shared.text.fnv import BASIS_32, hash_more_32
from algoport.algorithms.shared.text.hashing import hashes


@pytest.mark.parametrize(
    ("text", "value"), [("", 0xCBF29CE484222325), ("a", 0xAF63DC4C8601EC8C), ("foobar", 0x85944171F73967E8)]
)
def test_the_hash_is_fnv_1a_as_published(text, value):
    """The test vectors of Noll's page."""
    assert hashes(Ragged.texts(["x", text, "y"]))[1] == value


def test_the_hash_is_of_utf_8_and_of_nothing_beside_the_text():
    texts = ["alice", "Ümlaut", "日本", "alice"]

    together = hashes(Ragged.texts(texts))

    assert [hashes(Ragged.texts([text]))[0] for text in texts] == together.tolist()
    assert len(set(together.tolist())) == 3


@pytest.mark.parametrize(
    ("data", "value"),
    [(b"", 0x811C9DC5), (b"a", 0xE40C292C), (b"foobar", 0xBF9CF968), ("ä".encode(), 0x37FA60E2)],
)
def test_the_hash_of_32_bits_is_that_of_fasttext(data, value):
    """As published for ASCII; of other bytes the upper 24 bits are turned over first."""
    state = BASIS_32
    for byte in data:
        state = hash_more_32(np.uint32(state), np.uint8(byte))

    assert int(state) == value
