"""Figures show the data they are given."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from facelab import plots
from facelab.detect import Detection
from facelab.errors import FacelabError
from facelab.evaluate import Scores, roc
from facelab.plots import faces


@pytest.fixture(scope="module")
def scores() -> dict[str, Scores]:
    generator = np.random.default_rng(0)
    first, second = generator.integers(0, 5, (2, 600))
    models = {}
    for gain, name in ((1, "cross_entropy"), (2, "arcface")):
        values = np.tanh(generator.normal(0, 0.3, 600) + 0.3 * gain * (first == second))
        models[name] = Scores(values, first, second)
    return models


def drawn(figure: Figure) -> np.ndarray:
    """Render to pixels; an error in drawing shows here and not before."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def test_training_curves_show_the_history():
    history = [{"epoch": e, "loss": 8 / e, "accuracy": 1 - 1 / e} for e in (1, 2, 4)]
    figure = plots.training_curves({"cross_entropy": history, "arcface": history[:2]})
    loss, accuracy = figure.axes
    np.testing.assert_allclose(loss.lines[0].get_xydata(), [[1, 1], [2, 0.5], [4, 0.25]])
    np.testing.assert_allclose(accuracy.lines[1].get_xydata(), [[1, 0], [2, 0.5]])
    assert [text.get_text() for text in accuracy.get_legend().get_texts()] == ["cross entropy", "ArcFace"]
    assert drawn(figure).std() > 0


def test_threshold_in_the_histogram_keeps_the_far(scores):
    figure = plots.score_histograms(scores, far=0.05)
    for panel, pairs in zip(figure.axes, scores.values(), strict=True):
        threshold = panel.lines[0].get_xdata()[0]
        far = (pairs.values[~pairs.genuine] >= threshold).mean()
        assert 0.04 < far <= 0.05
    drawn(figure)


def test_roc_curves_are_the_rocs(scores):
    figure = plots.roc_curves(scores)
    curve = roc(scores["arcface"])
    np.testing.assert_allclose(figure.axes[0].lines[1].get_ydata(), curve.tar)
    drawn(figure)


def test_every_identity_has_its_own_mark():
    points = {"a": np.random.default_rng(0).normal(size=(70, 2))}
    figure = plots.projection_map(points, np.arange(70), [str(i) for i in range(70)])
    marks = {
        (tuple(scatter.get_facecolor()[0]), scatter.get_paths()[0].vertices.tobytes())
        for scatter in figure.axes[0].collections
    }
    assert len(marks) == 70


def test_photographs_and_chips(orl, orl_chips):
    figure = plots.photographs_and_chips(orl, orl_chips, [0, 50])
    assert len(figure.axes) == 4
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), orl[0][0])
    np.testing.assert_array_equal(figure.axes[3].images[0].get_array(), orl_chips[50][0])
    np.testing.assert_allclose(figure.axes[1].collections[0].get_offsets(), orl_chips.table["landmarks"][50])
    drawn(figure)


def test_detections_are_drawn_where_they_are():
    face = Detection(np.array([10.0, 5, 30, 35]), 0.97, np.array([[15.0, 15], [25, 15], [20, 20], [16, 28], [24, 28]]))
    figure = plots.draw_detections(np.zeros((60, 80, 3), np.uint8), [face])
    (box,) = figure.axes[0].patches
    assert box.get_bbox().bounds == (10, 5, 20, 30)
    assert figure.axes[0].texts[0].get_text() == "0.97"
    drawn(figure)


def test_the_users_settings_stay_as_they_are(scores):
    before = dict(mpl.rcParams)
    plots.roc_curves(scores)
    assert dict(mpl.rcParams) == before


def test_mistakes_show_probe_wrong_name_and_right_one(toy_chips):
    named = toy_chips.labels.copy()
    named[5] = 2  # an image of identity 1
    figure = faces.mistakes(toy_chips, toy_chips, named)
    shown = [axes.images[0].get_array() for axes in figure.axes]
    for picture, row in zip(shown, (5, 8, 4), strict=True):
        np.testing.assert_array_equal(picture, toy_chips[row][0])
    with pytest.raises(FacelabError, match="no mistake"):
        faces.mistakes(toy_chips, toy_chips, toy_chips.labels)
