"""The networks have the layers of the public example."""

import numpy as np
import pytest
import torch

from algoport.algorithms.image_classification.network import Classifier, build, shapes
from algoport.algorithms.shared.vision.residual.design import Design
from algoport.algorithms.shared.vision.residual.network import Backbone, arrays, fill, initialize, parameters


def nothing(sums: np.ndarray) -> None:
    """The exchange of one member."""


def design(layers: int, *, channels: int = 3, height: int = 224) -> Design:
    return Design(num_layers=layers, channels=channels, height=height)


def count(layers: int, classes: int = 10, **more: int) -> int:
    """Learned numbers: all but moving averages and the scale that is fixed."""
    learned = {name: shape for name, shape in shapes(design(layers, **more), classes).items() if "moving" not in name}
    return sum(int(np.prod(shape)) for name, shape in learned.items() if name != "bn_data_gamma")


# Of the example's own networks with 1,000 classes, counted in its published symbol files' argument shapes by hand:
# as those of the paper, with a normalization of the data in front and none behind each sum.
@pytest.mark.parametrize(
    ("layers", "millions"), [(18, 11.7), (34, 21.8), (50, 25.5), (101, 44.5), (152, 60.2), (200, 64.6)]
)
def test_large_networks_have_as_many_weights_as_the_paper_s(layers, millions):
    assert count(layers, 1000) / 1e6 == pytest.approx(millions, rel=0.01)


@pytest.mark.parametrize(("layers", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7)])
def test_small_networks_have_as_many_weights_as_the_paper_s(layers, millions):
    assert count(layers, height=32) / 1e6 == pytest.approx(millions, rel=0.03)


def test_names_are_those_of_the_example():
    names = set(shapes(design(50), 10))

    wanted = ["bn_data_gamma", "bn_data_moving_mean", "conv0_weight", "bn0_beta", "stage1_unit1_sc_weight"]
    wanted += ["stage4_unit3_bn3_moving_var", "stage2_unit1_conv2_weight", "bn1_gamma", "fc1_weight", "fc1_bias"]
    assert set(wanted) <= names
    assert "stage1_unit2_sc_weight" not in names and "conv0_bias" not in names


@pytest.mark.parametrize(
    ("layers", "side", "halvings"), [(18, 64, 5), (50, 32, 3), (18, 28, 3), (20, 28, 2), (34, 33, 5), (18, 224, 5)]
)
def test_pictures_are_halved_as_often_as_the_family_says(layers, side, halvings):
    """A large network for small pictures begins with one small convolution."""
    network = build(design(layers, height=side), 10, nothing)
    initialize(network, 0)
    seen = {}
    network.bn1.register_forward_hook(lambda module, given, out: seen.update(shape=out.shape))

    scores = network.eval()(torch.zeros(2, 3, side, side))

    assert scores.shape == (2, 10)
    assert seen["shape"][2] == -(-side // 2**halvings)


def test_weights_are_drawn_from_the_seed_and_by_the_number_of_inputs():
    networks = [build(design(18), 10, nothing) for _ in range(3)]
    for network, seed in zip(networks, (1, 1, 2), strict=True):
        initialize(network, seed)
    one, same, other = map(arrays, networks)

    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not np.array_equal(one["conv0_weight"], other["conv0_weight"])
    weight = one["stage4_unit2_conv1_weight"]
    assert weight.std() == pytest.approx(np.sqrt(2 / (512 * 9)), rel=0.01)
    assert not one["fc1_bias"].any() and (one["bn1_gamma"] == 1).all() and (one["bn1_moving_var"] == 1).all()


def test_what_is_filled_is_what_is_read():
    network = build(design(20, height=8), 10, nothing)
    random = np.random.default_rng(0)
    given = {name: random.normal(size=tensor.shape).astype(np.float32) for name, tensor in parameters(network)}

    fill(network, given)

    read = arrays(network)
    assert read.keys() == given.keys()
    assert all(np.array_equal(read[name], given[name]) for name in given)


def test_a_batch_of_no_pictures_passes_both_ways():
    network = Classifier(design(20, channels=1, height=8), 10, nothing)

    network.train()(torch.zeros(0, 1, 8, 8)).sum().backward()

    assert all(parameter.grad is not None and not parameter.grad.any() for parameter in network.parameters())


@pytest.mark.parametrize(("layers", "side"), [(18, 40), (20, 9)])
def test_the_first_convolution_s_gradients_are_those_of_the_chain_rule(layers, side):
    """Also that of the shift in front of it, of which sums alone are computed."""
    network = Classifier(design(layers, height=side), 10, nothing).train()
    initialize(network, 0)
    random = torch.Generator().manual_seed(0)
    x = torch.rand(4, 3, side, side, generator=random).contiguous(memory_format=torch.channels_last) * 255
    gradient = torch.randn(network._first_convolution(x).shape, generator=random)

    network._first_convolution(x).backward(gradient)
    own = network.conv0.weight.grad.clone(), network.bn_data.shift.grad.clone()
    network.zero_grad()
    network.conv0(network.bn_data(x)).backward(gradient)

    for mine, theirs in zip(own, (network.conv0.weight.grad, network.bn_data.shift.grad), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-3 * float(theirs.abs().max()))


def test_a_backbone_gives_the_features_of_its_stages():
    """Strides of 4, 8, 16 and 32, as detection takes them."""
    backbone = Backbone(design(18, height=64), nothing).eval()
    initialize(backbone, 0)

    features = backbone.features(torch.zeros(2, 3, 64, 64))

    assert [tuple(each.shape) for each in features] == [(2, 64, 16, 16), (2, 128, 8, 8), (2, 256, 4, 4), (2, 512, 2, 2)]
    assert backbone.widths == (64, 128, 256, 512)


@pytest.mark.parametrize("layers", [18, 50])
def test_a_dilated_stage_keeps_its_size_and_has_the_same_weights(layers):
    """As segmentation takes them: the last two stages at an eighth of the picture's sides."""
    plain = Backbone(design(layers, height=64), nothing)
    initialize(plain, 0)
    dilated = Backbone(design(layers, height=64), nothing, strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4))
    fill(dilated, arrays(plain))

    sizes = [each.shape[2] for each in dilated.eval().features(torch.zeros(1, 3, 64, 64))]

    assert sizes == [16, 8, 8, 8]
    strides = {module.stride[0] for name, module in dilated.named_modules() if name.startswith("stage4_unit1.conv")}
    assert strides == {1}


def test_a_dilated_stage_computes_on_all_places_what_a_strided_one_does_on_every_second():
    strided = Backbone(design(18, height=64), nothing).eval()
    initialize(strided, 0)
    dilated = Backbone(design(18, height=64), nothing, strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2)).eval()
    fill(dilated, arrays(strided))
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 255

    with torch.no_grad():
        sparse, dense = strided.features(x)[-1], dilated.features(x)[-1]

    torch.testing.assert_close(dense[..., ::2, ::2], sparse, rtol=1e-3, atol=1e-3 * float(sparse.abs().max()))
