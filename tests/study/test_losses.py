"""The study of losses, tiny: parts that do not overlap, a choice by validation alone, and numbers from the arrays."""

import hashlib
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

from facelab.errors import FacelabError
from facelab.evaluate import Scores, compare_scores, pair_scores, tar_at_far
from facelab.models.shipped import NETWORKS
from facelab.study.bundle import bundle
from facelab.study.experiment import Job, Outcome
from facelab.study.folder import StudyFolder
from facelab.study.losses import Choose, Losses, Measure, Parts
from facelab.study.plan import Plan
from facelab.study.report import make_report, publish_results
from facelab.study.results import Results
from facelab.study.runner import run_plan

pytestmark = pytest.mark.slow

TOML = """
name = "tiny-losses"
title = "Two losses, tiny"
experiment = "losses"
[settings]
seeds = [0, 1]
tuning_seed = 9
reference = ["cross_entropy"]
keep = ["arcface"]
replicates = 100
replay = { images = 5 }
[settings.parts]
faces = { identities = 12, images = 7, held_out = 6, size = 32, supersampling = 1 }
seed = 1
train = 4
validation = 1
test = 2
strangers = 3
[settings.training]
recipe = { size = 32, embedding_dim = 16, batch_size = 12, backbone = "resnet18" }
[settings.settings]
4 = { images = 4, epochs = 2 }
2 = { images = 2, epochs = 1 }
[settings.tuning]
images = 4
epochs = 1
[settings.losses.cross_entropy]
learning_rate = [0.02, 0.05]
[settings.losses.arcface]
learning_rate = [0.05]
loss = [{ scale = 8.0, margin = 0.1 }, { scale = 16.0, margin = 0.3, margin_warmup = 0.3 }]
[settings.networks]
losses = ["arcface"]
training.recipe = { size = 32, embedding_dim = 8, batch_size = 12, epochs = 1, backbone = "mobilefacenet" }
"""
FAR = "tar_at_far_0.01"


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """The plan in a file, and a cache of its own for the faces, which processes inherit."""
    folder = tmp_path_factory.mktemp("losses")
    (folder / "tiny.toml").write_text(TOML)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACELAB_HOME", str(folder / "home"))
        yield folder / "tiny.toml"


@pytest.fixture(scope="module")
def done(plan, tmp_path_factory):
    return run_plan(Plan.load(plan), tmp_path_factory.mktemp("done"), device="cpu")


@pytest.fixture(scope="module")
def results(done):
    return make_report(done)


