"""Principal Component Analysis: the directions of largest variance, and rows projected onto them."""

from algoport.algorithms.contract import Algorithm, Answer, Channel, Column, Metric

ALGORITHM = Algorithm(
    name="pca",
    title="Principal Component Analysis (PCA)",
    summary="Finds the directions of largest variance of numeric rows, streaming, and projects rows onto them.",
    problem="dimensionality reduction",
    source="Pearson, On Lines and Planes of Closest Fit, 1901; Chan, Golub and LeVeque, Algorithms for Computing the "
    "Sample Variance, 1983; Tropp, Yurtsever, Udell and Cevher, Fixed-Rank Approximation of a Positive-Semidefinite "
    "Matrix from Streaming Data, NIPS 2017",
    channels=(
        Channel(
            name="train",
            meaning="the rows to learn from",
            required=True,
        ),
        Channel(
            name="test",
            meaning="rows to score the finished model with",
            distributions=("FullyReplicated", "ShardedByS3Key"),
        ),
    ),
    metrics=(
        Metric(
            name="train:explained_variance",
            goal="maximize",
            kind="score",
            meaning="share of the training rows' variance that the components keep",
        ),
        Metric(
            name="test:explained_variance",
            goal="maximize",
            kind="score",
            meaning="share of the test rows' squared distances to the mean that their projections keep",
        ),
    ),
    answer=Answer(
        key="projections",
        columns=(Column(name="projection", meaning="the row's coordinates, the strongest component last"),),
    ),
    log_name="PCA",
    gpu=True,
)
