"""Topics that are known are found; the log, the settings and the ends of training are as the original's."""

import re

import numpy as np
import pytest
from scipy import sparse

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.ntm.hyperparameters import Hyperparameters
from tests.algorithms.ntm.jobs import drawn, job, trained

GOOD = {"optimizer": "adadelta", "batch_norm": True, "epochs": 60, "mini_batch_size": 100}


def recovered(model, topics):
    """How many of the topics are told by their own words: of the heaviest of a topic of the model, one is of another
    topic at most."""
    words = np.argsort(-model.topics, axis=1)[:, :8]
    own = topics.argmax(axis=0)[words]
    best = {int(np.bincount(each).argmax()) for each in own if np.bincount(each).max() >= 7}
    return len(best)


@pytest.mark.parametrize(
    "given",
    [GOOD, {"optimizer": "adam", "learning_rate": 0.01, "epochs": 60, "mini_batch_size": 100}],
    ids=["normalized", "plain"],
)
def test_topics_that_documents_were_drawn_from_are_found(given):
    counts, topics, shares = drawn()

    model = trained(counts, **given)

    assert recovered(model, topics) >= 4
    weights = model.predict(job(counts).channels["train"].all())["topic_weights"]
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
    # Documents of one topic are alike, and others are not.
    same = np.corrcoef(weights)[:60, :60]
    main = shares.argmax(axis=1)[:60]
    alike = main[:, None] == main[None]
    assert same[alike].mean() > same[~alike].mean() + 0.5


def test_sparse_and_dense_documents_give_the_same_model():
    counts, _, _ = drawn(150)
    given = {**GOOD, "epochs": 2}

    np.testing.assert_array_equal(trained(counts, **given).topics, trained(sparse.csr_array(counts), **given).topics)


def test_the_log_has_the_originals_lines():
    counts, _, _ = drawn(120)
    words = "\n".join(f"word{number}" for number in range(60)).encode()
    glove = "\n".join(f"word{number} {number % 12} 1 {number}" for number in range(57)).encode()
    notes, reports = [], []

    trained(
        counts,
        epochs=2,
        mini_batch_size=50,
        others={"validation": counts, "test": counts},
        notes=notes,
        reports=reports,
        files={"vocab.txt": words, "glove.txt": glove},
    )

    text = "\n".join(notes)
    assert "3 out of 60 in vocabulary do not have embeddings! Default vector used for unknown embedding!" in notes
    assert "# Starting training for epoch 2" in notes
    assert "# Finished training epoch 2 on 120 examples from 3 batches, each of size 50." in notes
    assert len(re.findall(r"^Metrics for Training:$", text, re.M)) == 2
    for name in ("total", "kld", "recons", "logppx"):
        assert re.search(rf"^Loss \(name: value\) {name}: \d+\.\d+", text, re.M)
    assert re.search(r"^Topics from epoch:final \(num_topics:5\) \[wetc -?\d\.\d\d, tu \d\.\d\d\]:$", text, re.M)
    topics = re.findall(r"^\[-?\d\.\d\d, \d\.\d\d\] ((?:word\d+ ){19}word\d+)$", text, re.M)
    assert len(topics) == 5
    names = {(name, how.get("epoch")) for values, how in reports for name in values}
    assert names == {
        *((f"{channel}:total_loss", epoch) for channel in ("train", "validation") for epoch in (1, 2)),
        ("test:total_loss", None),
    }


def test_the_loss_is_of_a_word_and_its_parts_add_up():
    counts, _, _ = drawn(120)
    notes, reports = [], []

    trained(counts, epochs=1, notes=notes, reports=reports)

    own = {name: float(value) for name, value in re.findall(r"\(name: value\) (\w+): (\S+)", "\n".join(notes))}
    assert own["total"] == pytest.approx(own["kld"] + own["recons"])
    assert 0.5 * np.log(60) < own["total"] < 1.2 * np.log(60)
    assert reports[0][0] == {"train:total_loss": own["total"]}


