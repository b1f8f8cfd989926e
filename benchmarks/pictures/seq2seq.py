"""Where the network looks while it rewrites a date."""

import datetime
import json

import numpy as np

from algoport.algorithms.contract.auxiliary import Auxiliary
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.sequences import Sequences
from algoport.algorithms.seq2seq.vocabulary import SPECIAL
from benchmarks.pictures import fit

SIZE = (7, 3.4)
FORMS = ("%-d %B %Y", "%B %-d, %Y", "%A, %-d %b %Y", "%d.%m.%Y")
LETTERS = [*SPECIAL, *sorted(set("0123456789 ,.-ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"))]
NUMBER = {letter: number for number, letter in enumerate(LETTERS)}
ASKED = ("Thursday, 5 Mar 1998", "July 20, 1969")


def ids(texts):
    """Characters by number."""
    return Ragged.of([[NUMBER[letter] for letter in text] for text in texts])


def dates(count, seed):
    """Days of two centuries, written one way or another, and as ISO has them."""
    random = np.random.default_rng(seed)
    days = [datetime.date(1900, 1, 1) + datetime.timedelta(int(number)) for number in random.integers(0, 73000, count)]
    sides = {
        "source": [day.strftime(FORMS[int(random.integers(4))]) for day in days],
        "target": [str(day) for day in days],
    }
    return Sequences(
        sequences={name: ids(texts) for name, texts in sides.items()},
        present={name: np.ones(count, np.bool_) for name in sides},
    )


def draw(figure):
    vocabulary = json.dumps(NUMBER).encode()
    files = {"vocab": Auxiliary.of("vocab", {"vocab.src.json": vocabulary, "vocab.trg.json": vocabulary})}
    model = fit(
        "seq2seq", {"train": dates(12_000, 0), "validation": dates(500, 1)}, files=files, rnn_num_hidden=64,
        num_embed_source=32, num_embed_target=32, num_layers_encoder=1, num_layers_decoder=1, batch_size=64,
        learning_rate=0.003, max_num_epochs=10, checkpoint_frequency_num_batches=180, bleu_sample_size=0,
        max_seq_len_source=40, max_seq_len_target=20, bucket_width=10,
    )  # fmt: skip
    for axis, text, own in zip(figure.subplots(1, 2), ASKED, model.translate(ids(ASKED), matrix=True), strict=True):
        answer = [LETTERS[number] for number in own.tokens]
        matrix = np.asarray(own.matrix)[: len(answer), : len(text)]
        axis.imshow(matrix, cmap="Blues", aspect="auto")
        axis.set_xticks(range(len(text)), list(text.replace(" ", "_")), fontsize=7)
        axis.set_yticks(range(len(answer)), answer, fontsize=7)
        axis.xaxis.tick_top()
        axis.set_title(f"{text} becomes {''.join(answer)}", fontsize=8)
    figure.suptitle("Weights of attention: a row for each character that is written", fontsize=9)
