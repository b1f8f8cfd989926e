"""Image Classification: from pictures to the probabilities of classes, by a residual network."""

from algoport.algorithms.contract import Algorithm, Answer, Channel, Column, Metric

_TYPES = ("application/x-recordio", "application/x-image")  # the latter is what image/jpeg and image/png are read as

ALGORITHM = Algorithm(
    name="image-classification",
    title="Image Classification",
    summary="Learns which of several classes a picture belongs to, or which of them are true of it, by a residual "
    "network trained from the start or from an earlier model.",
    problem="image classification",
    source="He, Zhang, Ren and Sun, Deep Residual Learning for Image Recognition, CVPR 2016; by the same, Identity "
    "Mappings in Deep Residual Networks, ECCV 2016",
    channels=(
        Channel(
            name="train",
            meaning="the pictures to learn from, with their classes",
            required=True,
            kind="images",
            content_types=_TYPES,
            default_content_type="application/x-recordio",
            labeled=True,
        ),
        Channel(
            name="validation",
            meaning="pictures to evaluate each epoch by; the model is that of the best one",
            kind="images",
            content_types=_TYPES,
            default_content_type="application/x-recordio",
            labeled=True,
        ),
        Channel(
            name="train_lst",
            meaning="the list of the training pictures where each is a file: number, class, path, with tabs between",
            kind="images",
            lists="train",
            content_types=("application/x-image",),
            default_content_type="application/x-image",
        ),
        Channel(
            name="validation_lst",
            meaning="the same of the validation pictures",
            kind="images",
            lists="validation",
            content_types=("application/x-image",),
            default_content_type="application/x-image",
        ),
    ),
    metrics=(
        Metric(
            name="validation:accuracy",
            goal="maximize",
            meaning="share of the validation pictures whose class is the most probable one; with multi_label, the mean "
            "over the classes of the share that is classified rightly",
            epochs=True,
        ),
        Metric(
            name="train:accuracy",
            goal="maximize",
            meaning="the same of the training pictures of an epoch, as they were met",
            epochs=True,
        ),
        Metric(
            name="train:top_k_accuracy",
            written="top_k_accuracy_*",
            goal="maximize",
            meaning="share of the training pictures of an epoch whose class is among the top_k most probable ones",
            epochs=True,
        ),
    ),
    answer=Answer(
        kind="images",
        columns=(Column(name="prediction", meaning="the probability of each class, in the order of their numbers"),),
        key="",
        accepts=("application/x-image",),
        default_accept="application/x-image",
        responses=("application/json", "application/jsonlines", "application/x-npy"),
        default_response="application/json",
    ),
    log_name="AWS/Image Classification",
    gpu=True,
    environment=("IMAGE_CLASSIFICATION_PREPARATION",),
    quality_line="{Epoch}{Channel}-{metric}={value:.6f}",
    exceptions={
        "channel validation: required": "Beyond the original, which refuses to train without one; the model is "
        "the last epoch's then.",
    },
)
