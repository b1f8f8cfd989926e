"""Early stopping."""

import json

from algoport.algorithms.shared.neural.early_stopping import EarlyStopping


def test_the_best_figure_and_the_epochs_since():
    stopping = EarlyStopping()

    best = [stopping.update(figure, epoch) for epoch, figure in enumerate([0.5, 0.4, 0.6, 0.6, 0.55])]

    assert best == [True, False, True, False, False]
    assert (stopping.best, stopping.best_epoch, stopping.wait) == (0.6, 2, 2)


def test_a_gain_below_the_tolerance_is_the_best_and_does_not_count():
    stopping = EarlyStopping()

    best = [stopping.update(figure, epoch, 0.1) for epoch, figure in enumerate([0.5, 0.52, 0.54, 0.56])]

    assert best == [True] * 4
    assert (
        stopping.wait == 0 and stopping.reference == 0.56
    )  # 12 % above the first, which the others were measured from


def test_losses_come_with_their_sign_turned():
    stopping = EarlyStopping()

    for epoch, loss in enumerate([2.0, 1.0, 1.5, -1.0, -2.0, -1.9]):
        stopping.update(-loss, epoch)

    assert (stopping.best, stopping.best_epoch, stopping.wait) == (2.0, 4, 1)


def test_it_is_restored_from_json():
    stopping = EarlyStopping()
    stopping.update(0.3, 0)

    again = EarlyStopping.of(json.loads(json.dumps(stopping.facts())))

    assert again == stopping and EarlyStopping.of(json.loads(json.dumps(EarlyStopping().facts()))) == EarlyStopping()


def test_a_state_of_the_release_before_is_read():
    earlier = {"best": 0.6, "epoch": 2, "since": 1, "held": 0.6}

    assert EarlyStopping.of(earlier) == EarlyStopping(best=0.6, best_epoch=2, wait=1, reference=0.6)
