import numpy as np
import pytest

from facelab.analyze import Failure, confused_identities, failures, hard_pairs, wrong_names
from facelab.errors import FacelabError


@pytest.mark.parametrize("kind", ["genuine", "impostor"])
def test_hard_pairs_against_a_greedy_loop(groups, kind):
    x, labels = groups
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    pairs = [
        (float(unit[i] @ unit[j]), i, j)
        for i in range(48)
        for j in range(i + 1, 48)
        if (labels[i] == labels[j]) == (kind == "genuine")
    ]
    expected, used = [], set()
    for score, i, j in sorted(pairs, reverse=kind == "impostor"):
        if not {i, j} & used and len(expected) < 6:
            expected.append((i, j, score))
            used |= {i, j}
    found = hard_pairs(x, labels, kind, top=6)
    assert [(p.first, p.second) for p in found] == [(i, j) for i, j, _ in expected]
    np.testing.assert_allclose([p.score for p in found], [score for *_, score in expected])


def test_no_picture_fills_the_list():
    x = np.concatenate([np.tile([1.0, 0.0], (5, 1)), [[-1.0, 0.0]]])
    pairs = hard_pairs(x, np.zeros(6), "genuine", top=5)
    assert [5 in (p.first, p.second) for p in pairs] == [True, False, False][: len(pairs)]


def planted() -> tuple[np.ndarray, np.ndarray]:
    """Four identities on four axes; two pictures of identity 1 look like identity 3, one of 3 like 1."""
    labels = np.repeat(np.arange(4), 5)
    looks = labels.copy()
    looks[[5, 6]], looks[15] = 3, 1
    return np.eye(4)[looks] + np.random.default_rng(0).normal(0, 0.02, (20, 4)), labels


def test_planted_confusion_is_found():
    (only,) = confused_identities(*planted())
    assert (only.first, only.second, only.count, only.images) == (1, 3, 3, 10)


def test_planted_failures_are_found():
    x, labels = planted()
    found = failures(x, labels)
    assert {5, 15} <= {f.probe for f in found}
    for f in found:
        cosines = x @ x[f.probe] / np.linalg.norm(x, axis=1) / np.linalg.norm(x[f.probe])
        cosines[f.probe] = -2
        assert cosines.argmax() == f.wrong
        assert labels[f.wrong] != labels[f.probe] == labels[f.right]
        assert f.wrong_score == pytest.approx(cosines.max())
        assert f.right_score == pytest.approx(cosines[labels == labels[f.probe]].max())
    gaps = [f.wrong_score - f.right_score for f in found]
    assert gaps == sorted(gaps, reverse=True)
    assert failures(x, labels, top=2) == found[:2]


def test_a_perfect_space_has_no_problems():
    x, labels = np.repeat(np.eye(3), 2, axis=0), np.repeat(range(3), 2)
    assert confused_identities(x, labels) == []
    assert failures(x, labels) == []


def test_bad_input_is_named():
    with pytest.raises(FacelabError, match="hard"):
        hard_pairs(np.eye(3), np.arange(3), "hard")
    with pytest.raises(FacelabError, match="no genuine pair"):
        hard_pairs(np.eye(3), np.arange(3), "genuine")


def test_the_first_wrong_name_of_each_identity():
    labels, named = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 2, 1, 1, 0, 2])
    assert wrong_names(named, labels, [2, 1, 0, 0]) == [Failure(1, 0, None, 2, None), Failure(4, 2, None, 1, None)]
    assert wrong_names(labels, labels, [0, 1, 2]) == []
