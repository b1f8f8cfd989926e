"""What a user may set for object detection."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from algoport.algorithms.contract.hyperparameters import Settings, boolean, choice, integer, real, text
from algoport.algorithms.object_detection.layers import BASES, Layers

MOST_SIDE = 2048  # pixels of a side of the network's input, beyond which its feature maps take gigabytes a picture
MOST_CLASSES = 1 << 16
MOST_DETECTIONS = 1 << 24  # of a picture, before the weaker ones are dropped


class Hyperparameters(Settings):
    """The settings of one job."""

    num_classes: int = integer("how many classes of objects there are, background not counted", low=1, role="classes")
    num_training_samples: int = integer(
        "how many training pictures there are, by which lr_scheduler_step counts epochs", low=1, role="records"
    )
    base_network: str = choice("the network under the detector", *BASES, default="vgg-16")
    early_stopping: bool = boolean("end when the validation mAP no longer improves", default=False)
    early_stopping_min_epochs: int = integer("epochs that always run", default=10, low=1)
    early_stopping_patience: int = integer("epochs without an improvement after which training ends", default=5, low=1)
    early_stopping_tolerance: float = real(
        "the least gain, as a share of the best mAP, that is an improvement", default=0.0, low=0, high=1
    )
    epochs: int = integer("passes over the training pictures", default=30, low=1, role="passes")
    freeze_layer_pattern: str = text(
        "a regular expression, as ^(conv1_|conv2_).*: weights of the base network whose names it matches are not "
        "trained, where training does not begin from random weights",
        default="",
    )
    image_shape: int = integer("side of the square that pictures are brought to", default=300, low=300)
    kv_store: str | None = choice(
        "how hosts share what they learn; all mean that gradients are summed at each step",
        "dist_sync",
        "dist_async",
        "device",
        default=None,
    )
    label_width: int = integer(
        "numbers that the label of a picture has at most: 2, and 5 for each object",
        default=350,
        low=1,
    )
    learning_rate: float = real("size of the first steps", default=0.001, above=0, high=1, tune=(1e-6, 0.5))
    lr_scheduler_factor: float = real(
        "what the learning rate is multiplied by at each of lr_scheduler_step", default=0.1, above=0, below=1
    )
    lr_scheduler_step: str = text(
        "epochs, as 10,20, after each of which the learning rate is multiplied by lr_scheduler_factor",
        default="",
        separated=True,
    )
    mini_batch_size: int = integer(
        "pictures of a step, at each host", default=32, low=1, tune=(8, 64), role="batch", each_host=True
    )
    momentum: float = real("sgd: share of the last step in the next", default=0.9, low=0, high=1, tune=(0.0, 0.999))
    nms_threshold: float = real(
        "overlap (IoU) beyond which the weaker of two boxes of a class is dropped", default=0.45, above=0, high=1
    )
    nms_topk: int = integer("how many of a picture's boxes there are at most before that", default=400, low=1)
    optimizer: str = choice(
        "how steps follow from gradients",
        "sgd",
        "adam",
        "rmsprop",
        "adadelta",
        default="sgd",
        tune=("sgd", "adam", "rmsprop", "adadelta"),
    )
    overlap_threshold: float = real(
        "overlap (IoU) beyond which a box counts as correct in the mAP", default=0.5, above=0, high=1
    )
    precision_dtype: str = choice(
        "type of numbers of products: float16 means half the bytes where the processor has such products",
        "float32",
        "float16",
        default="float32",
    )
    use_pretrained_model: int = integer(
        "1: start the base network from the weights that the image carries, where it carries some",
        default=1,
        low=0,
        high=1,
    )
    weight_decay: float = real(
        "sgd and rmsprop: pull of the weights to zero", default=0.0005, low=0, below=1, tune=(0.0, 0.999)
    )
    width_multiplier: float = real(
        "share of the filters of each layer; networks of fewer train faster and take less memory",
        default=1.0,
        low=0.0625,
        high=1,
    )

    @property
    def layers(self) -> Layers:
        """Which layers the network has."""
        return Layers(
            base=self.base_network, side=self.image_shape, num_classes=self.num_classes, share=self.width_multiplier
        )

    @property
    def steps(self) -> tuple[int, ...]:
        """The epochs after which the learning rate changes."""
        return tuple(int(part) for part in self.lr_scheduler_step.split(",")) if self.lr_scheduler_step else ()

    def faults(self) -> Iterator[str]:
        """What no single field can see."""
        if self.image_shape > MOST_SIDE:
            yield f"image_shape: must be at most {MOST_SIDE}; it is {self.image_shape}."
        if self.num_classes > MOST_CLASSES:
            yield f"num_classes: must be at most {MOST_CLASSES}; it is {self.num_classes}."
        if self.nms_topk > MOST_DETECTIONS:
            yield f"nms_topk: must be at most {MOST_DETECTIONS}; it is {self.nms_topk}."
        if self.lr_scheduler_step and not _increasing(self.lr_scheduler_step):
            yield (
                "lr_scheduler_step: must be epochs in increasing order with commas between them, as 10,20; it is "
                f"'{self.lr_scheduler_step}'."
            )
        try:
            re.compile(self.freeze_layer_pattern)
        except (re.error, RecursionError, OverflowError) as error:
            yield f"freeze_layer_pattern: must be a regular expression; '{self.freeze_layer_pattern}' is none: {error}."


def _increasing(steps: str) -> bool:
    """Whether these are epochs, each after the one before it."""
    if not re.fullmatch(r"\s*\d{1,9}\s*(,\s*\d{1,9}\s*)*", steps, re.ASCII):
        return False
    numbers = [int(part) for part in steps.split(",")]
    return numbers[0] >= 1 and all(one < other for one, other in itertools.pairwise(numbers))
