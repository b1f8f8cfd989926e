"""Topics as words: how near these are, what a job leaves of them, and requests that speak in words."""

import json

import numpy as np
import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.contract.records.lines import Lines
from algoport.algorithms.ntm import topics
from algoport.algorithms.ntm.model import Model
from algoport.algorithms.ntm.options import Options
from tests.algorithms.ntm.jobs import drawn, trained

WORDS = [f"word{number}" for number in range(60)]
VOCABULARY = {"vocab.txt": "\n".join(WORDS).encode()}


def test_similarity_is_the_mean_cosine_of_each_two_words():
    random = np.random.default_rng(0)
    vectors, words = random.normal(size=(9, 4)), np.array([[0, 3, 5], [8, 1, 2]])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    want = [np.mean([unit[a] @ unit[b] for a in own for b in own if a != b]) for own in words]

    np.testing.assert_allclose(topics.similarity(words, vectors.astype(np.float32)), want, rtol=1e-6)


@pytest.fixture(scope="module")
def spoken():
    """A model that knows its words, what it left, and the documents that it was trained on."""
    counts, own, _ = drawn(300)
    files: dict = {}
    model = trained(counts, epochs=40, batch_norm=True, files=VOCABULARY, keep=files)
    return model, files, counts, own


def test_a_job_with_a_vocabulary_leaves_topics_as_words(spoken):
    model, files, counts, _ = spoken

    document = files["topics.json"]

    assert {"topics.json", "topics.csv", "topics.png", "loss.png"} <= files.keys()
    assert document["documents"] == len(counts) and len(document["topics"]) == 5
    assert sum(topic["share"] for topic in document["topics"]) == pytest.approx(1)
    first = document["topics"][0]["words"]
    assert [each["word"] for each in first] == [WORDS[w] for w in np.argsort(-model.topics[0], kind="stable")[:10]]
    # Of documents of one topic each, its words come together.
    assert document["npmi"] > 0.1
    json.dumps(document)


def test_a_text_is_answered_as_its_counts(spoken):
    model, _, counts, _ = spoken
    texts = [" ".join(np.repeat(WORDS, row.astype(int))) + ", and unknown ones" for row in counts[:6]]

    answer = model.predict(Lines(text=Ragged.texts(texts)))["topic_weights"]

    np.testing.assert_array_equal(answer, model.predict(Rows(features=counts[:6]))["topic_weights"])


def test_the_largest_topics_of_a_document_are_named(spoken):
    model, _, counts, _ = spoken

    answer = model.predict(Rows(features=counts[:3]), Options(top_words=4))

    for weights, named in zip(answer["topic_weights"], answer["topics"], strict=True):
        assert named[0]["topic"] == int(weights.argmax()) and len(named[0]["words"]) == 4
        assert set(named[0]["words"]) <= set(WORDS)


def test_words_are_kept_by_incremental_training_and_by_the_artifact(spoken, tmp_path):
    model, _, counts, _ = spoken

    further = trained(counts, epochs=1, batch_norm=True, start=model)
    further.save(tmp_path)

    assert list(Model.load(tmp_path).vocabulary.words) == WORDS


def test_a_text_of_unknown_words_only_is_refused(spoken):
    with pytest.raises(UserError, match="must have a word of the model's vocabulary of 60; its words, such as"):
        spoken[0].predict(Lines(text=Ragged.texts(["word3", "nothing known"])))


def test_words_are_refused_of_a_model_without_a_vocabulary():
    counts = drawn(40)[0]
    model = trained(counts, epochs=1)

    with pytest.raises(UserError, match="text/plain: needs a model that knows its words"):
        model.predict(Lines(text=Ragged.texts(["word3"])))
    with pytest.raises(UserError, match="top_words: needs a model that knows its words"):
        model.predict(Rows(features=counts), Options(top_words=3))


def test_a_negative_count_of_a_request_is_refused(spoken):
    rows = np.ones((2, 60), np.float32)
    rows[1, 7] = -1

    with pytest.raises(UserError, match="document 2 has word 7, counted from 0, -1 times"):
        spoken[0].predict(Rows(features=rows))
