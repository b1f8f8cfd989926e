"""k-nearest neighbors: an index of a sample of the rows, and a vote or a mean over the neighbors of a query."""

from algoport.algorithms.contract import Algorithm, Answer, Channel, Column, Metric

ALGORITHM = Algorithm(
    name="knn",
    title="k-Nearest Neighbors",
    summary="Classifies or regresses by the labels of the k nearest of a sample of the training rows, searched exactly "
    "or in inverted lists, and by distance, inner product or angle.",
    problem="classification, regression",
    source="Cover and Hart, Nearest Neighbor Pattern Classification, 1967; Jégou, Douze and Schmid, Product "
    "Quantization for Nearest Neighbor Search, 2011; Duffield, Lund and Thorup, Priority Sampling, 2007; Ailon and "
    "Chazelle, The Fast Johnson-Lindenstrauss Transform, 2009",
    channels=(
        Channel(
            name="train",
            meaning="the rows to sample the index from, with their labels",
            required=True,
            labeled=True,
        ),
        Channel(
            name="test",
            meaning="rows to score the finished index with, with their labels",
            labeled=True,
        ),
    ),
    metrics=(
        Metric(
            name="test:accuracy",
            goal="maximize",
            kind="score",
            meaning="share of the test rows whose label is predicted; of a classifier",
        ),
        Metric(
            name="test:macro_f_1.000",
            goal="maximize",
            kind="score",
            meaning="mean over the classes of the harmonic mean of precision and recall; of a classifier",
        ),
        Metric(
            name="test:mse",
            goal="minimize",
            meaning="mean squared difference of predicted and true label; of a regressor",
        ),
    ),
    answer=Answer(
        columns=(
            Column(name="predicted_label", meaning="the most frequent label of the k neighbors, or its mean"),
            Column(
                name="distances",
                meaning="of the neighbors, the nearest first: squared with L2, else the product, the greatest first",
                optional=True,
            ),
            Column(name="labels", meaning="of the neighbors, in the same order", optional=True),
            Column(
                name="neighbors",
                meaning="the neighbors' numbers in the train channel, from 0, in the same order; -1 for none",
                number="int",
                optional=True,
            ),
        ),
    ),
    log_name="AWS/KNN",
    exceptions={
        "hardware: gpu": "Its kernels are of the CPU: they answer a single row of 784 features among 60,000 in less "
        "time than it takes to reach a GPU.",
        "metric test:mse: log line": "That line is printed too; the definition reads the quality line beside it, which "
        "looks as those of the other metrics.",
    },
)
