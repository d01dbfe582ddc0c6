"""``facelab evaluate``: one to many."""

import pytest

from facelab.reports.evaluation import evaluate
from facelab.reports.identification import Identification

pytestmark = pytest.mark.slow


def test_identification(checkpoint, folder, tmp_path, run, read_results, check_page):
    assert run(checkpoint, "--data", folder, "--protocol", "identification", "--report", tmp_path) == 0
    found = read_results(tmp_path)
    assert found["gallery"] == {"identities": 8, "images": 40, "mated_probes": 40, "stranger_probes": 40}
    values = {name: estimate["value"] for name, estimate in found["estimates"].items()}
    assert 1 / 8 < values["known probes found at rank 1"] <= values["known probes found at rank 5"]
    assert values["DIR at FPIR 10 %"] <= values["known probes found at rank 1"]
    assert "DIR at FPIR 1 %" not in values  # 40 searches of strangers cannot show it
    html = check_page(tmp_path, {"cmc", "open-set", "failures"})
    assert "taken for" in html


def test_a_large_set_is_cut_by_identity_and_says_so(checkpoint, folder, tmp_path, monkeypatch, read_results):
    monkeypatch.setattr("facelab.reports.evaluation.MOST_IMAGES", 55)
    evaluate(checkpoint, folder, Identification(), report=tmp_path, replicates=5, device="cpu")
    assert (read_results(tmp_path)["data"]["identities"], read_results(tmp_path)["data"]["images"]) == (5, 50)
    assert "of 120 images, those of 5 identities drawn at random" in " ".join(read_results(tmp_path)["notes"])
