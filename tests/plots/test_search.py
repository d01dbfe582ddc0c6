"""Figures of galleries and approximate searches show the numbers that they are given."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg

from facelab import plots
from facelab.evaluate import Estimate, wilson


def test_a_gallery_of_one_shows_far_and_a_large_one_every_search():
    figure = plots.false_match_curves({"0.50": Estimate(0.01, 0.002, 0.05, 9)}, searches=200, largest=10_000)
    FigureCanvasAgg(figure).draw()
    at_least_one, in_all, every = (line.get_xydata() for line in figure.axes[0].lines)
    np.testing.assert_allclose(at_least_one[0], [1, 2])
    np.testing.assert_allclose(at_least_one[-1, 1], 200)
    hundred = np.searchsorted(at_least_one[:, 0], 100)
    np.testing.assert_allclose(at_least_one[hundred, 1], 200 * (1 - 0.99 ** at_least_one[hundred, 0]))
    np.testing.assert_allclose(in_all[:, 1], 2 * in_all[:, 0])
    assert set(every[:, 1]) == {200}


def test_recall_and_time_stand_over_the_breadth():
    recall = {"faces": [wilson(9, 10), wilson(10, 10)], "noise": [wilson(2, 10), wilson(5, 10)]}
    figure = plots.recall_curves([8, 16], recall, {"faces": [1, 2], "noise": [2, 4]}, {"faces": 3, "noise": 3})
    FigureCanvasAgg(figure).draw()
    first, second = figure.axes
    drawn = [line.get_xydata().tolist() for line in first.lines if len(line.get_xdata()) == 2]
    assert [[8, 0.9], [16, 1.0]] in drawn
    assert [[8, 0.2], [16, 0.5]] in drawn
    assert [[8, 2], [16, 4]] in [line.get_xydata().tolist() for line in second.lines]
    assert len(plots.recall_curves([8, 16], recall).axes) == 1
