"""``facelab evaluate``, run for real on a network that was trained for a few steps."""

import json
import pickle
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from facelab.cli import app
from facelab.data import load_folder
from facelab.data.images import write_image
from facelab.evaluate import apply_threshold, fold_accuracy, listed_scores, operating_point, pair_scores, verification
from facelab.evaluate.folds import draw_pairs
from facelab.reports.evaluation import evaluate
from facelab.train import Checkpoint, Recipe, fit

pytestmark = pytest.mark.slow

FEW = 12  # identities in each of the two folders of chips


@pytest.fixture(scope="module")
def checkpoint(orl_chips, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("train") / "small.pt"
    seen = orl_chips.select(orl_chips.labels < 10)
    fit(Recipe.parse({"size": 32, "embedding_dim": 16, "epochs": 3, "batch_size": 25}), seen, checkpoint=path)
    return path


def folder_of(chips, path: Path) -> Path:
    for row in range(len(chips)):
        identity, photo = chips.table.iloc[row][["identity", "photo"]]
        write_image(path / identity / f"{identity}_{photo:04d}.png", chips[row][0])
    return path


@pytest.fixture(scope="module")
def folder(orl_chips, tmp_path_factory) -> Path:
    chosen = orl_chips.labels >= 40 - FEW
    return folder_of(orl_chips.select(chosen), tmp_path_factory.mktemp("chips") / "unseen")


@pytest.fixture(scope="module")
def truth(checkpoint, folder):
    """Embeddings and labels of the folder, without the command."""
    faces, bad = load_folder(folder)
    assert not bad
    return Checkpoint.load(checkpoint).embedder()(faces.resized(32), normalize=False).astype(float), faces.labels


def run(*arguments: object) -> None:
    app(["evaluate", *map(str, arguments), "--device", "cpu", "--replicates", "20"])


def error(capsys, *arguments: object) -> str:
    with pytest.raises(SystemExit) as stop:
        run(*arguments)
    assert stop.value.code == 2
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1
    return said


def results(report: Path) -> dict:
    return json.loads((report / "results.json").read_text())


def check_page(report: Path, figures: set[str]) -> str:
    """The page is one file, and each figure can be heard."""
    html = (report / "report.html").read_text()
    assert {path.stem for path in (report / "figures").iterdir()} == figures
    assert html.count('<img src="data:image/png;base64,') == len(figures)
    assert len(re.findall(r'alt="[^"]{20,}"', html)) == len(figures)
    assert not re.findall(r'(?:src|href)="http', html)
    assert html.count("<main>") == html.count("</main>") == 1
    assert not re.findall(r">\s*(nan|inf)", html)
    return html


def finish(*arguments: object) -> None:
    with pytest.raises(SystemExit) as stop:
        run(*arguments)
    assert stop.value.code == 0


def test_verification(checkpoint, folder, truth, tmp_path, capsys):
    finish(checkpoint, "--data", folder, "--report", tmp_path)
    said = capsys.readouterr().out
    assert "TAR at FAR 1 %" in said
    assert "report.html" in said
    found = results(tmp_path)
    expected = verification(*truth, fars=(0.01,), replicates=2)
    assert found["estimates"]["AUC"]["value"] == pytest.approx(float(expected["auc"].value))
    assert found["estimates"]["TAR at FAR 1 %"]["value"] == pytest.approx(expected["tar_at_far_0.01"].value)
    assert "TAR at FAR 0.01 %" not in found["estimates"]  # 6,600 impostor pairs cannot show it
    point = operating_point(pair_scores(*truth), 0.01)
    assert found["operating_point"]["threshold"] == pytest.approx(point.threshold)
    assert found["operating_point"]["far"]["value"] == pytest.approx(point.far)
    assert set(found["quality"]) == {"embedding norm", "sharpness", "contrast"}
    assert found["data"] == {
        "name": "unseen", "images": 120, "identities": FEW, "how": "taken as aligned chips, as they are"
    }  # fmt: skip
    html = check_page(tmp_path, {"scores", "roc", "det", "quality", "failures-genuine", "failures-impostor"})
    assert "The hardest genuine pairs" in html


def test_a_threshold_of_another_set_is_applied_and_the_drift_shown(checkpoint, folder, orl_chips, truth, tmp_path):
    other = folder_of(orl_chips.select((orl_chips.labels >= 10) & (orl_chips.labels < 22)), tmp_path / "other")
    evaluate(checkpoint, str(other), report=tmp_path / "a", far=0.05, replicates=5, device="cpu")
    chosen = results(tmp_path / "a")["operating_point"]
    options = {"report": tmp_path / "b", "replicates": 5, "device": "cpu"}
    evaluate(checkpoint, str(folder), threshold_from=tmp_path / "a" / "results.json", **options)
    applied = results(tmp_path / "b")["operating_point"]
    point = apply_threshold(pair_scores(*truth), chosen["threshold"])
    assert (applied["threshold"], applied["chosen_on"]) == (chosen["threshold"], "other")
    assert (applied["far"]["value"], applied["frr"]["value"]) == pytest.approx((point.far, point.frr))
    page = (tmp_path / "b" / "report.html").read_text()
    assert f"{point.far / 0.05:.2g} times the FAR of 0.05" in page
    (tmp_path / "plain.json").write_text('{"threshold": 0.25}')
    evaluate(checkpoint, str(folder), threshold_from=tmp_path / "plain.json", **options)
    assert results(tmp_path / "b")["operating_point"]["threshold"] == 0.25


def test_identification(checkpoint, folder, tmp_path):
    finish(checkpoint, "--data", folder, "--protocol", "identification", "--report", tmp_path)
    found = results(tmp_path)
    assert found["gallery"] == {"identities": 8, "images": 40, "mated_probes": 40, "stranger_probes": 40}
    values = {name: estimate["value"] for name, estimate in found["estimates"].items()}
    assert 1 / 8 < values["known probes found at rank 1"] <= values["known probes found at rank 5"]
    assert values["DIR at FPIR 10 %"] <= values["known probes found at rank 1"]
    assert "DIR at FPIR 1 %" not in values  # 40 searches of strangers cannot show it
    html = check_page(tmp_path, {"cmc", "open-set", "failures"})
    assert "taken for" in html


def test_ten_folds_are_drawn_by_seed(checkpoint, folder, truth, tmp_path):
    for name in ("a", "b"):
        finish(checkpoint, "--data", folder, "--protocol", "10fold", "--report", tmp_path / name, "--seed", 3)
    found = results(tmp_path / "a")
    assert found == results(tmp_path / "b")
    first, second, fold = draw_pairs(truth[1], np.random.default_rng(3), folds=FEW // 2)
    expected = fold_accuracy(listed_scores(*truth, first, second), fold)
    np.testing.assert_allclose(found["folds"]["accuracies"], expected.accuracies)
    assert "12 identities give 6 folds instead of ten." in found["notes"]
    figures = {path.stem for path in (tmp_path / "a" / "figures").iterdir()}
    check_page(tmp_path / "a", figures)
    assert {"folds", "scores"} <= figures


def test_ten_folds_of_a_list_and_of_an_archive_agree(checkpoint, folder, tmp_path):
    names = [f"s{k:02d}" for k in range(29, 41)]
    lines = ["2\t3"]
    for part in (names[:6], names[6:]):
        lines += [f"{name}\t1\t2" for name in part[:3]] + [f"{part[k]}\t1\t{part[k + 3]}\t5" for k in range(3)]
    (tmp_path / "pairs.txt").write_text("\n".join(lines) + "\n")
    finish(
        checkpoint, "--data", folder, "--protocol", "10fold", "--pairs", tmp_path / "pairs.txt", "--report", tmp_path
    )
    found = results(tmp_path)["folds"]
    assert (found["pairs"], len(found["accuracies"])) == (12, 2)

    images, same = [], []
    for line in lines[1:]:
        words = line.split("\t")
        one, two = (words[0], words[1]), (words[-2] if len(words) == 4 else words[0], words[-1])
        for name, number in (one, two):
            images.append((folder / name / f"{name}_{int(number):04d}.png").read_bytes())
        same.append(len(words) == 3)
    (tmp_path / "own.bin").write_bytes(pickle.dumps((images, same)))
    evaluate(checkpoint, str(tmp_path / "own.bin"), protocol="10fold", report=tmp_path / "bin", device="cpu")
    # Ten folds of the archive, against ten folds of the same scores.
    assert results(tmp_path / "bin")["folds"]["pairs"] == 12
    assert len(results(tmp_path / "bin")["folds"]["accuracies"]) == 10


def test_identities_of_the_training_are_named_and_can_be_left_out(checkpoint, orl_chips, tmp_path):
    mixed = folder_of(orl_chips.select((orl_chips.labels >= 6) & (orl_chips.labels < 18)), tmp_path / "mixed")
    options = {"protocol": "identification", "report": tmp_path, "replicates": 5, "device": "cpu"}
    evaluate(checkpoint, str(mixed), **options)
    assert "4 of 12 identities have names that the network was trained on" in " ".join(results(tmp_path)["notes"])
    evaluate(checkpoint, str(mixed), strangers_only=True, **options)
    assert results(tmp_path)["data"]["identities"] == 8
    assert "4 identities of the training were left out" in results(tmp_path)["data"]["how"]


def test_a_large_set_is_cut_by_identity_and_says_so(checkpoint, folder, tmp_path, monkeypatch):
    monkeypatch.setattr("facelab.reports.evaluation.MOST_IMAGES", 55)
    evaluate(checkpoint, str(folder), protocol="identification", report=tmp_path, replicates=5, device="cpu")
    assert (results(tmp_path)["data"]["identities"], results(tmp_path)["data"]["images"]) == (5, 50)
    assert "of 120 images, those of 5 identities drawn at random" in " ".join(results(tmp_path)["notes"])


def test_a_folder_of_photographs_is_detected_and_aligned(checkpoint, orl, tmp_path):
    photographs = folder_of(orl.select(orl.labels < 4), tmp_path / "photographs")
    (photographs / "s01" / "broken.png").write_bytes(b"no picture")
    evaluate(checkpoint, str(photographs), report=tmp_path, replicates=5, device="cpu")
    how = results(tmp_path)["data"]["how"]
    assert "detected and aligned by MTCNN: 40 of 40 faces found" in how
    assert "1 files could not be read" in how


def test_errors_say_what_to_do(checkpoint, folder, orl, tmp_path, capsys):
    (tmp_path / "damaged.pt").write_bytes(checkpoint.read_bytes()[:1000])
    one = tmp_path / "one"
    write_image(one / "ann" / "1.png", cv2.resize(orl[0][0], (64, 64)))
    mixed = tmp_path / "mixed"
    for k, size in enumerate((64, 80)):
        write_image(mixed / "ab"[k] / "1.png", cv2.resize(orl[0][0], (size, size)))
    (tmp_path / "t.json").write_text('{"threshold": "high"}')
    cases = [
        ((tmp_path / "none.pt", "--data", folder), "there is no checkpoint"),
        ((tmp_path / "damaged.pt", "--data", folder), "damaged or not a checkpoint"),
        ((checkpoint, "--data", "celebrities"), "there is no data set 'celebrities': give orl, synthfaces-mini"),
        ((checkpoint, "--data", one), "1 identity; at least 2"),
        ((checkpoint, "--data", mixed, "--images", "chips"), "does not hold aligned chips: its pictures have 2 sizes"),
        ((checkpoint, "--data", folder, "--pairs", "p.txt"), "--pairs is for the protocol 10fold"),
        ((checkpoint, "--data", tmp_path / "x.bin"), "use --protocol 10fold"),
        ((checkpoint, "--data", tmp_path / "x.bin", "--protocol", "10fold"), "cannot read"),
        ((checkpoint, "--data", folder, "--threshold-from", tmp_path / "t.json"), "holds no threshold"),
        ((checkpoint, "--data", folder, "--protocol", "10fold", "--threshold-from", "t"), "for the protocol verif"),
    ]
    for arguments, message in cases:
        assert message in error(capsys, *arguments, "--report", tmp_path / "never")
    assert not (tmp_path / "never").exists()
