"""The figures of the losses show what they are given."""

import numpy as np
import pytest

from facelab.analyze import CentreAngles, centre_angles
from facelab.plots.losses import (
    centre_angle_histograms,
    decision_boundaries,
    over_angle,
    plane_and_circle,
    triplet_zones,
)
from facelab.plots.training import angle_curves, loss_steps


def test_curves_are_drawn_over_degrees():
    theta = np.linspace(0, np.pi, 7)
    figure = over_angle(
        theta, {"normface": np.cos(theta), "arcface": np.cos(theta + 0.5)}, ylabel="ψ", marks={"m": 1.0}
    )
    first, second, mark = figure.axes[0].lines
    np.testing.assert_allclose(first.get_xydata(), np.stack([np.arange(0, 181, 30), np.cos(theta)], axis=1))
    np.testing.assert_allclose(second.get_ydata(), np.cos(theta + 0.5))
    np.testing.assert_allclose(mark.get_xdata(), np.degrees(1.0))


def test_the_white_band_is_the_margin():
    """ArcFace asks for θ₁ + m < θ₂; its band has the width 2m, wherever one looks."""
    margin = 0.5
    figure = decision_boundaries({"normface": np.cos, "arcface": lambda theta: np.cos(theta + margin)})
    theta = np.linspace(0.01, np.pi / 2 - 0.01, 181)
    first, second = np.meshgrid(theta, theta)
    points = np.degrees(np.column_stack([first.ravel(), second.ravel()]))
    for panel, width in zip(figure.axes, (0, margin), strict=True):
        inside = [area.get_paths()[0].contains_points(points).reshape(first.shape) for area in panel.collections]
        off_the_line = np.abs(np.abs(first - second) - width) > 0.005  # the edge is drawn through some points of it
        for found, expected in zip(inside, (first + width < second, second + width < first), strict=True):
            np.testing.assert_array_equal(found[off_the_line], expected[off_the_line])


def test_the_plane_shows_embeddings_and_the_circle_their_directions():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 5)
    centres = np.array([[1.0, 0], [0, 2.0], [-3.0, 0]])
    points = centres[labels] + 0.2 * rng.normal(size=(15, 2))
    figure = plane_and_circle({"arcface": points}, labels, {"arcface": centres})
    above, below = figure.axes
    drawn = np.concatenate([dots.get_offsets() for dots in above.collections])
    np.testing.assert_allclose(drawn, points)
    drawn = np.concatenate([dots.get_offsets() for dots in below.collections])
    np.testing.assert_allclose(drawn, points / np.linalg.norm(points, axis=1, keepdims=True))
    assert {patch.get_xy().shape[1] for patch in below.patches} == {2}  # histograms are there
    own = centre_angles(points, labels, centres).own
    assert f"{np.degrees(own.mean()):.1f}°" in below.get_xlabel()


def test_histograms_hold_every_image_once():
    own, other = np.radians([10.0, 12, 44, 90]), np.radians([60.0, 61, 62, 80])
    nearest = np.zeros(4, int)
    figure = centre_angle_histograms(
        {"train": CentreAngles(own, other, nearest), "test": CentreAngles(other, own, nearest)}
    )
    for panel, pair in zip(figure.axes, ((own, other), (other, own)), strict=True):
        assert sum(bar.get_height() for bar in panel.patches if hasattr(bar, "get_height")) == pytest.approx(2)
        means = [line.get_xdata()[0] for line in panel.lines]
        np.testing.assert_allclose(means, [np.degrees(values.mean()) for values in pair])


def test_angles_over_steps_are_running_means():
    trace = np.radians(np.stack([np.linspace(90, 30, 7), np.full(7, 80.0)], axis=1))
    figure = angle_curves({"ArcFace": trace}, smooth=3)
    own, other = figure.axes[0].lines
    np.testing.assert_allclose(own.get_xydata(), np.stack([np.arange(2, 7), np.linspace(80, 40, 5)], axis=1))
    np.testing.assert_allclose(other.get_ydata(), 80)


def test_zones_part_the_negatives_by_the_farthest_positive():
    figure = triplet_zones(np.array([0.1, 0.5]), np.array([0.3, 0.6, 1.5]), margin=0.2)
    hard, semi, easy = (zone.get_bbox().intervalx for zone in figure.axes[0].patches)
    np.testing.assert_allclose(hard, [0, 0.5])
    np.testing.assert_allclose(semi, [0.5, 0.7])
    assert easy[0] == pytest.approx(0.7)
    assert easy[1] > 1.5
    positives, negatives = (dots.get_offsets()[:, 0] for dots in figure.axes[0].collections)
    np.testing.assert_allclose(positives, [0.1, 0.5])
    np.testing.assert_allclose(negatives, [0.3, 0.6, 1.5])


def test_losses_over_steps_with_their_level():
    figure = loss_steps({"batch-hard": np.array([4.0, 0.3, 0.2])}, level=0.2, level_name="margin")
    curve, level = figure.axes[0].lines
    np.testing.assert_allclose(curve.get_ydata(), [4.0, 0.3, 0.2])
    np.testing.assert_allclose(level.get_ydata(), 0.2)
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["batch-hard", "margin"]
