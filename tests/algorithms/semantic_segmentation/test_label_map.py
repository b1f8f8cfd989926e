"""Label maps: what the original's mean, and what is refused."""

import json

import pytest

from algoport.algorithms.contract import Auxiliary
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.semantic_segmentation.label_map import UNKNOWN, read, scaled


def of(value, num_classes=3):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return read({"label_map": Auxiliary.of("label_map", {"train_label_map.json": data})}, "train", num_classes)


def test_no_map_and_the_map_of_another_channel_are_none():
    assert read({}, "train", 3) is None
    assert read({"label_map": Auxiliary.of("label_map", {"train_label_map.json": b"x"})}, "validation", 3) is None


@pytest.mark.parametrize("scale", [3, "3", 3.0])
def test_a_scale_divides_and_rounds_down(scale):
    table = of({"scale": scale}).table

    assert table[[0, 2, 3, 5, 6, 8]].tolist() == [0, 0, 1, 1, 2, 2]
    assert table[9] == UNKNOWN and table[255] == 255


def test_without_a_scale_numbers_are_classes():
    table = scaled(1, "", 3).table

    assert table[[0, 1, 2, 3, 254, 255]].tolist() == [0, 1, 2, UNKNOWN, UNKNOWN, 255]


def test_a_map_has_classes_as_keys_and_numbers_as_values():
    """The example of the documentation."""
    labels = of({"map": {"0": 5, "1": 0, "2": "2"}})

    assert labels.table[[5, 0, 2, 1, 255]].tolist() == [0, 1, 2, UNKNOWN, 255]
    assert labels.named and labels.numbers == "0, 2, 5"


def test_a_map_may_name_what_does_not_count_and_that_255_does():
    labels = of({"map": {"255": 0, "0": [1, 2], "1": 255}})

    assert labels.table[[0, 1, 2, 255]].tolist() == [255, 0, 0, 1]


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (b"{", "is no JSON"),
        ([], "must be {"),
        ({"map": {}}, "must be {"),
        ({"map": {"0": 1}, "scale": 1}, "must be {"),
        ({"scale": 0}, "scale must be a number above 0; it is 0"),
        ({"scale": "x"}, "scale must be a number above 0; it is x"),
        ({"scale": 10**400}, "scale must be a number above 0; it is 1000"),
        (b'{"scale": NaN}', "scale must be a number above 0; it is nan"),
        ({"scale": True}, "scale must be a number above 0"),
        ({"map": {"3": 1}}, "must be classes from 0 to 2, or 255 .* one is '3'"),
        ({"map": {"a": 1}}, "one is 'a'"),
        ({"map": {"0": 256}}, "from 0 to 255; that of '0' is 256"),
        ({"map": {"0": -1}}, "that of '0' is -1"),
        ({"map": {"0": 1.5}}, "that of '0' is 1.5"),
        ({"map": {"0": 1, "2": [4, 1]}}, "1 is of 0 and of 2"),
    ],
)
def test_what_is_no_map_is_refused_with_its_file(value, sentence):
    with pytest.raises(UserError, match=f"^label_map/train_label_map.json: .*{sentence}"):
        of(value)
