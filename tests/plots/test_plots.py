"""Figures show the data they are given."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from facelab import plots
from facelab.analyze import Failure, wrong_names
from facelab.course.figures import figure_functions
from facelab.detect import Detection
from facelab.evaluate import (
    Estimate,
    OpenSet,
    Scores,
    Simulated,
    det,
    error_versus_reject,
    errors_by_group,
    fold_accuracy,
    pair_scores,
    roc,
)


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


def test_a_band_holds_the_intervals_at_their_places(scores):
    known = {0.1: Estimate(0.5, 0.4, 0.7, 9), 0.01: Estimate(0.3, 0.1, 0.6, 9)}
    search = OpenSet(np.linspace(0, 1, 50), np.linspace(-1, 0.5, 40), 1, np.arange(50), np.arange(40))
    for figure in (
        plots.roc_curves(scores, bands={"arcface": known}),
        plots.open_set_curves({"arcface": search}, bands={"arcface": known}),
        plots.cmc_curves({"arcface": np.array([0.5, 1])}, bands={"arcface": known}),
    ):
        (filled,) = figure.axes[0].collections
        corners = {tuple(point) for point in filled.get_paths()[0].vertices}
        assert corners == {(0.01, 0.1), (0.01, 0.6), (0.1, 0.4), (0.1, 0.7)}
        drawn(figure)


def test_a_band_never_falls_as_its_curve_does_not():
    # 99.8 % of 512 probes and 100 % of them, with the intervals of 64 people: the second one counts people only
    known = {1: Estimate(0.998, 0.985, 1.0, 512), 2: Estimate(1.0, 0.943, 1.0, 512)}
    figure = plots.cmc_curves({"arcface": np.array([0.998, 1])}, bands={"arcface": known})
    (filled,) = figure.axes[0].collections
    corners = {tuple(point) for point in filled.get_paths()[0].vertices}
    assert corners == {(1, 0.985), (1, 1.0), (2, 0.985), (2, 1.0)}


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


def test_det_curve_is_the_roc_on_normal_axes(scores):
    figure = plots.det_curves(scores)
    x, y = figure.axes[0].lines[1].get_data()
    curve = roc(scores["arcface"])
    np.testing.assert_allclose(np.column_stack([x, y]), np.column_stack(det(curve)))
    drawn(figure)


def test_probes_named_wrongly_stand_above_gallery_images_of_both(toy_chips):
    named = toy_chips.labels.copy()
    named[5] = 2  # an image of identity 1
    figure = plots.failure_sheet(toy_chips, wrong_names(named, toy_chips.labels, toy_chips.labels), toy_chips)
    for axes, row in zip(figure.axes, (5, 8, 4), strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), toy_chips[row][0])
    drawn(figure)


def test_failures_are_shown_with_their_scores(toy_chips):
    figure = plots.failure_sheet(toy_chips, [Failure(0, 4, 0.9, 1, 0.4)])
    assert [axes.get_title(loc="center") for axes in figure.axes] == ["", "0.90", "0.40"]
    assert "higher by 0.50" in plots.caption(figure)


def test_error_reject_and_group_and_fold_figures_show_their_numbers():
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(8), 5)
    embeddings = generator.normal(0, 1, (8, 6))[labels] + generator.normal(0, 1, (40, 6))
    curve = error_versus_reject(embeddings, labels, generator.random(40), 0.5, replicates=20)
    figure = plots.error_reject_curves({"luck": curve})
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_ydata(), curve.frr)
    drawn(figure)
    audit = errors_by_group(embeddings, labels, labels % 2, 0.5, replicates=20)
    figure = plots.group_errors(audit)
    shown = figure.axes[1].lines[0].get_xdata()
    np.testing.assert_array_equal(shown, [group.frr.value for group in audit.groups])
    drawn(figure)
    result = fold_accuracy(pair_scores(embeddings, labels), 5)
    figure = plots.fold_accuracies(result)
    np.testing.assert_array_equal(figure.axes[0].lines[1].get_ydata(), result.accuracies)
    drawn(figure)


def test_open_set_curve_passes_through_every_dir():
    generator = np.random.default_rng(0)
    search = OpenSet(generator.normal(1, 1, 50), generator.normal(0, 1, 40), 1, np.arange(50), np.arange(40))
    x, y = plots.open_set_curves({"a": search}).axes[0].lines[0].get_data()
    for far in (0.05, 0.25, 1.0):
        assert y[x <= far + 1e-9][-1] == pytest.approx(search.dir_at_far(far, replicates=2).value)
    figure = plots.cmc_curves({"a": np.array([0.5, 0.75, 1.0])}, ranks=2)
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_ydata(), [0.5, 0.75])
    drawn(figure)


def test_one_threshold_on_two_sets(scores):
    one, other = scores.values()
    figure = plots.threshold_transfer(one, other, 0.4, ("here", "there"))
    far = (other.values[~other.genuine] >= 0.4).mean()
    assert figure.axes[1].get_title(loc="left").startswith(f"there: FAR {far:.1%}")
    drawn(figure)
    figure = plots.interval_widths({"pairs": np.arange(100.0), "people": np.arange(200.0)}, xlabel="x")
    assert "people: 4.781 to 194.219" in [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    drawn(figure)


def test_intervals_that_miss_the_truth_stand_out():
    ends = [(0.1, 0.3), (0.2, 0.4), (0.35, 0.5), (np.nan, np.nan)]
    simulated = Simulated(0.3, [Estimate((low + high) / 2, low, high, 9) for low, high in ends])
    figure = plots.coverage_intervals({"a way": simulated, "another": simulated}, xlabel="FAR")
    assert figure.axes[0].get_title(loc="left") == "a way:\n2 of 3 hold the truth"
    held, missed = figure.axes[0].collections
    assert [segment[:, 0].tolist() for segment in held.get_segments()] == [[0.1, 0.3], [0.2, 0.4]]
    assert [segment[:, 0].tolist() for segment in missed.get_segments()] == [[0.35, 0.5]]
    drawn(figure)


def test_every_figure_is_exported():
    """One door: whatever a module of the room draws stands in ``facelab.plots``."""
    drawn_by = {name: f for name, f in figure_functions().items() if f.__module__.startswith("facelab.plots.")}
    assert drawn_by == {name: getattr(plots, name, None) for name in drawn_by}
    assert set(plots.__all__) == {*drawn_by, "caption"}


@pytest.mark.parametrize("name", ["a$b_{$.png", "$\\frac{1$", "x_$^$", "50 $"])
def test_names_are_drawn_as_they_are(name):
    """What stands between two dollars is mathematics to matplotlib, and an error if it is none."""
    chip = np.zeros((8, 8, 3), np.uint8)
    figure = plots.compared_pair((chip, chip), (name, name), 0.3, 0.2, title=name)
    figure.canvas.draw()
    assert figure.axes[0].get_title() == name
