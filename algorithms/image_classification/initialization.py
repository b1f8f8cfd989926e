"""The weights that training starts from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from algoport.algorithms.contract import Reporter
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.image_classification.hyperparameters import Hyperparameters
from algoport.algorithms.image_classification.model import Model
from algoport.algorithms.image_classification.network import Classifier
from algoport.algorithms.shared import artifact
from algoport.algorithms.shared.randomness import seed_of
from algoport.algorithms.shared.start import check_alike
from algoport.algorithms.shared.vision.residual.network import arrays, fill, initialize

# Where an image may carry weights to start from: a model of this algorithm in the folder resnet-18, and so on.
PRETRAINED = Path(__file__).with_name("pretrained")


def set_weights(
    network: Classifier, settings: Hyperparameters, start: Model | None, seed: int, reporter: Reporter
) -> None:
    """Weights of the model to start from, of a network that the image carries, or random ones."""
    if start is not None:
        _check_start(start, settings)
        reporter.note("Using the weights of the given model.")
        fill(network, start.weights)
        return
    initialize(network, seed_of(seed, 1))
    if not settings.use_pretrained_model:
        reporter.note("Performing random weight initialization")
        return
    reporter.note("Using pretrained model for initializing weights and transfer learning.")
    fill(network, {**arrays(network), **_pretrained_weights(settings)})


def _pretrained_weights(settings: Hyperparameters) -> dict[str, Any]:
    """What the image carries, but for the last layer."""
    folder = PRETRAINED / f"resnet-{settings.num_layers}"
    if not artifact.exists(folder):
        raise UserError(
            f"use_pretrained_model: must be 0, as this image carries no weights of {settings.num_layers} layers; it is "
            "1. A model of an earlier job can be given in the channel 'model' instead."
        )
    model = Model.load(folder)
    if (model.channels, model.num_layers) != (settings.shape[0], settings.num_layers):
        raise UserError(
            f"image_shape: must have {model.channels} channels with the weights that this image carries; it has "
            f"{settings.shape[0]}."
        )
    return {name: array for name, array in model.weights.items() if not name.startswith("fc1_")}


def _check_start(start: Model, settings: Hyperparameters) -> None:
    """`UserError` where the model to start from has another shape."""
    check_alike(
        num_layers=(start.num_layers, settings.num_layers),
        num_classes=(start.num_classes, settings.num_classes),
        image_shape=(f"{start.channels},{start.height},{start.width_}", ",".join(map(str, settings.shape))),
        multi_label=(int(start.multi_label), settings.multi_label),
    )
