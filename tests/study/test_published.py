"""What studies publish: written whole or not at all, told what changed, and true to itself."""

import json

import numpy as np
import pytest
from counting import counting
from typer.testing import CliRunner

from facelab.cli.program import typer_app
from facelab.errors import FacelabError
from facelab.files import RECORD
from facelab.study import synthfaces
from facelab.study.folder import StudyFolder
from facelab.study.plan import Plan, plans
from facelab.study.report import make_report, publish_results
from facelab.study.results import STORE, Results, published, published_arrays
from facelab.study.runner import run_plan


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return run_plan(counting(0, 1), tmp_path_factory.mktemp("done"))


def test_publish_copies_the_results_and_says_what_changed(done, tmp_path):
    first = publish_results(done, tmp_path)
    assert len(first) == 2  # the means and the sum are new
    assert publish_results(done, tmp_path) == []
    doubled = StudyFolder(counting(0, 1, factor=2.0), done.path)
    old = Results.load(tmp_path / "counting.json").values["sum"]
    assert publish_results(doubled, tmp_path) == [f"sum: {old} → {2 * old}"]
    results = Results.load(tmp_path / "counting.json")
    assert results == make_report(doubled)
    assert results.plan["settings"]["factor"] == 2.0
    assert results.provenance.runs == 3
    assert results.provenance.command == "facelab study run counting.toml"
    assert results.provenance.date == max(state.record.date for state in done.states().values())