def test_a_study_that_is_killed_goes_on_and_finds_the_same_beside_each_other(plan, results, tmp_path):
    command = [sys.executable, "-m", "facelab", "study", "run", str(plan), "--out", str(tmp_path), "--device", "cpu"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"}) as process:
        deadline = time.monotonic() + 600
        while len(list(tmp_path.glob("runs/*.json"))) < 4 and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    folder = StudyFolder(Plan.load(plan), tmp_path)
    states = [state.name for state in folder.states().values()]
    assert 4 <= states.count("done") < len(states)
    run_plan(folder.plan, tmp_path, jobs=2, device="cpu")
    assert make_report(folder).values == results.values


def test_a_bundle_runs_where_nothing_can_be_rendered_or_fetched(plan, done, tmp_path):
    script, toml, *parts = bundle(plan, tmp_path / "carried", part_mb=8)
    assert len(parts) > 1
    assert max(part.stat().st_size for part in parts) <= 8e6
    assert toml.read_text() == TOML
    lacking = tmp_path / "lacking"
    for name in ("warp", "platformdirs"):  # as if they were not installed
        (lacking / name).mkdir(parents=True)
        (lacking / name / "__init__.py").write_text(f"raise ImportError('no {name} here')")
    code = f"""
import facelab
from facelab.study.experiment import Job
from facelab.study.plan import Plan
faces = Plan.load("plan.toml").settings.runs()["faces"].compute(Job("cpu", 1, None, None, {{}}, False))
assert facelab.__file__.startswith({str(script.parent)!r}), facelab.__file__
print(faces.values)
"""
    line = 'python3 -m facelab study run plan.toml --out runs "$@"'
    text = script.read_text().replace('PYTHONPATH="', f'PYTHONPATH="{lacking}:')
    assert line in text
    (tmp_path / "code.py").write_text(code)
    script.write_text(text.replace(line, f"python3 {tmp_path / 'code.py'}"))
    environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": "/nowhere"}
    told = subprocess.run(["bash", str(script)], capture_output=True, text=True, env=environment)
    assert told.stdout == f"{done.outcome('faces').values}\n", told.stderr
    with pytest.raises(FacelabError, match="more than a part"):
        bundle(plan, tmp_path / "small", part_mb=0.1)


def test_the_trial_with_the_best_validation_is_taken(done, results):
    for loss in ("cross-entropy", "arcface"):
        trials = [done.outcome(f"tune-{loss}-{k}").values for k in range(2)]
        best = max(range(2), key=lambda k: (trials[k]["accuracy"] + trials[k][FAR]) / 2)
        chosen = results.values["tuning"][loss.replace("-", "_")]["chosen"]
        assert chosen == f"tune-{loss}-{best}"
        recipe = done.outcome(f"{loss}-4-1").values["recipe"]
        assert recipe == trials[best]["recipe"] | {"epochs": 2, "seed": 1}


def test_published_numbers_follow_from_the_arrays(done, results):
    """Computed again without the package."""
    found = results.values["settings"]["4"]["losses"]
    for loss, name in (("cross_entropy", "cross-entropy"), ("arcface", "arcface")):
        runs = [done.outcome(f"{name}-4-{seed}").arrays for seed in (0, 1)]
        for scorer in ("centroid", "neighbour", "classifier"):
            seeds = [(run[scorer] == run["labels"]).mean() for run in runs]
            np.testing.assert_allclose(found[loss][scorer]["seeds"], seeds)
            assert found[loss][scorer]["value"] == pytest.approx(np.mean(seeds))
        tars = []
        for run in runs:
            x = run["strangers"].astype(float)
            x /= np.linalg.norm(x, axis=1, keepdims=True)
            same = run["stranger_labels"][:, None] == run["stranger_labels"]
            upper = np.triu(np.ones_like(same), 1)
            impostors = np.sort((x @ x.T)[upper & ~same])[::-1]
            tars.append(((x @ x.T)[upper & same] > impostors[int(0.01 * len(impostors))]).mean())
        np.testing.assert_allclose(found[loss][FAR]["seeds"], tars)
    a, b = (np.mean([found[loss]["centroid"]["seeds"]]) for loss in ("arcface", "cross_entropy"))
    compared = results.values["settings"]["4"]["comparisons"]["accuracy"]["arcface - cross_entropy"]
    assert compared["value"] == pytest.approx(a - b)
    assert compared["low"] <= compared["value"] <= compared["high"]


def test_published_arrays_give_the_published_numbers(done, results, tmp_path):
    publish_results(done, tmp_path)
    published = Results.load(tmp_path / "tiny-losses.json")
    assert published.values == results.values
    assert published.arrays == hashlib.sha256((tmp_path / "tiny-losses.npz").read_bytes()).hexdigest()
    with np.load(tmp_path / "tiny-losses.npz") as arrays:
        right = {
            loss: arrays[f"predictions.{loss}.4.centroid"] == arrays["labels"] for loss in ("arcface", "cross_entropy")
        }
        named = (arrays["test.arcface"] @ arrays["centroids.arcface"].T).argmax(axis=1)
        assert named.tolist() == arrays["predictions.arcface.4.centroid"][0].tolist()
        assert len(arrays["strangers.arcface"]) == len(arrays["stranger_labels"]) == 21
    losses = published.values["settings"]["4"]["losses"]
    for loss, of_seeds in right.items():
        assert losses[loss]["centroid"]["seeds"] == pytest.approx(of_seeds.mean(axis=1).tolist())
    replayed = published.values["settings"]["4"]["replay"]["one scorer"]
    assert replayed["expected"] == pytest.approx(right["arcface"].mean() - right["cross_entropy"].mean())
    assert len(list((done.path / "figures").glob("*.png"))) == 6


def test_kept_embeddings_give_the_kept_predictions(done):
    kept = done.outcome("arcface-4-0").arrays
    assert (kept["test"] @ kept["centroids"].T).argmax(axis=1).tolist() == kept["centroid"].tolist()
    assert "test" not in done.outcome("arcface-4-1").arrays
    assert "test" not in done.outcome("cross-entropy-4-0").arrays


def test_measured_draws_compare_as_scores_do(done):
    runs = [[done.outcome(f"{name}-4-{seed}") for seed in (0, 1)] for name in ("arcface", "cross-entropy")]
    scores: list[list[Scores]] = [
        [pair_scores(run.arrays["strangers"].astype(float), run.arrays["stranger_labels"].astype(int)) for run in pair]
        for pair in runs
    ]
    expected = compare_scores(*scores, lambda curve: tar_at_far(curve, 0.01), replicates=100)
    values = make_report(done).values["settings"]["4"]["comparisons"][FAR]["arcface - cross_entropy"]
    assert [values[key] for key in ("value", "low", "high")] == pytest.approx(
        [expected.difference.value, expected.difference.low, expected.difference.high]
    )


def test_parts_share_no_image_and_smaller_ones_are_in_larger_ones(plan, done, tmp_path):
    parts = done.plan.settings.parts
    job = Job("cpu", 1, tmp_path, tmp_path, {}, False)

    def pictures(*asked):
        return [set(zip(part.table["identity"], part.table["picture"], strict=True)) for part in parts.of(*asked, job)]

    train, validation, others = pictures("validation", 4, None, 32)
    again, test, strangers = pictures("test", 4, None, 32)
    fewer, same, _ = pictures("test", 2, None, 32)
    assert train == again
    assert fewer < train
    assert same == test
    sets = [train, validation, others, test, strangers]
    assert [len(one) for one in sets] == [24, 6, 21, 12, 21]
    assert len(set.union(*sets)) == 12 * 7
    assert not {who for who, _ in train} & {who for who, _ in others | strangers}


def test_a_seed_starts_all_losses_from_one_network(done):
    networks = []
    for loss in ("arcface", "cross-entropy"):
        recipe = done.runs[f"tune-{loss}-0"].training.recipe
        torch.manual_seed(recipe.seed)
        networks.append(recipe.build_network().state_dict())
    assert all(torch.equal(networks[0][name], networks[1][name]) for name in networks[0])


def test_a_trial_that_diverges_is_not_taken(plan, tmp_path):
    text = TOML.replace("learning_rate = [0.02, 0.05]", "learning_rate = [1e30, 0.05]")
    wild = Plan.parse(tomllib.loads(text))
    trial = wild.settings.runs()["tune-cross-entropy-0"]
    found = trial.compute(Job("cpu", 1, tmp_path, tmp_path / "scratch", {}, False))
    assert found.values["score"] == 0
    assert "diverged" in found.values["diverged"]
    others = {"a": found, "b": Outcome({"score": 0.1, "recipe": {}})}
    choose = Choose(needs=("a", "b"))
    assert choose.compute(Job("cpu", 1, tmp_path, tmp_path, others, False)).values["trial"] == "b"
    with pytest.raises(FacelabError, match="every trial"):
        Choose(needs=("a",)).compute(Job("cpu", 1, tmp_path, tmp_path, others, False))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("learning_rate = [0.02, 0.05]", "learning_rate = [0.02]", "as many trials as each other"),
        ('reference = ["cross_entropy"]', 'reference = ["cosface"]', "cosface is not among the losses"),
        ("margin = 0.1 }", "margn = 0.1 }", "margn"),
    ],
)
def test_a_wrong_plan_is_one_clear_error(old, new, message):
    values = tomllib.loads(TOML.replace(old, new))
    with pytest.raises(FacelabError, match=message):
        Plan.parse(values).settings.runs()


def test_the_shipped_plan_is_what_it_says():
    settings = Plan.load("gpu").settings
    assert isinstance(settings, Losses)
    assert {len(settings.trials(loss)) for loss in settings.losses} == {8}
    assert len(settings.losses) == 9
    assert len(settings.seeds) == 5
    assert settings.parts == Parts.model_validate(settings.parts.model_dump())


def test_identification_of_strangers_that_lie_apart():
    embeddings, labels = np.repeat(np.eye(8), 4, axis=0), np.repeat(np.arange(8), 4)
    run = Outcome({}, {"strangers": embeddings, "stranger_labels": labels})
    found = Measure(needs=("a",), replicates=100).compute(Job("cpu", 1, None, None, {"a": run}, False)).values
    assert found["rank_1"] == 1
    assert found["eer"] == 0
    assert found["identification_rate_0.1"] == 1


def test_a_plan_without_networks_leaves_the_shipped_ones_alone():
    before = (NETWORKS / "networks.json").read_bytes()
    Plan.load("laptop").settings.publish({"networks": {}}, lambda name: pytest.fail(f"asked for {name}"))
    assert (NETWORKS / "networks.json").read_bytes() == before
