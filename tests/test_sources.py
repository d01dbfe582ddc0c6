"""The door to faces: every row opens, every verb takes the same names, and all texts are made from the table."""

import hashlib
import json
import pickle
import re
import warnings
from pathlib import Path
from typing import Any

import cv2
import layouts
import numpy as np
import pytest

from facelab.align import make_chips
from facelab.cli import app
from facelab.convert import write_faces_as_shards
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


def write_shards(faces: FaceSet, out: Path) -> Path:
    write_faces_as_shards(faces, out)
    return out


@pytest.fixture
def given(tmp_path, monkeypatch, toy_chips, orl) -> dict[str, str]:
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
    xqlfw = layouts.lfw(orl) | {"xqlfw_pairs.txt": layouts.lfw_pairs()}
    return {
        "bin": str(tmp_path / "pairs.bin"),
        "shards": str(write_shards(toy_chips, tmp_path / "shards")),
        "rendered": str(write_set(small["synthfaces-500"], tmp_path / "rendered")),
        "insightface": str(Path(__file__).parent / "data" / "recordio"),
        "recordio": str(Path(__file__).parent / "data" / "recordio" / "plain.rec"),
        "ijb-b": str(layouts.write(layouts.ijb(orl, "ijbb"), tmp_path / "IJBB")),
        "ijb-c": str(layouts.write(layouts.ijb(orl), tmp_path / "IJBC.zip")),
        "memfile": str(_memfile(tmp_path / "memfiles")),
        "tinyface": str(layouts.write(layouts.tinyface(orl), tmp_path / "tinyface.tgz")),
        "digiface": str(layouts.write({"7/0.png": images[0]}, tmp_path / "subjects_0-1999_72_imgs.zip")),
        "olivetti": str(layouts.write({"olivetti_py3.pkz": layouts.olivetti(orl)}, tmp_path / "scikit_learn_data")),
        "webdataset": str(layouts.write({"1.png": images[0], "1.cls": b"3"}, tmp_path / "web.tar")),
        "table": str(layouts.write({"1.png": images[0], "t.csv": b"file,id\n1.png,3\n"}, tmp_path / "table") / "t.csv"),
        "imagefolder": str(layouts.write({f"{s}/a/1.png": images[0] for s in ("train", "test")}, tmp_path / "splits")),
        "folder": str(write_folder(toy_chips, tmp_path / "chips")),
        "celeba500": str(layouts.write(layouts.celeba500(orl), tmp_path / "celeba500.tgz")),
        "celeba": str(layouts.write(layouts.celeba(orl), tmp_path / "CelebA")),
        "lfw": str(layouts.write(layouts.lfw(orl) | {"pairs.txt": layouts.lfw_pairs()}, tmp_path / "lfw_home")),
        "xqlfw": str(layouts.write(xqlfw, tmp_path / "xqlfw.zip")),
        "calfw": str(layouts.write(layouts.flat_lfw(orl, poses=False), tmp_path / "calfw")),
        "cplfw": str(layouts.write(layouts.flat_lfw(orl, poses=True), tmp_path / "cplfw.tar")),
        **dict.fromkeys(("cfp-ff", "cfp-fp"), str(layouts.write(layouts.cfp(orl), tmp_path / "cfp.zip"))),
        "agedb": str(layouts.write(layouts.agedb(orl), tmp_path / "agedb")),
        **dict.fromkeys(RFW, str(layouts.write(layouts.rfw(orl), tmp_path / "rfw"))),
    }  # fmt: skip


def _memfile(folder: Path) -> Path:
    chip = np.zeros((4, 3, 16, 16), np.float32)
    layouts.write({
        "lfw/memfile/mem_file.dat": chip.tobytes(),
        "lfw/memfile/mem_file.conf": json.dumps({"shape": chip.shape, "dtype": "float32"}).encode(),
    }, folder)  # fmt: skip
    np.save(folder / "lfw_list.npy", np.array([True, False]))
    return folder


RFW = tuple(source.name for source in SOURCES if source.name.startswith("rfw-"))
LISTED = {"bin", "memfile", "lfw", "xqlfw", "calfw", "cplfw", "cfp-ff", "cfp-fp", *RFW}  # sources with a list of pairs


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_every_row_opens(source, given):
    what = source.name if source.fits is None else given[source.name]
    if source.name.startswith(("cfp-", "rfw-")):  # several lists in one place
        with pytest.raises(FacelabError, match=rf"holds several sets; name one: .*{source.name}:"):
            find_source(what)
        what = f"{source.name}:{what}"
    assert find_source(what) is source
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        opened = open_faces(what, pairs=True)
    assert bool(said) == bool(source.withdrawn)
    assert opened.source is source
    assert len(opened.faces)
    assert opened.faces[0][0].dtype == np.uint8
    assert not opened.errors
    assert (opened.pairs is not None) == (source.name in LISTED)
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
@pytest.mark.parametrize("name", ["strangers", "rendered"])
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
        open_chips(given["bin"])


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


@pytest.fixture(scope="module")
def eight(orl, mtcnn) -> tuple[FaceSet, np.ndarray]:
    """Photographs of eight people, and their chips."""
    photographs = orl.select(range(0, 400, 50))
    return photographs, make_chips(photographs, mtcnn)[0].array()


def noisy(image: np.ndarray) -> np.ndarray:
    return np.clip(image + np.random.default_rng(0).normal(0, 25, image.shape), 0, 255).astype(np.uint8)


def in_a_page(photograph: np.ndarray) -> np.ndarray:
    """The way LFW is published: 250 x 250, a face in the middle, and much around it."""
    return np.pad(photograph, ((60, 78), (78, 80), (0, 0)), constant_values=90)


