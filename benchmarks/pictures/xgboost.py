"""Loss of both channels after each round, and where early stopping cuts."""

from benchmarks import data
from benchmarks.pictures import COLORS, fit, rows


def draw(figure):
    showers, gamma = data.magic()
    curves: dict[str, list[float]] = {"train:logloss": [], "validation:logloss": []}

    def report(values, *, epoch=None, **_):
        for name, curve in curves.items():
            if epoch is not None and name in values:
                curve.append(values[name])

    channels = {"train": rows(showers[:12000], gamma[:12000]), "validation": rows(showers[12000:], gamma[12000:])}
    fit(
        "xgboost", channels, report=report, objective="binary:logistic", num_round=400, eta=0.15, max_depth=7,
        eval_metric="logloss", early_stopping_rounds=40,
    )  # fmt: skip
    axis = figure.subplots()
    validation = curves["validation:logloss"]
    best = min(range(len(validation)), key=validation.__getitem__)
    for color, (name, curve) in zip(COLORS, curves.items(), strict=False):
        axis.plot(range(1, len(curve) + 1), curve, color=color, label=name)
    axis.axvline(best + 1, color="gray", linestyle="--", label=f"round {best + 1}: the model is cut here")
    axis.set(xlabel="round", ylabel="logloss", ylim=(0, None))
    axis.set_title("19,020 showers in an air telescope, 10 measures: gamma rays or not", fontsize=9)
    axis.legend(fontsize=8)
