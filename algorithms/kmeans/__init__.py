"""K-Means: numeric rows into k clusters by Euclidean distance."""

from algoport.algorithms.contract import Algorithm, Answer, Channel, Column, Metric

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
        ),
        Channel(
            name="test",
            meaning="rows to score the finished model with",
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
            meaning="mean squared distance of a sample of the training rows to their nearest center",
        ),
    ),
    answer=Answer(
        columns=(
            Column(name="closest_cluster", meaning="number of the nearest center, from 0"),
            Column(name="distance_to_cluster", meaning="Euclidean distance to it"),
        ),
    ),
    log_name="AWS/KMeansWebscale",
    gpu=True,
)
