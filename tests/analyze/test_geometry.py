import numpy as np
import pytest

from facelab.analyze import alignment, centre_angles, mean_directions, pair_angles, spread, uniformity
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


def test_spread_of_identities_on_the_axes():
    """Three identities of equal images on three axes: genuine pairs at 0, all others at a right angle."""
    found = spread(np.repeat(np.eye(3), 2, axis=0), np.repeat(range(3), 2))
    assert found.compactness == pytest.approx(0, abs=1e-7)
    assert found.separation == pytest.approx(np.pi / 2)
    assert found.overlap == 0
    assert np.isnan(found.sensitivity)  # no spread at all


def test_sensitivity_is_the_difference_in_deviations(groups):
    intra, inter = pair_angles(*groups)
    expected = (inter.mean() - intra.mean()) / np.sqrt((np.var(inter) + np.var(intra)) / 2)
    assert spread(*groups).sensitivity == pytest.approx(expected)


def test_alignment_and_uniformity_against_loops(groups):
    x, labels = groups
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    near, all_ = [], []
    for i in range(len(x)):
        for j in range(i):
            squared = ((unit[i] - unit[j]) ** 2).sum()
            all_.append(np.exp(-2 * squared))
            if labels[i] == labels[j]:
                near.append(squared)
    assert alignment(x, labels) == pytest.approx(np.mean(near))
    assert alignment(x, labels, power=1) == pytest.approx(np.mean(np.sqrt(near)))
    assert uniformity(x) == pytest.approx(np.log(np.mean(all_)))


def test_uniformity_of_known_sets():
    assert uniformity(np.ones((5, 3))) == pytest.approx(0, abs=1e-12)
    assert uniformity(np.eye(4)) == pytest.approx(-4)  # all at a right angle: squared distance 2, t = 2


def test_turning_the_space_changes_no_angle(groups, rotation):
    x, labels = groups
    turned = x @ rotation
    for measure in (spread, alignment):
        assert np.allclose(*(list(vars(m).values()) if hasattr(m, "__dict__") else m
                             for m in (measure(x, labels), measure(turned, labels))))  # fmt: skip
    assert uniformity(x) == pytest.approx(uniformity(turned))
    np.testing.assert_allclose(centre_angles(x, labels).other, centre_angles(turned, labels).other)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: centre_angles(np.eye(3), np.arange(3)), "one image"),
        (lambda: centre_angles(np.eye(2), np.array([0, 2]), np.eye(2)), "label 2"),
        (lambda: centre_angles(np.eye(2), np.zeros(2, int), np.eye(2)[:1]), "at least 2"),
        (lambda: mean_directions(np.array([[1.0, 0], [-1.0, 0]]), np.zeros(2)), "cancel out"),
        (lambda: spread(np.eye(3), np.arange(3)), "0 genuine"),
        (lambda: alignment(np.eye(3), np.arange(3)), "two images"),
        (lambda: uniformity(np.eye(3)[:1]), "needs pairs"),
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
