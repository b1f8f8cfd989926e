"""Column transformer: rows of texts as rows of numbers, for the container behind it.

This file is data: what the algorithm is, what it accepts and what it reports.
"""

from algoport import Algorithm, Answer, Channel, Column, Metric

ALGORITHM = Algorithm(
    name="column-transformer",
    title="Column transformer",
    summary="Fills in and scales numbers, and writes categories as one-hot columns and texts as hashed words.",
    problem="preprocessing",
    source="Weinberger et al., Feature Hashing for Large Scale Multitask Learning, 2009",
    channels=(
        Channel(
            name="train",
            meaning="the rows to learn means, spreads and categories from",
            kind="table",
            content_types=("text/csv", "application/jsonlines"),
            required=True,
            single_pass=True,
        ),
    ),
    metrics=(
        Metric(
            name="train:missing", goal="minimize", meaning="share of the numbers that are missing, of the whole pass"
        ),
    ),
    answer=Answer(
        kind="table",
        key="instances",  # so that JSON is a request for the container behind it
        columns=(Column(name="features", meaning="numbers, then one-hot columns, then hashed words"),),
        accepts=("text/csv", "application/json", "application/jsonlines"),
        default_accept="text/csv",
        default_response="text/csv",
    ),
    log_name="column-transformer",
)
