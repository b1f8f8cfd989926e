"""Digits that were left out, and their nearest neighbors."""

import json

from algoport.serving.prediction import Predictor
from benchmarks import data
from benchmarks.pictures import COLORS, fit, rows

SIZE = (7, 3.6)
LEFT_OUT, K = 300, 5


def draw(figure):
    pixels, digit = data.digits()
    learned = rows(pixels[:-LEFT_OUT], digit[:-LEFT_OUT])
    model = fit("knn", {"train": learned}, feature_dim=64, k=K, predictor_type="classifier", sample_size=2000)
    body = "\n".join(",".join(f"{value:g}" for value in row) for row in pixels[-LEFT_OUT:]).encode()
    reply = Predictor.of("knn").answer(model, body, "text/csv", "application/json; verbose=true")
    answers = json.loads(reply.body)["predictions"]
    unanimous = [number for number, each in enumerate(answers) if len(set(each["labels"])) == 1]
    torn = [number for number, each in enumerate(answers) if len(set(each["labels"])) > 1]
    shown = [*unanimous[:4], *torn[:4]]
    panels = figure.subplots(4, 2 * (K + 1))
    for place, number in enumerate(shown):
        line = panels[place % 4, (place // 4) * (K + 1) : (place // 4 + 1) * (K + 1)]
        own = answers[number]
        pictures = [pixels[-LEFT_OUT:][number], *(pixels[int(each)] for each in own["neighbors"])]
        titles = [f"{own['predicted_label']:g}?", *(f"{each:g}" for each in own["labels"])]
        for axis, picture, title in zip(line, pictures, titles, strict=True):
            axis.imshow(picture.reshape(8, 8), cmap="gray_r" if axis is not line[0] else "Blues")
            right = title.rstrip("?") == str(digit[-LEFT_OUT:][number])
            axis.set_title(title, fontsize=8, color=COLORS[2] if right else COLORS[1])
            axis.set_axis_off()
    figure.suptitle("In blue digits that were left out, with the answer; beside each its five nearest", fontsize=9)
