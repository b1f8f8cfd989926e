"""Random Cut Forest: how unusual a row is, by how soon random cuts would set it apart."""

from algoport.algorithms.contract import Algorithm, Answer, Channel, Column, Metric

ALGORITHM = Algorithm(
    name="randomcutforest",
    title="Random Cut Forest",
    summary="Scores how unusual a row is beside a sample of the training rows, without labels.",
    problem="anomaly detection",
    source="Guha, Mishra, Roy and Schrijvers, Robust Random Cut Forest Based Anomaly Detection on Streams, ICML 2016; "
    "Duffield, Lund and Thorup, Priority Sampling for Estimation of Arbitrary Subset Sums, J. ACM 54(6), 2007",
    channels=(
        Channel(
            name="train",
            meaning="the rows to learn from, without labels",
            required=True,
        ),
        Channel(
            name="test",
            meaning="rows labeled 1 for an anomaly and 0 for others, to score the finished model with",
            distributions=("FullyReplicated", "ShardedByS3Key"),
            labeled=True,
        ),
    ),
    metrics=tuple(
        Metric(
            name=f"test:{name}",
            goal="maximize",
            kind="score",
            meaning=f"{meaning}, where test rows are flagged "
            "whose score is more than three standard deviations above the mean of the test rows",
        )
        for name, meaning in (
            ("f1", "harmonic mean of precision and recall"),
            ("accuracy", "share of rows flagged or not as they are labeled"),
            ("precision", "share of anomalies among the rows flagged"),
            ("recall", "share of the anomalies that are flagged"),
        )
    ),
    answer=Answer(
        key="scores",
        columns=(
            Column(name="score", meaning="how unusual the row is; about 0.8 is ordinary, and 0 the least"),
            Column(name="attribution", meaning="the share of each feature in the score", optional=True),
            Column(name="attribution_above", meaning="the share for lying above what is usual", optional=True),
            Column(name="attribution_below", meaning="the share for lying below what is usual", optional=True),
        ),
    ),
    log_name="RandomCutForest",
    environment=("RCF_ATTRIBUTION",),
    exceptions={
        "shingle_size: is not in the specification": "Beyond the original, whose users build shingles themselves; "
        "its own log shows a forest's shingle_size of 1, which is the default.",
    },
)
