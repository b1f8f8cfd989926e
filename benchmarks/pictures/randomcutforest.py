"""Scores of a space shuttle's readings, usual ones and anomalies."""

import numpy as np

from benchmarks import data
from benchmarks.pictures import COLORS, fit, rows


def draw(figure):
    readings, anomaly = data.shuttle()
    model = fit("randomcutforest", {"train": rows(readings)}, feature_dim=9, num_trees=100, num_samples_per_tree=256)
    scores = model.predict(rows(readings))["score"]
    axis = figure.subplots()
    bins = np.linspace(scores.min(), scores.max(), 80)
    for kind, words in enumerate(("usual readings", "anomalies")):
        axis.hist(scores[anomaly == kind], bins, color=COLORS[kind], alpha=0.7, label=words)
    limit = scores.mean() + 3 * scores.std()
    axis.axvline(limit, color="black", linewidth=0.8, linestyle="--", label="mean and three standard deviations")
    axis.set(xlabel="score", ylabel="readings", yscale="log")
    axis.set_title(f"{len(readings):,} readings of 9 sensors, {anomaly.mean():.1%} of them anomalies", fontsize=9)
    axis.legend(fontsize=8)
