"""The door to faces: every row opens, every verb takes the same names, and all texts are made from the table."""

import hashlib
import json
import pickle
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from facelab.align import make_chips
from facelab.cli import app
from facelab.data import FaceSet, cards
from facelab.data.images import write_image
from facelab.errors import FacelabError
from facelab.sources import SOURCES, are_chips, choices, find_source, open_chips, open_faces, source_card
from facelab.synth import PRESETS, SynthRecipe
from facelab.synth.recipe import folder_of
from facelab.synth.shards import Store, to_parquet
from facelab.synth.strangers import STRANGERS
from facelab.train import Checkpoint

pytestmark = pytest.mark.slow


def write_set(recipe: SynthRecipe, out: Path) -> Path:
    """Write a SynthFaces set of flat colours: the format, without the renderer."""
    store = Store(out)
    store.write("recipe.json", json.dumps(recipe.to_json()).encode())
    for shard in range(recipe.shards):
        rows = []
        for number in recipe.identities_of(shard):
            for k in range(recipe.images):
                colour = np.random.default_rng(number).integers(40, 200, 3) + np.random.default_rng(k).integers(0, 30)
                data = cv2.imencode(".jpg", np.full((112, 112, 3), colour, np.uint8))[1].tobytes()
                held_out = number >= recipe.identities - recipe.held_out
                rows.append({
                    "image": {"bytes": data, "path": f"{number}-{k}.jpg"},
                    "identity": f"p{number:05d}",
                    "picture": k,
                    "split": "held-out" if held_out else "closed",
                    "landmarks": [0.0] * 10,
                    "dense": [0.0] * 76,
                })  # fmt: skip
        data = to_parquet(rows)
        name = f"shard-{shard:05d}.parquet"
        store.write(name, data)
        store.write(f"{name}.json", json.dumps({"sha256": hashlib.sha256(data).hexdigest()}).encode())
    return out


def write_folder(faces: FaceSet, out: Path) -> Path:
    for row in range(len(faces)):
        write_image(out / faces.table["identity"].iloc[row] / f"{row:03d}.png", faces[row][0])
    return out


@pytest.fixture
def given(tmp_path, monkeypatch, toy_chips) -> dict[str, str]:
    """Make tiny presets, and something for each row that opens paths; return the paths."""
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path / "home"))
    small = {
        "synthfaces-mini": SynthRecipe(identities=STRANGERS + 4, images=2, seed=1),
        "synthfaces-500": SynthRecipe(identities=6, images=4, seed=500, held_out=2),
    }
    assert set(small) == set(PRESETS)
    for name, recipe in small.items():
        monkeypatch.setitem(PRESETS, name, recipe)
        write_set(recipe, folder_of(name))
    images = [cv2.imencode(".png", image)[1].tobytes() for image, _ in toy_chips]
    (tmp_path / "pairs.bin").write_bytes(pickle.dumps((images, [True] * 6)))
    return {
        "an InsightFace .bin file": str(tmp_path / "pairs.bin"),
        "a folder that facelab synth made": str(write_set(small["synthfaces-500"], tmp_path / "rendered")),
        "a folder with one sub-folder per identity": str(write_folder(toy_chips, tmp_path / "chips")),
    }  # fmt: skip


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_every_row_opens(source, given):
    what = source.name if source.fits is None else given[source.name]
    assert find_source(what) is source
    opened = open_faces(what, pairs=True)
    assert opened.source is source
    assert len(opened.faces)
    assert opened.faces[0][0].dtype == np.uint8
    assert not opened.errors
    assert (opened.pairs is not None) == (source.holds == "pairs")
    if source.holds in ("chips", "pairs"):
        assert are_chips(opened)
        assert opened.how


def test_cards_and_table_agree():
    assert {source.card for source in SOURCES if source.card} == set(cards())
    for source in SOURCES:
        if source.fits is None:  # faces of others: the card says whose
            assert source_card(source.name) == source_card(source.card)
    with pytest.raises(FacelabError, match=r"'nobody'.*orl"):
        source_card("nobody")


def test_photographs_of_people_are_credited():
    for source in SOURCES:
        if source.card and "credit" in source_card(source.card).lower():
            assert source.credit, f"{source.name}: its card asks for credit"


def test_an_unknown_name_lists_the_table():
    with pytest.raises(FacelabError) as error:
        open_faces("nobody")
    for source in SOURCES:
        assert source.name in str(error.value)
    assert "'nobody'" in str(error.value)


