"""The seed project's experiment, tiny, end to end on an archive of CelebA-500's layout, made of ORL photographs."""

import json

import layouts
import numpy as np
import pytest
from typer.testing import CliRunner

from facelab.cli.program import typer_app
from facelab.errors import FacelabError
from facelab.evaluate import compare_by_identity, identification_rate, wilson
from facelab.study import celeba500
from facelab.study.folder import StudyFolder
from facelab.study.plan import Plan
from facelab.study.results import Results, published

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*random weights", "ignore:.*black margins"),
]

TOML = """
name = "small"
title = "The experiment, tiny"
experiment = "celeba500"
[settings]
seeds = [0, 1]
replicates = 100
small = { images = 5 }
[settings.ways.project]
title = "as it did"
aligned = false
first = { train = 18, validation = 3, test = 9 }
[settings.ways.project.training.recipe]
size = 40
embedding_dim = 8
batch_size = 9
epochs = 1
backbone = "mobilefacenet"
pretrained = "if-available"
[settings.ways.project.losses]
cross_entropy = {}
arcface = { loss = { scale = 64.0, margin = 0.5 } }
[settings.ways.course]
title = "as we do"
aligned = true
training.recipe = { size = 32, embedding_dim = 8, batch_size = 9, epochs = 1, backbone = "mobilefacenet" }
losses = { cross_entropy = { weight_decay = 2e-3 }, arcface = { loss = { scale = 16.0, margin = 0.3 } } }
"""


def study(*arguments: object):
    return CliRunner().invoke(typer_app, ["study", *map(str, arguments)])


@pytest.fixture(scope="module")
def files(orl) -> dict[str, bytes]:
    return layouts.celeba500(orl)


@pytest.fixture(scope="module")
def place(files, tmp_path_factory):
    """A folder with the plan and the archive, in which the study was run by the command line."""
    place = tmp_path_factory.mktemp("celeba500")
    (place / "small.toml").write_text(TOML)
    layouts.write(files, place / "celeba500.zip")
    ran = study(
        "run", place / "small.toml", "--data", place / "celeba500.zip", "--out", place / "out", "--device", "cpu"
    )
    assert ran.exit_code == 0, ran.output
    told = study("report", place / "small.toml", "--data", place / "celeba500.zip", "--out", place / "out")
    assert told.exit_code == 0, told.output
    return place


@pytest.fixture(scope="module")
def folder(place) -> StudyFolder:
    return StudyFolder(Plan.load(place / "small.toml", str(place / "celeba500.zip")), place / "out")


@pytest.fixture(scope="module")
def values(place):
    return Results.load(place / "out" / "results.json").values


def test_both_protocols_stand_side_by_side_with_n_and_intervals(folder, values):
    assert folder.outcome("landmarks").values["photographs"] == 48
    for way, n in (("project", 9), ("course", 6)):  # of six people, one image each is for the test
        found = values["ways"][way]
        assert found["test"]["images"] == n
        for loss, scorers in found["losses"].items():
            runs = [folder.outcome(f"{way}-{loss.replace('_', '-')}-{seed}") for seed in (0, 1)]
            for scorer, told in scorers.items():
                right = np.array([run.arrays[scorer] for run in runs])
                assert right.shape == (2, n)
                assert told["n"] == n
                assert told["value"] == pytest.approx(right.mean())
                assert told["seeds"] == pytest.approx(right.mean(axis=1))
                assert told["low"] <= told["value"] <= told["high"]
                assert told["one_training"] == wilson(int(right[0].sum()), n).as_dict()
                assert told["small"]["n"] == 5
        for protocol, scorers in (("its scorers", ("neighbour", "classifier")), ("one scorer", ("centroid",) * 2)):
            one, other = (
                found["losses"][x][s]["value"] for x, s in zip(("arcface", "cross_entropy"), scorers, strict=True)
            )
            assert found["differences"][protocol]["value"] == pytest.approx(one - other)
    assert values["ways"]["project"]["imagenet"] == [False] * 4  # this network has no such weights; it is said


