"""What a user may set for semantic segmentation."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from algoport.algorithms.contract.hyperparameters import Settings, boolean, choice, integer, real, text

LAYERS = {"resnet-50": 50, "resnet-101": 101}
DECODERS = ("fcn", "psp", "deeplab")
MOST_CLASSES = 254
MOST_SIDE = 1 << 14  # pixels of a crop

STRIDE = 8  # crop_size is rounded up to a multiple of it


class Hyperparameters(Settings):
    """The settings of one job."""

    num_classes: int = integer(
        "how many classes there are, the background among them; pixels of 255 count for nothing",
        low=2,
        high=MOST_CLASSES,
        role="classes",
    )
    num_training_samples: int = integer(
        "how many training pictures there are, by which the learning rate falls", low=1, role="records"
    )
    backbone: str = choice("the encoder", *LAYERS, default="resnet-50")
    use_pretrained_model: bool = boolean(
        "start the encoder from weights that the image carries, where it carries any", default=True
    )
    algorithm: str = choice(
        "the decoder: fully convolutional, pyramid scene parsing, or DeepLabV3", *DECODERS, default="fcn"
    )
    base_size: int = integer(
        "pixels of the longer side of a training picture, times a random number from 0.5 to 2", default=520, low=17
    )
    crop_size: int = integer(
        "side in pixels of the square that is cut out for the network; rounded up to a multiple of 8",
        default=240,
        low=17,
    )
    early_stopping: bool = boolean("end when the validation mIOU no longer improves", default=False)
    early_stopping_min_epochs: int = integer("epochs that always run", default=5)
    early_stopping_patience: int = integer("epochs without an improvement after which training ends", default=4)
    early_stopping_tolerance: float = real(
        "the least gain, as a share of the best mIOU, that is an improvement", default=0.0, low=0, high=1
    )
    epochs: int = integer("passes over the training pictures", default=10, low=1, role="passes")
    gamma1: float = real("rmsprop: decay of the mean of squared gradients", default=0.9, low=0, high=1)
    gamma2: float = real("rmsprop: share of the last step in the next", default=0.9, low=0, high=1)
    learning_rate: float = real("size of the first steps", default=0.001, above=0, high=1, tune=(1e-4, 1e-1))
    lr_scheduler: str = choice(
        "how the learning rate falls: at lr_scheduler_step, as a power of what is left, or as a cosine",
        "step",
        "poly",
        "cosine",
        default="poly",
    )
    lr_scheduler_factor: float = real(
        "step: what the learning rate is multiplied by at each of lr_scheduler_step", default=0.1, low=0, high=1
    )
    lr_scheduler_step: str | None = text(
        "step: epochs, as 10,20, after each of which the learning rate is multiplied by lr_scheduler_factor",
        default=None,
        separated=True,
    )
    mini_batch_size: int = integer(
        "pictures of a step, of all hosts together", default=16, low=1, tune=(1, 128), role="batch"
    )
    momentum: float = real(
        "sgd and nag: share of the last step in the next", default=0.9, above=0, high=1, tune=(0.9, 0.999)
    )
    optimizer: str = choice(
        "how steps follow from gradients",
        "adam",
        "adagrad",
        "nag",
        "rmsprop",
        "sgd",
        default="sgd",
        tune=("sgd", "adam"),
    )
    syncbn: bool = boolean(
        "accepted for compatibility: statistics of normalization are always of the whole batch", default=False
    )
    validation_mini_batch_size: int = integer(
        "validation pictures of a step; 1: whole pictures, else their middle at crop_size", default=16, low=1
    )
    weight_decay: float = real(
        "sgd and nag: pull of the weights to zero", default=1e-4, above=0, below=1, tune=(1e-5, 1e-3)
    )
    width_multiplier: float = real(
        "share of the network's usual channels that it has: less is faster and learns less",
        default=1.0,
        above=0,
        high=1,
    )
    precision_dtype: str = choice(
        "type of numbers of products: float16 means half the bytes where the processor has such products",
        "float32",
        "float16",
        default="float32",
    )
    aux_loss: bool = boolean(
        "whether a second decoder on the third stage is trained too", default=True, name="_aux_loss"
    )
    aux_weight: float = real("how much the loss of the second decoder counts", default=0.5, low=0, name="_aux_weight")
    logging_frequency: int = integer("batches between lines of progress", default=20, low=1, name="_logging_frequency")

    @property
    def num_layers(self) -> int:
        """Of the encoder."""
        return LAYERS[self.backbone]

    @property
    def crop(self) -> int:
        """Side of the network's input in training, in pixels."""
        return -(-self.crop_size // STRIDE) * STRIDE

    @property
    def steps(self) -> tuple[int, ...]:
        """The epochs after which the learning rate changes."""
        if self.lr_scheduler != "step" or not self.lr_scheduler_step:
            return ()
        return tuple(int(part) for part in self.lr_scheduler_step.split(","))

    def faults(self) -> Iterator[str]:
        """What no single field can see."""
        if self.crop > MOST_SIDE:
            yield f"crop_size: must be at most {MOST_SIDE}; it is {self.crop_size}."
        if self.crop > 2 * self.base_size:
            yield (
                f"crop_size: must be at most twice base_size ({self.base_size}), the most that a picture is enlarged "
                f"to; it is {self.crop_size}, so that no picture would fill it."
            )
        if self.lr_scheduler == "step" and not self.lr_scheduler_step:
            yield "lr_scheduler_step: is required where lr_scheduler is step: epochs with commas between, as 10,20."
        elif self.lr_scheduler == "step" and not _increasing(self.lr_scheduler_step or ""):
            yield (
                "lr_scheduler_step: must be epochs in increasing order with commas between them, as 10,20; it is "
                f"'{self.lr_scheduler_step}'."
            )
        if round(64 * self.width_multiplier) < 1:
            yield f"width_multiplier: must leave at least one of 64 channels, 0.01; it is {self.width_multiplier:g}."


def _increasing(steps: str) -> bool:
    """Whether these are epochs, each after the one before it."""
    if not re.fullmatch(r"\s*\d{1,9}\s*(,\s*\d{1,9}\s*)*", steps, re.ASCII):
        return False
    numbers = [int(part) for part in steps.split(",")]
    return numbers[0] >= 1 and all(one < other for one, other in itertools.pairwise(numbers))
