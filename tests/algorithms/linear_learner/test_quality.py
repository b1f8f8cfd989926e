"""As good as the references on real data, with the settings that a user gets who gives none."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, QuantileRegressor, Ridge, SGDClassifier, SGDRegressor
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from tests import data
from tests.algorithms.linear_learner.jobs import labeled, split, trained

WITHIN = 0.005  # of the best reference, relative


def scaled(reference):
    return make_pipeline(StandardScaler(), reference)


def fitted(reference, channels):
    """A reference that learns from the training rows alone, as we do."""
    return scaled(reference).fit(channels["train"].features, channels["train"].label[:, 0])


@pytest.mark.parametrize(
    ("name", "given"),
    [("spambase", {"mini_batch_size": 200}), ("magic", {}), ("magic", {"num_models": 1})],
    ids=["spambase", "magic", "magic with one model"],
)
def test_two_classes_are_classified_as_well_as_by_the_best_reference(name, given):
    """Over three splits, as the test rows are few; with batches that leave few rows enough steps."""
    accuracies, areas = [], []
    for seed in range(3):
        channels = split(*getattr(data, name)(), seed)
        test, label = channels["test"].features, channels["test"].label[:, 0]
        references = [
            fitted(reference, channels)
            for reference in (LogisticRegression(max_iter=1000), SGDClassifier(loss="log_loss", random_state=0))
        ]
        run = trained(channels, predictor_type="binary_classifier", **given)
        ours = run.figures["test:binary_classification_accuracy"], run.figures["test:roc_auc_score"]
        accuracies.append((ours[0], max(reference.score(test, label) for reference in references)))
        scores = [roc_auc_score(label, reference.decision_function(test)) for reference in references]
        areas.append((ours[1], max(scores)))

    for mean, best in (np.mean(accuracies, axis=0), np.mean(areas, axis=0)):
        assert mean >= (1 - WITHIN) * best


def test_prices_are_predicted_as_well_as_by_the_best_reference():
    channels = split(*data.diamonds())
    test, label = channels["test"].features, channels["test"].label[:, 0].astype(np.float64)

    run = trained(channels, predictor_type="regressor")

    references = [fitted(reference, channels) for reference in (Ridge(), SGDRegressor(random_state=0))]
    best = min(np.sqrt(((reference.predict(test) - label) ** 2).mean()) for reference in references)
    assert run.figures["test:mse"] ** 0.5 <= (1 + WITHIN) * best


@pytest.mark.parametrize(("name", "batch"), [("digits", 100), ("letters", 500)])
def test_many_classes_are_classified_as_well_as_by_the_best_reference(name, batch):
    """With batches that leave the few rows enough steps."""
    rows, label = getattr(data, name)()
    channels = split(rows[:12000], label[:12000])
    test, truth = channels["test"].features, channels["test"].label[:, 0]

    run = trained(
        channels,
        predictor_type="multiclass_classifier",
        num_classes=int(label.max()) + 1,
        mini_batch_size=batch,
        num_models=8,
    )

    reference = fitted(LogisticRegression(max_iter=500), channels)
    assert run.figures["test:multiclass_accuracy"] >= (1 - 2 * WITHIN) * reference.score(test, truth)


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop"])
def test_every_optimizer_gets_there(optimizer):
    channels = split(*data.magic())
    test, label = channels["test"].features, channels["test"].label[:, 0]

    run = trained(channels, predictor_type="binary_classifier", optimizer=optimizer)

    reference = fitted(LogisticRegression(), channels)
    assert run.figures["test:binary_classification_accuracy"] >= (1 - WITHIN) * reference.score(test, label)


@pytest.mark.parametrize("quantile", [0.2, 0.5])
def test_a_quantile_has_its_share_of_the_labels_below(quantile):
    rows, price = (part[:20_000] for part in data.diamonds())
    channels = {"train": labeled(rows, price)}

    run = trained(channels, predictor_type="regressor", loss="quantile_loss", quantile=quantile, mini_batch_size=500)

    answers = run.model.predict(channels["train"])["score"]
    assert (price < answers).mean() == pytest.approx(quantile, abs=0.03)
    exact = scaled(QuantileRegressor(quantile=quantile, alpha=0)).fit(rows[:3000], price[:3000])

    def loss(guess):
        error = price - guess
        return np.maximum(quantile * error, (quantile - 1) * error).mean()

    assert loss(answers) <= 1.01 * loss(exact.predict(rows))


def test_a_hinge_loss_separates_as_a_support_vector_machine_does():
    channels = split(*data.spambase())
    test, label = channels["test"].features, channels["test"].label[:, 0]

    run = trained(channels, predictor_type="binary_classifier", loss="hinge_loss")

    reference = fitted(LinearSVC(loss="hinge", max_iter=20_000), channels).predict(test)
    assert run.figures["test:binary_classification_accuracy"] >= (1 - WITHIN) * accuracy_score(label, reference)


@pytest.mark.parametrize(
    ("loss", "given"),
    [
        ("huber_loss", {"huber_delta": 500.0}),
        ("absolute_loss", {}),
        ("eps_insensitive_absolute_loss", {"loss_insensitivity": 200.0}),
        ("eps_insensitive_squared_loss", {"loss_insensitivity": 200.0}),
    ],
)
def test_other_losses_are_brought_down_in_the_unit_of_the_label(loss, given):
    """Below what the least squares leave of them, but for the one that is nearly that."""
    rows, price = (part[:20_000] for part in data.diamonds())
    channels = {"train": labeled(rows, price)}
    bound = next(iter(given.values()), 0.0)

    run = trained(channels, predictor_type="regressor", loss=loss, mini_batch_size=500, **given)

    def mean(guess):
        far = np.abs(guess.astype(np.float64) - price)
        return {
            "huber_loss": np.where(far < bound, far**2 / 2, bound * far - bound**2 / 2),
            "absolute_loss": far,
            "eps_insensitive_absolute_loss": np.maximum(0, far - bound),
            "eps_insensitive_squared_loss": np.maximum(0, far**2 - bound**2),
        }[loss].mean()

    answers = run.model.predict(channels["train"])["score"]
    squares = scaled(Ridge()).fit(rows, price).predict(rows)
    assert run.figures["train:objective_loss:final"] == pytest.approx(mean(answers), rel=1e-3)
    assert mean(answers) <= (1.005 if loss == "eps_insensitive_squared_loss" else 0.99) * mean(squares)
