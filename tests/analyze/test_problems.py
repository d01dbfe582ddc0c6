import functools

import numpy as np
import pytest

from facelab.analyze import Failure, confused_identities, failures, hard_pairs, problems, worst_pairs, wrong_names
from facelab.errors import FacelabError
from facelab.evaluate import pair_blocks


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


@pytest.mark.parametrize("kind", ["genuine", "impostor"])
@pytest.mark.parametrize("kept", [2, 7, 40])
def test_few_pairs_kept_and_small_blocks_change_nothing(groups, kind, kept, monkeypatch):
    expected = hard_pairs(*groups, kind, top=9)
    monkeypatch.setattr(problems, "_KEPT", kept)
    monkeypatch.setattr(problems, "pair_blocks", functools.partial(pair_blocks, block_pairs=100))
    found = hard_pairs(*groups, kind, top=9)
    assert [(p.first, p.second) for p in found] == [(p.first, p.second) for p in expected]
    np.testing.assert_allclose([p.score for p in found], [p.score for p in expected])


def test_a_picture_that_fills_what_is_kept_hides_no_other_pair(monkeypatch):
    generator = np.random.default_rng(0)
    x = generator.normal([3.0, 0, 0], 0.2, (20, 3))
    x[7] = -x[7]  # the worst of every pair that it is in
    monkeypatch.setattr(problems, "_KEPT", 5)
    found = hard_pairs(x, np.zeros(20), "genuine", top=10)
    assert 7 in (found[0].first, found[0].second)
    assert len(found) == 10
    assert len({image for pair in found for image in (pair.first, pair.second)}) == 20


def test_worst_pairs_of_a_list():
    badness, first, second = np.array([1.0, 5.0, 4.0, 3.0]), np.array([0, 1, 1, 3]), np.array([2, 4, 5, 6])
    found = worst_pairs(badness, first, second, -badness, top=2)
    assert [(p.first, p.second, p.score) for p in found] == [(1, 4, -5.0), (3, 6, -3.0)]


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


def test_failures_against_a_gallery_are_those_of_a_loop():
    generator = np.random.default_rng(3)
    labels = np.repeat(np.arange(8), 6)
    x = generator.normal(0, 1, (8, 10))[labels] + generator.normal(0, 1.3, (48, 10))
    gallery = (np.arange(48) % 6 < 3) & (labels < 6)  # identities 6 and 7 are strangers
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    expected = []
    for probe in np.flatnonzero(~gallery & (labels < 6)):
        scores = []
        for identity in range(6):
            template = unit[gallery & (labels == identity)].mean(axis=0)
            scores.append(float(unit[probe] @ template / np.linalg.norm(template)))
        best = int(np.argmax(scores))
        if best != labels[probe]:
            rows = [
                max(np.flatnonzero(gallery & (labels == k)), key=lambda row: unit[row] @ unit[probe])
                for k in (best, labels[probe])
            ]
            expected.append((probe, rows[0], scores[best], rows[1], scores[labels[probe]]))
    expected.sort(key=lambda failure: failure[4] - failure[2])
    found = failures(x, labels, gallery=gallery)
    assert len(found) > 3
    assert [(f.probe, f.wrong, f.right) for f in found] == [(e[0], e[1], e[3]) for e in expected]
    np.testing.assert_allclose([(f.wrong_score, f.right_score) for f in found], [(e[2], e[4]) for e in expected])
    assert failures(x, labels, gallery=gallery, top=2) == found[:2]


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
