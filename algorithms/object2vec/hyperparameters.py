"""What a user may set for Object2Vec."""

from __future__ import annotations

import re
from collections.abc import Iterator

from algoport.algorithms.contract.hyperparameters import AUTO, Settings, boolean, choice, integer, listing, real, text

HCNN, BILSTM, POOLED, SAME = "hcnn", "bilstm", "pooled_embedding", "enc0"
HADAMARD, CONCAT, ABS_DIFF = COMPARATORS = ("hadamard", "concat", "abs_diff")
DENSE, ROW_SPARSE = "dense", "row_sparse"
SOFTMAX, REGRESSION = "softmax", "mean_squared_error"
LAYERS = {HCNN: 4, BILSTM: 1, POOLED: 0}  # where they are auto
LAZY = ("adam", "adagrad", "sgd")  # optimizers of row_sparse
_NAME = re.compile(r"[A-Za-z0-9._]*")


class Hyperparameters(Settings):
    """The settings of one job."""

    enc0_max_seq_len: int = integer(
        "most tokens of a sequence of encoder 0; of longer ones the first", low=1, high=5000
    )
    enc0_vocab_size: int = integer("token ids of encoder 0, from 0", low=2, high=3_000_000)
    bucket_width: int = integer(
        "difference of lengths within a bucket; changes nothing, as no padding is computed", default=0, low=0, high=100
    )
    comparator_list: tuple[str, ...] = listing(
        "how both vectors are compared, one operator beside the other: their product, both of them, the size of their "
        "difference",
        *COMPARATORS,
        default=COMPARATORS,
    )
    dropout: float = real(
        "share of the numbers that are dropped before each perceptron layer", default=0.0, low=0.0, high=1.0,
        tune=(0.0, 1.0),
    )  # fmt: skip
    early_stopping_patience: int = integer(
        "epochs without improvement after which training ends", default=3, low=1, high=5, tune=(1, 5)
    )
    early_stopping_tolerance: float = real(
        "by how much the loss must fall to have improved", default=0.01, low=1e-6, high=0.1, tune=(0.001, 0.1)
    )
    enc_dim: int = integer("numbers of an encoder's vector", default=4096, low=4, high=10_000, tune=(4, 4096))
    enc0_network: str = choice(
        "encoder 0: layers of convolutions, an LSTM in both directions, or the mean of the tokens' vectors, whose "
        "length is theirs",
        HCNN, BILSTM, POOLED, default=HCNN,
    )  # fmt: skip
    enc0_cnn_filter_width: int = integer(
        "tokens that a convolution of encoder 0 sees", default=3, low=1, high=9, tune=(1, 5)
    )
    enc0_freeze_pretrained_embedding: bool = boolean(
        "leave pretrained token vectors of encoder 0 as they are", default=True
    )
    enc0_layers: int | str = integer(
        "layers of encoder 0; auto: 4 of hcnn, 1 of bilstm", default=AUTO, low=1, high=4, auto=True, tune=(1, 4)
    )
    enc0_pretrained_embedding_file: str = text("the auxiliary file with token vectors of encoder 0", default="")
    enc0_token_embedding_dim: int = integer(
        "numbers of a token's vector of encoder 0", default=300, low=2, high=1000, tune=(5, 300)
    )
    enc0_vocab_file: str = text("the auxiliary file with the ids of the tokens of encoder 0", default="")
    enc1_network: str = choice(
        "encoder 1; enc0: of the kind and with all settings of encoder 0, those of encoder 1 are not used",
        SAME, HCNN, BILSTM, POOLED, default=SAME,
    )  # fmt: skip
    enc1_cnn_filter_width: int = integer(
        "tokens that a convolution of encoder 1 sees", default=3, low=1, high=9, tune=(1, 5)
    )
    enc1_freeze_pretrained_embedding: bool = boolean(
        "leave pretrained token vectors of encoder 1 as they are", default=True
    )
    enc1_layers: int | str = integer(
        "layers of encoder 1; auto: 4 of hcnn, 1 of bilstm", default=AUTO, low=1, high=4, auto=True, tune=(1, 4)
    )
    enc1_max_seq_len: int | None = integer(
        "most tokens of a sequence of encoder 1; of longer ones the first", default=None, low=1, high=5000
    )
    enc1_pretrained_embedding_file: str = text("the auxiliary file with token vectors of encoder 1", default="")
    enc1_token_embedding_dim: int = integer(
        "numbers of a token's vector of encoder 1", default=300, low=2, high=1000, tune=(5, 300)
    )
    enc1_vocab_file: str = text("the auxiliary file with the ids of the tokens of encoder 1", default="")
    enc1_vocab_size: int | None = integer("token ids of encoder 1, from 0", default=None, low=2, high=3_000_000)
    epochs: int = integer(
        "most passes over the training pairs", default=30, low=1, high=100, tune=(4, 20), role="passes"
    )
    learning_rate: float = real(
        "size of the steps; adadelta uses none", default=0.0004, low=1e-6, high=1.0, tune=(1e-6, 1.0)
    )
    mini_batch_size: int = integer(
        "pairs of a step, of all hosts together", default=32, low=1, high=10_000, tune=(1, 8192), role="batch"
    )
    mlp_activation: str = choice(
        "what follows each perceptron layer", "tanh", "relu", "linear", default="linear",
        tune=("tanh", "relu", "linear"),
    )  # fmt: skip
    mlp_dim: int = integer("outputs of a perceptron layer", default=512, low=2, high=10_000, tune=(16, 1024))
    mlp_layers: int = integer(
        "perceptron layers between the comparison and the output", default=2, low=0, high=10, tune=(1, 4)
    )
    negative_sampling_rate: int = integer(
        "pairs that are made up for each given one, of its in0 and another's in1, with the label 0", default=0, low=0
    )
    num_classes: int = integer("classes of softmax", default=2, low=2, high=30)
    optimizer: str = choice(
        "how steps follow from gradients", "adadelta", "adagrad", "adam", "sgd", "rmsprop", default="adam",
        tune=("adagrad", "adam", "rmsprop", "sgd", "adadelta"),
    )  # fmt: skip
    output_layer: str = choice(
        "softmax: classification; mean_squared_error: regression", SOFTMAX, REGRESSION, default=SOFTMAX
    )
    tied_token_embedding_weight: bool = boolean("one table of token vectors for both encoders", default=False)
    token_embedding_storage_type: str = choice(
        "dense: each step moves all token vectors; row_sparse: only those of the step's tokens",
        DENSE, ROW_SPARSE, default=DENSE,
    )  # fmt: skip
    weight_decay: float = real("pull of the weights to zero", default=0.0, low=0.0, high=10_000.0, tune=(0.0, 1.0))

    @property
    def networks(self) -> tuple[str, str]:
        """The kinds of both encoders."""
        return self.enc0_network, self.enc0_network if self.enc1_network == SAME else self.enc1_network

    def of_encoder(self, side: int, name: str) -> object:
        """A setting of one encoder, by its name without the encoder's."""
        number = 0 if self.enc1_network == SAME else side
        return getattr(self, f"enc{number}_{name}")

    def layers(self, side: int) -> int:
        """Layers of an encoder."""
        own = self.of_encoder(side, "layers")
        kind = self.networks[side]
        return own if isinstance(own, int) and kind != POOLED else LAYERS[kind]

    @property
    def is_dense(self) -> bool:
        """Whether each step moves all token vectors."""
        return self.token_embedding_storage_type == DENSE

    @property
    def outputs(self) -> int:
        """Numbers of an answer."""
        return self.num_classes if self.output_layer == SOFTMAX else 1

    def notices(self) -> Iterator[str]:
        """What was given and changes nothing."""
        yield from super().notices()
        if self.bucket_width:
            yield (
                f"bucket_width: {self.bucket_width} changes nothing: sequences are computed without padding whatever "
                "their lengths are."
            )

    def faults(self) -> Iterator[str]:
        """What no single field can see."""
        if self.enc1_network != SAME:
            for name in ("enc1_max_seq_len", "enc1_vocab_size"):
                if getattr(self, name) is None:
                    yield f"{name}: must be given where enc1_network is {self.enc1_network}; it is not."
        if not self.is_dense and self.optimizer not in LAZY:
            yield (
                f"optimizer: must be one of {', '.join(LAZY)} where token_embedding_storage_type is row_sparse; it is "
                f"{self.optimizer}."
            )
        if BILSTM in self.networks and self.enc_dim % 2:
            yield f"enc_dim: must be even for bilstm, which has half of it in each direction; it is {self.enc_dim}."
        if self.dropout == 1:
            yield "dropout: must be below 1, as nothing is left of a layer whose numbers are all dropped; it is 1."
        if HCNN in self.networks and self.enc_dim < 4:
            yield f"enc_dim: must be at least 4; it is {self.enc_dim}."
        yield from self._faults_of_tables()

    def _faults_of_tables(self) -> Iterator[str]:
        if self.tied_token_embedding_weight and self.enc1_network != SAME:
            for name in ("vocab_size", "token_embedding_dim"):
                one, two = (getattr(self, f"enc{side}_{name}") for side in (0, 1))
                if one != two:
                    yield (
                        f"enc1_{name}: must be enc0_{name}, {one}, where tied_token_embedding_weight is true; it is "
                        f"{two}."
                    )
        for side in (0, 1) if self.enc1_network != SAME else (0,):
            vectors, words = (
                getattr(self, f"enc{side}_{name}") for name in ("pretrained_embedding_file", "vocab_file")
            )
            if vectors and not words:
                yield (
                    f"enc{side}_vocab_file: must name the file with the tokens' ids where enc{side}_pretrained_"
                    "embedding_file is given; it is empty."
                )
            for name, value in (("pretrained_embedding_file", vectors), ("vocab_file", words)):
                if not _NAME.fullmatch(value):
                    yield (
                        f"enc{side}_{name}: must be a name of letters, digits, underscores and periods; it is "
                        f"{value[:60]!r}."
                    )
