"""The weights that training starts from."""

from __future__ import annotations

from pathlib import Path

from algoport.algorithms.contract import Reporter
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.object_detection.hyperparameters import Hyperparameters
from algoport.algorithms.object_detection.model import Model
from algoport.algorithms.object_detection.network import Detector, arrays, fill, initialize, is_of_base
from algoport.algorithms.shared import artifact
from algoport.algorithms.shared.randomness import seed_of
from algoport.algorithms.shared.start import check_alike

# Where an image may carry weights to start from: a model of this algorithm in the folder vgg-16 or resnet-50.
PRETRAINED = Path(__file__).with_name("pretrained")


def set_weights(
    network: Detector, settings: Hyperparameters, start: Model | None, seed: int, reporter: Reporter
) -> bool:
    """Weights of the model to start from, of a network that the image carries, or random ones; whether they are not
    random."""
    if start is not None:
        check_alike(
            base_network=(start.base_network, settings.base_network),
            num_classes=(start.num_classes, settings.num_classes),
            width_multiplier=(start.width_multiplier, settings.width_multiplier),
        )
        if not _same_layers(start, settings):
            raise UserError(
                f"image_shape: must have the layers of the model to start from, which was trained at "
                f"{start.image_shape}; it is {settings.image_shape}, and vgg-16 has one more layer from 448 on."
            )
        reporter.note("Start training from the model in the model channel.")
        fill(network, start.weights)
        return True
    initialize(network, seed_of(seed, 1))
    folder = PRETRAINED / settings.base_network
    if not settings.use_pretrained_model or not artifact.exists(folder):
        if settings.use_pretrained_model:
            reporter.note(
                "use_pretrained_model is 0, as this image carries no weights; a model of an earlier job can be given "
                "in the channel 'model' instead."
            )
        reporter.note("Start training from scratch.")
        return False
    reporter.note("Start training from pretrained model 1.")
    pretrained = Model.load(folder)
    check_alike(width_multiplier=(pretrained.width_multiplier, settings.width_multiplier))
    weights = pretrained.weights
    fill(network, {**arrays(network), **{name: array for name, array in weights.items() if is_of_base(name)}})
    reporter.note("Loaded pretrained model parameters.")
    return True


def _same_layers(start: Model, settings: Hyperparameters) -> bool:
    return start.layers.extras == settings.layers.extras
