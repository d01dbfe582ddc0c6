"""``facelab compare``, run for real on a network of one step, whose embeddings are as exact as any."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from skimage import data

from facelab.align import make_chips
from facelab.cli import app
from facelab.data import FaceSet
from facelab.data.images import read_image, write_image
from facelab.errors import FacelabError
from facelab.evaluate import errors_at, operating_point, pair_scores
from facelab.reports.compare import compare
from facelab.train import Checkpoint, Recipe, fit

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:chips of 92 x 112 pixels are not square")]

FACE = data.astronaut()[20:220, 130:330]
PEOPLE, EACH = 12, 3  # of the set that thresholds are chosen on: 594 impostor pairs


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def own_cache(home, monkeypatch):
    monkeypatch.setenv("FACELAB_HOME", str(home))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    noise = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    faces = FaceSet("noise", noise, pd.DataFrame({"identity": list("aabbccdd")}))
    path = tmp_path_factory.mktemp("train") / "small.pt"
    fit(Recipe.parse({"size": 32, "embedding_dim": 16, "epochs": 1, "batch_size": 8}), faces, checkpoint=path)
    return path


def write_chips(folder: Path, names: list[str]) -> Path:
    generator = np.random.default_rng(1)
    for name in names:
        colour = generator.integers(40, 200, 3)
        for k in range(EACH):
            chip = (colour + generator.integers(0, 50, (32, 32, 3))).astype(np.uint8)
            write_image(folder / name / f"{k}.png", chip)
    # No face can be seen on these: their record says what they are.
    rows = [f"{chip.relative_to(folder).as_posix()},[]" for chip in sorted(folder.rglob("*.png"))]
    (folder / "chips.csv").write_text("\n".join(["chip,landmarks", *rows]) + "\n")
    return folder


@pytest.fixture(scope="module")
def people(tmp_path_factory) -> Path:
    return write_chips(tmp_path_factory.mktemp("set") / "people", [f"p{k:02d}" for k in range(PEOPLE)])


@pytest.fixture(scope="module")
def photographs(orl, tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photographs")
    for row in (0, 10):
        write_image(folder / f"{row}.png", orl[row][0])
    return [folder / "0.png", folder / "10.png"]


def test_every_step_is_the_one_of_the_package(checkpoint, people, photographs, orl, mtcnn):
    outcome = compare(checkpoint, *photographs, calibrate_on=str(people), far=0.05, device="cpu")
    embedder = Checkpoint.load(checkpoint).embedder("cpu")
    chips, _ = make_chips(orl.select([0, 10]), mtcnn)
    first, second = embedder(chips.resized(32), normalize=False).astype(np.float64)
    cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    assert outcome.score == pytest.approx(cosine, abs=1e-5)
    for side, chip in zip((outcome.first, outcome.second), chips, strict=True):
        np.testing.assert_array_equal(side.chip, chip[0])
        assert side.faces == 1
    known = [read_image(people / f"p{k:02d}" / f"{j}.png") for k in range(PEOPLE) for j in range(EACH)]
    scores = pair_scores(embedder(np.stack(known)).astype(np.float64), np.repeat(np.arange(PEOPLE), EACH))
    point = operating_point(scores, 0.05)
    assert outcome.threshold.value == pytest.approx(point.threshold, abs=1e-5)
    assert outcome.same == (cosine >= point.threshold)
    far, _ = errors_at(scores, point.threshold)
    assert outcome.threshold.far.value == pytest.approx(far.value, abs=0.003)
    said = " ".join(outcome.sentences())
    assert f"on {PEOPLE * EACH} pictures of {PEOPLE} people" in said
    assert "95 % interval" in said
    above = float((scores.values[~scores.genuine] >= outcome.score).mean())
    assert f"is reached there by {above:.2%} of 594 pairs of two people" in said
    assert "other cameras" in said
    swapped = compare(checkpoint, *photographs[::-1], calibrate_on=str(people), far=0.05, device="cpu")
    assert swapped.score == pytest.approx(outcome.score, abs=1e-6)


@pytest.mark.parametrize("linked", [False, True])
def test_the_second_call_opens_no_faces_and_another_set_is_measured_anew(
    checkpoint, people, photographs, monkeypatch, tmp_path, linked
):
    options = {"far": 0.05, "device": "cpu", "images": "chips"}
    person = people / "p00"
    if linked:
        for folder in people.iterdir():
            (tmp_path / "links").mkdir(exist_ok=True)
            (tmp_path / "links" / folder.name).symlink_to(folder)
        people = tmp_path / "links"
    expected = compare(checkpoint, *photographs, calibrate_on=str(people), **options)

    def closed(*_, **__):
        raise AssertionError("opened")

    monkeypatch.setattr("facelab.reports.compare.open_chips", closed)
    assert compare(checkpoint, *photographs, calibrate_on=str(people), **options).threshold == expected.threshold
    assert compare(checkpoint, *photographs, calibrate_on=str(people), **options | {"far": 0.2}).threshold.asked == 0.2
    write_image(person / "0.png", np.zeros((32, 32, 3), np.uint8))  # the content of the set is part of its name
    with pytest.raises(AssertionError, match="opened"):
        compare(checkpoint, *photographs, calibrate_on=str(people), **options)


def test_people_of_the_training_choose_no_threshold(checkpoint, photographs, tmp_path):
    folder = write_chips(tmp_path / "seen", ["a", "b", "c", "d", "new"])
    with pytest.raises(FacelabError, match="has 1 identity whose names the network was not trained on"):
        compare(checkpoint, *photographs, calibrate_on=str(folder), far=0.2, images="chips", device="cpu")
    write_chips(folder, ["new", "newer", "newest"])
    outcome = compare(checkpoint, *photographs, calibrate_on=str(folder), far=0.2, images="chips", device="cpu")
    assert "9 pictures of 3 people (" in outcome.threshold.where
    assert "4 others have names that the network was trained on" in outcome.threshold.where


def test_a_threshold_of_an_evaluation(checkpoint, photographs, tmp_path):
    rate = {"value": 0.01, "low": 0.005, "high": 0.02, "n": 4500}
    results = {
        "recipe": Checkpoint.load(checkpoint).recipe.model_dump(),
        "data": {"name": "orl"},
        "operating_point": {"threshold": -1.0, "asked": 0.01, "far": rate, "frr": {**rate, "value": None}},
    }
    path = tmp_path / "results.json"
    path.write_text(json.dumps(results))
    outcome = compare(checkpoint, *photographs, threshold_from=path, images="chips", device="cpu")
    assert outcome.same
    assert outcome.sentences()[0] == (
        "The threshold was chosen for a false accept rate (FAR) of 1.00% at most on orl. There it lets 1.00% (95 % "
        "interval 0.50% to 2.00%) of the pairs of two people through."
    )
    results["recipe"]["seed"] = 99
    path.write_text(json.dumps(results))
    with pytest.raises(FacelabError, match="chosen for a network of another recipe"):
        compare(checkpoint, *photographs, threshold_from=path, device="cpu")
    path.write_text('{"threshold": 1.0}')
    outcome = compare(checkpoint, *photographs, threshold_from=path, images="chips", device="cpu")
    assert outcome.decision().startswith("different people: cosine ")
    assert outcome.sentences()[0] == "The threshold was chosen on another set."
    assert outcome.likelihood_ratio is None


@pytest.fixture
def plain(tmp_path) -> Path:
    path = tmp_path / "threshold.json"
    path.write_text('{"threshold": 0.5}')
    return path


def test_what_users_try(checkpoint, plain, tmp_path, mtcnn):
    """The same picture twice, a chip instead of a photograph, a group."""
    import cv2

    write_image(tmp_path / "face.png", FACE)
    write_image(tmp_path / "copy.png", FACE)
    chips, _ = make_chips(FaceSet("one", [FACE], pd.DataFrame({"identity": ["eileen"]})), mtcnn)
    write_image(tmp_path / "chip.png", chips[0][0])
    group = np.hstack([cv2.resize(FACE, (100, 100)), np.zeros((100, 20, 3), np.uint8), cv2.resize(FACE, (80, 100))])
    write_image(tmp_path / "group.png", group)

    def run(first: str, second: str):
        return compare(checkpoint, tmp_path / first, tmp_path / second, threshold_from=plain, device="cpu")

    twice = run("face.png", "copy.png")
    assert twice.score == pytest.approx(1)
    assert "Both files hold the same picture" in twice.notes[0]
    chip = run("face.png", "chip.png")
    assert chip.score == pytest.approx(1, abs=1e-5)  # not aligned a second time
    assert chip.notes == ("chip.png was taken as an aligned chip, as it is.",)
    groups = run("face.png", "group.png")
    assert groups.notes == ("group.png shows 2 faces; the largest was taken.",)


def test_all_faces_of_a_group_are_compared_and_the_best_pair_counts(checkpoint, plain, orl, tmp_path, mtcnn):
    people = [orl[row][0] for row in (0, 10, 20)]
    write_image(tmp_path / "group.png", np.hstack(people))
    write_image(tmp_path / "one.png", people[1])
    write_image(tmp_path / "lying.png", np.rot90(people[1]))
    options = {"threshold_from": plain, "images": "photographs", "device": "cpu"}
    chips, _ = make_chips(FaceSet("group", [np.hstack(people)], pd.DataFrame({"identity": [""]})), mtcnn, which="all")
    embed = Checkpoint.load(checkpoint).embedder("cpu")
    cosines = embed(chips.resized(32)) @ embed(make_chips(orl.select([10]), mtcnn)[0].resized(32))[0]
    outcome = compare(checkpoint, tmp_path / "group.png", tmp_path / "one.png", which="all", **options)
    assert outcome.score == pytest.approx(cosines.max(), abs=1e-5)
    np.testing.assert_array_equal(outcome.first.chip, chips[int(cosines.argmax())][0])
    assert outcome.notes[0] == f"group.png shows 3 faces; number {cosines.argmax() + 1} was taken."
    assert outcome.notes[1].startswith("The best of 3 pairs of faces was taken")
    middle = compare(checkpoint, tmp_path / "group.png", tmp_path / "one.png", which="middle", **options)
    assert middle.score == pytest.approx(cosines[1], abs=1e-5)
    assert middle.notes == ("group.png shows 3 faces; the one nearest to the middle was taken.",)
    turned = compare(checkpoint, tmp_path / "lying.png", tmp_path / "one.png", turns=True, **options)
    assert turned.score > 0.999
    assert turned.notes == ("lying.png was turned by 270 degrees, so that the face is upright.",)
    with pytest.raises(FacelabError, match=r"no face found in .*lying\.png. Try another photograph, --turns"):
        compare(checkpoint, tmp_path / "lying.png", tmp_path / "one.png", **options)


def test_a_threshold_with_flip_is_not_used_without_it(checkpoint, people, photographs, tmp_path):
    options = {"images": "chips", "device": "cpu"}
    path = tmp_path / "threshold.json"
    for flip, said in ((True, "with"), (False, "without")):
        path.write_text(json.dumps({"threshold": 0.5, "flip": flip}))
        assert compare(checkpoint, *photographs, threshold_from=path, flip=flip, **options).threshold.flip == flip
        with pytest.raises(FacelabError, match=f"was chosen {said} --flip, and this run is"):
            compare(checkpoint, *photographs, threshold_from=path, flip=not flip, **options)
    path.write_text(json.dumps({"threshold": 0.5, "recipe": Checkpoint.load(checkpoint).recipe.model_dump()}))
    with pytest.raises(FacelabError, match="was chosen without --flip"):  # a report from before it was an option
        compare(checkpoint, *photographs, threshold_from=path, flip=True, **options)
    path.write_text('{"threshold": 0.5, "flip": "yes"}')
    with pytest.raises(FacelabError, match="flip = 'yes'; expected true or false"):
        compare(checkpoint, *photographs, threshold_from=path, **options)
    calibrated = {**options, "calibrate_on": str(people), "far": 0.05}
    plain, flipped = (compare(checkpoint, *photographs, flip=flip, **calibrated) for flip in (False, True))
    assert (plain.threshold.flip, flipped.threshold.flip) == (False, True)
    assert plain.threshold.value != flipped.threshold.value  # each from embeddings of its own kind


def test_a_network_of_the_package_compares(plain, photographs):
    outcome = compare("synthfaces-arcface", *photographs, threshold_from=plain, images="chips", device="cpu")
    assert -1 <= outcome.score < 1


def test_command(checkpoint, plain, photographs, tmp_path, capsys):
    def run(*arguments: object) -> int:
        with pytest.raises(SystemExit) as stop:
            app(["compare", *map(str, arguments), "--device", "cpu", "--picture", str(tmp_path / "out" / "pair.png")])
        return stop.value.code

    assert run(checkpoint, *photographs, "--threshold-from", plain) == 0
    out = capsys.readouterr().out
    assert "person: cosine" in out or "people: cosine" in out
    assert "The threshold was chosen on another set." in out
    assert read_image(tmp_path / "out" / "pair.png").shape[0] > 300
    write_image(tmp_path / "blank.png", np.full((80, 60, 3), 128, np.uint8))
    for arguments, message in (
        ((checkpoint, photographs[0], tmp_path / "blank.png"), f"no face found in {tmp_path / 'blank.png'}"),
        ((checkpoint, photographs[0], tmp_path / "gone.png"), "gone.png: No such file"),
        ((tmp_path / "none.pt", *photographs), "there is no checkpoint"),
        ((checkpoint, *photographs, "--detector", "cascade"), "no landmarks, which method 'five-point' needs"),
        ((checkpoint, *photographs, "--calibrate-on", "nobody"), "there is no data set 'nobody'"),
    ):
        assert run(*arguments) == 2
        error = capsys.readouterr().err.strip()
        assert message in error
        assert len(error.splitlines()) == 1
