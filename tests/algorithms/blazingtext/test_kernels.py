"""The compiled loops beside plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from algoport.algorithms.blazingtext.dictionary import CLOSE, Dictionary, Lookup, Subwords
from algoport.algorithms.blazingtext.kernels import labels, numbers, vectors
from algoport.algorithms.blazingtext.tables import aligned
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.randomness import draws
from algoport.algorithms.shared.sampling.alias import alias_table
from algoport.algorithms.shared.threads import ALONE
from tests.algorithms.blazingtext import plainly

WORDS = ["a", "foobar", "läuft", "日本", "😀", "don't", "x" * 40, "ß"]
RATES = (0.05, 1e-5)  # at first, and less for each word
MODES = {"batch_skipgram": vectors.BATCH, "skipgram": vectors.SKIP, "cbow": vectors.BAG}


def test_words_are_numbered_as_they_come() -> None:
    """Over tables that grow, with labels and ends of lines, and blanks of every kind."""
    random = np.random.default_rng(0)
    texts = [" \t".join(f"{word}{random.integers(400)}" for word in random.choice(WORDS, 9)) + "\r" for _ in range(300)]
    marks = [random.integers(0, 9, number % 3).tolist() for number in range(300)]
    dictionary, numbers = Dictionary(closing=True), {CLOSE: 0}
    expected: list[int] = []
    for text, own in zip(texts, marks, strict=True):
        for word in [*text.split(), CLOSE]:
            expected.append(numbers.setdefault(word, len(numbers)))
        expected += [*(-2 - mark for mark in own), -1]

    stream = [dictionary.add(Ragged.texts(texts[part : part + 100]), Ragged.of(marks[part : part + 100])) for part in
              (0, 100, 200)]  # fmt: skip

    whole = np.concatenate(stream)
    assert whole.tolist() == expected
    assert dictionary.words.strings() == list(numbers) and len(numbers) > 1024
    assert dictionary.counts.tolist() == np.bincount(whole[whole >= 0]).tolist()
    assert dictionary.hashes.tolist() == [plainly.fnv(word.encode()) for word in numbers]


def test_words_are_found_again() -> None:
    lookup = Lookup(Ragged.texts(WORDS))
    texts = Ragged.texts(["a never  läuft", "", " 日本 ", "foobarr"])

    numbers, hashes, places, ends = lookup.find(texts)

    assert numbers.tolist() == [0, -1, 2, 3, -1] and ends.tolist() == [0, 3, 3, 4, 5]
    assert hashes.tolist() == [plainly.fnv(word.encode()) for word in ["a", "never", "läuft", "日本", "foobarr"]]
    assert [bytes(texts.values[place : place + 1]) for place in places] == [b"a", b"n", b"l", "日".encode()[:1], b"f"]


def test_numbers_as_text_are_read_again_to_the_bit() -> None:
    """Any that 32 bits hold, and those at which the form changes."""
    every = np.random.default_rng(0).integers(0, 1 << 32, 20_000, dtype=np.uint32).view(np.float32)
    chosen = [0, 1, -1, 0.1, 9.9999999, 99999.99, 123456789, 1e8, 1e9, 1e-4, 1e-5, 0.001, 1.5e-45, 3.4028235e38]
    values = np.concatenate([np.array(chosen, np.float32), every[np.isfinite(every)]])[None]
    out = np.empty(values.size * (numbers.LONGEST + 1), np.uint8)
    word = np.frombuffer("läuft".encode(), np.uint8)

    size = numbers.write_rows(word, np.array([0, len(word)]), values, out)

    first, *rest = bytes(out[:size]).decode().removesuffix("\n").split(" ")
    assert first == "läuft" and np.array_equal(np.array(list(map(np.float32, rest))), values[0])
    assert rest[:5] == ["0", "1", "-1", "0.1", "10"] and rest[10] == "1e-05"
    assert max(map(len, rest)) < numbers.LONGEST


@pytest.mark.parametrize(("least", "most"), [(3, 6), (1, 2), (2, 2), (5, 9)])
def test_subwords_are_those_of_characters(least: int, most: int) -> None:
    words = Ragged.texts([*WORDS, CLOSE])
    subwords = Subwords(words, least, most, 1000)

    offsets, rows = subwords.table

    for number, word in enumerate(WORDS):
        grams = plainly.subwords(word, least, most, 1000)
        own = rows[offsets[number] : offsets[number + 1]].tolist()
        assert own == [number, *(len(words) + gram for gram in grams)], word
        assert subwords.of(word.encode()).tolist() == [len(words) + gram for gram in grams]
    assert offsets[-1] - offsets[-2] == 1  # a line's end is no word of characters


def test_word_ngrams_are_those_of_signed_hashes() -> None:
    hashes = np.array([plainly.fnv(word.encode()) for word in WORDS], np.uint32)
    rows = np.empty(100, np.int64)
    numbers = np.array([0, -1, 2, 3, -1, 5, 6, 7], np.int32)

    count = labels.line_rows(numbers, hashes, 0, 8, 8, 3, 1000, 16, rows, 0)

    grams = plainly.ngrams(hashes.tolist(), 3, 1000)
    assert rows[:count].tolist() == [16 * row for row in [0, 2, 3, 5, 6, 7, *(8 + gram for gram in grams)]]


def tables(random: Any, rows: int, outputs: int, d: int) -> tuple[Any, Any]:
    """Random ones, with a row of zeros behind the last of the outputs."""
    one, other = aligned(rows, d), aligned(outputs + 1, d)
    one[:, :d], other[:-1, :d] = random.normal(size=(rows, d)), random.normal(size=(outputs, d))
    return one, other


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("d", "negatives", "batch", "subwords"), [(16, 5, 4, False), (21, 7, 8, True), (100, 1, 3, False)]
)
def test_word_vectors_are_those_of_numpy(mode: str, d: int, negatives: int, batch: int, subwords: bool) -> None:
    """Sentences of any length, thinned out, with windows, batches that overflow and groups that are not full.

    A row that a batch has twice, and the second group of negatives, see what was changed just before.
    """
    random = np.random.default_rng(3)
    v, spelled = 30, subwords and mode != "batch_skipgram"
    inputs, outputs = tables(random, v + 10, v, d)
    own = [[word, *(v + random.integers(0, 10, word % 4)).tolist()] if spelled else [word] for word in range(v)]
    offsets = np.cumsum([0, *map(len, own)]).astype(np.int64)
    subrows = np.concatenate(own).astype(np.int64)
    keep = np.where(np.arange(v) < 5, 0.5, 1).astype(np.float32)
    table = alias_table(np.arange(1, v + 1) ** 0.75)
    sentences = [random.integers(0, v, size).tolist() for size in (1, 2, 17, 0, 9, 30)]
    tokens = np.array([token for each in sentences for token in [*each, -1]], np.int32)
    first = inputs[:, :d].copy()
    plain = inputs[:, :d].astype(float), outputs[:-1, :d].astype(float)
    plainly.Word2Vec(mode, plain, 4, negatives, batch, own).learn(tokens.tolist(), keep, table, RATES, 7)

    numbers = np.arange(v, dtype=np.int32)
    words = numbers, keep, table, offsets, subrows
    settings = inputs.shape[1], 4, negatives, batch, int(spelled)
    flat = inputs.reshape(-1), outputs.reshape(-1)
    vectors.learn(ALONE, const(tokens, np.int32), 0, MODES[mode], words, flat, settings, RATES, 7)

    assert abs(plain[0] - first).max() > 0.05
    np.testing.assert_allclose(inputs[:, :d], plain[0], atol=1e-4)
    np.testing.assert_allclose(outputs[:-1, :d], plain[1], atol=1e-4)
    assert not inputs[:, d:].any() and not outputs[-1].any()


@pytest.mark.parametrize(("l", "d", "n"), [(2, 8, 1), (7, 21, 3), (13, 16, 2)])
def test_labels_are_learned_as_by_numpy(l: int, d: int, n: int) -> None:  # noqa: E741
    """Lines of several labels, of none, of words that are not known; labels that are not known."""
    random = np.random.default_rng(4)
    u, buckets = 20, 11
    numbers = np.where(np.arange(u) % 5 == 4, -1, np.arange(u) - np.arange(u) // 5).astype(np.int32)
    v = int(numbers.max()) + 1
    hashes = random.integers(0, 2**32, u, np.uint32)
    inputs, outputs = tables(random, v + buckets, l, d)
    texts = [random.integers(0, u, random.integers(1, 9)).tolist() for _ in range(40)]
    marks = [random.integers(0, l + 1, number % 4).tolist() for number in range(40)]  # the last one is not known
    known = np.append(np.arange(l), -1).astype(np.int32)
    tokens, lines = [], []
    for words, own in zip(texts, marks, strict=True):
        rows = [int(numbers[word]) for word in words if numbers[word] >= 0]
        rows += [v + gram for gram in plainly.ngrams(hashes[words].tolist(), n, buckets)]
        targets = [label for label in own if label < l]
        if rows and targets:
            lines.append((rows, targets, len(tokens)))
        tokens += [*words, *(-2 - label for label in own), -1]
    plain = inputs[:, :d].astype(float), outputs[:-1, :d].astype(float)
    plainly.classify(lines, plain, (0.2, 1e-4), draws(np.uint64(9), 0))

    settings = inputs.shape[1], v, n, buckets, l
    flat = inputs.reshape(-1), outputs.reshape(-1)
    stream = const(tokens, np.int32)
    labels.learn(ALONE, stream, (numbers, hashes, known), flat, settings, (0.2, 1e-4), 9)

    np.testing.assert_allclose(inputs[:, :d], plain[0], atol=1e-4)
    np.testing.assert_allclose(outputs[:-1, :d], plain[1], atol=1e-4)
    right, count = labels.count_right(stream, (numbers, hashes, known), flat, settings)
    best = [int((plain[1] @ plain[0][rows].mean(axis=0)).argmax()) for rows, _, _ in lines]
    assert right == sum(label in own for label, (_, own, _) in zip(best, lines, strict=True)) and count >= len(lines)


def test_first_rows_are_even_and_belong_to_their_places() -> None:
    table, more = aligned(500, 20), aligned(700, 20)

    vectors.fill_rows(table, 20, np.uint64(3))
    vectors.fill_rows(more, 20, np.uint64(3))

    assert np.array_equal(table, more[:500]) and not table[:, 20:].any()
    assert abs(table[:, :20]).max() <= 1 / 20 and abs(table[:, :20].mean()) < 1e-3
    assert table[:, :20].std() == pytest.approx(1 / 20 / np.sqrt(3), rel=0.02)


def test_frequent_words_are_thinned_out() -> None:
    counts = np.array([900, 90, 9, 1])

    keep = vectors.keep_probabilities(counts, 0.01)

    shares = counts / 1000
    np.testing.assert_allclose(keep, np.minimum(np.sqrt(0.01 / shares) + 0.01 / shares, 1), rtol=1e-5)
