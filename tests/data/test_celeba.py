"""CelebA and CelebA-500: read as others read them, from folders and archives; what is damaged is named by its line."""

from pathlib import Path

import layouts
import numpy as np
import pandas as pd
import pytest
import torchvision

from facelab.data.celeba import ATTRIBUTES, load_celeba
from facelab.data.celeba500 import load_celeba500
from facelab.data.images import decode_named
from facelab.errors import FacelabError, ImageError


@pytest.fixture(scope="module")
def celeba(orl) -> dict[str, bytes]:
    return layouts.celeba(orl)


@pytest.fixture(scope="module")
def celeba500(orl) -> dict[str, bytes]:
    return layouts.celeba500(orl)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path / "home"))


def test_celeba_reads_as_torchvision_reads_it(orl, tmp_path, monkeypatch):
    files = layouts.celeba(orl, end="\n")
    names = files["list_attr_celeba.txt"].decode().splitlines()[1].split()
    layouts.write(files, tmp_path / "celeba")
    monkeypatch.setattr(torchvision.datasets.CelebA, "_check_integrity", lambda self: True)  # of the real files' MD5
    kinds = {"train": "train", "valid": "validation", "test": "test"}
    mine, seen = load_celeba(tmp_path / "celeba"), 0
    for theirs_split, my_split in kinds.items():
        theirs = torchvision.datasets.CelebA(
            str(tmp_path), split=theirs_split, target_type=["identity", "landmarks", "attr"]
        )
        faces = mine.select((mine.table["split"] == my_split).to_numpy())
        assert len(faces) == len(theirs)
        for row in range(len(theirs)):
            image, (identity, landmarks, attributes) = theirs[row]
            np.testing.assert_array_equal(faces[row][0], np.asarray(image))
            assert faces.table["identity"].iloc[row] == str(int(identity))
            np.testing.assert_array_equal(faces.table["landmarks"].iloc[row], landmarks.numpy().reshape(5, 2))
            for name in ATTRIBUTES:
                assert faces.table[name.lower()].iloc[row] == bool(attributes[names.index(name)])
            seen += 1
    assert seen == len(mine)
    assert not {"attractive", "male", "young"} & set(mine.table.columns)
    assert "box" not in mine.table  # of the uncropped pictures


def sorted_as_given_out(files: dict[str, bytes]) -> dict[str, bytes]:
    """Anno/, Eval/, Img/img_align_celeba.zip, as on the page of CelebA."""
    import io
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            if "/" in name:
                archive.writestr(name, data)
    lists = {f"{'Eval' if 'eval' in n else 'Anno'}/{n}": data for n, data in files.items() if "/" not in n}
    return lists | {"Img/img_align_celeba.zip": packed.getvalue(), "README.txt": b"CelebA\n"}


@pytest.mark.parametrize("form", ["folder", "celeba.zip", "celeba.tar", "celeba.tgz", "as given out"])
@pytest.mark.parametrize(("end", "header"), [("\r\n", False), ("\n", True), ("\r\n", True)])
def test_celeba_in_every_form_is_the_same_set(form, end, header, orl, tmp_path):
    files = layouts.celeba(orl, end=end, header=header)
    path = layouts.write(sorted_as_given_out(files) if form == "as given out" else files, tmp_path / form)
    faces = load_celeba(path)
    names = [f"{number:06d}.jpg" for number in range(1, 13)]
    assert [Path(file).name for file in faces.table["file"]] == names
    assert faces.table["identity"].tolist() == ["2880", "2887", "2894", "2901"] * 3
    assert faces.table["split"].tolist() == ["train"] * 4 + ["validation"] * 4 + ["test"] * 4
    for row, name in enumerate(names):
        np.testing.assert_array_equal(faces[row][0], decode_named(files[f"img_align_celeba/{name}"], name))


def test_boxes_belong_to_the_uncropped_pictures(celeba, tmp_path):
    files = {name.replace("align_", ""): data for name, data in celeba.items()}
    bad = files["list_bbox_celeba.txt"].replace(b"000002.jpg  95  71 226 313", b"000002.jpg    320  828 0 0")
    faces = load_celeba(layouts.write(files | {"list_bbox_celeba.txt": bad}, tmp_path / "c"))
    np.testing.assert_array_equal(faces.table["box"][0], [95, 71, 321, 384])
    assert np.isnan(faces.table["box"][1]).all()
    assert faces.table["landmarks"][3][0, 0] == 73


def edited(files: dict[str, bytes], name: str, old: bytes, new: bytes) -> dict[str, bytes]:
    assert old in files[name]
    return files | {name: files[name].replace(old, new, 1)}