def test_where_identities_have_equal_numbers_the_difference_is_that_of_compare_by_identity(folder, values):
    means = {}
    for loss in ("arcface", "cross-entropy"):
        runs = [folder.outcome(f"course-{loss}-{seed}").arrays for seed in (0, 1)]
        means[loss] = np.array([[run["centroid"][run["labels"] == k].mean() for k in range(6)] for run in runs])
    peer = compare_by_identity(means["arcface"], means["cross-entropy"], share=True).difference
    mine = values["ways"]["course"]["differences"]["one scorer"]
    assert mine["value"] == pytest.approx(peer.value)
    assert mine["high"] - mine["low"] == pytest.approx(peer.high - peer.low, rel=0.35)  # from 100 draws


def test_queries_are_searched_among_distractors(values):
    search = values["ways"]["course"]["search"]
    assert (search["queries"], search["distractors"], search["positives"]) == (12, 6, 12)
    assert search["negatives"] == 54 + 12 * 6
    assert set(search["rates"]) == {"tpr_at_fpr_0.2", "tpr_at_fpr_0.1", "tpr_at_fpr_0.05", "tpr_at_fpr_0.01"}  # of 126
    generator = np.random.default_rng(0)
    queries, distractors, labels = generator.normal(size=(40, 4)), generator.normal(size=(30, 4)), np.arange(40) // 4
    found, draws = celeba500._search(queries, distractors, labels, 100)
    assert found["rates"] == {
        f"tpr_at_fpr_{k:g}": v for k, v in identification_rate(queries, labels, distractors, celeba500.FPRS).items()
    }
    assert {len(drawn) for drawn in draws.values()} == {100}


def test_the_path_is_in_no_record_and_another_set_is_refused(files, folder, place, tmp_path):
    record = json.loads((place / "out" / "runs" / "project-arcface-0.json").read_text())
    assert record["settings"]["data"] == {"sha256": folder.plan.settings.data.sha256}
    for file in (place / "out").rglob("*.json"):
        assert str(place) not in file.read_text()
    same = layouts.write(files, tmp_path / "unpacked")  # the same set, in a folder
    again = study("status", place / "small.toml", "--data", same, "--out", place / "out")
    assert "9 of 9 runs done" in again.output
    names = sorted(name for name in files if "celebA_imgs" in name)
    other = layouts.write(files | {names[0]: files[names[7]]}, tmp_path / "other.zip")
    refused = study("status", place / "small.toml", "--data", other, "--out", place / "out")
    assert isinstance(refused.exception, FacelabError)
    assert "data.sha256" in str(refused.exception)


def test_what_is_no_such_set_is_one_clear_error(files, place, tmp_path):
    def error(*arguments: object) -> str:
        failed = study("run", *arguments, "--out", tmp_path / "out").exception
        assert isinstance(failed, FacelabError), failed
        return str(failed)

    plan = place / "small.toml"
    assert "--data PATH" in error("celeba500")
    assert "leave the option out" in error("alignment", "--data", place / "celeba500.zip")
    assert "nowhere" in error(plan, "--data", tmp_path / "nowhere")
    assert "read as orl" in error(plan, "--data", "orl")
    searched = {name: data for name, data in files.items() if "celeba_ir" in name}
    assert "the list has 0" in error(plan, "--data", layouts.write(searched, tmp_path / "searched.zip"))
    lines = files["celeba_train_500/celebA_train_split.txt"].decode().replace(" 2\n", " 0\n").encode()
    untested = layouts.write(files | {"celeba_train_500/celebA_train_split.txt": lines}, tmp_path / "untested.zip")
    assert "leave 0 images to test" in error(plan, "--data", untested)
    assert "takes 500 images, the list has 30" in error("celeba500", "--data", place / "celeba500.zip")
    assert not (tmp_path / "out").exists()


def test_nothing_is_published_of_it():
    assert "celeba500" not in published()
    row = next(line for line in study("list").output.splitlines() if "celeba500" in line)
    assert row.rstrip(" │").endswith("no")
