"""Pairs of sentences, vocabularies, networks with drawn weights, and jobs on them."""

import json

import numpy as np

from algoport.algorithms.contract import Auxiliary, Job, Memory, Reporter
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.sequences import Sequences
from algoport.algorithms.seq2seq.design import Design, initial_weights
from algoport.algorithms.seq2seq.hyperparameters import Hyperparameters
from algoport.algorithms.seq2seq.model import Lengths, Model
from algoport.algorithms.seq2seq.train import fit
from algoport.algorithms.seq2seq.vocabulary import SOURCE, SPECIAL, TARGET, Vocabulary

WORDS = 10  # beside the special ones
SMALL = {
    "batch_size": 16,
    "bucket_width": 3,
    "checkpoint_frequency_num_batches": 5,
    "learning_rate": 0.01,
    "max_num_epochs": 2,
    "max_seq_len_source": 9,
    "max_seq_len_target": 9,
    "num_embed_source": 8,
    "num_embed_target": 8,
    "rnn_num_hidden": 12,
}
# Networks of every kind, by what is theirs.
SHAPES = {
    "lstm": {},
    "deep gru": {
        "rnn_cell_type": "gru",
        "num_layers_encoder": 2,
        "num_layers_decoder": 2,
        "rnn_attention_type": "bilinear",
        "rnn_decoder_state_init": "avg",
        "rnn_residual_connections": True,
    },
    "dot": {"encoder_type": "cnn", "cnn_num_hidden": 10, "rnn_attention_type": "dot", "rnn_decoder_state_init": "zero"},
    "fixed": {"rnn_attention_type": "fixed", "num_layers_decoder": 2, "rnn_attention_in_upper_layers": False},
    "cnn": {"encoder_type": "cnn", "decoder_type": "cnn", "cnn_num_hidden": 10, "num_layers_decoder": 2},
}


def tokens(stem="word", count=WORDS):
    """The special ones and some words."""
    return [*SPECIAL, *(f"{stem}{number}" for number in range(count))]


def file(own):
    """A vocabulary's file."""
    return json.dumps({token: number for number, token in enumerate(own)}).encode()


def records(source, target):
    """Records of lists of ids."""
    sides = {"source": Ragged.of(source), "target": Ragged.of(target)}
    return Sequences(sequences=sides, present={name: np.ones(len(source), bool) for name in sides})


def drawn(count=80, seed=0, longest=8):
    """Sentences, and as targets the same from the end to the beginning."""
    random = np.random.default_rng(seed)
    source = [random.integers(4, 4 + WORDS, random.integers(1, longest + 1)).tolist() for _ in range(count)]
    return records(source, [each[::-1] for each in source])


def job(train=None, *, validation=None, files=None, **given):
    """A job on records; what it says and reports goes to `notes` and `reports`."""
    notes, reports = given.pop("notes", []), given.pop("reports", [])
    more = {name: given.pop(name) for name in ("start", "seed", "group", "checkpoints", "device") if name in given}
    own = {"train": drawn() if train is None else train, "validation": validation or drawn(20, 1)}
    vocab = {SOURCE: file(tokens()), TARGET: file(tokens("Wort")), **(files or {})}
    return Job(
        hyperparameters=Hyperparameters.read({**SMALL, **given}),
        channels={name: Memory(each, group=more.get("group")) for name, each in own.items()},
        files={"vocab": Auxiliary.of("vocab", {name: data for name, data in vocab.items() if data})},
        reporter=Reporter(note=notes.append, report=lambda values, **how: reports.append((values, how))),
        **more,
    )


def trained(train=None, **given):
    """The model of such a job."""
    return fit(job(train, **given))


def network(words=WORDS, seed=0, sharp=3.0, lengths=None, **given):
    """A model with drawn weights, large enough for its words to differ in likelihood."""
    settings = Hyperparameters.read({**SMALL, **given})
    design = Design.of(settings, 4 + WORDS, 4 + words)
    flat = sharp * initial_weights(design, settings, seed)
    flat += 0.1 * np.random.default_rng(seed).normal(size=flat.shape).astype(np.float32)
    return Model(
        design=design,
        weights=design.split(flat),
        source=Vocabulary(tokens()),
        target=Vocabulary(tokens("Wort", words)),
        lengths=lengths or Lengths(mean=1.0, deviation=0.5),
        beam_size=settings.beam_size,
    )
