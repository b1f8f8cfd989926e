"""Hashes of texts, beside the published values."""

import pytest

from algoport.algorithms.contract.ragged import Ragged
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
