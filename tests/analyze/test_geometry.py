import numpy as np
import pytest

from facelab.analyze import centre_angles, d_prime, mean_directions, pair_angles
from facelab.errors import FacelabError


def test_angles_to_given_centres_by_hand():
    turn = np.radians([10, 80, 100])
    x = np.stack([np.cos(turn), np.sin(turn)], axis=1) * [[1], [5], [0.1]]  # lengths do not matter
    found = centre_angles(x, np.array([0, 0, 1]), np.array([[2.0, 0.0], [0.0, 3.0]]))
    np.testing.assert_allclose(np.degrees(found.own), [10, 80, 10])
    np.testing.assert_allclose(np.degrees(found.other), [80, 10, 100])
    np.testing.assert_array_equal(found.nearest, [1, 1, 0])
    np.testing.assert_array_equal(found.right, [True, False, True])


def test_own_centre_leaves_the_image_out(groups):
    x, labels = groups
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    found = centre_angles(x, labels)
    for i in range(len(x)):
        cosines = []
        for c in range(6):
            mean = unit[(labels == c) & (np.arange(len(x)) != i)].mean(axis=0)
            cosines.append(unit[i] @ mean / np.linalg.norm(mean))
        assert found.own[i] == pytest.approx(np.arccos(cosines[labels[i]]))
        cosines[labels[i]] = -2
        assert found.other[i] == pytest.approx(np.arccos(max(cosines)))
        assert found.nearest[i] == int(np.argmax(cosines))


def test_labels_need_not_be_positions(groups):
    x, labels = groups
    plain, odd = centre_angles(x, labels), centre_angles(x, labels * 7 + 3)
    np.testing.assert_array_equal(plain.own, odd.own)
    np.testing.assert_array_equal(plain.nearest * 7 + 3, odd.nearest)


def test_pair_angles_against_a_loop(groups):
    x, labels = groups
    intra, inter = [], []
    for i in range(len(x)):
        for j in range(i + 1, len(x)):
            cosine = x[i] @ x[j] / np.linalg.norm(x[i]) / np.linalg.norm(x[j])
            (intra if labels[i] == labels[j] else inter).append(np.arccos(cosine))
    found = pair_angles(x, labels)
    np.testing.assert_allclose(found[0], intra)
    np.testing.assert_allclose(found[1], inter)


def test_d_prime_is_the_difference_in_deviations(groups):
    intra, inter = pair_angles(*groups)
    expected = (inter.mean() - intra.mean()) / np.sqrt((np.var(inter) + np.var(intra)) / 2)
    assert d_prime(*groups) == pytest.approx(expected)


def test_d_prime_needs_some_spread():
    """Three identities of equal images on three axes: genuine pairs at 0, all others at a right angle."""
    assert np.isnan(d_prime(np.repeat(np.eye(3), 2, axis=0), np.repeat(range(3), 2)))


def test_turning_the_space_changes_no_angle(groups, rotation):
    x, labels = groups
    turned = x @ rotation
    assert d_prime(x, labels) == pytest.approx(d_prime(turned, labels))
    np.testing.assert_allclose(centre_angles(x, labels).other, centre_angles(turned, labels).other)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: centre_angles(np.eye(3), np.arange(3)), "one image"),
        (lambda: centre_angles(np.eye(2), np.array([0, 2]), np.eye(2)), "label 2"),
        (lambda: centre_angles(np.eye(2), np.zeros(2, int), np.eye(2)[:1]), "at least 2"),
        (lambda: mean_directions(np.array([[1.0, 0], [-1.0, 0]]), np.zeros(2)), "cancel out"),
        (lambda: d_prime(np.eye(3), np.arange(3)), "0 genuine"),
        (lambda: pair_angles(np.array([[1.0, 0], [0, 0]]), np.zeros(2)), "embedding 1 is zero"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(FacelabError, match=words):
        call()


def test_angles_in_the_plane():
    directions = np.array([0.1, 2.0, -3.0])
    lengths = np.array([[5.0], [0.1], [1.0]])
    embeddings = lengths * np.stack([np.cos(directions), np.sin(directions)], axis=1)
    centres = np.array([[2.0, 0.0], [0.0, 0.3], [-1.0, 0.0]])  # at 0, π/2 and π
    found = centre_angles(embeddings, np.array([0, 1, 0]), centres)
    np.testing.assert_allclose(found.own, [0.1, 2 - np.pi / 2, 3.0])
    np.testing.assert_allclose(found.other, [np.pi / 2 - 0.1, np.pi - 2, np.pi - 3])


def test_parallel_vectors_have_angle_zero_or_pi():
    """Rounding takes the cosine of parallel vectors beyond 1, where arccos is NaN."""
    x = np.random.default_rng(0).normal(size=(500, 64)).astype(np.float32)
    np.testing.assert_allclose(centre_angles(x, np.arange(500), 3 * x).own, 0, atol=1e-6)
    np.testing.assert_allclose(centre_angles(x, np.arange(500), -x).own, np.pi, atol=1e-6)


def test_named_rightly_where_the_own_centre_is_nearer():
    rng = np.random.default_rng(1)
    x, w, labels = rng.normal(size=(200, 8)), rng.normal(size=(10, 8)), rng.integers(0, 10, 200)
    found = centre_angles(x, labels, w)
    named = (x @ (w / np.linalg.norm(w, axis=1, keepdims=True)).T).argmax(axis=1)
    np.testing.assert_array_equal(found.right, named == labels)
