"""The steps for GPUs against the kernels for processors; torch computes on its CPU here, as the device "cpu:0"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from algoport.algorithms.blazingtext import kernels_torch
from algoport.algorithms.blazingtext.kernels import labels, vectors
from algoport.algorithms.blazingtext.kernels_torch import DeviceTables
from algoport.algorithms.blazingtext.state import State
from algoport.algorithms.blazingtext.tables import aligned
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.lines import Lines
from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.sampling.alias import alias_table
from algoport.algorithms.shared.threads import ALONE
from tests import data
from tests.algorithms.blazingtext.jobs import CLASSES, NEWS, SPORT, VECTORS, cosine, lines, right, trained
from tests.groups import together

DEVICE = "cpu:0"  # not "cpu", whose kernels are compiled
RATES = (0.05, 1e-5)
MODES = {"batch_skipgram": vectors.BATCH, "skipgram": vectors.SKIP, "cbow": vectors.BAG}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Of torch: its own wait for each other longer than such small steps take."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _state(random: Any, rows: int, outputs: int, d: int) -> State:
    one, other = aligned(rows, d), aligned(outputs + 1, d)
    one[:, :d], other[:-1, :d] = random.normal(size=(rows, d)), random.normal(size=(outputs, d))
    return State(inputs=one, outputs=other)


def _device(state: State, *, deterministic: bool = False) -> DeviceTables:
    own = State(inputs=state.inputs.copy(), outputs=state.outputs.copy())
    return DeviceTables(own, DEVICE, deterministic=deterministic)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("negatives", "batch", "subwords"), [(5, 4, False), (3, 2, True), (5, 11, True)])
def test_steps_one_by_one_are_those_of_the_kernels(
    mode: str, negatives: int, batch: int, subwords: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the same draws, over sentences that a plan has no room for. Each word is there once: of a row that is twice
    in one step the kernels' second sees what the first has changed."""
    random = np.random.default_rng(3)
    v, d, spelled = 70, 21, subwords and mode != "batch_skipgram"
    own = [[word, v + word] if spelled and word % 3 else [word] for word in range(v)]
    offsets = np.cumsum([0, *map(len, own)]).astype(np.int64)
    keep = np.where(np.arange(v) < 9, 0.5, 1).astype(np.float32)
    sentences = [random.permutation(v)[:size].tolist() for size in (1, 2, 17, 0, 9, 60)]
    tokens = const([token for each in sentences for token in [*each, -1]], np.int32)
    words: Any = (np.arange(v, dtype=np.int32), keep, alias_table(np.arange(1, v + 1) ** 0.75), offsets,
                  np.concatenate(own).astype(np.int64))  # fmt: skip
    state = _state(random, 2 * v, v, d)
    settings = state.inputs.shape[1], 4, negatives, batch, int(spelled)
    monkeypatch.setattr(kernels_torch, "PLAN", 7)

    tables = _device(state, deterministic=subwords)
    tables.learn_vectors(tokens, MODES[mode], words, settings, RATES, 7)
    before = state.inputs.copy()
    flat = state.inputs.reshape(-1), state.outputs.reshape(-1)
    vectors.learn(ALONE, tokens, 0, MODES[mode], words, flat, settings, RATES, 7)

    assert abs(state.inputs - before).max() > 0.05
    np.testing.assert_allclose(tables.inputs.numpy(), state.inputs, atol=2e-5)
    np.testing.assert_allclose(tables.outputs.numpy(), state.outputs, atol=2e-5)


