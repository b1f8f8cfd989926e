"""What a model answers: mixtures beside a plain twin, topics in words, texts, and what the originals left."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.lda.model import Model
from algoport.algorithms.lda.options import Options
from algoport.algorithms.shared.text import requests
from algoport.algorithms.shared.text.counts import Counts
from algoport.algorithms.shared.text.vocabulary import Vocabulary
from tests.algorithms.lda.jobs import documents, records


def model(words: tuple[str, ...] | None = None, *, topics: int = 3, v: int = 6) -> Model:
    random = np.random.default_rng(0)
    beta = random.dirichlet(np.full(v, 0.5), topics).astype(np.float32)
    return Model(
        alpha=np.full(topics, 0.2, np.float32), beta=beta, vocabulary=None if words is None else Vocabulary(words)
    )


def plain_mixture(row: Any, of: Model, steps: int = 2000) -> Any:
    mixture, beta = of.alpha.astype(np.float64), of.beta.astype(np.float64)
    for _ in range(steps):
        mixture = of.alpha + mixture * (beta @ (row / np.maximum(mixture @ beta, 1e-30)))
    return mixture / mixture.sum()


def test_a_mixture_is_the_fixed_point_of_expectation_maximization() -> None:
    rows = documents(model().beta.astype(np.float64) / model().beta.sum(axis=1, keepdims=True), 50, words=30)

    mixtures = model().predict(records(rows))["topic_mixture"]

    np.testing.assert_allclose(mixtures, [plain_mixture(row, model()) for row in rows], atol=1e-4)


def test_a_document_is_answered_the_same_alone_and_in_a_batch_bit_for_bit() -> None:
    rows = documents(np.full((3, 6), 1 / 6), 200, words=20)
    whole = model().predict(records(rows))["topic_mixture"]

    alone = np.concatenate([model().predict(records(rows[i : i + 1]))["topic_mixture"] for i in range(200)])

    np.testing.assert_array_equal(alone, whole)


def test_documents_of_any_length_are_answered_by_plain_steps_and_the_same_alone() -> None:
    """From one word to more than are kept from step to step, with a batch's others around them."""
    v, topics = 40_000, 17
    ours = model(topics=topics, v=v)
    random = np.random.default_rng(3)
    rows = np.zeros((9, v), np.float32)
    for row, words in zip(rows, (1, 7, 31, 32, 33, 64, 500, 9_000, 35_000), strict=True):
        row[random.choice(v, words, replace=False)] = random.integers(1, 9, words)

    whole = ours.predict(records(sparse.csr_array(rows)))["topic_mixture"]

    for number, row in enumerate(rows):
        (alone,) = ours.predict(records(sparse.csr_array(row[None])))["topic_mixture"]
        np.testing.assert_array_equal(alone, whole[number])
        of_words = Model(alpha=ours.alpha, beta=ours.beta[:, row > 0])
        np.testing.assert_allclose(alone, plain_mixture(row[row > 0], of_words, 150), atol=1e-3)


def test_a_document_without_words_has_the_mixture_of_the_prior() -> None:
    mixture = model().predict(records(np.zeros((1, 6), np.float32)))["topic_mixture"]

    np.testing.assert_allclose(mixture, [[1 / 3] * 3], atol=1e-6)


def test_likelihood_is_the_plain_sum_and_words_of_no_topic_are_finite() -> None:
    ours = model()
    beta = ours.beta.copy()
    beta[:, 5] = 0
    ours = Model(alpha=ours.alpha, beta=np.asarray(beta / beta.sum(axis=1, keepdims=True), np.float32))
    rows = np.array([[1, 2, 0, 3, 1, 0], [1, 0, 0, 0, 0, 2]], np.float32)
    counts = Counts.of(records(rows))

    probabilities = np.maximum(ours.mixtures(counts) @ ours.beta, 1e-10)

    assert ours.log_likelihood(counts) == pytest.approx((rows * np.log(probabilities)).sum(), rel=1e-5)


def test_negative_counts_of_a_request_are_refused() -> None:
    with pytest.raises(UserError, match="document 2 has word 1, counted from 0, -1 times"):
        model().predict(records(np.array([[1] * 6, [0, -1, 0, 0, 0, 0]], np.float32)))


WORDS = ("goal", "Match", "e-mail", "bank", "rates", "naïve")


