"""Topics as words: which they are, how much their own, and how alike."""

import numpy as np

from algoport.algorithms.ntm import topics


def test_the_heaviest_words_come_first_and_of_equals_the_lower_number():
    weights = np.array([[0, 3, 1, 3, 2], [5, 5, 5, 5, 5]], np.float32)

    assert topics.heaviest(weights, 3).tolist() == [[1, 3, 4], [0, 1, 2]]
    assert topics.heaviest(weights, 20).shape == (2, 5)


def test_uniqueness_is_one_where_no_word_is_shared_and_one_in_k_where_all_are():
    np.testing.assert_allclose(topics.uniqueness(np.array([[0, 1], [2, 3]])), 1)
    np.testing.assert_allclose(topics.uniqueness(np.array([[0, 1], [1, 0], [0, 1]])), 1 / 3)
    np.testing.assert_allclose(topics.uniqueness(np.array([[0, 1], [1, 2]])), [0.75, 0.75])


def test_similarity_is_the_mean_cosine_of_each_two_words():
    random = np.random.default_rng(0)
    vectors, words = random.normal(size=(9, 4)), np.array([[0, 3, 5], [8, 1, 2]])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    want = [np.mean([unit[a] @ unit[b] for a in own for b in own if a != b]) for own in words]

    np.testing.assert_allclose(topics.similarity(words, vectors.astype(np.float32)), want, rtol=1e-6)