@pytest.mark.parametrize(("l", "n"), [(2, 1), (7, 3), (13, 2)])
def test_lines_one_by_one_are_those_of_the_kernels(l: int, n: int, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: E741
    """Of several labels and of none, of words and labels that are not known."""
    random = np.random.default_rng(4)
    u, buckets = 20, 11
    numbers = np.where(np.arange(u) % 5 == 4, -1, np.arange(u) - np.arange(u) // 5).astype(np.int32)
    v = int(numbers.max()) + 1
    words: Any = numbers, random.integers(0, 2**32, u, np.uint32), np.append(np.arange(l), -1).astype(np.int32)
    stream = []
    for number in range(27):
        texts = random.integers(0, u, random.integers(1, 9)).tolist()
        stream += [*texts, *(-2 - label for label in random.integers(0, l + 1, number % 4).tolist()), -1]
    tokens = const(stream, np.int32)
    state = _state(random, v + buckets, l, 21)
    settings = state.inputs.shape[1], v, n, buckets, l
    monkeypatch.setattr(kernels_torch, "PLAN", 1)

    tables = _device(state)
    tables.learn_labels(tokens, words, settings, (0.2, 1e-4), 9)
    before = state.inputs.copy()
    labels.learn(ALONE, tokens, words, (state.inputs.reshape(-1), state.outputs.reshape(-1)), settings, (0.2, 1e-4), 9)

    assert abs(state.inputs - before).max() > 0.05
    np.testing.assert_allclose(tables.inputs.numpy(), state.inputs, atol=2e-5)
    np.testing.assert_allclose(tables.outputs.numpy(), state.outputs, atol=2e-5)


def test_changes_of_one_row_are_added_up_and_many_of_them_count_as_few() -> None:
    tables = _device(State(inputs=np.zeros((4, 16), np.float32), outputs=np.zeros((2, 16), np.float32)))
    rows = torch.tensor([1, 3, 3, *[2] * 100])

    for _ in range(2):
        tables._add(tables.inputs, rows, torch.ones(103, 16), 8.0)

    assert tables.inputs[:, 0].tolist() == pytest.approx([0, 2, 16, 4], rel=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_a_job_on_a_device_finds_which_words_belong_together(mode: str) -> None:
    notes: list[str] = []
    model = trained(lines(400, labels=False), mode=mode, epochs=10, device=DEVICE, notes=notes, **VECTORS)

    same = [cosine(model, *pair) for words in (SPORT, NEWS) for pair in pairwise(words)]
    across = [cosine(model, *pair) for pair in zip(SPORT, NEWS, strict=True)]
    assert min(same) > max(across), (same, across)
    assert f"Running single machine GPU BlazingText training using {mode} mode." in notes


def test_members_with_a_device_each_end_with_the_same_tables() -> None:
    """And the best weights, which validation on the processor chose, are those that the device had."""
    more = {"validation": lines(40, 1), "early_stopping": True, "min_epochs": 2, "epochs": 10, **CLASSES}
    models = together(2, lambda group: trained(lines(300), group=group, device=DEVICE, **more))

    assert np.array_equal(models[0].content.inputs, models[1].content.inputs)
    assert right(models[0], lines(40, 1)) == 1


def test_tables_beyond_the_memory_of_a_device_say_what_they_would_take(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(torch, "zeros", full)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (1, 8 * 10**9))

    with pytest.raises(UserError, match=r"rows of 16 numbers would take 0\.0 GB; there are 8\.0 GB"):
        trained(lines(), device=DEVICE, **CLASSES)


def _news() -> tuple[Lines, Lines]:
    """The BBC's news in small letters, and every fifth of them, which is left out."""
    texts = [" ".join(re.findall(r"[a-z]+", text.lower())) for text in data.bbc_texts()]
    rows = Lines(text=Ragged.texts(texts), label=Ragged.texts(data.bbc_subjects()))
    order = np.random.default_rng(0).permutation(len(rows))
    return rows.take(order[len(order) // 5 :]), rows.take(order[: len(order) // 5])


def test_a_classifier_of_news_is_as_good_as_the_kernels() -> None:
    """Within .01: five of the 445 texts."""
    given = {"mode": "supervised", "learning_rate": 0.5, "epochs": 10, "word_ngrams": 1, "vector_dim": 10}
    learned, asked = _news()

    own, other = (trained(learned, device=device, **given) for device in ("cpu", DEVICE))

    assert right(other, asked) >= right(own, asked) - 0.01


@pytest.mark.parametrize("mode", ["batch_skipgram", "cbow"])  # skip-gram has the steps of CBOW, and many more
def test_vectors_of_news_are_alike_to_those_of_the_kernels(mode: str) -> None:
    """By Spearman's correlation of the cosine similarities of the most frequent words, which of two seeds of the
    kernels is .93 with as few passes."""
    given = {"mode": mode, "vector_dim": 32, "epochs": 2}
    text = Lines(text=_news()[0].text)

    def likeness(device: str) -> Any:
        rows = trained(text, device=device, **given).content.inputs[:1000].astype(float)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return (rows @ rows.T)[np.triu_indices(1000, 1)]

    assert spearmanr(likeness("cpu"), likeness(DEVICE)).statistic > 0.88