CHIPS = {
    "as they are": lambda chip: chip,
    "mirrored": lambda chip: chip[:, ::-1].copy(),
    "40 pixels": lambda chip: cv2.resize(chip, (40, 40), interpolation=cv2.INTER_AREA),
    "noisy": noisy,
    "dark": lambda chip: chip // 3,
    "112 x 96": lambda chip: chip[:, 8:104],
}
PHOTOGRAPHS = {
    "92 x 112": lambda photograph: photograph,
    "92 x 92": lambda photograph: photograph[10:102],
    "LFW": in_a_page,
    "no face": lambda photograph: np.full_like(photograph, 90),
}


@pytest.mark.parametrize("kind", [*CHIPS, *PHOTOGRAPHS])
def test_chips_and_photographs_are_told_apart_by_where_the_face_is_not_by_size(kind, eight, tmp_path):
    photographs, chips = eight
    images = [CHIPS[kind](chip) for chip in chips] if kind in CHIPS else [PHOTOGRAPHS[kind](p) for p, _ in photographs]
    folder = write_folder(FaceSet(kind, images, photographs.table.reset_index(drop=True)), tmp_path / "set")
    opened = open_faces(folder)
    verdict = are_chips(opened)
    assert verdict.chips == (kind in CHIPS)
    assert "of 8 looked at" in verdict.why
    assert not are_chips(opened, "photographs")
    assert are_chips(opened, "chips")  # who says so may take what he likes, if it has one size


def test_where_the_evidence_is_mixed_the_user_must_say_it(eight, tmp_path):
    photographs, chips = eight
    images = [*chips[:5], *(cv2.resize(in_a_page(photographs[k][0]), (112, 112)) for k in range(5, 8))]
    opened = open_faces(
        write_folder(FaceSet("mixed", images, photographs.table.reset_index(drop=True)), tmp_path / "mixed")
    )
    with pytest.raises(
        FacelabError, match=r"not clear whether .* of 8 looked at, \d have .*--images chips, or --images p"
    ):
        are_chips(opened)


def test_chips_have_one_size(eight, tmp_path):
    photographs, chips = eight
    images = [cv2.resize(chip, (112 + 20 * (k == 3),) * 2) for k, chip in enumerate(chips)]
    opened = open_faces(
        write_folder(FaceSet("two", images, photographs.table.reset_index(drop=True)), tmp_path / "two")
    )
    for said in ("chips", "auto"):
        with pytest.raises(FacelabError, match=r"2 sizes, such as 112 x 112 and 132 x 132.*--images photographs"):
            are_chips(opened, said)


def test_every_verb_takes_a_folder_for_the_same(eight, tmp_path, capsys, monkeypatch):
    """Photographs of one size were squeezed by train, and aligned by evaluate."""
    photographs, chips = eight
    folder = write_folder(photographs, tmp_path / "people")
    seen = {}

    def fit(recipe, faces, **options):
        seen["train"] = faces
        raise FacelabError("seen")

    monkeypatch.setattr("facelab.train.run.fit", fit)
    assert run("train", "quick", "--data", folder, "--out", tmp_path / "out", "--device", "cpu") == 2
    assert "people is taken as photographs: of 8 looked at" in " ".join(capsys.readouterr().err.split())
    np.testing.assert_array_equal(seen["train"].array(), chips)
    np.testing.assert_array_equal(open_chips(folder, device="cpu").faces.array(), chips)
    np.testing.assert_array_equal(open_chips([folder], device="cpu").faces.array(), chips)
    assert run("align", folder, "--out", tmp_path / "chips", "--device", "cpu") == 0
    (tmp_path / "chips" / "s01" / "extra.png").write_bytes((folder / "s01" / "000.png").read_bytes())
    opened = open_chips(tmp_path / "chips")
    assert opened.how == "taken as aligned chips: as the chips.csv of facelab align says"
    np.testing.assert_array_equal(opened.faces.array(), chips)
    assert "extra.png is not in chips.csv" in str(opened.errors[0])  # as is the chip of a photograph that is gone
    (tmp_path / "chips" / "chips.csv").unlink()
    (tmp_path / "chips" / "s01" / "extra.png").unlink()
    assert open_chips(tmp_path / "chips").how.startswith("taken as aligned chips: of 8 looked at")
    assert run("align", tmp_path / "chips", "--out", tmp_path / "again", "--device", "cpu") == 2
    assert "holds chips, which are aligned already" in capsys.readouterr().err
    assert run("align", tmp_path / "chips", "--images", "photographs", "--out", tmp_path / "again") == 0


def test_what_is_known_is_not_asked(given):
    for name, images in (("orl", "chips"), ("orl", "photographs"), ("synthfaces-mini", "photographs")):
        with pytest.raises(FacelabError, match=rf"--images {images}: {name} holds .*leave the option out"):
            open_chips(name, images=images)


def test_options_for_photographs_are_refused_with_chips(given, tmp_path, capsys):
    for option in (["--detector", "mtcnn"], ["--method", "eyes"]):
        chips = given["folder"]
        said = ["embed", "synthfaces-arcface", chips, "--images", "chips", "--out", tmp_path / "e.npz"]
        assert run(*said, *option) == 2
        assert f"{option[0]} would do nothing: chips are taken as they are" in capsys.readouterr().err
    assert not (tmp_path / "e.npz").exists()


def test_what_a_file_is_is_said(tmp_path):
    (tmp_path / "train.h5").write_bytes(b"\x89HDF" + bytes(20))
    (tmp_path / "x.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(FacelabError, match=r"train\.h5 is an HDF5 file.*facelab does not read it"):
        open_faces(tmp_path / "train.h5")
    with pytest.raises(FacelabError, match=r"x\.jpg is one file, and no data set: give orl"):
        open_faces(tmp_path / "x.jpg")
