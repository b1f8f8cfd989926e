"""What a checkpoint says of the epochs is what was saved, also by the release before."""

import json

from algoport.algorithms.image_classification.metrics import Tally
from algoport.algorithms.image_classification.state import Progress
from algoport.algorithms.shared.neural.early_stopping import EarlyStopping


def progress() -> Progress:
    own = Progress(epoch=2, step=5, tally=Tally(3.0, 2.0, 2.0, 8.0), history=[{"epoch": 0, "train_loss": 0.5}])
    own.early_stopping.update(0.75, 1)
    return own


def test_saved_progress_is_restored():
    assert Progress.of(json.loads(json.dumps(progress().facts()))) == progress()


def test_progress_of_the_release_before_is_restored():
    """It called early stopping patience, and its fields by other names."""
    earlier = {name: value for name, value in progress().facts().items() if name != "early_stopping"}
    earlier["patience"] = {"best": 0.75, "epoch": 1, "since": 0, "held": 0.75}

    restored = Progress.of(earlier)

    assert restored == progress()
    assert restored.early_stopping == EarlyStopping(best=0.75, best_epoch=1, wait=0, reference=0.75)