IDS, PARTS, ATTRS = "identity_CelebA.txt", "list_eval_partition.txt", "list_attr_celeba.txt"
DAMAGE = {
    "no identities": (lambda f: {n: d for n, d in f.items() if n != IDS}, r"no identity_CelebA\.txt.*ask the authors"),
    "a word too many": (lambda f: edited(f, IDS, b"000003.jpg 2894", b"000003.jpg 2894 x"), r"line 3 holds .*3 words"),
    "no number": (lambda f: edited(f, IDS, b"000003.jpg 2894", b"000003.jpg two"), r"line 3: 'two' is no whole number"),
    "twice": (lambda f: edited(f, IDS, b"000003.jpg", b"000001.jpg"), r"000001\.jpg in line 1 and again in line 3"),
    "a web page": (lambda f: f | {IDS: b"<!DOCTYPE html><html>Google Drive"}, r"identity_CelebA\.txt is a web page"),
    "empty": (lambda f: f | {IDS: b""}, "lists no image"),
    "Latin-1": (lambda f: edited(f, IDS, b"000003.jpg", b"00000\xe9.jpg"), r"is not UTF-8: line 3"),
    "missing image": (
        lambda f: {n: d for n, d in f.items() if not n.endswith("000005.jpg")},
        r"identity_CelebA\.txt line 5 names 000005\.jpg, which is not in .*img_align_celeba",
    ),
    "no split": (lambda f: edited(f, PARTS, b"000004.jpg 0\n", b""), r"list_eval_partition\.txt does not list 000004"),
    "another split": (lambda f: edited(f, PARTS, b"000004.jpg 0", b"000004.jpg 7"), r"line 4: split '7'; expected 0"),
    "a count": (lambda f: edited(f, ATTRS, b"12\n", b"13\n"), r"holds 12 images; line 1 promises '13'"),
    "an attribute": (lambda f: edited(f, ATTRS, b"Smiling", b"Grinning"), r"line 2 names no attribute Smiling"),
    "a value": (lambda f: edited(f, ATTRS, b"000001.jpg", b"000001.jpg  1"), r"line 3 holds .*expected 9"),
    "two lists": (lambda f: f | {f"copy/{IDS}": f[IDS]}, r"holds 2 files identity_CelebA\.txt"),
    "no pictures": (lambda f: {n: d for n, d in f.items() if "/" not in n}, r"no img_align_celeba/.*Get the pictures"),
    "another folder": (
        lambda f: {n.replace("img_align_celeba", "pictures"): d for n, d in f.items()},
        r"holds pictures in pictures/: call that folder img_align_celeba if",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_to_celeba_is_one_line(what, celeba, tmp_path):
    harm, message = DAMAGE[what]
    with pytest.raises(FacelabError, match=message) as error:
        load_celeba(layouts.write(harm(celeba), tmp_path / "c"))
    assert "\n" not in str(error.value)


def test_a_damaged_picture_is_named_when_it_is_read(celeba, tmp_path):
    files = celeba | {"img_align_celeba/000002.jpg": b"<html>quota exceeded</html>"}
    for form in ("c", "c.zip"):
        faces = load_celeba(layouts.write(files, tmp_path / form))
        with pytest.raises(ImageError, match=r"000002\.jpg is a web page"):
            faces[1]


def test_pictures_in_no_list_are_counted(celeba, tmp_path):
    files = celeba | {"img_align_celeba/999999.jpg": celeba["img_align_celeba/000001.jpg"]}
    with pytest.warns(UserWarning, match=r"1 files are not in identity_CelebA\.txt and were left out"):
        assert len(load_celeba(layouts.write(files, tmp_path / "c"))) == 12


def test_celeba500(celeba500, tmp_path):
    for form in ("folder", "c.zip", "c.tgz"):
        faces = load_celeba500(layouts.write(celeba500, tmp_path / form))
        counts = faces.table["split"].value_counts().to_dict()
        assert counts == {"train": 18, "validation": 6, "test": 6, "query": 12, "distractor": 6}
        assert faces.identities == ["", *"012345", *(f"query {person}" for person in range(4))]
        table = pd.read_csv(pd.io.common.BytesIO(celeba500["celeba_train_500/celebA_anno.txt"]), sep=" ", header=None)
        assert faces.table["identity"][:30].tolist() == table[1].astype(str).tolist()
        for row in (0, 29, 35, 47):
            file = faces.table["file"][row]
            np.testing.assert_array_equal(faces[row][0], decode_named(celeba500[file], file))
    train = {name: data for name, data in celeba500.items() if "train" in name}
    assert len(load_celeba500(layouts.write(train, tmp_path / "train"))) == 30


TRAIN = "celeba_train_500/"
DAMAGE500 = {
    "missing image": (
        lambda f: {n: d for n, d in f.items() if not n.endswith("000203.jpg")},
        r"celebA_anno\.txt line 14 names 000203\.jpg, which is not in .*celebA_imgs",
    ),
    "bad line": (
        lambda f: edited(f, f"{TRAIN}celebA_anno.txt", b"000001.jpg 0", b"000001.jpg"),
        r"celebA_anno\.txt line 2 holds '000001\.jpg': 1 word, expected 2",
    ),
    "bad split": (
        lambda f: edited(f, f"{TRAIN}celebA_train_split.txt", b"000001.jpg 0", b"000001.jpg train"),
        r"celebA_train_split\.txt line 2: split 'train'; expected 0, 1 or 2",
    ),
    "no split": (
        lambda f: {n: d for n, d in f.items() if not n.endswith("split.txt")},
        r"but no celebA_train_split\.txt",
    ),
    "no number": (
        lambda f: edited(f, f"{TRAIN}celebA_anno.txt", b"000001.jpg 0", b"000001.jpg zero"),
        r"celebA_anno\.txt line 2: 'zero' is no whole number",
    ),
    "no distractors": (
        lambda f: {n: d for n, d in f.items() if "distractors" not in n},
        r"needs the pictures in celeba_ir/celebA_distractors/, which is missing or empty",
    ),
    "no queries": (
        lambda f: edited(f, "celeba_ir/celebA_anno_query.csv", b"007001.jpg,0", b"007777.jpg,0"),
        r"celebA_anno_query\.csv line 3 names 007777\.jpg, which is not in",
    ),
    "another set": (lambda f: {"a/1.jpg": f[f"{TRAIN}celebA_imgs/000000.jpg"]}, "holds neither celebA_anno.txt nor"),
}


@pytest.mark.parametrize("what", DAMAGE500)
def test_damage_to_celeba500_is_one_line(what, celeba500, tmp_path):
    harm, message = DAMAGE500[what]
    with pytest.raises(FacelabError, match=message):
        load_celeba500(layouts.write(harm(celeba500), tmp_path / "c"))
