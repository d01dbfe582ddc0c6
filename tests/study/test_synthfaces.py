"""The study of SynthFaces' card, on a few people; its features against slow and clear ones."""

import tomllib

import cv2
import numpy as np
import pandas as pd
import pytest
from plans import SYNTHFACES

from facelab.study import synthfaces
from facelab.study.plan import Plan
from facelab.study.report import make_report
from facelab.study.runner import run_plan
from facelab.synth.dataset import load_synthfaces
from facelab.synth.recipe import folder_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    plan = Plan.parse(tomllib.loads(SYNTHFACES))
    return run_plan(plan, tmp_path_factory.mktemp("synthfaces"), device="cpu")


def test_the_card_is_made_of_what_the_runs_found(done, tmp_path):
    values = make_report(done).values
    card = tmp_path / "card.md"
    card.write_text("# A card\n\nwritten by hand\n\n" + synthfaces.MARKER + "\n\nold numbers", encoding="utf-8")
    synthfaces.write_card(values, card)
    text = card.read_text(encoding="utf-8")
    assert text.startswith("# A card\n\nwritten by hand\n")
    assert "old numbers" not in text
    found = values["detection"]
    assert f"found {found['easy_found']} of {found['easy_faces']} faces" in text
    assert f"{values['carry_over']['lbp']['auc']['value']:.3f} [" in text
    assert "| SynthFaces, no augmentation |" in text
    assert "Quantiles over the 9 people and 27 pictures" in text


def test_counts_are_those_of_the_plan(done):
    values = make_report(done).values
    assert (values["detection"]["faces"], values["detection"]["easy_faces"]) == (4, 4)
    assert 0 < values["detection"]["easy_error_median"] < 0.2  # of the distance between the eyes
    closed = values["closed_set"]
    assert (closed["identities"], closed["train_pictures"], closed["accuracy"]["n"]) == (3, 6, 3)
    assert closed["strangers"]["auc"]["n"] == 18 * 17 / 2
    assert done.outcome("orl-chips").arrays["chips"].shape == (40, 32, 32)
    assert values["carry_over"]["pixels"]["auc"]["n"] == 40 * 39 / 2
    with_and_without = values["carry_over"]["synthfaces"], values["ablation"]["no augmentation"]
    assert with_and_without[0] != with_and_without[1]


def test_balance_is_that_of_the_table(done):
    folder = done.outcome("render-closed-set").values["folder"]
    table: pd.DataFrame = load_synthfaces(folder_of(folder)).table
    balance = make_report(done).values["balance"]
    assert balance["yaw"][2] == pytest.approx(np.median(table["yaw"]), abs=0.0006)
    assert balance["largest_shape"].keys() <= {"african", "asian", "caucasian"}
    assert sum(balance["expression"].values()) == pytest.approx(1, abs=0.01)


def test_pixels_compare_as_correlation():
    chips = np.random.default_rng(0).integers(0, 256, (3, 9, 7), dtype=np.uint8)
    features = synthfaces.pixels(chips)
    lengths = np.linalg.norm(features, axis=1)
    cosines = features @ features.T / np.outer(lengths, lengths)
    np.testing.assert_allclose(cosines, np.corrcoef(chips.reshape(3, -1)), atol=1e-12)


def test_local_binary_patterns_against_a_loop():
    chips = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 256, (14, 10), dtype=np.uint8), (3, 3), 0)[None]
    codes = np.zeros((12, 8), dtype=object)
    for y in range(1, 13):
        for x in range(1, 9):
            ring = [(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)]
            bits = [int(chips[0, y + dy, x + dx]) >= int(chips[0, y, x]) for dy, dx in ring]
            changes = sum(a != b for a, b in zip(bits, bits[1:] + bits[:1], strict=True))
            codes[y - 1, x - 1] = tuple(bits) if changes <= 2 else "other"
    features = synthfaces.local_binary_patterns(chips, cells=2)[0].reshape(4, 59)  # 58 uniform patterns and the rest
    for cell, (rows, columns) in zip(
        features, ((r, c) for r in (slice(0, 6), slice(6, 12)) for c in (slice(0, 4), slice(4, 8))), strict=True
    ):
        counts = pd.Series(codes[rows, columns].ravel()).value_counts()
        np.testing.assert_allclose(sorted(cell[cell > 0] ** 2), sorted(counts))
        assert cell[58] ** 2 == pytest.approx(counts.get("other", 0))
