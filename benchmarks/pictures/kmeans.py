"""Centers of handwritten digits as pictures."""

import numpy as np

from benchmarks import data
from benchmarks.pictures import fit, rows

SIZE = (7, 2.1)
CENTERS = 20


def draw(figure):
    pixels, digit = data.digits()
    model = fit("kmeans", {"train": rows(pixels)}, k=CENTERS, feature_dim=64, mini_batch_size=500, epochs=10)
    nearest = model.predict(rows(pixels))["closest_cluster"].astype(int)
    every = [np.bincount(digit[nearest == number], minlength=10) for number in range(CENTERS)]
    order = sorted(range(CENTERS), key=lambda number: int(every[number].argmax()))
    for axis, number in zip(figure.subplots(2, CENTERS // 2).flat, order, strict=True):
        axis.imshow(model.centers[number].reshape(8, 8), cmap="gray_r")
        axis.set_title(f"{every[number].argmax()}: {every[number].max() / every[number].sum():.0%}", fontsize=8)
        axis.set_axis_off()
    figure.suptitle("20 centers of 1,797 digits: which digit most of its rows are, and how many", fontsize=9)
