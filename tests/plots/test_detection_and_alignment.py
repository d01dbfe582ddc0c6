"""Figures of detection and alignment show the pictures, boxes and numbers that they are given."""

from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from facelab.align import METHODS, align, template
from facelab.detect import Detection
from facelab.errors import FacelabError
from facelab.plots import alignment, detection, faces
from facelab.study.results import Results

IMAGE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)


def check(figure: Figure, panels: int) -> None:
    FigureCanvasAgg(figure).draw()
    assert len(figure.axes) == panels


def bounds(panel: Axes) -> list[tuple[float, float, float, float]]:
    """The drawn boxes, each x0, y0, width, height."""
    return [patch.get_bbox().bounds for patch in panel.patches]


def whiskers(panel: Axes) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of each series with error bars: its points (n, 2) and the ends of its bars (n, 2), low and high."""
    series = []
    for container in panel.containers:
        points, _, (bars,) = container.lines
        series.append((points.get_xydata(), np.array([segment[:, 1] for segment in bars.get_segments()])))
    return series


def legend(panel: Axes) -> list[str]:
    return [text.get_text() for text in panel.get_legend().get_texts()]


def ticks(panel: Axes) -> list[str]:
    return [tick.get_text() for tick in panel.get_xticklabels()]


def share(value: float, low: float, high: float, n: int = 9) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high, "n": n}


def test_score_maps_lie_where_the_windows_are():
    maps = {0.6: np.zeros((13, 19)), 0.3: np.zeros((4, 7))}
    maps[0.6][5, 7], maps[0.6][2, 2] = 0.9, 0.4
    maps[0.3][3, 1] = 0.7
    figure = detection.score_maps(IMAGE, maps)
    check(figure, 2)
    for panel, (scale, scores), title in zip(figure.axes, maps.items(), (20, 40), strict=True):
        assert panel.get_title("center") == f"window of {title} pixels"
        _, shown = panel.images
        np.testing.assert_array_equal(shown.get_array(), scores)
        row, column = np.argwhere(scores == scores.max())[0]
        ((x0, y0, width, height),) = bounds(panel)
        np.testing.assert_allclose([x0, y0, width, height], np.array([2 * column, 2 * row, 12, 12]) / scale)
        # The cell of the map that holds the best score lies at the centre of its window.
        left, right, bottom, top = shown.get_extent()
        cell = np.array([right - left, bottom - top]) / scores.shape[::-1]
        np.testing.assert_allclose(
            np.array([left, top]) + cell * [column + 0.5, row + 0.5], [x0 + width / 2, y0 + height / 2]
        )
        assert (panel.get_xlim(), panel.get_ylim()) == ((0, 80), (60, 0))


def test_detections_sheet_draws_each_face_on_its_own_photograph():
    face = Detection(np.array([10.0, 5.0, 40.0, 45.0]), 0.9, np.arange(10.0).reshape(5, 2))
    figure = faces.detections_sheet([IMAGE] * 4, [[face], [], [face, face], []], ["a", "b", "c", "d"], columns=3)
    check(figure, 6)  # two rows of three; the last two places stay empty
    assert [panel.get_title("center") for panel in figure.axes] == ["a", "b", "c", "d", "", ""]
    assert [bounds(panel) for panel in figure.axes[:4]] == [[(10, 5, 30, 40)], [], [(10, 5, 30, 40)] * 2, []]
    assert [[text.get_text() for text in panel.texts] for panel in figure.axes[:4]] == [[], ["none"], [], ["none"]]
    (points,) = figure.axes[0].collections
    np.testing.assert_array_equal(points.get_offsets(), face.landmarks)
    with pytest.raises(FacelabError, match="2 photographs, 1 lists of detections, 2 titles"):
        faces.detections_sheet([IMAGE] * 2, [[face]])


def test_score_map_of_the_real_network_marks_the_face(mtcnn):
    from skimage import data

    image = data.astronaut()[:260, 80:360]  # her face is at 98 to 187, 62 to 174
    scale = min(mtcnn.pyramid(260, 280), key=lambda scale: abs(12 / scale - 100))
    panel = detection.score_maps(image, {scale: mtcnn.score_map(image, scale)}).axes[0]
    ((x0, y0, width, height),) = bounds(panel)
    assert np.hypot(x0 + width / 2 - 142, y0 + height / 2 - 118) < 25


def test_precision_recall_curves_are_the_results():
    results = {
        "mtcnn": {"ap": share(0.81, 0.7, 0.9), "curve": {"recall": [0.2, 0.5, 0.9], "precision": [1, 0.8, 0.6]}},
        "cascade": {"ap": share(0.3, 0.2, 0.4), "curve": {"recall": [0.4], "precision": [0.7]}},
        "ours": {"ap": share(0.5, 0.4, 0.6), "curve": {"recall": [0.1, 0.3], "precision": [0.9, 0.7]}},
    }
    figure = detection.precision_recall_curves(results)
    check(figure, 1)
    (panel,) = figure.axes
    for line, result in zip(panel.lines, results.values(), strict=True):
        np.testing.assert_array_equal(
            line.get_xydata(), np.stack([result["curve"]["recall"], result["curve"]["precision"]], axis=1)
        )
    assert legend(panel) == ["MTCNN (AP 0.81)", "LBP cascade (AP 0.30)", "ours (AP 0.50)"]
    curve, point, _ = panel.lines
    assert (curve.get_linestyle(), curve.get_marker()) == ("-", "None")
    assert (point.get_linestyle(), point.get_marker()) == ("None", "s")  # a cascade has no scores, so no curve
    assert len({line.get_color() for line in panel.lines}) == 3


def test_recall_by_group_shows_values_intervals_and_counts():
    results = {
        "mtcnn": {
            "recall_by": {
                "yaw": {"0-30": share(0.9, 0.8, 0.95, 40), "30-60": share(0.5, 0.3, 0.6, 12)},
                "occluder": {"none": share(0.8, 0.7, 0.9, 52)},
            }
        },
        "cascade": {
            "recall_by": {
                "yaw": {"0-30": share(0.6, 0.5, 0.7, 40), "30-60": share(0.1, 0.0, 0.3, 12)},
                "occluder": {"none": share(0.4, 0.3, 0.6, 52)},
            }
        },
    }
    figure = detection.recall_by_group(results, ("yaw", "occluder"))
    check(figure, 2)
    for panel, kind in zip(figure.axes, ("yaw", "occluder"), strict=True):
        series = whiskers(panel)
        for (points, ends), result in zip(series, results.values(), strict=True):
            groups = list(result["recall_by"][kind].values())
            np.testing.assert_allclose(points[:, 1], [group["value"] for group in groups])
            np.testing.assert_allclose(ends, [[group["low"], group["high"]] for group in groups], atol=1e-12)
            assert (points[:, 0].round() == np.arange(len(groups))).all()  # beside the group's own label
        assert (series[0][0][:, 0] < series[1][0][:, 0]).all()  # detectors do not cover each other
    assert ticks(figure.axes[0]) == ["0-30\nn=40", "30-60\nn=12"]
    assert ticks(figure.axes[1]) == ["none\nn=52"]
    assert [panel.get_title("left") for panel in figure.axes] == ["turned away by", "covered by"]
    assert legend(figure.axes[1]) == ["MTCNN", "LBP cascade"]


def test_a_group_that_a_detector_lacks_is_an_error():
    results = {
        "mtcnn": {"recall_by": {"yaw": {"0-30": share(0.9, 0.8, 1), "30-60": share(0.5, 0.3, 0.6)}}},
        "cascade": {"recall_by": {"yaw": {"0-30": share(0.6, 0.5, 0.7)}}},
    }
    with pytest.raises(KeyError, match="30-60"):
        detection.recall_by_group(results, ("yaw",))


def test_published_detection_results_can_be_drawn():
    results = Results.load("detection").values["detectors"]
    check(detection.precision_recall_curves(results), 1)
    kinds = tuple(next(iter(results.values()))["recall_by"])
    figure = detection.recall_by_group(results, kinds)
    check(figure, len(kinds))
    for panel in figure.axes:
        for points, ends in whiskers(panel):
            assert ((ends[:, 0] <= points[:, 1] + 1e-9) & (points[:, 1] <= ends[:, 1] + 1e-9)).all()


def test_suppression_shows_the_boxes_before_and_after():
    before = np.array([[5.0, 5, 25, 30], [6, 4, 27, 31], [40, 10, 60, 40]])
    figure = detection.suppression(IMAGE, before, before[[0, 2]])
    check(figure, 2)
    assert bounds(figure.axes[0]) == [(5, 5, 20, 25), (6, 4, 21, 27), (40, 10, 20, 30)]
    assert bounds(figure.axes[1]) == [(5, 5, 20, 25), (40, 10, 20, 30)]
    assert [panel.get_title("center") for panel in figure.axes] == ["before: 3 boxes", "after: 2"]
    for panel in figure.axes:
        np.testing.assert_array_equal(panel.images[0].get_array(), IMAGE)
    nothing = detection.suppression(IMAGE, np.empty((0, 4)), np.empty((0, 4)))
    check(nothing, 2)
    assert [text.get_text() for text in nothing.axes[0].texts] == ["none"]


def test_chips_by_method_shows_each_chip_with_the_template():
    images = [IMAGE, IMAGE[::-1].copy()]
    turned = 0.3 * template() @ np.array([[0.96, 0.28], [-0.28, 0.96]]) + [20, 8]
    landmarks = np.stack([turned, 0.3 * template() + [10, 12]])
    landmarks[:, 2:] += np.random.default_rng(0).normal(0, 2, (2, 3, 2))  # so that the eyes alone say something else
    boxes = np.array([[12.0, 10, 60, 55], [10, 5, 50, 55]])
    figure = alignment.chips_by_method(images, landmarks, boxes)
    check(figure, 6)
    panels = np.reshape(figure.axes, (len(METHODS), 2))
    shown = np.array([[panel.images[0].get_array() for panel in row] for row in panels])
    five_points = panels[METHODS.index("five-point")]
    for panel, image, points in zip(five_points, images, landmarks, strict=True):
        np.testing.assert_array_equal(panel.images[0].get_array(), align(image, points))
    assert len({chips.tobytes() for chips in shown}) == len(METHODS)  # each way gives other chips
    assert [row[0].get_ylabel() for row in panels] == [alignment.NAMES[method] for method in METHODS]
    for panel in figure.axes:
        np.testing.assert_allclose(panel.collections[0].get_offsets(), template())


def test_landmark_fit_draws_every_landmark_and_the_template():
    moved = template() + np.random.default_rng(0).normal(0, 2, (30, 5, 2))
    figure = alignment.landmark_fit(moved)
    check(figure, 1)
    (panel,) = figure.axes
    cloud, crosses = panel.collections
    np.testing.assert_allclose(cloud.get_offsets(), moved.reshape(150, 2))
    np.testing.assert_allclose(crosses.get_offsets(), template())
    assert legend(panel) == ["landmarks after alignment", "template"]
    assert panel.yaxis_inverted()  # y points down, as in a picture


def test_method_comparison_shows_values_intervals_and_seeds():
    def of(value: float) -> dict[str, Any]:
        return {"tar_at_far_0.01": {**share(value, value - 0.1, value + 0.05), "seeds": [value - 0.02, value + 0.01]}}

    results = {
        name: {"strangers": n, "methods": {method: of(start + 0.1 * k) for k, method in enumerate(METHODS)}}
        for name, n, start in (("mini", 16, 0.2), ("orl", 10, 0.6))
    }
    figure = alignment.method_comparison({**results, "protocol": "not a set of faces"})
    check(figure, 2)
    assert [panel.get_title("left") for panel in figure.axes] == ["ORL, 10 strangers", "SynthFaces mini, 16 strangers"]
    for panel, name in zip(figure.axes, ("orl", "mini"), strict=True):
        values = [results[name]["methods"][method]["tar_at_far_0.01"] for method in METHODS]
        for place, ((points, ends), value) in enumerate(zip(whiskers(panel), values, strict=True)):
            np.testing.assert_allclose(points, [[place, value["value"]]])
            np.testing.assert_allclose(ends, [[value["low"], value["high"]]])
        dots = [c for c in panel.collections if len(c.get_offsets()) == 2]
        np.testing.assert_allclose([c.get_offsets()[:, 1] for c in dots], [value["seeds"] for value in values])
        for dot, line in zip(dots, panel.lines[::3], strict=True):
            assert to_rgba(line.get_color()) == tuple(dot.get_edgecolor()[0])
        assert ticks(panel) == [alignment.NAMES[method] for method in METHODS]
    one = alignment.method_comparison({"orl": results["orl"]})
    check(one, 1)


def test_published_alignment_results_can_be_drawn():
    results = Results.load("alignment").values
    figure = alignment.method_comparison(results)
    check(figure, sum(name in results for name in alignment.SETS))
