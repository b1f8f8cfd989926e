"""The network against the same one in plain torch."""

import numpy as np
import pytest
import torch

from algoport.algorithms.semantic_segmentation import layers, onnx_graph
from algoport.algorithms.semantic_segmentation.inference import Predictor
from algoport.algorithms.semantic_segmentation.network import HEADS, build
from algoport.algorithms.shared.neural import tensors
from algoport.algorithms.shared.vision.residual.dilated import initialize, parameters
from algoport.algorithms.shared.vision.residual.dilation import DilatedDesign
from tests.algorithms.semantic_segmentation.twin import Twin

WIDTH = 0.125


def both(decoder, num_layers=50, k=5):
    """Ours and theirs with the same weights; in ours, moving averages as after some training."""
    design = DilatedDesign(num_layers=num_layers, width_multiplier=WIDTH)
    network = build(design, decoder, k, lambda sums: None, auxiliary=True)
    initialize(network, torch.Generator().manual_seed(0), HEADS)
    random = torch.Generator().manual_seed(1)
    for name, tensor in parameters(network):
        if name.endswith(("running_var", "bias", "running_mean")) or (tensor.dim() == 1 and name.endswith("weight")):
            with torch.no_grad():
                tensor.copy_(torch.rand(tensor.shape, generator=random) * 0.2 + (0.9 if "var" in name else 0.4))
    twin = Twin(num_layers, design.widths[0], decoder, k)
    missing, extra = twin.load_state_dict(dict(parameters(network)), strict=False)
    assert not extra and all(name.endswith("num_batches_tracked") for name in missing)
    return network, twin


@pytest.fixture(scope="module")
def pixels():
    return torch.randint(0, 256, (2, 3, 48, 72), generator=torch.Generator().manual_seed(2)).float()


@pytest.mark.parametrize(("decoder", "num_layers"), [("fcn", 50), ("psp", 50), ("deeplab", 50), ("fcn", 101)])
def test_scores_and_gradients_are_those_of_the_twin(decoder, num_layers, pixels):
    network, twin = both(decoder, num_layers)
    pixels = pixels.contiguous(memory_format=torch.channels_last)
    for module in twin.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    network.train(), twin.train()
    network.drop_by([])  # no dropout
    by = torch.randn(2, 5, 6, 9, generator=torch.Generator().manual_seed(3))

    (ours, beside), (theirs, beside_theirs) = network(pixels), twin(pixels)
    ((ours + 0.5 * beside) * by).sum().backward()
    ((theirs + 0.5 * beside_theirs) * by).sum().backward()

    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(beside, beside_theirs, rtol=1e-3, atol=1e-3)
    own = {name: tensor.grad for name, tensor in parameters(network) if tensor.grad is not None}
    most = max(float(tensor.grad.abs().max()) for tensor in twin.parameters())
    for name, tensor in twin.named_parameters():
        # What nearly cancels, as shifts in front of another normalization do, is as exact as what it is a sum of.
        near = 2e-3 * float(tensor.grad.abs().max()) + 1e-5 * most
        difference = float((own[name] - tensor.grad).abs().max())
        assert difference <= near, f"{name}: {difference} of {near}"
    moving = dict(parameters(network))
    for name, tensor in twin.named_buffers():
        if name.endswith("running_mean"):
            torch.testing.assert_close(moving[name], tensor, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("decoder", ["fcn", "psp", "deeplab"])
def test_the_predictor_and_the_onnx_file_answer_as_the_twin(decoder, pixels):
    import onnxruntime

    network, twin = both(decoder)
    twin.eval()
    weights = tensors.arrays(parameters(network))
    design = DilatedDesign(num_layers=50, width_multiplier=WIDTH)
    square = pixels[:1, :, :48, :48]
    predictor = Predictor(design, decoder, weights)
    picture = square[0].permute(1, 2, 0).byte().numpy()

    with torch.inference_mode():
        want = twin(square)[0]
        ours = predictor.scores(picture)
        whole = torch.nn.functional.interpolate(want, (48, 48), mode="bilinear", align_corners=False).softmax(1)
    session = onnxruntime.InferenceSession(onnx_graph.encode(design, decoder, 5, 48, weights, {}))
    (prediction,) = session.run(None, {"data": square.numpy()})

    torch.testing.assert_close(ours, want, rtol=1e-3, atol=1e-3)
    mask, probabilities = predictor.mask(picture)
    np.testing.assert_allclose(probabilities(), whole[0].numpy(), atol=1e-3)
    np.testing.assert_allclose(prediction, whole.numpy(), atol=1e-3)
    assert (mask == prediction[0].argmax(0)).mean() > 0.999


def test_dropout_is_of_each_picture_alone():
    network = build(DilatedDesign(num_layers=50, width_multiplier=WIDTH), "fcn", 3, lambda sums: None, auxiliary=False)
    dropout = network.classifier[3]
    network.train()
    x = torch.ones(3, 16, 5, 5)

    network.drop_by([7, 8, 9])
    whole = dropout(x)
    network.drop_by([8])
    alone = dropout(x[:1])

    assert torch.equal(whole[1:2], alone) and not torch.equal(whole[0], whole[1])
    assert 0.02 < float((whole == 0).float().mean()) < 0.2
    assert sorted(whole.unique().tolist()) == pytest.approx([0, 1 / 0.9])
    network.eval()
    assert torch.equal(dropout(x), x)


def test_the_channels_of_the_paper_are_the_default():
    design = DilatedDesign(num_layers=101)

    assert design.widths == (64, 256, 512, 1024, 2048)
    assert len(list(design.units())) == 33
    assert layers.SLOPE[0] == pytest.approx(1 / 255 / 0.229)
