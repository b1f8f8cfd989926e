"""The page of curves."""

import numpy as np

from algoport.algorithms.shared.neural.curves import curves


def test_the_page_of_curves_has_a_panel_each():
    figure = curves(
        {"loss": {"train": [(0, 2.0), (1, 1.0)], "validation": [(0, 2.5)]}, "accuracy": {"train": [(0, 0.1)]}}
    )

    assert [axes.get_title() for axes in figure.axes] == ["loss", "accuracy"]
    assert [len(axes.lines) for axes in figure.axes] == [2, 1]
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_xydata(), [(0, 2.0), (1, 1.0)])
