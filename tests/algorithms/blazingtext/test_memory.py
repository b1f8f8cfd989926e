"""What a job on a long text takes, as a process: its tables, its vocabulary, and little else."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.training.jobs import Place

WIDTH = 9  # bytes of a word with the blank behind it
WORDS, ONCE = 20_000, 300_000  # different words that come often, and that come once
PROMISED = 300e6  # beside tables and vocabulary, the program itself with it


def _text(words: int) -> bytes:
    """Lines of twenty words, of which most are drawn from few."""
    numbers = np.random.default_rng(0).integers(0, WORDS, words)
    numbers[: words // 20 * 20 : words // ONCE] = WORDS + np.arange(len(range(0, words // 20 * 20, words // ONCE)))
    letters = np.full((words, WIDTH), ord(" "), np.uint8)
    for place in range(WIDTH - 1):
        letters[:, place] = ord("a") + numbers // 26**place % 26
    letters[19::20, -1] = ord("\n")
    return letters.tobytes()


def _peak(folder: Path, words: int) -> int:
    place = Place(folder)
    given = {"mode": "batch_skipgram", "vector_dim": 16, "epochs": 1, "window_size": 1, "negative_samples": 2}
    place.config("hyperparameters", {name: str(value) for name, value in given.items()})
    place.channels(train={"ContentType": "text/plain"}).file("train/text", _text(words))
    run = place.start(ALGORITHM="blazingtext", fresh=True).wait(300)  # kernels may have to be compiled first
    assert run.code == 0, run.log
    return int(place.metrics["peak_memory_bytes"])


def test_memory_is_that_of_tables_and_vocabulary_however_long_the_text(tmp_path: Path) -> None:
    """Both texts are too long for a stream in memory. To keep the longer one would take 54 MB more, and its stream 24
    MB more."""
    short, long = (_peak(tmp_path / str(words), words) for words in (5_000_000, 11_000_000))

    tables, vocabulary = 2 * WORDS * 16 * 4, (WORDS + ONCE) * (72 + WIDTH)
    assert long - short < 20e6
    assert long < tables + vocabulary + PROMISED
