"""TEMPLATE TITLE: how unusual a row is, as a Gaussian with independent features sees it.

This file is data: what the algorithm is, what it accepts and what it reports.
"""

from algoport import Algorithm, Answer, Channel, Column, Metric

ALGORITHM = Algorithm(
    name="TEMPLATE-NAME",
    title="TEMPLATE TITLE",
    summary="Learns mean and variance of every feature in one pass, and scores how far a row is from the usual.",
    problem="anomaly detection",
    source="Chan, Golub and LeVeque, Updating Formulae and a Pairwise Algorithm for Computing Sample Variances, 1979",
    channels=(
        Channel(
            name="train",
            meaning="the rows to learn from",
            required=True,
        ),
        Channel(
            name="test",
            meaning="rows to score the finished model with",
        ),
    ),
    metrics=(
        Metric(
            name="test:log_likelihood",
            goal="maximize",
            meaning="mean log-likelihood of the test rows, in nats a row",
        ),
    ),
    answer=Answer(
        columns=(
            Column(name="distance", meaning="standard deviations from the mean, root mean square of all features"),
        ),
    ),
    log_name="TEMPLATE-NAME",
)
