"""The networks that come with the package: whole, small, and good at strangers."""

import shutil

import numpy as np
import pytest

from facelab.errors import FacelabError
from facelab.evaluate import auc, pair_scores, roc
from facelab.models import pretrained, shipped_networks
from facelab.models.shipped import NETWORKS
from facelab.synth.strangers import load_strangers


@pytest.mark.parametrize("name", shipped_networks())
def test_what_is_published_of_a_network_is_whole(name):
    about = shipped_networks()[name]
    assert (NETWORKS / f"{name}.npz").stat().st_size < 3_000_000
    tar = about["strangers"]["tar_at_far_0.01"]
    assert 0.85 < tar["low"] <= tar["value"] <= tar["high"] <= 1
    assert tar["n"] == 50 * 24 * 23 // 2  # genuine pairs of the strangers of the test
    point = about["operating_point"]
    assert point["far"]["low"] < point["far"]["value"] <= point["asked"] < point["far"]["high"]
    # Both are of one threshold: the largest share of genuine pairs that this FAR allows.
    assert 1 - point["frr"]["value"] == pytest.approx(about["strangers"]["tar_at_far_0.001"]["value"], abs=1e-9)
    assert about["recipe"]["loss"]["name"] in name.replace("-", "_")


@pytest.mark.slow  # renders synthfaces-mini
@pytest.mark.parametrize("name", shipped_networks())
def test_a_network_knows_people_of_another_set(name):
    strangers = load_strangers()
    embeddings = pretrained(name, device="cpu")(strangers)
    assert embeddings.shape == (len(strangers), 128)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, rtol=1e-5)
    assert auc(roc(pair_scores(embeddings, strangers.labels))) > 0.97


def test_another_file_is_not_opened(tmp_path, monkeypatch):
    shutil.copytree(NETWORKS, tmp_path / "networks")
    monkeypatch.setattr("facelab.models.shipped.NETWORKS", tmp_path / "networks")
    (file,) = (tmp_path / "networks").glob("*-arcface.npz")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(FacelabError, match=r"arcface\.npz is not the file.*Install facelab again"):
        pretrained("synthfaces-arcface")
    with pytest.raises(FacelabError, match=r"'vgg'.*synthfaces-arcface"):
        pretrained("vgg")
