"""Coasts from above, their masks, and what the network makes of them."""

import numpy as np

from algoport.algorithms.shared.vision.decoding import decode
from algoport.algorithms.shared.vision.masks import decode_mask
from benchmarks.pictures import fit
from benchmarks.semantic_segmentation import CLASSES, TILE, coasts

SIZE = (7, 3.2)
SHOWN = (0, 3, 6, 9, 12)


def draw(figure):
    from matplotlib.colors import ListedColormap

    train, validation = coasts()
    reported = []
    model = fit(
        "semantic-segmentation", {"train": train, "validation": validation}, num_classes=CLASSES,
        num_training_samples=len(train), algorithm="fcn", crop_size=TILE, base_size=TILE, mini_batch_size=8, epochs=8,
        learning_rate=0.02, width_multiplier=0.25,
        report=lambda values, **_: reported.extend(v for name, v in values.items() if name.endswith("mIOU")),
    )  # fmt: skip
    kinds = ListedColormap(["#1f4e79", "#8d9a55", "#7fc4e8"])  # sea, land, lakes
    panels = figure.subplots(3, len(SHOWN))
    for column, number in zip(panels.T, SHOWN, strict=True):
        pixels = decode(validation.encoded[number], 3, "tile")
        column[0].imshow(pixels)
        for axis, classes in zip(
            column[1:], (decode_mask(validation.masks[number], "mask"), model.classes(pixels)), strict=True
        ):
            axis.imshow(np.where(classes == 255, 0, classes), cmap=kinds, vmin=0, vmax=2)
        for axis in column:
            axis.set(xticks=[], yticks=[])
    for axis, words in zip(panels[:, 0], ("picture", "mask", "answer"), strict=True):
        axis.set_ylabel(words, fontsize=8)
    figure.suptitle(
        f"Sea, land and lakes (NASA): {len(train)} tiles, 8 epochs at a quarter of the width: mIOU {max(reported):.2f}",
        fontsize=9,
    )
