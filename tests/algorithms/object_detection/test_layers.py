"""Maps and anchors are those of the example and of the network itself."""

from __future__ import annotations

import pytest
import torch

from algoport.algorithms.object_detection.layers import Layers
from algoport.algorithms.object_detection.network import Detector


@pytest.mark.parametrize(
    ("base", "side", "count", "sides"),
    [
        ("vgg-16", 300, 8732, (38, 19, 10, 5, 3, 1)),
        ("vgg-16", 512, 24576, (64, 32, 16, 8, 4, 2, 2)),
        ("resnet-50", 300, None, (19, 10, 5, 3, 2, 1)),
        ("resnet-50", 512, None, (32, 16, 8, 4, 2, 1)),
        ("vgg-16", 333, None, None),
        ("vgg-16", 451, None, None),
        ("resnet-50", 417, None, None),
    ],
)
def test_maps_are_as_large_as_the_network_makes_them(base, side, count, sides):
    layers = Layers(base=base, side=side, num_classes=3)
    with torch.device("meta"):
        network = Detector(layers, lambda sums: None).eval()
        scores, offsets = network(torch.empty(1, 3, side, side))
        maps = network.maps(torch.empty(1, 3, side, side))

    anchors = layers.anchors()

    assert [features.shape[-1] for features in maps] == list(layers.shapes)
    assert sides is None or layers.shapes == sides
    assert scores.shape == (1, len(anchors), 4) and offsets.shape == (1, len(anchors), 4)
    assert count is None or len(anchors) == count


def test_at_512_the_last_map_has_two_by_two_places_where_the_paper_has_one():
    """The public example pads its last convolution; it has 12 anchors more than the paper's 24,564."""
    layers = Layers(base="vgg-16", side=512, num_classes=1)

    assert layers.counts == (4, 6, 6, 6, 6, 4, 4)
    assert len(layers.anchors()) == 24564 + 3 * 4
