"""A set that says which images are queries and which distractors: the coursework's identification rate."""

import cv2
import layouts
import numpy as np
import pytest

from facelab.align import align
from facelab.data import FaceSet
from facelab.data.folder import identities_of
from facelab.data.splits import training_part
from facelab.errors import FacelabError
from facelab.evaluate import identification_rate
from facelab.models import Embedder
from facelab.reports.evaluation import _part, evaluate, make_protocol
from facelab.sources import open_chips, open_faces, open_photographs
from facelab.train import Checkpoint

pytestmark = pytest.mark.slow


NETWORK = "synthfaces-arcface"


def chips_for(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return the same set with its faces cut out, so that none need be found."""
    return {
        name: cv2.imencode(".jpg", cv2.imdecode(np.frombuffer(data, np.uint8), 1)[53:165, 33:145])[1].tobytes()
        if name.endswith(".jpg")
        else data
        for name, data in files.items()
    }


def test_the_identification_rate_is_the_courseworks(orl, tmp_path, read_results, run):
    path = layouts.write(chips_for(layouts.celeba500(orl)), tmp_path / "celeba500.zip")
    said = ["--data", path, "--protocol", "identification", "--images", "chips", "--report", tmp_path / "r"]
    assert run(NETWORK, *said) == 0
    found = read_results(tmp_path / "r")
    faces = open_faces(path).faces
    embed: Embedder = Checkpoint.open(NETWORK).embedder("cpu")
    queries, distractors = (faces.select((faces.table["split"] == role).to_numpy()) for role in ("query", "distractor"))
    q, d = (embed(part.resized(embed.size).array()).astype(np.float64) for part in (queries, distractors))
    expected = identification_rate(q, queries.labels, d, (0.05, 0.1, 0.2))
    for fpr, rate in expected.items():
        got = found["estimates"][f"identification rate, TPR at FPR {100 * fpr:g} %"]["value"]
        assert got == pytest.approx(rate, abs=1e-12)
    assert found["queries"] == {
        "queries": 12, "identities": 4, "distractors": 6,
        "positive_pairs": 12, "negative_pairs": 12 * 11 // 2 - 12 + 72,
    }  # fmt: skip
    assert found["data"]["images"] == 18
    assert (tmp_path / "r" / "figures" / "roc.png").is_file()


def test_other_protocols_measure_nobody_who_has_no_name(orl, tmp_path):
    faces = open_faces(layouts.write(layouts.celeba500(orl), tmp_path / "celeba500")).faces
    verification, identification = make_protocol("verification"), make_protocol("identification")
    assert len(_part(faces, verification, None)) == 42
    assert len(_part(faces, identification, None)) == 18
    assert set(_part(faces, verification, "validation").table["split"]) == {"validation"}
    with pytest.raises(FacelabError, match=r"--split tset: celeba500 has the splits distractor, query, test, train"):
        _part(faces, verification, "tset")
    with pytest.raises(FacelabError, match="--split test: orl has no splits"):
        evaluate(NETWORK, "orl", split="test", report=tmp_path / "r")
    cfp = layouts.write(layouts.cfp(orl), tmp_path / "cfp")
    with pytest.raises(FacelabError, match="--split cannot change a list of pairs"):
        evaluate(NETWORK, f"cfp-fp:{cfp}", make_protocol("10fold"), split="test", report=tmp_path / "r")


def test_what_is_kept_for_tests_is_not_trained_on(orl, tmp_path):
    faces = open_faces(layouts.write(layouts.celeba500(orl), tmp_path / "c.zip")).faces
    part = training_part(faces)
    assert set(part.table["split"]) == {"train"}
    assert part.identities == [*"012345"]
    with pytest.raises(FacelabError, match=r"no image to train on: all are marked query"):
        training_part(faces.select((faces.table["split"] == "query").to_numpy()))
    assert training_part(orl) is orl


def test_chips_are_cut_by_the_landmarks_of_the_set(orl, tmp_path):
    opened = open_faces(layouts.write(layouts.celeba(orl), tmp_path / "CelebA"))
    chips = open_chips(opened, images="photographs")
    assert "aligned by the landmarks that come with them" in chips.how
    for row in (0, 7):
        points = opened.faces.table["landmarks"][row]
        np.testing.assert_array_equal(chips.faces[row][0], align(opened.faces[row][0], points))
    opened.faces.table["landmarks"] = [np.full((5, 2), np.nan)] * len(opened.faces)
    with pytest.raises(FacelabError, match=r"000001\.jpg has no landmarks in the list of the set \(so have 12 of 12\)"):
        open_chips(opened, images="photographs")


def test_chips_are_written_to_a_folder_of_their_identity(orl, tmp_path):
    """All pictures of CelebA-500 lie in three folders, which would be read as three identities."""
    path = layouts.write(layouts.celeba500(orl), tmp_path / "celeba500")
    faces = open_photographs([path], images="photographs").faces
    written = FaceSet(faces.name, faces.images, faces.table)
    for file, identity in zip(written.files, written.table["identity"], strict=True):
        assert identities_of([file]) == [identity]
    cfp = open_photographs([f"cfp-ff:{layouts.write(layouts.cfp(orl), tmp_path / 'cfp')}"], images="photographs").faces
    assert len(set(cfp.files)) == len(cfp)
    assert identities_of(cfp.files) == cfp.table["identity"].tolist()
    lfw = layouts.write(layouts.lfw(orl) | {"pairs.txt": layouts.lfw_pairs()}, tmp_path / "lfw")
    assert open_photographs([lfw], images="photographs").faces.files[0].startswith("lfw/Aaron_Eckhart/Aaron_Eckhart_")