@pytest.mark.parametrize("verb", ["train", "evaluate"])
def test_help_is_made_from_the_table(verb, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    with pytest.raises(SystemExit):
        app([verb, "--help"])
    said = " ".join(re.sub(r"[│╭╰─]", " ", capsys.readouterr().out).split())
    assert choices(pairs=verb == "evaluate") in said


def test_the_list_of_data_is_the_table(capsys):
    with pytest.raises(SystemExit):
        app(["data"])
    assert len(capsys.readouterr().out.splitlines()) == len(SOURCES)


def run(*arguments: Any) -> int:
    with pytest.raises(SystemExit) as stop:
        app([str(argument) for argument in arguments])
    return stop.value.code


QUICK = ["--set", "size=32", "--set", "epochs=1", "--set", "batch_size=6", "--device", "cpu"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["strangers", "a folder that facelab synth made"])
def test_train_and_evaluate_take_the_same_names(name, given, tmp_path):
    what = given.get(name, name)
    quick = ["--set", "size=32", "--set", "epochs=1", "--set", "batch_size=6", "--device", "cpu"]
    assert run("train", "quick", "--data", what, "--out", tmp_path / "out", *quick) == 0
    options = ["--report", tmp_path / "report", "--replicates", 5, "--device", "cpu"]
    assert run("evaluate", tmp_path / "out" / "training.pt", "--data", what, *options) == 0
    faces = open_faces(what).faces
    assert json.loads((tmp_path / "report" / "results.json").read_text())["data"]["images"] == len(faces)
    held_out = set(faces.table["identity"][faces.table["split"] == "held-out"])
    assert Checkpoint.load(tmp_path / "out" / "training.pt").identities == sorted(set(faces.identities) - held_out)
    assert bool(held_out) == (name != "strangers")


def test_strangers_are_the_other_identities_of_mini(given):
    strangers, mini = open_faces("strangers").faces, open_faces("synthfaces-mini").faces
    assert strangers.identities == mini.identities[-STRANGERS:]
    assert len(strangers) == 2 * STRANGERS


def test_pairs_are_refused_where_identities_are_needed(given):
    with pytest.raises(FacelabError, match="does not say who is on them"):
        open_chips(given["an InsightFace .bin file"])


class Corner:
    """Finds the same box and landmarks in every photograph; knows how often it was asked."""

    def __init__(self):
        self.seen = 0

    def detect(self, images):
        from facelab.detect import Detection

        self.seen += len(images)
        points = np.array([[12, 12], [20, 12], [16, 16], [13, 21], [19, 21]], np.float32)
        return [[Detection(np.array([8, 8, 24, 24], np.float32), 0.9, points)] for _ in images]


def test_photographs_are_aligned_with_the_detector_and_the_method_given(given, tmp_path, toy_chips):
    wide = FaceSet("wide", [np.pad(image, ((0, 0), (0, 8), (0, 0))) for image, _ in toy_chips], toy_chips.table)
    folder = write_folder(wide, tmp_path / "wide")
    detector = Corner()
    opened = open_chips(folder, detector=detector, method="crop")
    assert detector.seen == 12
    expected, _ = make_chips(open_faces(folder).faces, Corner(), method="crop")
    np.testing.assert_array_equal(opened.faces.array(), expected.array())
    assert opened.faces.name == "wide"
    assert opened.how.startswith("photographs, detected and aligned by Corner (crop): 12 of 12 faces found")


def test_what_a_folder_holds(given, tmp_path, toy_chips):
    chips = open_faces(given["a folder with one sub-folder per identity"])
    assert are_chips(chips)
    assert are_chips(chips, "chips")
    assert not are_chips(chips, "photographs")
    wide = FaceSet("wide", [np.pad(image, ((0, 0), (0, 8), (0, 0))) for image, _ in toy_chips], toy_chips.table)
    wide = open_faces(write_folder(wide, tmp_path / "wide"))
    assert not are_chips(wide)
    assert are_chips(wide, "chips")  # who says so may train on chips of any shape
    large = FaceSet("large", [cv2.resize(image, (257, 257)) for image, _ in toy_chips], toy_chips.table)
    assert not are_chips(open_faces(write_folder(large, tmp_path / "large")))
    write_image(tmp_path / "wide" / "a" / "other.png", toy_chips[0][0])
    with pytest.raises(FacelabError, match=r"2 sizes, such as 32 x 32 and 40 x 32.*--images photographs"):
        are_chips(open_faces(tmp_path / "wide"), "chips")
