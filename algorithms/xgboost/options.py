"""What a request may ask for."""

from __future__ import annotations

from algoport.algorithms.contract.hyperparameters import Settings, boolean, choice, listing

LABEL, LABELS = "predicted_label", "labels"
PROBABILITY, PROBABILITIES = "probability", "probabilities"
RAW, RAWS, SCORE = "raw_score", "raw_scores", "predicted_score"


class Options(Settings):
    """The options of one request."""

    output: tuple[str, ...] | None = listing(
        "what an answer holds, instead of what the library predicts",
        LABEL,
        LABELS,
        PROBABILITY,
        PROBABILITIES,
        RAW,
        RAWS,
        SCORE,
        default=None,
        aliases=("SAGEMAKER_INFERENCE_OUTPUT",),
    )
    ensemble: bool = boolean(
        "whether all models of the folder answer together, or only the first by name",
        default=True,
        aliases=("SAGEMAKER_INFERENCE_ENSEMBLE",),
    )
    contributions: str = choice(
        "whether an answer says what each feature adds to its margins, as Shapley values or step by step down the "
        "trees",
        "none",
        "shapley",
        "approximate",
        default="none",
    )
    leaves: bool = boolean(
        "whether an answer names the leaf of each tree that a row comes to, by its number in the tree", default=False
    )
