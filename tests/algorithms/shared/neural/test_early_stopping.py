"""Early stopping."""

import json

from algoport.algorithms.shared.neural.early_stopping import Patience


def test_the_best_figure_and_the_epochs_since():
    patience = Patience()

    best = [patience.hear(figure, epoch) for epoch, figure in enumerate([0.5, 0.4, 0.6, 0.6, 0.55])]

    assert best == [True, False, True, False, False]
    assert (patience.best, patience.epoch, patience.since) == (0.6, 2, 2)


def test_a_gain_below_the_tolerance_is_the_best_and_does_not_count():
    patience = Patience()

    best = [patience.hear(figure, epoch, 0.1) for epoch, figure in enumerate([0.5, 0.52, 0.54, 0.56])]

    assert best == [True] * 4
    assert patience.since == 0 and patience.held == 0.56  # 12 % above the first, which the others were measured from


def test_losses_come_with_their_sign_turned():
    patience = Patience()

    for epoch, loss in enumerate([2.0, 1.0, 1.5, -1.0, -2.0, -1.9]):
        patience.hear(-loss, epoch)

    assert (patience.best, patience.epoch, patience.since) == (2.0, 4, 1)


def test_it_goes_on_from_what_json_keeps():
    patience = Patience()
    patience.hear(0.3, 0)

    again = Patience.of(json.loads(json.dumps(patience.facts())))

    assert again == patience and Patience.of(json.loads(json.dumps(Patience().facts()))) == Patience()