def test_a_publication_that_breaks_off_leaves_the_old_one(done, tmp_path, monkeypatch):
    publish_results(done, tmp_path)
    before = (tmp_path / "counting.json").read_bytes()
    write = type(tmp_path).write_text

    def half(path, text, **options):
        if path.parent == tmp_path:
            write(path, text[: len(text) // 2], **options)
            raise OSError(28, "No space left on device")
        return write(path, text, **options)

    monkeypatch.setattr(type(tmp_path), "write_text", half)
    with pytest.raises(FacelabError, match="No space left"):
        publish_results(StudyFolder(counting(0, 1, factor=2.0), done.path), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"counting.json", RECORD}
    assert (tmp_path / "counting.json").read_bytes() == before


def test_another_plan_does_not_take_the_name_of_one_that_comes_with_facelab(tmp_path):
    plan = Plan.load("detection")
    other = plan.model_copy(update={"settings": plan.settings.model_copy(update={"iou": 0.3})})
    with pytest.raises(FacelabError, match=r"detection that comes with facelab has settings.iou = 0.5, yours 0.3"):
        publish_results(StudyFolder(other, tmp_path), tmp_path)


def test_results_that_are_not_there_or_are_none_are_one_clear_error(tmp_path):
    with pytest.raises(FacelabError, match=rf"no results 'nobody'.*{', '.join(published())}"):
        Results.load("nobody")
    for text in ("{", '{"values": 1}'):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(FacelabError, match=r"x\.json"):
            Results.load(tmp_path / "x.json")


@pytest.mark.parametrize("name", published())
def test_published_results_belong_to_the_plan_of_their_name(name):
    results = Results.load(name)
    assert name in plans()
    assert Plan.parse(results.plan) == Plan.load(name)
    for table in Plan.load(name).settings.tables(results.values).values():
        assert len(table)
    assert results.provenance.device
    assert results.provenance.date.startswith("20")


def test_published_laws_follow_from_the_published_seeds():
    """In NumPy alone."""
    values = Results.load("gpu-ablations").values
    for name, loss in (("arcface", "arcface"), ("cross-entropy", "cross_entropy")):
        rows = [values["changes"]["identities"][f"{name}-{n}"] for n in (125, 250)] + [values["changes"]["base"][name]]
        numbers = np.repeat([row["identities"] for row in rows], 3)
        for key, errors in (
            ("frr_at_far_0.01", [1 - tar for row in rows for tar in row["tar_at_far_0.01"]["seeds"]]),
            ("eer", [eer for row in rows for eer in row["eer"]["seeds"]]),
        ):
            law = values["power_laws"][loss][key]
            slope, height = np.polyfit(np.log(numbers), np.log(errors), 1)
            assert (law["exponent"], law["factor"]) == pytest.approx((-slope, np.exp(height)))
            assert law["low"] < law["exponent"] < law["high"]
    for changes in values["changes"].values():
        for row in changes.values():
            assert row["accuracy"]["value"] == pytest.approx(np.mean(row["accuracy"]["seeds"]))
            assert 0 <= row["accuracy"]["low"] <= row["accuracy"]["high"] <= 1
            if "minus_first" in row:
                first = next(r for of in values["changes"].values() for r in of.values() if r["loss"] == row["loss"])
                difference = row["accuracy"]["value"] - first["accuracy"]["value"]
                assert row["minus_first"]["value"] == pytest.approx(difference)


def test_published_alignment_is_what_its_seeds_say():
    for name, found in Results.load("alignment").values.items():
        assert found["photographs"] - found["missing"] >= found["strangers_chips"]
        for keys in found["methods"].values():
            for value in keys.values():
                assert value["value"] == pytest.approx(np.mean(value["seeds"]))
                assert value["low"] <= value["value"] <= value["high"]
        for key, pairs in found["comparisons"].items():
            for pair, difference in pairs.items():
                first, second = (found["methods"][method][key]["value"] for method in pair.split(" - "))
                assert difference["value"] == pytest.approx(first - second), (name, key, pair)
        for method, tested in found["trained_tested"].items():
            assert tested[method] == pytest.approx(found["methods"][method]["tar_at_far_0.01"]["value"])


def test_the_card_says_what_was_published(tmp_path):
    card = tmp_path / "synthfaces.md"
    card.write_text(synthfaces.CARD.read_text(encoding="utf-8").partition(synthfaces.MARKER)[0], encoding="utf-8")
    synthfaces.write_card(Results.load("synthfaces").values, card)
    assert card.read_text(encoding="utf-8") == synthfaces.CARD.read_text(encoding="utf-8")


def test_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def told(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(typer_app, ["study", *arguments])
        assert result.exit_code == code, result.output
        return result.output

    assert all(name in told("list") for name in plans())
    assert "0 of 20 runs done, 20 to do" in told("status", "alignment")
    assert "0 of 20 runs done" in told("run", "alignment", "--minutes", "0")
    assert isinstance(CliRunner().invoke(typer_app, ["study", "report", "alignment"]).exception, FacelabError)
    record = {"settings": {}, "error": "loss is not finite", "seconds": 1, "device": "cpu", "facelab": "", "torch": ""}
    path = tmp_path / "runs" / "study" / "alignment" / "runs" / "orl-crop-1.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({**record, "date": ""}))
    said = told("status", "alignment")
    assert "orl-crop-1 failed: loss is not finite" in said
    assert "1 failed, 19 to do" in said
    told("run", "alignment", "--minutes", "0", code=1)


def test_published_predictions_of_the_loss_study_give_its_accuracies():
    values, arrays = Results.load("gpu").values, published_arrays("gpu")
    for setting, part in values["settings"].items():
        for loss, row in part["losses"].items():
            for scorer in ("centroid", "neighbour", "classifier"):
                if scorer in row:
                    right = arrays[f"predictions.{loss}.{setting}.{scorer}"] == arrays["labels"]
                    assert row[scorer]["seeds"] == pytest.approx(right.mean(axis=1).tolist()), (setting, loss, scorer)
    for loss in ("cross_entropy", "arcface"):  # strangers, in NumPy alone
        x, labels = arrays[f"strangers.{loss}"].astype(float), arrays["stranger_labels"]
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        same, upper = labels[:, None] == labels, np.triu(np.ones((len(x), len(x)), bool), 1)
        cosines = x @ x.T
        impostors = np.sort(cosines[upper & ~same])[::-1]
        tar = (cosines[upper & same] > impostors[int(0.01 * len(impostors))]).mean()
        assert values["settings"]["17"]["losses"][loss]["tar_at_far_0.01"]["seeds"][0] == pytest.approx(tar, abs=1e-3)


def test_arrays_of_another_publication_are_refused(tmp_path, monkeypatch):
    with pytest.raises(FacelabError, match="detection have no arrays"):
        published_arrays("detection")
    monkeypatch.setattr("facelab.study.results.STORE", tmp_path)
    Results.load(STORE / "gpu.json").save(tmp_path / "gpu.json")
    np.savez(tmp_path / "gpu.npz", labels=np.zeros(3))
    with pytest.raises(FacelabError, match=r"gpu\.npz.*Install facelab again"):
        published_arrays("gpu")
