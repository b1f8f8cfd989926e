"""DeepAR: one recurrent network over many related time series, which forecasts by sampling.

This file is data: what the algorithm is, what it accepts and what it reports.
"""

from algoport.algorithms.contract import Algorithm, Answer, Channel, Column, Metric

_SERIES = ("application/jsonlines", "application/x-parquet")

ALGORITHM = Algorithm(
    name="forecasting-deepar",
    title="DeepAR Forecasting",
    summary="Learns one autoregressive recurrent network over many time series and forecasts by sampling paths.",
    problem="probabilistic time-series forecasting",
    source="Salinas, Flunkert, Gasthaus and Januschowski, DeepAR: Probabilistic Forecasting with Autoregressive "
    "Recurrent Networks, International Journal of Forecasting 36, 2020; Krueger et al., Zoneout, ICLR 2017",
    channels=(
        Channel(
            name="train",
            meaning="the series to learn from, one a record: start, target, and cat and dynamic_feat if there are",
            required=True,
            kind="objects",
            content_types=_SERIES,
            default_content_type="application/jsonlines",
            distributions=("FullyReplicated", "ShardedByS3Key"),
        ),
        Channel(
            name="test",
            meaning="series whose last prediction_length points are held back and scored after training",
            kind="objects",
            content_types=_SERIES,
            default_content_type="application/jsonlines",
            distributions=("FullyReplicated", "ShardedByS3Key"),
        ),
    ),
    metrics=(
        Metric(
            name="test:RMSE",
            goal="minimize",
            meaning="root mean squared error of the mean forecast of the last prediction_length points",
        ),
        Metric(
            name="test:mean_wQuantileLoss",
            goal="minimize",
            meaning="weighted quantile loss of the same points, mean over test_quantiles",
        ),
        Metric(
            name="train:final_loss",
            goal="minimize",
            meaning="negative log-likelihood of an observed point, mean over the best epoch",
        ),
        Metric(
            name="train:loss",
            goal="minimize",
            meaning="the same of each epoch",
            epochs=True,
        ),
    ),
    answer=Answer(
        kind="objects",
        columns=(
            Column(
                name="quantiles",
                meaning="by quantile as it was asked for, its value at each step of the horizon",
                number="json",
                optional=True,
            ),
            Column(
                name="samples",
                meaning="the sampled paths, each one value a step",
                number="json",
                optional=True,
            ),
            Column(name="mean", meaning="mean of the sampled paths at each step", number="json", optional=True),
        ),
        accepts=("application/json", "application/jsonlines"),
        responses=("application/json", "application/jsonlines"),
        default_response="application/json",
    ),
    log_name="AWS/DeepAR",
    gpu=True,
    missing=True,
    environment=("DEEPAR_INFERENCE_CONFIG",),
)
