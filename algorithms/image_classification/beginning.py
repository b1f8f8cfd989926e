"""What a job begins with: weights, where they come from, and in which numbers it computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from algoport.algorithms import contract
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Images
from algoport.algorithms.image_classification import losses
from algoport.algorithms.image_classification.hyperparameters import Hyperparameters
from algoport.algorithms.image_classification.model import Model
from algoport.algorithms.image_classification.optimizers import decays, rule
from algoport.algorithms.image_classification.state import State
from algoport.algorithms.shared import artifact, heap
from algoport.algorithms.shared.neural import mixed_precision as precision
from algoport.algorithms.shared.neural.optimizers import Optimizer
from algoport.algorithms.shared.neural.weights import Weights
from algoport.algorithms.shared.vision.residual import Design, arrays, built, fill, initialize

Job = contract.Job[Hyperparameters, Model]

_TOLD = """num_layers precision_dtype epochs resize optimizer momentum weight_decay learning_rate num_training_samples
mini_batch_size image_shape num_classes augmentation_type kv_store top_k"""
# Where an image may carry weights to start from: a model of this algorithm in the folder resnet-18, and so on.
PRETRAINED = Path(__file__).with_name("pretrained")


def begun(job: Job) -> State:
    """The state that training starts from, or goes on from."""
    heap.keep()
    settings = job.hyperparameters
    channels, height, width = settings.shape
    design = Design(
        num_layers=settings.num_layers,
        num_classes=settings.num_classes,
        channels=channels,
        height=height,
        width=width,
    )
    network = built(design, job.group.sum_)
    found = job.checkpoints.latest()
    if found is None:
        _set(job, network)
    network.to(job.device)
    weights = Weights(network, job.group, decays=decays)
    state = State(
        settings=settings,
        network=network,
        weights=weights,
        optimizer=Optimizer(rule(settings), weights),
        loss=losses.Loss(bool(settings.multi_label)),
        device=job.device,
        half=_half(job),
    )
    _tell(job)
    if found is not None:
        state.restore(*found)
    elif settings.multi_label and settings.use_weighted_loss:
        state.loss = losses.Loss(True, _weights(job))
    return state


def _set(job: Job, network: Any) -> None:
    """Weights of the model to go on from, of a network that the image carries, or random ones."""
    settings = job.hyperparameters
    if job.start is not None:
        _check_start(job.start, settings)
        job.reporter.note("Using the weights of the given model.")
        fill(network, job.start.weights)
        return
    initialize(network, int(np.random.SeedSequence([job.seed, 1]).generate_state(1)[0]))
    if not settings.use_pretrained_model:
        job.reporter.note("Performing random weight initialization")
        return
    job.reporter.note("Using pretrained model for initializing weights and transfer learning.")
    fill(network, {**arrays(network), **_pretrained(settings)})


def _pretrained(settings: Hyperparameters) -> dict[str, Any]:
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
    """`UserError` where the model to go on from has another shape."""
    wanted = {
        "num_layers": (start.num_layers, settings.num_layers),
        "num_classes": (start.num_classes, settings.num_classes),
        "image_shape": (f"{start.channels},{start.height},{start.width_}", ",".join(map(str, settings.shape))),
        "multi_label": (int(start.multi_label), settings.multi_label),
    }
    wrong = [
        f"{name}: must be that of the model to go on from, {theirs}; it is {ours}."
        for name, (theirs, ours) in wanted.items()
        if theirs != ours
    ]
    if wrong:
        raise UserError(wrong)


def _weights(job: Job) -> Any:
    """By how much each class is weighed, after a pass over the labels."""
    settings = job.hyperparameters
    whole = np.zeros(settings.num_classes + 1)
    batches = job.channels["train"].batches(max(settings.mini_batch_size, 1024))
    for sums in losses.counted(job.in_step(batches, Images(encoded=[])), settings):
        whole += sums
    job.group.sum_(whole)
    return losses.rarity(whole[:-1], whole[-1])


def _half(job: Job) -> torch.dtype | None:
    """The type that `float16` stands for here; None where there is none that is faster."""
    if job.hyperparameters.precision_dtype == "float32":
        return None
    found = precision.short(job.device)
    if found is None:
        job.reporter.note("precision_dtype is float32, as this device has no faster products of shorter numbers.")
    return found


def _tell(job: Job) -> None:
    """The settings in effect, as the original's log has them."""
    settings = job.hyperparameters
    job.reporter.note("---- Parameters ----")
    for name in _TOLD.split():
        job.reporter.note(f"{name}: {getattr(settings, name)}")
    job.reporter.note("--------------------")
    if settings.checkpoint_frequency is None:
        job.reporter.note("checkpoint_frequency not set, will store the best model")
