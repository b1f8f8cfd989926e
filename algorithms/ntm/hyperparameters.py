"""What a user may set for the Neural Topic Model."""

from __future__ import annotations

import math
from collections.abc import Iterator

from algoport.algorithms.contract.hyperparameters import AUTO, Settings, boolean, choice, integer, listing, real

NO_LIMIT = "Infinity"
_MOST_OUTPUTS, _MOST_LAYERS = 100_000, 20  # of an encoder's layer, and layers


class Hyperparameters(Settings):
    """The settings of one job."""

    feature_dim: int = integer("how many words the vocabulary has", low=1, high=1_000_000, role="width")
    num_topics: int = integer("how many topics to find", low=2, high=1000)
    batch_norm: bool = boolean(
        "normalize layers, latent vector and logits over each batch: topics become far more distinct", default=False
    )
    clip_gradient: float | str = real(
        "the largest size of a component of the gradient", default=NO_LIMIT, low=0.001, words=(NO_LIMIT, "Inf", "inf")
    )
    dropout: float = real(
        "share of the last hidden layer's outputs that each step of training leaves out, as ProdLDA does: topics hold "
        "together better",
        default=0.0,
        low=0.0,
        below=1.0,
    )
    encoder_layers: tuple[int, ...] | str = listing(
        "outputs of each hidden layer of the encoder; auto: three and two times num_topics",
        default=AUTO,
        auto=True,
        of="integer",
    )
    encoder_layers_activation: str = choice(
        "what follows each hidden layer of the encoder",
        "sigmoid",
        "tanh",
        "relu",
        default="sigmoid",
        tune=("sigmoid", "tanh", "relu"),
    )
    epochs: int = integer("most passes over the training documents", default=50, low=1, role="passes")
    learning_rate: float = real(
        "size of the steps; adadelta uses none", default=0.001, low=1e-6, high=1.0, tune=(0.0001, 0.1)
    )
    mini_batch_size: int = integer(
        "documents of a step, of all hosts together", default=256, low=1, high=10_000, tune=(16, 2048), role="batch"
    )
    num_patience_epochs: int = integer(
        "epochs over which the loss must become better by tolerance; more than epochs: training never ends early",
        default=3,
        low=1,
    )
    optimizer: str = choice(
        "how steps follow from gradients",
        "sgd",
        "adam",
        "adagrad",
        "adadelta",
        "rmsprop",
        default="adadelta",
        tune=("sgd", "adam", "adadelta"),
    )
    rescale_gradient: float = real(
        "what the gradient is multiplied by before it is clipped", default=1.0, low=0.001, high=1.0, tune=(0.1, 1.0)
    )
    sub_sample: float = real(
        "share of the training documents that is drawn for each epoch", default=1.0, low=0.0, high=1.0
    )
    tolerance: float = real("relative change of the loss below which training ends", default=0.001, low=1e-6, high=0.1)
    weight_decay: float = real("pull of the weights to zero", default=0.0, low=0.0, high=1.0, tune=(0.0, 1.0))

    @property
    def layers(self) -> tuple[int, ...]:
        """Outputs of the encoder's hidden layers."""
        if isinstance(self.encoder_layers, str):
            return 3 * self.num_topics, 2 * self.num_topics
        return self.encoder_layers

    @property
    def clip(self) -> float:
        """The largest size of a component of the gradient, also where there is no limit."""
        return math.inf if isinstance(self.clip_gradient, str) else self.clip_gradient

    def faults(self) -> Iterator[str]:
        """What no single field can see."""
        if self.num_topics > self.feature_dim:
            yield (
                f"num_topics: must be at most feature_dim ({self.feature_dim}), as a topic is told by its words; it is "
                f"{self.num_topics}."
            )
        layers = self.layers
        if not layers or len(layers) > _MOST_LAYERS or not all(1 <= outputs <= _MOST_OUTPUTS for outputs in layers):
            yield (
                f"encoder_layers: must be from 1 to {_MOST_LAYERS} whole numbers from 1 to {_MOST_OUTPUTS:,}, or auto; "
                f"it is {','.join(map(str, layers[:40]))}."
            )
        if self.sub_sample == 0:
            yield "sub_sample: must be above 0, as nothing is learned from no documents; it is 0."
