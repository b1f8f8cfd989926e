"""What a request may ask for."""

from algoport.algorithms.contract.hyperparameters import Settings, choice

STRETCHED, CENTER = "stretched", "center"


class Options(Settings):
    """The options of one request."""

    preparation: str = choice(
        "how a picture becomes the input of the network: stretched to its size, as the original does; or as "
        "pictures of validation were, the shorter side resized where training had resize, and the center",
        STRETCHED,
        CENTER,
        default=STRETCHED,
        aliases=("IMAGE_CLASSIFICATION_PREPARATION",),
    )
