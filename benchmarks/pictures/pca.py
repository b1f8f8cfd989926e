"""How much of the variance of digits components keep, and digits made of few of them."""

import numpy as np

from benchmarks import data
from benchmarks.pictures import COLORS, fit, rows

COUNTS, SHOWN = (2, 10, 30), (0, 1, 2, 3, 4)


def draw(figure):
    pixels, _ = data.digits()
    model = fit("pca", {"train": rows(pixels)}, feature_dim=64, num_components=60, mini_batch_size=500)
    v, s, mean = model.components[:, ::-1], model.singular_values[::-1].astype(float), model.mean
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.1))
    axis = left.subplots()
    whole = ((pixels - mean) ** 2).sum()
    axis.plot(np.arange(1, len(s) + 1), np.cumsum(s**2) / whole, color=COLORS[0])
    for count in COUNTS:
        axis.plot(count, (s[:count] ** 2).sum() / whole, "o", color=COLORS[1])
    axis.set(xlabel="components", ylabel="share of the variance", ylim=(0, 1.02))
    panels = right.subplots(len(COUNTS) + 1, len(SHOWN))
    for line, count in zip(panels, (*COUNTS, None), strict=True):
        for panel, number in zip(line, SHOWN, strict=True):
            whole_row = pixels[number] - mean
            row = pixels[number] if count is None else mean + (whole_row @ v[:, :count]) @ v[:, :count].T
            panel.imshow(row.reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
            panel.set(xticks=[], yticks=[])
        line[0].set_ylabel("all 64" if count is None else count, fontsize=8)
    right.suptitle("digits of so many components", fontsize=9)
