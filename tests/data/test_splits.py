import numpy as np
import pandas as pd
import pytest

from facelab.data import FaceSet, split_closed_set, split_identities
from facelab.errors import FacelabError


@pytest.fixture
def faces():
    identities = np.repeat([f"p{i}" for i in range(12)], 5)
    images = np.zeros((60, 1, 1, 3), np.uint8)
    return FaceSet("sixty", images, pd.DataFrame({"identity": identities}).sample(frac=1, random_state=0).sort_index())


def test_closed_set_is_stratified_and_shares_no_image(faces):
    train, test = split_closed_set(faces, train=3, seed=0)
    assert train.table["identity"].value_counts().eq(3).all()
    assert test.table["identity"].value_counts().eq(2).all()
    assert train.identities == test.identities == faces.identities
    assert sorted([*train.table.index, *test.table.index]) == list(range(60))


def test_closed_set_draws_as_it_always_did(faces):
    """Identity after identity: what a seed has drawn once, it draws for ever."""
    faces = faces.select(np.random.default_rng(3).permutation(60)[:50])
    for seed in range(5):
        generator, expected = np.random.default_rng(seed), np.zeros(50, bool)
        for label in range(12):
            expected[generator.permutation(np.flatnonzero(faces.labels == label))[:1]] = True
        train, test = split_closed_set(faces, train=1, seed=seed)
        assert train.table.index.tolist() == faces.table.index[expected].tolist()
        assert test.table.index.tolist() == faces.table.index[~expected].tolist()


def test_identity_split_shares_no_identity(faces):
    seen, unseen = split_identities(faces, held_out=4, seed=0)
    assert (len(seen.identities), len(unseen.identities)) == (8, 4)
    assert not set(seen.identities) & set(unseen.identities)
    assert sorted([*seen.table.index, *unseen.table.index]) == list(range(60))


def test_seed_decides(faces):
    def held_out(seed):
        return split_identities(faces, held_out=4, seed=seed)[1].identities

    def trained(seed):
        return split_closed_set(faces, train=3, seed=seed)[0].table.index.tolist()

    assert held_out(1) == held_out(1)
    assert trained(1) == trained(1)
    assert len({tuple(held_out(seed)) for seed in range(5)}) > 1
    assert len({tuple(trained(seed)) for seed in range(5)}) > 1


def test_identity_with_one_image_is_named(faces):
    lonely = faces.select(np.r_[np.flatnonzero(faces.labels != 5), np.flatnonzero(faces.labels == 5)[:1]])
    with pytest.raises(FacelabError, match=rf"{faces.identities[5]!r} has 1 image"):
        split_closed_set(lonely, train=3, seed=0)


@pytest.mark.parametrize("held_out", [0, 12, 13])
def test_nothing_left_on_a_side_is_an_error(faces, held_out):
    with pytest.raises(FacelabError, match=f"held_out={held_out}"):
        split_identities(faces, held_out=held_out, seed=0)