def test_without_a_vocabulary_topics_are_numbers_and_without_vectors_a_sentence_says_so():
    counts, _, _ = drawn(60)
    notes, others = [], []

    trained(counts, epochs=1, notes=notes)
    trained(counts, epochs=1, notes=others, files={"vocab.txt": "\n".join(map(str, range(100, 160))).encode()})

    assert any(re.fullmatch(r"\[\d\.\d\d\] \d+( \d+){19}", line) for line in notes)
    assert any(line.startswith("Topics from epoch:final (num_topics:5) [tu ") for line in notes)
    assert any("WETC" in line and "is left out" in line for line in others)


def test_training_ends_when_the_loss_no_longer_changes_and_says_why():
    counts, _, _ = drawn(200)
    notes = []

    trained(counts, epochs=80, num_patience_epochs=2, tolerance=0.05, notes=notes)

    (reason,) = [line for line in notes if "below tolerance" in line]
    assert re.search(r"training ends after epoch (1\d|2\d)\.", reason), reason
    assert "raise num_patience_epochs, above epochs (80) for all of them" in reason


def test_a_patience_beyond_the_epochs_never_ends_training():
    notes = []

    trained(drawn(60)[0], epochs=14, num_patience_epochs=15, tolerance=0.1, notes=notes)

    assert "# Starting training for epoch 14" in notes


def test_the_model_is_that_of_the_best_epoch_on_validation():
    counts, _, _ = drawn(25)  # so few that it learns them by heart
    reports = []
    given = {"others": {"validation": drawn(40, seed=9)[0]}, "optimizer": "adam", "learning_rate": 0.03, "epochs": 60}

    model = trained(counts, reports=reports, **given)

    losses = [values["validation:total_loss"] for values, _ in reports if "validation:total_loss" in values]
    best = int(np.argmin(losses)) + 1
    assert best < 60
    # Trained for just as long, it is the same.
    np.testing.assert_array_equal(trained(counts, **{**given, "epochs": best}).topics, model.topics)


def test_a_share_of_the_documents_is_drawn_anew_for_each_epoch():
    counts, _, _ = drawn(400)
    notes = []

    trained(counts, epochs=6, sub_sample=0.5, notes=notes)

    sizes = [int(each) for each in re.findall(r"on (\d+) examples", "\n".join(notes))]
    assert len(set(sizes)) > 1 and all(140 < size < 260 for size in sizes)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adagrad", "adadelta", "rmsprop"])
def test_every_optimizer_lowers_the_loss(optimizer):
    reports = []
    rate = {"sgd": 0.05, "adagrad": 0.1}.get(optimizer, 0.01)

    trained(drawn(300)[0], epochs=15, optimizer=optimizer, learning_rate=rate, batch_norm=True, reports=reports)

    losses = [values["train:total_loss"] for values, _ in reports]
    assert losses[-1] < 0.9 * losses[0], losses


def test_adadelta_uses_no_learning_rate():
    counts, _, _ = drawn(60)
    one, other = (trained(counts, epochs=2, learning_rate=rate).topics for rate in (1e-6, 1.0))

    np.testing.assert_array_equal(one, other)


def test_documents_without_words_are_passed_over_and_counted():
    counts, _, _ = drawn(100)
    with_empty = np.concatenate([np.zeros((7, 60), np.float32), counts])
    notes = []

    trained(with_empty, epochs=2, notes=notes)

    assert "7 of 107 training documents have no words and are passed over." in notes
    assert any("on 100 examples" in line for line in notes)


def test_fractional_counts_are_taken_with_a_note():
    notes = []

    trained(drawn(50)[0] * 0.5, epochs=2, notes=notes)

    assert [line for line in notes if "no whole numbers" in line] == [
        "Some counts of words are no whole numbers; they are taken as weights."
    ]


def negative():
    counts = drawn(40)[0]
    counts[11, 17] = -2
    return counts


