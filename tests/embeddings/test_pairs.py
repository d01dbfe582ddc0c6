"""The pairs of a folder of embeddings are those of the whole in memory, and the report is that of the network."""

import json

import numpy as np
import pytest

from facelab.cli import app
from facelab.embeddings import Embeddings, StoredPairs, write_embedding_shards
from facelab.evaluate import auc, pair_scores, sampled_scores, streamed_roc, tar_at_far
from facelab.reports.evaluation import evaluate, evaluate_embeddings, make_protocol
from facelab.reports.verification import Verification
from facelab.sources import open_pictures


@pytest.fixture
def folder(store_people):
    return Embeddings(store_people("memory://people"))


def whole(found: Embeddings) -> tuple[np.ndarray, np.ndarray]:
    block = found.select(np.flatnonzero(found.labels >= 0))
    return block.embeddings, block.labels


@pytest.mark.parametrize("tile", [37, 16_384])
def test_counted_pairs_are_all_pairs(folder, tile, monkeypatch):
    monkeypatch.setattr("facelab.embeddings.pairs.TILE", tile)
    pairs = StoredPairs(folder, np.flatnonzero(folder.labels >= 0))
    curve, exact = pairs.count().roc(), streamed_roc(*whole(folder))
    assert (curve.genuine_pairs, curve.impostor_pairs) == (exact.genuine_pairs, exact.impostor_pairs)
    assert auc(curve) == pytest.approx(auc(exact), abs=1e-6)
    assert tar_at_far(exact, 0.01) - 2e-3 <= tar_at_far(curve, 0.01) <= tar_at_far(exact, 0.01)
    asked = pairs.count(0.25).roc()
    scores = pair_scores(*whole(folder))
    at = np.flatnonzero(asked.threshold == 0.25)[0]
    assert asked.far[at] == pytest.approx((scores.values >= 0.25)[~scores.genuine].mean(), abs=1e-12)


def test_drawn_pairs_are_those_of_the_whole(folder, monkeypatch):
    monkeypatch.setattr("facelab.embeddings.pairs.LIST", 100)
    found = StoredPairs(folder, np.flatnonzero(folder.labels >= 0)).sample(2000, seed=3)
    expected = sampled_scores(*whole(folder), 2000, seed=3)
    np.testing.assert_allclose(found.values, expected.values, atol=1e-12)
    np.testing.assert_array_equal(found.first, expected.first)
    np.testing.assert_array_equal(found.second, expected.second)


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        app(["evaluate", *map(str, arguments), "--replicates", "5"])
    return stop.value.code


def results(report) -> dict:
    return json.loads((report / "results.json").read_text())


@pytest.mark.slow
def test_the_report_is_that_of_the_network(network, chips, tmp_path, capsys):
    options = {"replicates": 5, "device": "cpu"}
    expected = evaluate(
        network, chips, report=tmp_path / "network", images="chips", protocol=Verification(far=0.1), **options
    ).results
    write_embedding_shards(network, open_pictures([chips]), tmp_path / "e", images="chips", device="cpu", workers=1)
    assert run(tmp_path / "e", "--report", tmp_path / "folder", "--far", 0.1) == 0
    found = results(tmp_path / "folder")
    assert found["fingerprint"] == expected["fingerprint"]
    assert found["recipe"] == json.loads(json.dumps(expected["recipe"]))
    for name, estimate in expected["estimates"].items():
        assert found["estimates"][name] == pytest.approx(estimate, abs=1e-5)
    assert found["operating_point"]["threshold"] == pytest.approx(expected["operating_point"]["threshold"], abs=1e-5)
    assert found["data"] | {"how": ""} == expected["data"] | {"how": ""}
    page = (tmp_path / "folder" / "report.html").read_text()
    assert "a/00.png" in page  # the failures, by their files
    for arguments, said in (
        ((tmp_path / "e", "--flip"), "--flip would do nothing: without --data"),
        ((network, "--impostors", 5), "is a network: say with --data"),
        ((network, "--data", chips, "--workers", 2), "--workers would do nothing: a network runs in one process"),
        ((network, "--data", tmp_path / "e"), "holds embeddings, and no pictures any more"),
        ((tmp_path / "e", "--impostors", 0), "--impostors 0: draw 1 pair or more"),
        ((tmp_path / "e", "--protocol", "templates"), "lists of pairs or templates are of pictures"),
    ):
        assert run(*arguments, "--report", tmp_path / "never") == 2
        assert said in " ".join(capsys.readouterr().err.split())


@pytest.mark.slow
def test_more_pairs_than_fit_into_memory(store_people, folder, tmp_path, monkeypatch):
    monkeypatch.setattr("facelab.reports.evaluation.MOST_IMAGES", 150)
    options = {"replicates": 5, "workers": 1}
    evaluate_embeddings(folder.address, report=tmp_path / "all", **options)
    found, exact = results(tmp_path / "all"), streamed_roc(*whole(folder))
    assert found["data"]["images"] == 300
    assert found["estimates"]["AUC"]["value"] == pytest.approx(float(auc(exact)), abs=1e-6)
    assert found["estimates"]["AUC"]["n"] == 300 * 299 // 2
    assert found["estimates"]["TAR at FAR 1 %"]["value"] == pytest.approx(float(tar_at_far(exact, 0.01)), abs=2e-3)
    said = " ".join(found["notes"])
    assert "all pairs of 300 images were measured; the intervals" in said
    assert "1 of 60 identities have names that the network was trained on" in said
    given = make_protocol("verification", threshold_from=tmp_path / "all" / "results.json")
    evaluate_embeddings(folder.address, given, report=tmp_path / "given", strangers_only=True, **options)
    applied = results(tmp_path / "given")
    assert applied["data"]["images"] == 295
    rows = (folder.labels >= 0) & ~folder.trained_on
    block = folder.select(np.flatnonzero(rows))
    scores, threshold = pair_scores(block.embeddings, block.labels), found["operating_point"]["threshold"]
    far = (scores.values >= threshold)[~scores.genuine].mean()
    assert applied["operating_point"]["far"]["value"] == pytest.approx(far, abs=1e-12)


@pytest.mark.slow
def test_a_sample_of_impostors_is_said(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("facelab.reports.evaluation.MOST_IMAGES", 150)
    drawn = make_protocol("verification", impostors=4000)
    evaluate_embeddings(folder.address, drawn, report=tmp_path, replicates=5, workers=1)
    found, said = results(tmp_path), " ".join(results(tmp_path)["notes"])
    assert found["impostors"] == {"drawn": 4000, "of": 300 * 299 // 2 - 600, "seed": 0}
    assert found["estimates"]["AUC"]["n"] == 4600
    assert found["estimates"]["TAR at FAR 1 %"]["n"] == 600
    assert "FAR rests on 4,000 of 44,250 impostor pairs, drawn at random with replacement" in said
    assert "comes from the draw of pairs" in said
    assert "TAR at FAR 0.1 %" not in found["estimates"]  # four drawn pairs would decide
    assert "cannot show a FAR below 0.75 %" in said
    exact = streamed_roc(*whole(folder))
    auc_found = found["estimates"]["AUC"]
    assert auc_found["low"] < float(auc(exact)) < auc_found["high"]
