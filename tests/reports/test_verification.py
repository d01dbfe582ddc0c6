"""``facelab evaluate``: one to one."""

import numpy as np
import pandas as pd
import pytest

from facelab.data import FaceSet
from facelab.evaluate import apply_threshold, operating_point, pair_scores, verification
from facelab.reports.evaluation import evaluate
from facelab.reports.outcome import Embedded
from facelab.reports.pairs import AllPairs, StreamedPairs
from facelab.reports.verification import Verification


@pytest.mark.slow
def test_verification(checkpoint, folder, truth, tmp_path, capsys, run, read_results, check_page):
    assert run(checkpoint, "--data", folder, "--report", tmp_path) == 0
    said = capsys.readouterr().out
    assert "TAR at FAR 1 %" in said
    assert "report.html" in said
    found = read_results(tmp_path)
    expected = verification(*truth, fars=(0.01,), replicates=2)
    assert found["estimates"]["AUC"]["value"] == pytest.approx(float(expected["auc"].value))
    assert found["estimates"]["TAR at FAR 1 %"]["value"] == pytest.approx(expected["tar_at_far_0.01"].value)
    assert "TAR at FAR 0.01 %" not in found["estimates"]  # 6,600 impostor pairs cannot show it
    point = operating_point(pair_scores(*truth), 0.01)
    assert found["operating_point"]["threshold"] == pytest.approx(point.threshold)
    assert found["operating_point"]["far"]["value"] == pytest.approx(point.far)
    assert set(found["quality"]) == {"embedding norm", "sharpness", "contrast"}
    assert found["data"] == {
        "name": "unseen",
        "images": 120,
        "identities": 12,
        "how": "taken as aligned chips: of 24 looked at, 24 have the face where alignment brings it, 0 elsewhere",
    }
    html = check_page(tmp_path, {"scores", "roc", "det", "quality", "failures-genuine", "failures-impostor"})
    assert "The hardest genuine pairs" in html


@pytest.mark.slow
def test_a_threshold_of_another_set_is_applied_and_the_drift_shown(
    checkpoint, folder, orl_chips, truth, tmp_path, read_results, write_chips
):
    other = write_chips(orl_chips.select((orl_chips.labels >= 10) & (orl_chips.labels < 22)), tmp_path / "other")
    evaluate(checkpoint, other, Verification(far=0.05), report=tmp_path / "a", replicates=5, device="cpu")
    chosen = read_results(tmp_path / "a")["operating_point"]
    options = {"report": tmp_path / "b", "replicates": 5, "device": "cpu"}
    evaluate(checkpoint, folder, Verification(threshold_from=tmp_path / "a" / "results.json"), **options)
    applied = read_results(tmp_path / "b")["operating_point"]
    point = apply_threshold(pair_scores(*truth), chosen["threshold"])
    assert (applied["threshold"], applied["chosen_on"]) == (chosen["threshold"], "other")
    assert (applied["far"]["value"], applied["frr"]["value"]) == pytest.approx((point.far, point.frr))
    page = (tmp_path / "b" / "report.html").read_text()
    assert f"{point.far / 0.05:.2g} times the FAR of 0.05" in page
    (tmp_path / "plain.json").write_text('{"threshold": 0.25}')
    evaluate(checkpoint, folder, Verification(threshold_from=tmp_path / "plain.json"), **options)
    assert read_results(tmp_path / "b")["operating_point"]["threshold"] == 0.25