@pytest.mark.parametrize(
    "counts, given, sentence",
    [
        (
            negative(),
            {},
            "Channel 'train': a document must have each word from 0 to 1000000000 times; one has word 17, .*, -2 times",
        ),
        (
            np.full((9, 60), np.nan),
            {},
            "Channel 'train': a document must have each word .* one has word 0, counted from 0, nan times",
        ),
        (np.zeros((30, 60)), {}, "Channel 'train': must have a document with words; it has none"),
        (drawn(30)[0], {"sub_sample": 1e-9}, r"Channel 'train': the share sub_sample \(1e-09\) of its documents must"),
        (
            drawn(30)[0],
            {"files": {"vocab.txt": b"one\ntwo\n"}},
            r"auxiliary/vocab.txt: must have 60 lines, .* it has 2",
        ),
        (
            drawn(30)[0],
            {"files": {"vocab.txt": b"w\n" * 60, "a.txt": b"w 1 2\n", "b.txt": b"w 1 2\n"}},
            "must hold vocab.txt and at most one file of word vectors beside it; it holds a.txt, b.txt",
        ),
        (
            drawn(30)[0],
            {"files": {"vocab.txt": b"w\n" * 60, "glove.txt": b"w 1 2\nx 1 2 3\ny 1\n"}},
            "glove.txt, line 3: must be a word and 2 numbers",
        ),
        (
            drawn(200)[0] * 1e7,
            {"optimizer": "sgd", "learning_rate": 1.0, "epochs": 8},
            "learning_rate: must be small enough for the loss to stay finite",
        ),
    ],
    ids=["negative", "missing", "no words", "small share", "vocabulary", "two files", "width of vectors", "rate"],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_bad_input_has_its_sentence(counts, given, sentence):
    with pytest.raises(UserError, match=sentence):
        trained(counts, **{"epochs": 1, **given})


def test_vectors_of_none_of_the_words_leave_wetc_out():
    notes = []

    trained(drawn(30)[0], epochs=1, notes=notes, files={"vocab.txt": b"w\n" * 60, "glove.txt": b"x 1 2\n"})

    assert "auxiliary/glove.txt has a vector of none of the words of vocab.txt: WETC is left out." in notes


def test_files_without_a_vocabulary_are_noted_as_the_original_does():
    notes = []

    trained(drawn(30)[0], epochs=1, notes=notes, files={"words.txt": b"x\n"})

    assert "Vocab file vocab.txt is expected at /opt/ml/input/data/auxiliary" in notes


@pytest.mark.parametrize(
    "given, sentence",
    [
        ({"num_topics": 30}, r"num_topics: must be at most feature_dim \(20\)"),
        ({"encoder_layers": "0,5"}, "encoder_layers: must be from 1 to 20 whole numbers"),
        ({"sub_sample": 0}, "sub_sample: must be above 0"),
        ({"clip_gradient": 0.0001}, "clip_gradient: must be a number at least 0.001 or 'Infinity'"),
    ],
)
def test_settings_that_cannot_be_have_their_sentence(given, sentence):
    with pytest.raises(UserError, match=sentence):
        Hyperparameters.read({"feature_dim": 20, "num_topics": 5, **given})


@pytest.mark.parametrize("word", ["Infinity", "Inf", "inf"])
def test_no_limit_of_gradients_is_written_in_several_ways(word):
    assert Hyperparameters.read({"feature_dim": 20, "num_topics": 5, "clip_gradient": word}).clip == np.inf


@pytest.mark.parametrize("written", ["30,20", "[30, 20]", [30, 20]])
def test_layers_are_written_in_several_ways(written):
    assert Hyperparameters.read({"feature_dim": 20, "num_topics": 5, "encoder_layers": written}).layers == (30, 20)


def test_a_start_of_another_shape_is_refused():
    counts, _, _ = drawn(40)
    start = trained(counts, epochs=1)

    with pytest.raises(UserError, match="num_topics: must be that of the model to start from, 5; it is 4"):
        trained(counts, epochs=1, num_topics=4, start=start)


def test_incremental_training_keeps_what_was_learned():
    counts, topics, _ = drawn()
    start = trained(counts, **GOOD)
    reports = []

    model = trained(counts, **{**GOOD, "epochs": 1}, start=start, reports=reports)

    assert recovered(model, topics) >= 4
