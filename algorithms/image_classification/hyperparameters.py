"""What a user may set for image classification."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from algoport.algorithms.contract.hyperparameters import Settings, boolean, choice, integer, real, text
from algoport.algorithms.shared.vision.residual.design import LARGE, SMALL, Design

LEVELS = ("crop", "crop_color", "crop_color_transform")  # of augmentation, each with those before it

MOST_SIDE = 4096  # pixels
MOST_CLASSES = 1 << 20


class Hyperparameters(Settings):
    """The settings of one job."""

    num_classes: int = integer("how many classes there are", low=1, role="classes")
    num_training_samples: int = integer(
        "how many training pictures there are, by which lr_scheduler_step counts epochs", low=1, role="records"
    )
    augmentation_type: str | None = choice(
        "random changes of training pictures: place of the crop and mirroring; colors as well; and their geometry",
        *LEVELS,
        default=None,
    )
    beta_1: float = real("adam: decay of the mean of gradients", default=0.9, low=0, high=1, tune=(1e-6, 0.999))
    beta_2: float = real("adam: decay of the mean of their squares", default=0.999, low=0, high=1, tune=(1e-6, 0.999))
    checkpoint_frequency: int | None = integer(
        "after how many epochs each the weights are saved beside the model; unset: only the best epoch's are",
        default=None,
        low=1,
    )
    early_stopping: bool = boolean("end when the validation accuracy no longer improves", default=False)
    early_stopping_min_epochs: int = integer("epochs that always run", default=10, low=1)
    early_stopping_patience: int = integer("epochs without an improvement after which training ends", default=5, low=1)
    early_stopping_tolerance: float = real(
        "the least gain, as a share of the best accuracy, that is an improvement", default=0.0, low=0, high=1
    )
    epochs: int = integer("passes over the training pictures", default=30, low=1, role="passes")
    eps: float = real("adam and rmsprop: what is added to the divisor", default=1e-8, low=0, high=1, tune=(1e-8, 1.0))
    gamma: float = real(
        "rmsprop: decay of the mean of squared gradients", default=0.9, low=0, high=1, tune=(1e-8, 0.999)
    )
    image_shape: str = text("the network's input as channels, height and width", default="3,224,224", separated=True)
    kv_store: str | None = choice(
        "how hosts share what they learn; both mean that gradients are summed at each step",
        "dist_sync",
        "dist_async",
        default=None,
    )
    learning_rate: float = real("size of the first steps", default=0.1, low=0, high=1, tune=(1e-6, 0.5))
    lr_scheduler_factor: float = real(
        "what the learning rate is multiplied by at each of lr_scheduler_step", default=0.1, low=0, high=1
    )
    lr_scheduler_step: str | None = text(
        "epochs, as 10,20, after each of which the learning rate is multiplied by lr_scheduler_factor",
        default=None,
        separated=True,
    )
    mini_batch_size: int = integer(
        "pictures of a step, at each host", default=32, low=1, tune=(8, 512), role="batch", each_host=True
    )
    momentum: float = real(
        "sgd and nag: share of the last step in the next", default=0.9, low=0, high=1, tune=(0.0, 0.999)
    )
    multi_label: int = integer("1: any number of classes can be true of a picture; 0: one is", default=0, low=0, high=1)
    num_layers: int = integer(
        "depth of the network: 18, 34, 50, 101, 152 or 200, or for small pictures 20, 32, 44, 56 or 110", default=152
    )
    optimizer: str = choice(
        "how steps follow from gradients",
        "sgd",
        "adam",
        "rmsprop",
        "nag",
        default="sgd",
        tune=("sgd", "adam", "rmsprop", "nag"),
    )
    precision_dtype: str = choice(
        "type of numbers of products: float16 means half the bytes where the processor has such products",
        "float32",
        "float16",
        default="float32",
    )
    resize: int | None = integer(
        "pixels that the shorter side of a picture gets before it is cropped; unset: as it is", default=None, low=1
    )
    top_k: int | None = integer(
        "also report how often a class is among so many most probable ones", default=None, low=2
    )
    use_pretrained_model: int = integer(
        "1: start from the weights that the image carries, but for the last layer", default=0, low=0, high=1
    )
    use_weighted_loss: int = integer("multi_label: 1: weigh what is true by how rarely it is", default=0, low=0, high=1)
    weight_decay: float = real(
        "sgd and nag: pull of the weights to zero", default=1e-4, low=0, high=1, tune=(0.0, 0.999)
    )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the network's input."""
        channels, height, width = (int(part) for part in self.image_shape.split(","))
        return channels, height, width

    @property
    def design(self) -> Design:
        """The network's layers before its head."""
        channels, height, _ = self.shape
        return Design(num_layers=self.num_layers, channels=channels, height=height)

    @property
    def steps(self) -> tuple[int, ...]:
        """The epochs after which the learning rate changes."""
        return tuple(int(part) for part in self.lr_scheduler_step.split(",")) if self.lr_scheduler_step else ()

    def faults(self) -> Iterator[str]:
        """What no single field can see."""
        if self.num_layers not in (*LARGE, *SMALL):
            known = ", ".join(map(str, (*LARGE, *SMALL)))
            yield f"num_layers: must be one of {known}; it is {self.num_layers}."
        yield from self._misshapen()
        if self.lr_scheduler_step and not _increasing(self.lr_scheduler_step):
            yield (
                "lr_scheduler_step: must be epochs in increasing order with commas between them, as 10,20; it is "
                f"'{self.lr_scheduler_step}'."
            )
        if self.use_pretrained_model and self.num_layers in SMALL:
            known = ", ".join(map(str, LARGE))
            yield f"num_layers: must be one of {known} with use_pretrained_model=1; it is {self.num_layers}."
        if self.checkpoint_frequency is not None and self.checkpoint_frequency > self.epochs:
            yield f"checkpoint_frequency: must be at most epochs ({self.epochs}); it is {self.checkpoint_frequency}."
        if self.top_k is not None and self.top_k > self.num_classes:
            yield f"top_k: must be at most num_classes ({self.num_classes}); it is {self.top_k}."
        if self.num_classes > MOST_CLASSES:
            yield f"num_classes: must be at most {MOST_CLASSES}; it is {self.num_classes}."
        if self.num_classes == 1 and not self.multi_label:
            yield "num_classes: must be at least 2 without multi_label; it is 1."

    def _misshapen(self) -> Iterator[str]:
        if not re.fullmatch(r"\s*\d{1,5}\s*(,\s*\d{1,5}\s*){2}", self.image_shape):
            yield f"image_shape: must be channels, height and width, as 3,224,224; it is '{self.image_shape}'."
            return
        channels, height, width = self.shape
        if channels not in (1, 3):
            yield f"image_shape: must have 1 channel, gray, or 3, colors; it has {channels}."
        if not 1 <= height <= MOST_SIDE or not 1 <= width <= MOST_SIDE:
            yield f"image_shape: height and width must be from 1 to {MOST_SIDE}; they are {height} and {width}."


def _increasing(steps: str) -> bool:
    """Whether these are epochs, each after the one before it."""
    if not re.fullmatch(r"\s*\d{1,9}\s*(,\s*\d{1,9}\s*)*", steps, re.ASCII):
        return False
    numbers = [int(part) for part in steps.split(",")]
    return numbers[0] >= 1 and all(one < other for one, other in itertools.pairwise(numbers))
