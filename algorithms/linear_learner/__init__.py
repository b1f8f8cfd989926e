"""Linear Learner: linear models of classes and numbers, many of them trained side by side."""

from algoport.algorithms.contract import Algorithm, Answer, Channel, Column, Metric

# For each metric: what is best, the word in its lines, how it is written where that varies, and what it says.
_METRICS = {
    "mse": ("minimize", "loss", "", "mean squared error of a regression"),
    "absolute_loss": ("minimize", "loss", "", "mean absolute error of a regression"),
    "rmse": ("minimize", "loss", "", "root of the mean squared error of a regression"),
    "binary_classification_accuracy": ("maximize", "score", "", "share of rows with the right label of two"),
    "binary_f_beta": ("maximize", "score", "binary_f_*", "weighted harmonic mean of precision and recall"),
    "precision": ("maximize", "score", "", "share of the rows labeled 1 that are"),
    "recall": ("maximize", "score", "", "share of the rows that are 1 that are labeled so"),
    "roc_auc_score": ("maximize", "score", "", "area under the ROC curve"),
    "multiclass_accuracy": ("maximize", "score", "", "share of rows with the right label of several"),
    "multiclass_top_k_accuracy": (
        "maximize",
        "score",
        "multiclass_top_k_accuracy_*",
        "share of rows whose class is among the accuracy_top_k highest scores",
    ),
    "dcg": ("maximize", "score", "", "mean of 1 / log2(1 + rank of the right class)"),
    "macro_recall": ("maximize", "score", "", "mean recall over the classes"),
    "macro_precision": ("maximize", "score", "", "mean precision over the classes"),
    "macro_f_beta": ("maximize", "score", "macro_f_*", "mean F score over the classes"),
    "multiclass_balanced_accuracy": ("maximize", "score", "", "mean recall over the classes that there are"),
    "multiclass_log_loss": ("minimize", "loss", "", "mean negative log likelihood of several classes"),
}


def _metrics() -> list[Metric]:
    """Those of every channel; the objective of each epoch on those that training sees."""
    metrics = [
        Metric(
            name=f"{channel}:objective_loss",
            goal="minimize",
            meaning=f"mean objective on the {channel} channel{when}",
            written="*_objective",
            epochs=channel != "test",
        )
        for channel, when in (
            ("train", " over an epoch, of the first model"),
            ("validation", " after an epoch, of the first model"),
            ("test", " with the final model"),
        )
    ]
    metrics += [
        Metric(
            name=f"{channel}:objective_loss:final",
            goal="minimize",
            meaning=f"mean objective on the {channel} channel with the final model",
            written="*_objective",
            epochs=False,
        )
        for channel in ("train", "validation")
    ]
    for channel in ("train", "validation", "test"):
        for name, (goal, kind, written, meaning) in _METRICS.items():
            where = "a sample of the training rows, without a validation channel" if channel == "train" else channel
            metrics.append(
                Metric(
                    name=f"{channel}:{name}",
                    goal="minimize" if goal == "minimize" else "maximize",
                    kind=kind,
                    meaning=f"{meaning}; {where}",
                    written=written,
                    epochs=False,
                )
            )
    return metrics


ALGORITHM = Algorithm(
    name="linear-learner",
    title="Linear Learner",
    summary="Linear models of two classes, several classes or a number: many trained side by side in one pass over "
    "the data, the best chosen on validation rows and its threshold calibrated.",
    problem="binary classification, multiclass classification, regression",
    source="Robbins and Monro, A Stochastic Approximation Method, 1951; Kingma and Ba, Adam, ICLR 2015; "
    "Shamir and Zhang, Stochastic Gradient Descent for Non-smooth Optimization, ICML 2013",
    channels=(
        Channel(
            name="train",
            meaning="the rows to learn from, with their labels, in random order",
            required=True,
            labeled=True,
        ),
        Channel(
            name="validation",
            meaning="rows that choose the model, its threshold and when to end",
            labeled=True,
        ),
        Channel(
            name="test",
            meaning="rows to score the finished model with",
            labeled=True,
        ),
    ),
    metrics=_metrics(),
    answer=Answer(
        columns=(
            Column(
                name="score",
                meaning="the number of a regression; the probability of label 1, or the margin with hinge_loss; "
                "of several classes the probability of each",
            ),
            Column(name="predicted_label", meaning="the class, of a classifier", number="int", optional=True),
        ),
    ),
    log_name="Linear Learner",
    exceptions={
        "binary_classifier_model_selection_criteria: values": "f1 and cross_entropy_loss are what the class of the "
        "SageMaker SDK 2 allows beside; they are read as f_beta and loss_function.",
        "hardware: gpu": "Its kernels for a GPU are held to the same tests, but no job has run on one yet.",
        "_tuning_objective_metric: is not in the specification": "The tuning service adds it to the hyperparameters; "
        "it is declared to be seen, as the original then trains one model.",
    },
)
