"""K-Means: numeric rows into k clusters by Euclidean distance."""

from algorithms.contract import Algorithm, Answer, Channel, Column, Metric

_TABLES = (
    "application/x-recordio-protobuf",
    "text/csv",
    "application/x-parquet",
    "application/jsonlines",
    "text/libsvm",
    "application/x-npy",
)

ALGORITHM = Algorithm(
    name="kmeans",
    title="K-Means",
    summary="Partitions numeric rows into k clusters by Euclidean distance, streaming over the data once or more.",
    problem="clustering",
    source="Sculley, Web-Scale K-Means Clustering, WWW 2010; Arthur and Vassilvitskii, k-means++, SODA 2007; "
    "Lloyd, Least Squares Quantization in PCM, 1982",
    channels=(
        Channel(
            name="train",
            meaning="the rows to learn from",
            required=True,
            content_types=_TABLES,
            default_content_type="text/csv",
        ),
        Channel(
            name="test",
            meaning="rows to score the finished model with",
            content_types=_TABLES,
            default_content_type="text/csv",
            distributions=("FullyReplicated", "ShardedByS3Key"),
        ),
    ),
    metrics=(
        Metric(
            name="test:msd",
            goal="minimize",
            meaning="mean squared distance of the test rows to their nearest center",
        ),
        Metric(
            name="test:ssd",
            goal="minimize",
            meaning="sum of squared distances of the test rows to their nearest center",
        ),
        Metric(
            name="train:msd",
            goal="minimize",
            meaning="mean squared distance of the rows, as the streaming centers carry them, to the final centers",
        ),
    ),
    answer=Answer(
        columns=(
            Column(name="closest_cluster", meaning="number of the nearest center, from 0"),
            Column(name="distance_to_cluster", meaning="Euclidean distance to it"),
        ),
        accepts=(
            "text/csv",
            "application/json",
            "application/jsonlines",
            "application/x-recordio-protobuf",
            "application/x-parquet",
            "application/x-npy",
        ),
        responses=(
            "application/json",
            "application/jsonlines",
            "application/x-recordio-protobuf",
            "text/csv",
        ),
    ),
    log_name="AWS/KMeansWebscale",
    gpu=True,
)
