"""Pictures of clothes with the most probable class."""

import numpy as np

from algoport.algorithms.contract.records.images import Images
from algoport.algorithms.shared.vision.decoding import encode
from benchmarks import data
from benchmarks.pictures import COLORS, fit

SIZE = (7, 2.6)
NAMES = ("t-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")
LEARNED, SHOWN = 6_000, 16


def pictures(pixels, label=None):
    """Gray pictures as files."""
    files = [encode(np.ascontiguousarray(row.reshape(28, 28, 1).astype(np.uint8))) for row in pixels]
    return Images(encoded=files, label=None if label is None else label.astype(np.float32)[:, None])


def draw(figure):
    pixels, label = data.fashion()
    asked, truth = data.fashion("t10k")
    model = fit(
        "image-classification", {"train": pictures(pixels[:LEARNED], label[:LEARNED])}, num_classes=10, num_layers=20,
        image_shape="1,28,28", num_training_samples=LEARNED, mini_batch_size=32, epochs=2, learning_rate=0.05,
        lr_scheduler_step="1",
    )  # fmt: skip
    every = model.predict(pictures(asked[:1000]))["prediction"]
    right = float((every.argmax(axis=1) == truth[:1000]).mean())
    for axis, picture, shares, number in zip(
        figure.subplots(2, SHOWN // 2).flat, asked[:SHOWN], every[:SHOWN], truth[:SHOWN], strict=True
    ):
        axis.imshow(picture.reshape(28, 28), cmap="gray_r")
        best = int(shares.argmax())
        color = COLORS[2] if best == number else COLORS[1]
        axis.set_title(f"{NAMES[best]}\n{shares[best]:.0%}", fontsize=7, color=color)
        axis.set_axis_off()
    figure.suptitle(
        f"6,000 pictures, 20 layers, 2 epochs: {right:.1%} of 1,000 others are right. The first {SHOWN} of them",
        fontsize=9,
    )
