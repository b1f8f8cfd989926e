"""Factorization Machines: linear models with all pairwise interactions, of sparse rows."""

from algoport.algorithms.contract import Algorithm, Answer, Channel, Column, Metric
from algoport.algorithms.contract.algorithm import CHANNEL_ROWS, REQUEST_ROWS

# For each metric: what is best, the word in its lines, how it is written where that varies, and what it says.
_METRICS = {
    "rmse": ("minimize", "loss", "", "root of the mean squared error of a regressor"),
    "mse": ("minimize", "loss", "", "mean squared error of a regressor"),
    "absolute_loss": ("minimize", "loss", "", "mean absolute error of a regressor"),
    "binary_classification_accuracy": ("maximize", "score", "", "share of rows with the right label of two"),
    "binary_classification_cross_entropy": ("minimize", "loss", "", "mean log loss of a classifier"),
    "binary_f_beta": ("maximize", "score", "binary_f_*", "harmonic mean of precision and recall at 0.5"),
}
_WHERE = {
    "test": "on the test channel",
    "train": "of the scores before each step; of a batch, an epoch, and the last epoch",
}

ALGORITHM = Algorithm(
    name="factorization-machines",
    title="Factorization Machines",
    summary="A linear model plus all pairwise interactions of features, expressed by inner products of learned "
    "factors; for sparse rows such as users and items.",
    problem="binary classification, regression on sparse data",
    source="Rendle, Factorization Machines, ICDM 2010; Kingma and Ba, Adam, ICLR 2015",
    channels=(
        Channel(
            name="train",
            meaning="the rows to learn from, with their labels",
            required=True,
            labeled=True,
            content_types=(*CHANNEL_ROWS, "application/x-npz"),
        ),
        Channel(
            name="test",
            meaning="rows to score the finished model with",
            labeled=True,
            distributions=("FullyReplicated", "ShardedByS3Key"),
            content_types=(*CHANNEL_ROWS, "application/x-npz"),
        ),
    ),
    metrics=tuple(
        Metric(
            name=f"{channel}:{name}",
            goal="minimize" if goal == "minimize" else "maximize",
            kind=kind,
            meaning=f"{meaning}; {where}",
            written=written,
        )
        for channel, where in _WHERE.items()
        for name, (goal, kind, written, meaning) in _METRICS.items()
    ),
    answer=Answer(
        columns=(
            Column(name="score", meaning="the number of a regressor; a classifier's probability of the label 1"),
            Column(name="predicted_label", meaning="1 from a score of 0.5 on, else 0", number="int", optional=True),
        ),
        accepts=(*REQUEST_ROWS, "application/x-npz"),
    ),
    log_name="factorization-machines",
    exceptions={
        "hardware: gpu": "Dense products alone would gain from a GPU; on sparse rows the table of features decides, "
        "which the processor's memory holds.",
    },
)
