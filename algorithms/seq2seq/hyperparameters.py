"""What a user may set for Sequence to Sequence."""

from __future__ import annotations

from collections.abc import Iterator

from algoport.algorithms.contract.hyperparameters import Settings, boolean, choice, integer, real

AS_HIDDEN = "rnn_num_hidden"
_SIZES = (128, 256, 512, 1024, 2048)
_MOST_WORDS_IN_LINE = 5000  # tokens of a sentence
# What a model's file may have of what a setting leaves open: layers, and all other sizes.
MOST_LAYERS, MOST_SIZE = 100, 100_000
_LAYERS = ("num_layers_encoder", "num_layers_decoder")
_SIZED = (
    *("beam_size", "num_embed_source", "num_embed_target", "rnn_num_hidden", "rnn_attention_num_hidden"),
    *("cnn_num_hidden", "cnn_kernel_width_encoder", "cnn_kernel_width_decoder"),
)


class Hyperparameters(Settings):
    """The settings of one job."""

    batch_size: int = integer(
        "pairs of a step, of all hosts together",
        default=64,
        low=1,
        tune=(16, 32, 64, 128, 256, 512, 1024, 2048),  # type: ignore[arg-type]
        role="batch",
    )
    beam_size: int = integer("hypotheses that beam search keeps of a sentence", default=5, low=1)
    bleu_sample_size: int = integer("validation pairs that are translated for BLEU; 0: none, -1: all", default=0)
    bucket_width: int = integer("tokens by which the buckets of lengths differ", default=10, low=1)
    bucketing_enabled: bool = boolean("put pairs of similar length into one batch", default=True)
    checkpoint_frequency_num_batches: int = integer("batches from one checkpoint to the next", default=1000, low=1)
    checkpoint_threshold: int = integer(
        "checkpoints without a better optimized_metric after which training ends", default=3, low=1
    )
    clip_gradient: float = real(
        "the largest size of a component of the gradient; negative: no limit", default=1.0, tune=(1.0, 5.0)
    )
    cnn_activation_type: str = choice(
        "what follows each convolution", "glu", "relu", "softrelu", "sigmoid", "tanh", default="glu"
    )
    cnn_hidden_dropout: float = real(
        "share of numbers that are dropped between convolutions", default=0.0, low=0.0, high=1.0, tune=(0.0, 0.5)
    )
    cnn_kernel_width_decoder: int = integer("positions of a convolution of the decoder", default=5, low=1)
    cnn_kernel_width_encoder: int = integer("positions of a convolution of the encoder", default=3, low=1)
    cnn_num_hidden: int = integer(
        "numbers of a convolutional layer's state",
        default=512,
        low=1,
        tune=_SIZES,  # type: ignore[arg-type]
    )
    decoder_type: str = choice("recurrent or convolutional decoder", "rnn", "cnn", default="rnn")
    embed_dropout_source: float = real(
        "share of the numbers of source embeddings that are dropped", default=0.0, low=0.0, high=1.0, tune=(0.0, 0.5)
    )
    embed_dropout_target: float = real(
        "share of the numbers of target embeddings that are dropped", default=0.0, low=0.0, high=1.0, tune=(0.0, 0.5)
    )
    encoder_type: str = choice("recurrent or convolutional encoder", "rnn", "cnn", default="rnn")
    fixed_rate_lr_half_life: int = integer(
        "checkpoints after which the fixed_rate schedules have halved the learning rate",
        default=10,
        low=1,
        tune=(10, 30),
    )
    learning_rate: float = real("the first learning rate", default=0.0003, tune=(5e-05, 0.2))
    loss_type: str = choice("the loss", "cross-entropy", default="cross-entropy")
    lr_scheduler_type: str = choice(
        "how the learning rate falls",
        "plateau_reduce",
        "fixed_rate_inv_t",
        "fixed_rate_inv_sqrt_t",
        default="plateau_reduce",
        tune=("plateau_reduce", "fixed_rate_inv_t", "fixed_rate_inv_sqrt_t"),
    )
    max_num_batches: int = integer("most batches; -1: no limit", default=-1)
    max_num_epochs: int | None = integer(
        "passes over the training pairs, all of which are made where this is set",
        default=None,
        low=1,
        role="passes",
    )
    max_seq_len_source: int = integer("tokens that source sentences are cut to", default=100, low=1)
    max_seq_len_target: int = integer("tokens that target sentences are cut to", default=100, low=1)
    min_num_epochs: int = integer("passes before which training does not end early", default=0, low=0)
    momentum: float | None = real("share of a step of sgd in the next", default=None, tune=(0.5, 0.9))
    num_embed_source: int = integer("numbers of a source token's embedding", default=512, low=1, tune=(256, 512))
    num_embed_target: int = integer("numbers of a target token's embedding", default=512, low=1, tune=(256, 512))
    num_layers_decoder: int = integer("layers of the decoder", default=1, low=1, tune=(1, 10))
    num_layers_encoder: int = integer("layers of the encoder", default=1, low=1, tune=(1, 10))
    optimized_metric: str = choice(
        "the metric of the validation pairs by which checkpoints are compared",
        "perplexity",
        "accuracy",
        "bleu",
        default="perplexity",
    )
    optimizer_type: str = choice(
        "how steps follow from gradients", "adam", "sgd", "rmsprop", default="adam", tune=("adam", "sgd", "rmsprop")
    )
    plateau_reduce_lr_factor: float = real(
        "what plateau_reduce multiplies the learning rate by", default=0.5, tune=(0.1, 0.5)
    )
    plateau_reduce_lr_threshold: int = integer(
        "checkpoints without improvement after which plateau_reduce lowers the learning rate",
        default=3,
        low=1,
        tune=(1, 5),
    )
    rnn_attention_in_upper_layers: bool = boolean(
        "give the attention's context to the decoder's upper layers too", default=True
    )
    rnn_attention_num_hidden: int | str = integer(
        "numbers that attention computes its scores in", default=AS_HIDDEN, low=1, words=(AS_HIDDEN,)
    )
    rnn_attention_type: str = choice(
        "how decoder and encoder states are scored", "dot", "fixed", "mlp", "bilinear", default="mlp"
    )
    rnn_cell_type: str = choice("the recurrent cell", "lstm", "gru", default="lstm")
    rnn_decoder_state_init: str = choice(
        "what the decoder starts from: the last encoder state, their mean, or zeros",
        "last",
        "avg",
        "zero",
        default="last",
    )
    rnn_first_residual_layer: int = integer("the first layer with a residual connection", default=2, low=1)
    rnn_num_hidden: int = integer(
        "numbers of a recurrent layer's state; even",
        default=1024,
        low=2,
        tune=_SIZES,  # type: ignore[arg-type]
    )
    rnn_residual_connections: bool = boolean("add the input of a recurrent layer to its output", default=False)
    rnn_decoder_hidden_dropout: float = real(
        "share of the numbers of the decoder's attentional state that are dropped",
        default=0.0,
        low=0.0,
        high=1.0,
        tune=(0.0, 0.5),
    )
    training_metric: str = choice(
        "the metric that the log has of training", "perplexity", "accuracy", default="perplexity"
    )
    weight_decay: float = real("pull of the weights to zero", default=0.0, tune=(0.0, 0.1))
    weight_init_scale: float = real("scale of the first weights", default=2.34, tune=(2.0, 3.0))
    weight_init_type: str = choice(
        "how the first weights are drawn", "uniform", "xavier", default="xavier", tune=("uniform", "xavier")
    )
    xavier_factor_type: str = choice("what xavier's bound is measured by", "in", "out", "avg", default="in")

    @property
    def attention_size(self) -> int:
        """Numbers that attention computes its scores in."""
        own = self.rnn_attention_num_hidden
        return self.rnn_num_hidden if isinstance(own, str) else own

    @property
    def rate_momentum(self) -> float:
        """Of sgd; 0 where none was given."""
        return self.momentum or 0.0

    @property
    def bleu_pairs(self) -> int:
        """Validation pairs that are translated for BLEU, -1 for all: BLEU cannot be optimized without any."""
        return -1 if self.optimized_metric == "bleu" and self.bleu_sample_size == 0 else self.bleu_sample_size

    def faults(self) -> Iterator[str]:
        """What no single field can see, and bounds that the original does not declare."""
        if self.rnn_num_hidden % 2:
            yield f"rnn_num_hidden: must be even, as half of it reads from the end; it is {self.rnn_num_hidden}."
        if self.bleu_sample_size < -1:
            yield f"bleu_sample_size: must be -1 for all, 0 for none, or a number; it is {self.bleu_sample_size}."
        if self.max_num_batches < 1 and self.max_num_batches != -1:
            yield f"max_num_batches: must be -1 for no limit, or at least 1; it is {self.max_num_batches}."
        if self.learning_rate <= 0:
            yield f"learning_rate: must be above 0; it is {self.learning_rate:g}."
        if self.clip_gradient == 0:
            yield "clip_gradient: must not be 0, as nothing is learned then; a negative number is no limit."
        yield from self._momentum_faults()
        if self.weight_decay < 0:
            yield f"weight_decay: must be at least 0; it is {self.weight_decay:g}."
        if self.weight_init_scale <= 0:
            yield f"weight_init_scale: must be above 0; it is {self.weight_init_scale:g}."
        if not 0 < self.plateau_reduce_lr_factor <= 1:
            yield (f"plateau_reduce_lr_factor: must be above 0 and at most 1; it is {self.plateau_reduce_lr_factor:g}.")
        for name in ("max_seq_len_source", "max_seq_len_target"):
            if getattr(self, name) > _MOST_WORDS_IN_LINE:
                yield f"{name}: must be at most {_MOST_WORDS_IN_LINE} tokens; it is {getattr(self, name)}."
        yield from self._size_faults()
        if self.max_num_epochs is not None and self.min_num_epochs > self.max_num_epochs:
            yield (
                f"min_num_epochs: must be at most max_num_epochs ({self.max_num_epochs}); it is {self.min_num_epochs}."
            )

    def _size_faults(self) -> Iterator[str]:
        """Sizes that no model's file may have: the job would end well, and its model could not be loaded."""
        for name in (*_LAYERS, *_SIZED):
            value, most = getattr(self, name), MOST_LAYERS if name in _LAYERS else MOST_SIZE
            if isinstance(value, int) and value > most:
                yield f"{name}: must be at most {most}; it is {value}."

    def _momentum_faults(self) -> Iterator[str]:
        if self.momentum is not None and self.optimizer_type != "sgd":
            yield f"momentum: must not be given with optimizer_type {self.optimizer_type}; it is of sgd alone."
        if self.momentum is not None and not 0 <= self.momentum < 1:
            yield f"momentum: must be from 0 to below 1; it is {self.momentum:g}."

    def notices(self) -> Iterator[str]:
        """What was given and means something else than it says."""
        yield from super().notices()
        if self.optimized_metric == "bleu" and self.bleu_sample_size == 0:
            yield "bleu_sample_size: 0 is read as -1, all validation pairs, as optimized_metric is bleu."
