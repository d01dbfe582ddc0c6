"""The lists of IJB and TinyFace, from files to a report, against the plain loops of the field's scripts."""

import json

import layouts
import numpy as np
import pytest

from facelab.cli import app
from facelab.errors import FacelabError
from facelab.evaluate import make_templates
from facelab.reports.evaluation import evaluate, make_protocol
from facelab.sources import open_chips
from facelab.train import Checkpoint


def field_templates(raw, scores, templates, media) -> dict[int, np.ndarray]:
    """Templates as InsightFace's script makes them: mean of a medium, sum over media, length 1."""
    made = {}
    for template in np.unique(templates):
        rows = np.flatnonzero(templates == template)
        parts = []
        for medium in np.unique(media[rows]):
            of_medium = [raw[row] * scores[row] for row in rows if media[row] == medium]
            parts.append(np.mean(of_medium, axis=0))
        total = np.sum(parts, axis=0)
        made[int(template)] = total / np.linalg.norm(total)
    return made


def test_weights_and_media_are_those_of_the_script():
    random = np.random.default_rng(0)
    raw, scores = random.normal(size=(30, 8)), random.uniform(0.1, 1, 30)
    templates, media = random.integers(0, 6, 30), random.integers(0, 4, 30)
    expected = field_templates(raw, scores, templates, media)
    made = make_templates(raw, templates, templates, media, scores * np.linalg.norm(raw, axis=1))
    for name, embedding in zip(made.ids.tolist(), made.embeddings, strict=True):
        np.testing.assert_allclose(embedding, expected[name])
    for bad in (-1.0, np.nan, np.inf):
        with pytest.raises(FacelabError, match="weight of image 3"):
            make_templates(raw, templates, templates, media, np.where(np.arange(30) == 3, bad, scores))
    with pytest.raises(FacelabError, match="cancel out"):
        make_templates(raw, templates, templates, media, np.zeros(30))


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        app([str(argument) for argument in arguments])
    return stop.value.code


@pytest.mark.slow
@pytest.mark.filterwarnings("default:ijb-c. NIST has given out")
def test_ijb_from_files_to_a_report(orl, tmp_path):
    folder = layouts.write(layouts.ijb(orl), tmp_path / "IJBC")
    options = ["--protocol", "templates", "--flip", "--report", tmp_path / "out", "--replicates", 5, "--device", "cpu"]
    assert run("evaluate", "synthfaces-arcface", "--data", folder, *options) == 0
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    with pytest.warns(UserWarning, match="NIST has given out"):
        opened = open_chips(folder)
    assert opened.how == "photographs, aligned by the landmarks that come with them"
    embed = Checkpoint.open("synthfaces-arcface").embedder("cpu", flip=True)
    raw = embed(opened.faces.resized(embed.size), normalize=False)
    table, lists = opened.faces.table, opened.templates
    made = field_templates(raw, table["weight"].to_numpy(), table["template"].to_numpy(), table["medium"].to_numpy())
    scores = np.array([made[one] @ made[two] for one, two in zip(lists.first, lists.second, strict=True)])
    genuine, impostors = scores[lists.genuine], np.sort(scores[~lists.genuine])[::-1]
    estimates = results["estimates"]
    assert estimates["AUC"]["value"] == pytest.approx((genuine[:, None] > impostors).mean(), abs=1e-6)
    assert estimates["TAR at FAR 10 %"]["value"] == pytest.approx((genuine > impostors[4]).mean())
    enrolled = {t: s for ids, subjects in lists.galleries.values() for t, s in zip(ids, subjects, strict=True)}
    best = [max(enrolled, key=lambda t, p=probe: made[t] @ made[p]) for probe in lists.probes[0].tolist()]
    right = np.mean([enrolled[t] == who for t, who in zip(best, lists.probes[1], strict=True)])
    assert estimates["probes found at rank 1"]["value"] == pytest.approx(right)
    assert results["templates"] == {"templates": 10, "pairs": 45}
    assert results["flip"]
    assert (tmp_path / "out" / "figures" / "cmc.png").exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:chips of 18 x 22 pixels are not square")
def test_tinyface_has_a_closed_set_alone_and_the_report_says_what_others_do(orl, tmp_path):
    folder = layouts.write(layouts.tinyface(orl), tmp_path / "set")
    protocol = make_protocol("templates")
    outcome = evaluate("synthfaces-arcface", folder, protocol, report=tmp_path / "out", replicates=5, device="cpu")
    assert set(outcome.estimates) == {"probes found at rank 1", "probes found at rank 5"}
    assert any("--flip" in note for note in outcome.notes)
    with pytest.raises(FacelabError, match="--split cannot change lists of templates"):
        evaluate("synthfaces-arcface", folder, protocol, report=tmp_path / "out", split="probe")
    with pytest.raises(FacelabError, match="orl has no lists of templates"):
        evaluate("synthfaces-arcface", "orl", protocol, report=tmp_path / "out")
