"""Precision and recall against the threshold, and the one that training has calibrated."""

import numpy as np

from benchmarks import data
from benchmarks.pictures import COLORS, fit, rows


def draw(figure):
    mails, spam = data.spambase()
    third = len(mails) // 3
    parts = {"train": slice(2 * third), "validation": slice(2 * third, 2 * third + third // 2)}
    left = slice(2 * third + third // 2, None)
    channels = {name: rows(mails[part], spam[part]) for name, part in parts.items()}
    criterion = "precision_at_target_recall"
    model = fit(
        "linear-learner", channels, predictor_type="binary_classifier", mini_batch_size=200,
        binary_classifier_model_selection_criteria=criterion, target_recall=0.9,
    )  # fmt: skip
    answer = model.predict(rows(mails[left]))
    scores, truth = answer["score"].astype(float), spam[left] == 1
    thresholds = np.linspace(0.01, 0.99, 99)
    precision = [truth[scores >= each].mean() if (scores >= each).any() else np.nan for each in thresholds]
    recall = [(scores >= each)[truth].mean() for each in thresholds]
    chosen = float(scores[answer["predicted_label"] == 1].min())
    axis = figure.subplots()
    axis.plot(thresholds, precision, color=COLORS[0], label="precision")
    axis.plot(thresholds, recall, color=COLORS[2], label="recall")
    axis.axvline(chosen, color=COLORS[1], linestyle="--", label="the threshold that training has chosen")
    axis.axhline(0.9, color="gray", linewidth=0.6)
    axis.set(xlabel="threshold", ylim=(0.5, 1.01))
    axis.set_title("Spam among 767 mails left out: the best precision at a recall of 0.9 was asked for", fontsize=9)
    axis.legend(fontsize=8)
