"""The weights that training starts from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from algoport.algorithms.contract import Reporter
from algoport.algorithms.semantic_segmentation.hyperparameters import Hyperparameters
from algoport.algorithms.semantic_segmentation.model import Model
from algoport.algorithms.semantic_segmentation.network import HEADS, Segmenter
from algoport.algorithms.shared import artifact
from algoport.algorithms.shared.neural import tensors
from algoport.algorithms.shared.randomness import seed_of
from algoport.algorithms.shared.start import check_alike
from algoport.algorithms.shared.vision.residual.dilated import initialize, parameters

# Where an image may carry weights to start from: a model of this algorithm in the folder resnet-50, and so on.
PRETRAINED = Path(__file__).with_name("pretrained")


def set_weights(
    network: Segmenter, settings: Hyperparameters, start: Model | None, seed: int, reporter: Reporter
) -> None:
    """Weights of the model to start from, of an encoder that the image carries, or random ones."""
    if start is not None:
        _check_start(start, settings)
        reporter.note("Using the weights of the given model.")
    initialize(network, torch.Generator().manual_seed(seed_of(seed, 1)), HEADS)
    weights = dict(parameters(network))
    known: Mapping[str, NDArray[Any]]
    if start is not None:
        known = {name: array for name, array in start.weights.items() if name in weights}
    else:
        known = _pretrained(settings, reporter)
    tensors.fill([(name, weights[name]) for name in known], known)


def _pretrained(settings: Hyperparameters, reporter: Reporter) -> dict[str, Any]:
    """The encoder that the image carries; nothing, with a note, where it carries none."""
    if not settings.use_pretrained_model:
        return {}
    folder = PRETRAINED / settings.backbone
    if settings.width_multiplier != 1 or not artifact.exists(folder):
        reporter.note(
            f"use_pretrained_model: this image carries no weights of {settings.backbone}; the encoder starts at "
            "random, which takes more epochs. A model of an earlier job can be given in the channel 'model'."
        )
        return {}
    weights = Model.load(folder).weights
    return {name: array for name, array in weights.items() if name.startswith("backbone.")}


def _check_start(start: Model, settings: Hyperparameters) -> None:
    """`UserError` where the model to start from has another shape."""
    check_alike(
        backbone=(start.backbone, settings.backbone),
        algorithm=(start.decoder, settings.algorithm),
        num_classes=(start.num_classes, settings.num_classes),
        crop_size=(start.crop_size, settings.crop),
        width_multiplier=(start.width_multiplier, settings.width_multiplier),
    )
