"""Error of ratings that were left out, by factors and passes."""

import numpy as np

from benchmarks.factorization_machines import fit
from benchmarks.factorization_machines_twin import films
from benchmarks.pictures import COLORS

PASSES, FACTORS = (1, 2, 3, 4, 6, 8, 12, 16), (4, 16, 96)
RATES: dict[str, object] = {
    "factors_lr": 0.0026, "factors_wd": 0.00014, "factors_init_sigma": 0.0067, "linear_lr": 0.014, "linear_wd": 0.0001,
    "bias_lr": 0.02, "bias_wd": 0, "mini_batch_size": 1000,
}  # fmt: skip


def draw(figure):
    split = films()
    truth = split.labels[split.judged]
    axis = figure.subplots()
    for color, factors in zip(COLORS, FACTORS, strict=False):
        errors = []
        for passes in PASSES:
            model = fit(split, num_factors=factors, epochs=passes, **RATES)
            scores = model.predict(split.rows(split.judged))["score"]
            errors.append(float(np.sqrt(np.mean((scores - truth) ** 2))))
        axis.plot(PASSES, errors, "o-", color=color, markersize=3, label=f"{factors} factors")
    mean = split.labels[split.learned].mean()
    axis.axhline(float(np.sqrt(np.mean((mean - truth) ** 2))), color="gray", linestyle="--", label="the mean rating")
    axis.set(xlabel="passes", ylabel="RMSE of ratings left out")
    axis.set_title("100,000 ratings of 1,682 films by 943 people (MovieLens-100k), every fifth left out", fontsize=9)
    axis.legend(fontsize=8)
