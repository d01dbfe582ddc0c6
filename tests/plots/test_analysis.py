"""Figures of the embedding analysis show the numbers that they are given, and their captions say them."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from facelab import analyze, plots
from facelab.data import FaceSet
from facelab.errors import FacelabError
from facelab.evaluate import Estimate
from facelab.synth.vary import Sweep
from facelab.train import EmbeddingWatch


@pytest.fixture(scope="module")
def models() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(4, 12))
    return {
        name: centres[LABELS] + generator.normal(0, noise, (24, 12))
        for name, noise in (("cross_entropy", 0.6), ("arcface", 1.2))
    }


LABELS = np.repeat(np.arange(4), 6)


@pytest.fixture(scope="module")
def faces() -> FaceSet:
    images = np.random.default_rng(0).integers(0, 255, (24, 8, 8, 3)).astype(np.uint8)
    table = pd.DataFrame({"identity": [f"p{k}" for k in LABELS], "yaw": np.tile([0.5, -0.1, 0.3, 0.0, 0.9, -0.7], 4)})
    return FaceSet("random", images, table)


def check(figure: Figure, *words: str) -> None:
    """It can be drawn, and the caption says these numbers."""
    FigureCanvasAgg(figure).draw()
    for word in words:
        assert word in plots.caption(figure)


def test_angle_histograms_mark_the_means(models):
    angles = {name: analyze.pair_angles(x, LABELS) for name, x in models.items()}
    figure = plots.pair_angle_histograms(angles)
    for panel, (intra, inter) in zip(figure.axes, angles.values(), strict=True):
        marked = [line.get_xdata()[0] for line in panel.lines]
        np.testing.assert_allclose(marked, [np.degrees(inter).mean(), np.degrees(intra).mean()])
    check(figure, f"{np.degrees(angles['arcface'][0]).mean():.0f}°")


def test_centre_map_puts_wrong_images_below_the_diagonal(models):
    angles = {name: analyze.centre_angles(x, LABELS) for name, x in models.items()}
    figure = plots.centre_map(angles)
    for panel, a in zip(figure.axes, angles.values(), strict=True):
        right, wrong = (scatter.get_offsets() for scatter in panel.collections)
        assert len(right) == a.right.sum()
        assert len(wrong) == (~a.right).sum()
        assert (right[:, 1] > right[:, 0]).all()
        assert (wrong[:, 1] <= wrong[:, 0]).all()
    check(figure, f"ArcFace {angles['arcface'].right.mean():.0%} of 24")


def test_spectrum_curves_mark_the_participation_ratio(models):
    figure = plots.spectrum_curves({name: analyze.spectrum(x) for name, x in models.items()})
    for scatter, line, x in zip(figure.axes[0].collections, figure.axes[0].lines, models.values(), strict=True):
        ratio, held = scatter.get_offsets()[0]
        assert ratio == pytest.approx(analyze.participation_ratio(x))
        below, above = line.get_ydata()[int(ratio) - 1], line.get_ydata()[int(ratio)]
        assert below <= held <= above
    check(figure, f"{analyze.participation_ratio(models['arcface']):.1f}")


def test_length_against_quality_shows_medians(models):
    lengths = {name: np.linalg.norm(x, axis=1) for name, x in models.items()}
    quality = np.arange(24.0)
    rho = {name: Estimate(0.25, -0.5, 0.75, 24) for name in models}
    figure = plots.length_against_quality(lengths, quality, rho, label="blur (pixels)")
    first = figure.axes[0].lines[0].get_xydata()[0]
    np.testing.assert_allclose(first, [1.5, np.median(lengths["cross_entropy"][:4])])
    check(figure, "ArcFace 0.25 [-0.50, 0.75]", "n = 24", "blur")


def test_collapse_curves_show_the_history():
    watch = EmbeddingWatch(analyze.variability_collapse, every=1)
    watch.steps, watch.history = [3, 6], [4.0, 0.25]
    figure = plots.collapse_curves({"arcface": watch})
    assert figure.axes[0].lines[0].get_xydata().tolist() == [[3, 4], [6, 0.25]]
    check(figure, "NC1 from 4 to 0.25")


def test_clustering_curves_name_the_best_threshold(models):
    scores = {
        name: {t: analyze.clustering_scores(LABELS, analyze.cluster(x, threshold=t)) for t in (0.1, 0.5, 0.9)}
        for name, x in models.items()
    }
    figure = plots.clustering_curves(scores)
    best = max(row.f for row in scores["cross_entropy"].values())
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), [r.f for r in scores["cross_entropy"].values()])
    assert figure.axes[1].lines[-1].get_ydata()[0] == 4
    check(figure, f"best F {best:.2f}", "4 identities")


def test_projection_grid_shows_every_point_and_the_trust(models):
    x = models["arcface"]
    maps = {"PCA": analyze.project(x, method="pca"), "first two": x[:, :2]}
    trusts = {title: analyze.trust(x, points, k=4) for title, points in maps.items()}
    figure = plots.projection_grid(maps, LABELS, trusts)
    for panel, points in zip(figure.axes, maps.values(), strict=True):
        drawn = np.concatenate([scatter.get_offsets() for scatter in panel.collections])
        np.testing.assert_allclose(np.sort(drawn, axis=0), np.sort(points, axis=0))
    check(figure, f"first two: trustworthiness {trusts['first two'].trustworthiness:.2f}")


def test_sphere_map_divides_front_and_back(models):
    points = analyze.project(models["arcface"], method="sphere")
    figure = plots.sphere_map(points, LABELS)
    counts = [sum(len(scatter.get_offsets()) for scatter in panel.collections) for panel in figure.axes]
    assert counts == [(points[:, 0] >= 0).sum(), (points[:, 0] < 0).sum()]
    check(figure, "24 points")


def test_sheets_show_the_right_pictures(models, faces):
    x = models["arcface"]
    pairs = analyze.hard_pairs(x, LABELS, "impostor", top=3)
    figure = plots.pair_sheet(faces, pairs)
    np.testing.assert_array_equal(figure.axes[1].images[0].get_array(), faces[pairs[1].first][0])
    np.testing.assert_array_equal(figure.axes[4].images[0].get_array(), faces[pairs[1].second][0])
    check(figure, "3 impostor pairs", f"{pairs[0].score:.2f}")
    found = analyze.failures(x, LABELS, top=2)
    figure = plots.failure_sheet(faces, found)
    shown = [axes.images[0].get_array() for axes in figure.axes]
    expected = [faces[getattr(f, field)][0] for field in ("probe", "wrong", "right") for f in found]
    np.testing.assert_array_equal(shown, expected)
    check(figure, f"{len(found)} images")
    confused = [analyze.Confusion(2, 3, 5, 12)]
    figure = plots.confusion_sheet(faces, confused, images=2)
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), faces[12 + 3][0])  # yaw 0 comes first
    np.testing.assert_array_equal(figure.axes[3].images[0].get_array(), faces[18 + 1][0])
    check(figure, "p2 and p3, 5 of their 12")


@pytest.mark.parametrize("sheet", [plots.pair_sheet, plots.failure_sheet, plots.confusion_sheet])
def test_an_empty_sheet_is_an_error(faces, sheet):
    with pytest.raises(FacelabError, match="there are no"):
        sheet(faces, [])


def test_variance_bars_show_shares_and_intervals(models):
    block = {"pose": np.random.default_rng(0).normal(size=(24, 2))}
    found = {name: analyze.variance_partition(x, LABELS, block, folds=4) for name, x in models.items()}
    figure = plots.variance_bars(found)
    heights = [bar.get_height() for bar in figure.axes[0].patches[::2]]
    np.testing.assert_allclose(heights, [p.identity.value for p in found.values()])
    check(figure, f"identity {found['arcface'].identity.value:.0%}")


def test_probe_scores_show_values(models):
    rows = {"yaw": analyze.Probe(Estimate(0.5, 0.4, 0.6, 9), 0), "blur": analyze.Probe(Estimate(0.1, 0.0, 0.2, 9), 0)}
    figure = plots.probe_scores({"arcface": rows})
    np.testing.assert_allclose(figure.axes[0].lines[0].get_xdata(), [0.5, 0.1])
    check(figure, "yaw best, R² 0.50 [0.40, 0.60]")


def test_response_curves_in_degrees():
    moved = [Estimate(v, v / 2, v * 2, 3) for v in (0.0, 0.1, 0.4)]
    r = analyze.Response("yaw", "radians", np.array([0.0, 0.5, 1.0]), moved, np.pi / 2)
    figure = plots.response_curves({"arcface": {"yaw": r}})
    curve, ruler = figure.axes[0].lines
    np.testing.assert_allclose(curve.get_ydata(), np.degrees([0, 0.1, 0.4]))
    assert ruler.get_ydata()[0] == pytest.approx(90)
    check(figure, "yaw moves most, by 23° of the 90°")


def test_sweep_sheet_shows_its_pictures():
    images = np.random.default_rng(0).integers(0, 255, (2, 3, 8, 8, 3)).astype(np.uint8)
    figure = plots.sweep_sheet([Sweep("yaw", "radians", np.array([0.0, 0.5, 1.0]), 0, images)], person=1)
    np.testing.assert_array_equal(figure.axes[2].images[0].get_array(), images[1, 2])
    check(figure, "yaw (radians)")


def test_a_figure_without_caption_says_so():
    with pytest.raises(FacelabError, match="no caption"):
        plots.caption(Figure())


def test_errors_of_a_factor_stand_over_its_values_in_degrees_and_inside_the_panel():
    rows = [
        {
            "at": at,
            "frr": {"value": rate, "low": rate / 2, "high": 2 * rate},
            "far": {"value": 0.01, "low": 0, "high": 1},
        }
        for at, rate in ((0.0, 0.02), (1.0, 0.4), (0.5, 0.1))
    ]
    steps = {"yaw": {"unit": "yaw", "degrees": True, "values": [0.0, 0.5, 1.0]}}
    figure = plots.factor_errors({"yaw": {"one": rows, "both": rows}}, steps, far=0.01)
    refused, accepted = figure.axes
    x, y = refused.lines[0].get_data()
    np.testing.assert_allclose(x, np.degrees([0, 0.5, 1]))
    np.testing.assert_allclose(y, [0.02, 0.1, 0.4])
    assert refused.get_ylim()[0] == 0
    assert refused.get_ylim()[1] > 0.8
    assert "degrees" in accepted.get_xlabel()