def test_texts_are_counted_in_the_words_of_the_vocabulary() -> None:
    texts = requests.read("A goal, GOAL! match e-mail e-bank\n\nnaïve rates\n".encode(), "the request")

    counts = Vocabulary(WORDS).counts(texts.text, texts.place)

    dense = np.zeros((2, 6))
    dense[0, [0, 1, 2, 3]], dense[1, [4, 5]] = [2, 1, 1, 1], 1
    for row in range(2):
        some = slice(counts.indptr[row], counts.indptr[row + 1])
        np.testing.assert_array_equal(np.bincount(counts.words[some], counts.values[some], 6), dense[row])
    same = model(WORDS).predict(texts)["topic_mixture"]
    np.testing.assert_array_equal(same, model(WORDS).predict(records(dense))["topic_mixture"])


def test_texts_that_say_nothing_are_named() -> None:
    texts = requests.read(b"goal\n\nfoo bar\n", "the request")

    with pytest.raises(UserError, match="the request, line 3: must have a word of the model's vocabulary of 6.*'foo'"):
        model(WORDS).predict(texts)
    with pytest.raises(UserError, match="text/plain: needs a model that knows its words"):
        model().predict(texts)
    with pytest.raises(UserError, match="the request, line 2: must be UTF-8"):
        requests.read(b"a\n\xff\n", "the request")


def test_topics_are_named_where_they_are_asked_for() -> None:
    ours = model(WORDS)
    rows = records(np.array([[5, 0, 0, 0, 0, 0]], np.float32))

    columns = ours.predict(rows, Options(top_words=2))

    (topics,) = columns["topics"]
    mixture = columns["topic_mixture"][0]
    assert [entry["topic"] for entry in topics] == [t for t in np.argsort(-mixture) if mixture[t] > 1 / 3]
    for entry in topics:
        best = np.argsort(-ours.beta[entry["topic"]])[:2]
        assert entry["words"] == [WORDS[number] for number in best]
    with pytest.raises(UserError, match="top_words: needs a model that knows its words"):
        model().predict(rows, Options(top_words=2))


def written(path: Path, arrays: list[Any]) -> None:
    """A list of NDArrays without names, as `mxnet.nd.save` writes it."""
    parts = [struct.pack("<QQQ", 0x112, 0, len(arrays))]
    for array in arrays:
        parts.append(struct.pack(f"<IiI{array.ndim}q", 0xF993FAC9, 0, array.ndim, *array.shape))
        parts.append(struct.pack("<iii", 1, 0, 0) + array.astype("<f4").tobytes())
    parts.append(struct.pack("<Q", 0))
    path.write_bytes(b"".join(parts))


def test_the_original_s_artifact_is_read_also_where_topics_were_dropped(tmp_path: Path) -> None:
    ours = model(topics=4)
    for count in (4, 3):
        folder = tmp_path / str(count)
        folder.mkdir()
        written(folder / "model_algo-1", [ours.alpha[:count], ours.beta[:count]])

        theirs = Model.load(folder)

        np.testing.assert_array_equal(theirs.beta, ours.beta[:count])
        assert theirs.predict(records(np.ones((2, 6))))["topic_mixture"].shape == (2, count)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda arrays: arrays["beta"].__setitem__((0, 0), -1), "none negative"),
        (lambda arrays: arrays["beta"].__setitem__((0, 0), np.nan), "'beta' must be"),
        (lambda arrays: arrays["beta"].__setitem__(0, 0), "not all 0"),
        (lambda arrays: arrays["alpha"].__setitem__(0, -1), "'alpha' must not be negative"),
        (lambda arrays: arrays.__setitem__("alpha", np.ones(2, np.float32)), "'alpha' must be 3 numbers"),
        (lambda arrays: arrays.__setitem__("sizes", np.ones(2)), "'sizes' must be"),
    ],
)
def test_a_damaged_model_is_refused(spoil: Any, sentence: str, tmp_path: Path) -> None:
    from algoport.algorithms.shared import artifact

    arrays: dict[str, Any] = {"alpha": model().alpha.copy(), "beta": model().beta.copy()}
    spoil(arrays)
    artifact.save(tmp_path, arrays, {"algorithm": "lda"})

    with pytest.raises(UserError, match=sentence):
        Model.load(tmp_path)


def test_a_model_keeps_its_words(tmp_path: Path) -> None:
    model(WORDS).save(tmp_path)

    loaded = Model.load(tmp_path)

    assert loaded.vocabulary is not None and loaded.vocabulary.words == WORDS
    assert isinstance(records(np.ones((1, 6))), Rows)
