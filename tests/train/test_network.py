"""One door to a trained network: by the name of a shipped one, or by the path of a checkpoint."""

import hashlib

import numpy as np
import pytest

from facelab.errors import FacelabError
from facelab.models import pretrained, shipped_networks
from facelab.train import Recipe, fit, open_network

RECIPE = {"backbone": "mobilefacenet", "embedding_dim": 8, "size": 32, "epochs": 1, "batch_size": 6}


@pytest.fixture(scope="module")
def random_chips() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", shipped_networks())
def test_a_network_of_the_package(name, random_chips):
    network, about = open_network(name), shipped_networks()[name]
    assert network.fingerprint == about["sha256"]
    assert network.fingerprint_of(flip=False) == about["sha256"] != network.fingerprint_of(flip=True)
    assert (network.recipe.backbone, network.recipe.size, network.complete) == (about["backbone"], about["size"], True)
    assert np.array_equal(network.embedder("cpu")(random_chips), pretrained(name, device="cpu")(random_chips))


def test_a_checkpoint_is_known_by_its_content_and_knows_its_people(tmp_path, toy_chips, random_chips):
    path = tmp_path / "training.pt"
    state = fit(Recipe.parse(RECIPE), toy_chips, device="cpu", checkpoint=path)
    network = open_network(path)
    assert network.fingerprint == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (network.recipe, network.step, network.complete, len(network.trained_on)) == (state.recipe, 2, True, 3)
    assert network.knows(["a", "d", "b"], "toy").tolist() == [True, False, True]
    for flip in (False, True):
        ours, theirs = (one.embedder("cpu", flip=flip)(random_chips) for one in (network, state))
        assert np.array_equal(ours, theirs)


def test_names_of_the_training_set_know_their_set():
    network = open_network("synthfaces-arcface")
    assert network.knows(["p00000", "p00499", "p00500"], "synthfaces-500").tolist() == [True, True, False]
    assert not network.knows(["p00000", "p00499"], "strangers").any()  # other people of the same names


def test_a_missing_one_is_told():
    with pytest.raises(FacelabError, match="there is no checkpoint"):
        open_network("nowhere.pt")
