"""``facelab evaluate``: accuracy over folds of pairs."""

import pickle

import numpy as np
import pytest

from facelab.evaluate import fold_accuracy, listed_scores
from facelab.evaluate.folds import draw_pairs
from facelab.reports.evaluation import evaluate
from facelab.reports.folds import Folds, _guessing

pytestmark = pytest.mark.slow


def test_ten_folds_are_drawn_by_seed(checkpoint, folder, truth, tmp_path, run, read_results, check_page):
    for name in ("a", "b"):
        assert run(checkpoint, "--data", folder, "--protocol", "10fold", "--report", tmp_path / name, "--seed", 3) == 0
    found = read_results(tmp_path / "a")
    assert found == read_results(tmp_path / "b")
    first, second, fold = draw_pairs(truth[1], np.random.default_rng(3), folds=6)
    expected = fold_accuracy(listed_scores(*truth, first, second), fold)
    np.testing.assert_allclose(found["folds"]["accuracies"], expected.accuracies)
    assert "12 identities give 6 folds instead of ten." in found["notes"]
    figures = {path.stem for path in (tmp_path / "a" / "figures").iterdir()}
    check_page(tmp_path / "a", figures)
    assert {"folds", "scores"} <= figures


@pytest.mark.parametrize(
    ("genuine", "said"),
    [
        (0.5, "Guessing gets 50 %."),
        (0.1, "10.0 % of the pairs are genuine: refusing all gets 90.0 %."),
        (0.75, "75.0 % of the pairs are genuine: accepting all gets 75.0 %."),
    ],
)
def test_what_knowing_nothing_gets_depends_on_the_list(genuine, said):
    assert _guessing(genuine) == said


def test_ten_folds_of_a_list_and_of_an_archive_agree(checkpoint, folder, tmp_path, run, read_results):
    names = [f"s{k:02d}" for k in range(29, 41)]
    lines = ["2\t3"]
    for part in (names[:6], names[6:]):
        lines += [f"{name}\t1\t2" for name in part[:3]] + [f"{part[k]}\t1\t{part[k + 3]}\t5" for k in range(3)]
    (tmp_path / "pairs.txt").write_text("\n".join(lines) + "\n")
    assert (
        run(
            checkpoint,
            "--data",
            folder,
            "--protocol",
            "10fold",
            "--pairs",
            tmp_path / "pairs.txt",
            "--report",
            tmp_path,
        )
        == 0
    )
    found = read_results(tmp_path)["folds"]
    assert (found["pairs"], len(found["accuracies"])) == (12, 2)

    images, same = [], []
    for line in lines[1:]:
        words = line.split("\t")
        one, two = (words[0], words[1]), (words[-2] if len(words) == 4 else words[0], words[-1])
        for name, number in (one, two):
            images.append((folder / name / f"{name}_{int(number):04d}.png").read_bytes())
        same.append(len(words) == 3)
    (tmp_path / "own.bin").write_bytes(pickle.dumps((images, same)))
    evaluate(checkpoint, tmp_path / "own.bin", Folds(), report=tmp_path / "bin", device="cpu")
    # Ten folds of the archive, against ten folds of the same scores.
    assert read_results(tmp_path / "bin")["folds"]["pairs"] == 12
    assert len(read_results(tmp_path / "bin")["folds"]["accuracies"]) == 10
