"""Angles to class centres: against the plane, where they can be seen."""

import numpy as np

from facelab.analyze.angles import centre_angles


def test_angles_in_the_plane():
    directions = np.array([0.1, 2.0, -3.0])
    lengths = np.array([[5.0], [0.1], [1.0]])
    embeddings = lengths * np.stack([np.cos(directions), np.sin(directions)], axis=1)
    centres = np.array([[2.0, 0.0], [0.0, 0.3], [-1.0, 0.0]])  # at 0, π/2 and π
    own, other = centre_angles(embeddings, np.array([0, 1, 0]), centres)
    np.testing.assert_allclose(own, [0.1, 2 - np.pi / 2, 3.0])
    np.testing.assert_allclose(other, [np.pi / 2 - 0.1, np.pi - 2, np.pi - 3])


def test_parallel_vectors_have_angle_zero_or_pi():
    """Rounding takes the cosine of parallel vectors beyond 1, where arccos is NaN."""
    x = np.random.default_rng(0).normal(size=(500, 64)).astype(np.float32)
    own, _ = centre_angles(x, np.arange(500), 3 * x)
    away, _ = centre_angles(x, np.arange(500), -x)
    np.testing.assert_allclose(own, 0, atol=1e-6)
    np.testing.assert_allclose(away, np.pi, atol=1e-6)


def test_named_rightly_where_the_own_centre_is_nearer():
    rng = np.random.default_rng(1)
    x, w, labels = rng.normal(size=(200, 8)), rng.normal(size=(10, 8)), rng.integers(0, 10, 200)
    own, other = centre_angles(x, labels, w)
    named = (x @ (w / np.linalg.norm(w, axis=1, keepdims=True)).T).argmax(axis=1)
    np.testing.assert_array_equal(own < other, named == labels)