@pytest.mark.slow
def test_more_pairs_than_fit_into_memory_are_all_measured(
    checkpoint, folder, truth, tmp_path, monkeypatch, read_results, check_page
):
    options = {"replicates": 5, "device": "cpu"}
    evaluate(checkpoint, folder, report=tmp_path / "plain", **options)
    monkeypatch.setattr("facelab.reports.evaluation.MOST_IMAGES", 55)
    evaluate(checkpoint, folder, report=tmp_path / "streamed", **options)
    plain, streamed = read_results(tmp_path / "plain"), read_results(tmp_path / "streamed")
    assert streamed["data"] == plain["data"]
    assert set(streamed["estimates"]) == set(plain["estimates"])
    for name, estimate in streamed["estimates"].items():
        assert estimate["value"] == pytest.approx(plain["estimates"][name]["value"], abs=1e-6)  # scores in float32
        assert estimate["n"] == plain["estimates"][name]["n"]
        if estimate["low"] is not None:
            assert estimate["low"] <= estimate["value"] <= estimate["high"]
    # A stream lists thresholds at genuine scores only: the same pairs are refused, no more impostors let in.
    chosen, expected = streamed["operating_point"], plain["operating_point"]
    assert chosen["frr"]["value"] == pytest.approx(expected["frr"]["value"])
    assert chosen["far"]["value"] <= expected["far"]["value"]
    said = " ".join(streamed["notes"])
    assert "all pairs of 120 images were measured" in said
    assert "are those of 5 identities drawn at random (50 images)" in said
    check_page(tmp_path / "streamed", {"scores", "roc", "det", "quality", "failures-genuine", "failures-impostor"})
    for kind in ("genuine", "impostor"):  # the failures of all pairs, not of those drawn
        pictures = [tmp_path / name / "figures" / f"failures-{kind}.png" for name in ("plain", "streamed")]
        assert pictures[0].read_bytes() == pictures[1].read_bytes()


@pytest.fixture(params=range(3))
def seen(request) -> Embedded:
    """Twelve identities x ten embeddings, overlapping; five of the identities are drawn."""
    generator = np.random.default_rng(request.param)
    labels = np.repeat(np.arange(12), 10)
    raw = generator.normal(0, 1, (12, 24))[labels] + generator.normal(0, 1.5, (120, 24))
    chips = FaceSet("made", np.zeros((120, 1, 1, 3), np.uint8), pd.DataFrame({"identity": labels.astype(str)}))
    return Embedded(chips, raw, {}, drawn=np.isin(labels, generator.permutation(12)[:5]))


def test_a_stream_gives_the_values_of_all_pairs_and_the_intervals_of_those_drawn(seen):
    everyone, streamed = AllPairs(seen), StreamedPairs(seen)
    assert (streamed.genuine_pairs, streamed.impostor_pairs) == (everyone.genuine_pairs, everyone.impostor_pairs)
    some = verification(seen.raw[seen.drawn], seen.chips.labels[seen.drawn], fars=(0.1, 0.01), replicates=50, seed=1)
    fars = (0.1, 0.01, 0.0002)
    values, found = (pairs.measure(fars, replicates=50, seed=1) for pairs in (everyone, streamed))
    assert list(found) == list(values)
    for name, estimate in found.items():
        assert estimate.value == pytest.approx(values[name].value, abs=1e-6)
        assert estimate.n == values[name].n
        if name == "tar_at_far_0.0002":  # 1,000 impostor pairs of those drawn cannot show it
            assert np.isnan([estimate.low, estimate.high]).all()
        else:
            assert estimate.low == min(some[name].low, estimate.value)
            assert estimate.high == max(some[name].high, estimate.value)


def test_a_stream_finds_and_judges_a_threshold_as_all_pairs_do(seen):
    everyone, streamed = AllPairs(seen), StreamedPairs(seen)
    for far in (0.1, 0.01):
        point = operating_point(everyone.scores, far)
        rates = streamed.errors_at(streamed.threshold(far), replicates=5, seed=0)
        assert rates[0].value <= far
        assert rates[1].value == pytest.approx(point.frr)
        given = streamed.errors_at(point.threshold + 1e-4, replicates=5, seed=0)  # between the scores of the curve
        expected = apply_threshold(everyone.scores, point.threshold + 1e-4)
        assert (given[0].value, given[1].value) == pytest.approx((expected.far, expected.frr))
        assert (given[0].n, given[1].n) == (everyone.impostor_pairs, everyone.genuine_pairs)
    assert np.isnan(streamed.threshold(1e-5))
