"""LFW and its relatives, CFP, AgeDB, RFW: read as others read them, with their own lists of pairs."""

from pathlib import Path

import layouts
import numpy as np
import pytest
import torchvision
from sklearn.datasets import fetch_lfw_pairs, fetch_lfw_people

from facelab.data import FaceSet, PairList, read_pairs
from facelab.data.benchmarks import load_agedb, load_cfp, load_flat_lfw, load_lfw, load_rfw
from facelab.errors import FacelabError

PEOPLE = sorted(layouts.LFW_PEOPLE)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def lfw(orl) -> dict[str, bytes]:
    return layouts.lfw(orl)


def shown(faces: FaceSet, pairs: PairList) -> list[tuple[str, str]]:
    files = [Path(file).name for file in faces.table["file"]]
    return [(files[i], files[j]) for i, j in zip(pairs.first, pairs.second, strict=True)]


def funneled(lfw: dict[str, bytes]) -> dict[str, bytes]:
    return {name.replace("lfw/", "lfw_funneled/", 1): data for name, data in lfw.items()}


LISTS = {name: layouts.lfw_pairs() for name in ("pairs.txt", "pairsDevTrain.txt", "pairsDevTest.txt")}
FORMS = {
    "the folder of the people": lambda lfw, path: layouts.write(lfw | LISTS, path / "x") / "lfw",
    "the folder above": lambda lfw, path: layouts.write(lfw | LISTS, path / "x"),
    "lfw.tgz": lambda lfw, path: layouts.write(lfw, layouts.write(LISTS, path / "x") / "lfw.tgz"),
    "a zip of all": lambda lfw, path: layouts.write(lfw | LISTS, path / "lfw.zip"),
    "scikit-learn": lambda lfw, path: layouts.write(
        funneled(lfw) | LISTS | {"lfw_funneled/pairs_01.txt": b"300\n"}, path / "lfw_home"
    ),
    "torchvision": lambda lfw, path: layouts.write(
        {name.replace("lfw/", "lfw-deepfunneled/"): data for name, data in lfw.items()} | LISTS, path / "lfw-py"
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_lfw_in_every_form_is_the_same_set_with_its_pairs(form, lfw, tmp_path):
    faces, pairs = load_lfw(FORMS[form](lfw, tmp_path))
    assert faces.identities == PEOPLE
    assert len(faces) == 12
    assert shown(faces, pairs)[:3] == [
        ("Aaron_Eckhart_0001.jpg", "Aaron_Eckhart_0002.jpg"),
        ("Zach_Safrin_0001.jpg", "Zach_Safrin_0003.jpg"),
        ("Aaron_Eckhart_0001.jpg", "Zach_Safrin_0001.jpg"),
    ]
    assert pairs.fold.tolist() == [0] * 4 + [1] * 4
    assert pairs.genuine.tolist() == [True, True, False, False] * 2


def test_lfw_reads_as_scikit_learn_reads_it(lfw, tmp_path):
    path = layouts.write(funneled(lfw) | LISTS, tmp_path / "lfw_home")
    faces, pairs = load_lfw(path)
    whole = {"resize": None, "slice_": (slice(0, 250), slice(0, 250)), "color": True, "download_if_missing": False}
    people = fetch_lfw_people(data_home=str(tmp_path), **whole)
    order = np.argsort(faces.table["file"].to_numpy(), kind="stable")
    names = [people.target_names[k].replace(" ", "_") for k in people.target]
    assert sorted(names) == sorted(faces.table["identity"])
    ours = {faces[row][0].tobytes(): faces.table["identity"][row] for row in order}
    for image, name in zip(np.round(people.images * 255).astype(np.uint8), names, strict=True):
        assert ours[image.tobytes()] == name
    theirs = fetch_lfw_pairs(subset="10_folds", data_home=str(tmp_path), **whole)
    assert [bool(target) for target in theirs.target] == pairs.genuine.tolist()
    for k, (one, two) in enumerate(np.round(theirs.pairs * 255).astype(np.uint8)):
        np.testing.assert_array_equal(faces[pairs.first[k]][0], one)
        np.testing.assert_array_equal(faces[pairs.second[k]][0], two)


def test_lfw_reads_as_torchvision_reads_it(lfw, tmp_path, monkeypatch):
    path = layouts.write(funneled(lfw) | LISTS, tmp_path / "lfw-py")
    monkeypatch.setattr(torchvision.datasets.LFWPairs, "_check_integrity", lambda self: True)  # of the real MD5
    theirs = torchvision.datasets.LFWPairs(str(tmp_path), split="10fold", image_set="funneled")
    faces, pairs = load_lfw(path)
    assert len(theirs) == len(pairs)
    for k, (one, two, same) in enumerate(theirs):
        np.testing.assert_array_equal(faces[pairs.first[k]][0], np.asarray(one))
        np.testing.assert_array_equal(faces[pairs.second[k]][0], np.asarray(two))
        assert pairs.genuine[k] == same
        if k == len(pairs) - 1:  # it has no end of its own
            break


def test_lists_for_development_are_read_too(lfw, tmp_path):
    path = layouts.write(lfw | LISTS, tmp_path / "lfw")
    (path / "pairsDevTest.txt").write_bytes(layouts.lfw_pairs(1).replace(b"1\t2", b"2", 1))
    listed = read_pairs(path / "pairsDevTest.txt", load_lfw(path)[0])
    assert listed.genuine.tolist() == [True, True, False, False]


def test_lfw_that_is_not_whole(lfw, tmp_path):
    with pytest.warns(UserWarning, match=r"has no pairs\.txt, in it or beside it: the pairs of LFW's protocol"):
        assert len(load_lfw(layouts.write(lfw, tmp_path / "a"))) == 12
    less = {name: data for name, data in lfw.items() if "Safrin_0003" not in name}
    with pytest.raises(FacelabError, match=r"pairs\.txt line 3 names Zach_Safrin_0003, which is not among"):
        load_lfw(layouts.write(less | LISTS, tmp_path / "b"))
    cut = layouts.lfw_pairs()[:-30]
    with pytest.raises(FacelabError, match=r"line 1 promises 8. Get the whole file"):
        load_lfw(layouts.write(lfw | {"pairs.txt": cut[: cut.rindex(b"\n") + 1]}, tmp_path / "c"))
    with pytest.raises(FacelabError, match=r"holds LFW in lfw/ and in lfw_funneled/: give one"):
        load_lfw(layouts.write(lfw | funneled(lfw), tmp_path / "d"))
    with pytest.raises(FacelabError, match=r"pairs\.txt is a web page"):
        load_lfw(layouts.write(lfw | {"pairs.txt": b"<html></html>"}, tmp_path / "e"))
    with pytest.raises(FacelabError, match=r"no picture called NAME/NAME_0001\.jpg"):
        load_lfw(layouts.write({"a/1.jpg": lfw["lfw/Zach_Safrin/Zach_Safrin_0001.jpg"]}, tmp_path / "f"))


def test_xqlfw(orl, lfw, tmp_path):
    path = layouts.write(lfw, tmp_path / "lfw_original_imgs.zip")
    (tmp_path / "xqlfw_pairs.txt").write_bytes(layouts.lfw_pairs())
    faces, pairs = load_lfw(path, "xqlfw", "xqlfw_pairs.txt")
    assert faces.name == "xqlfw"
    assert len(pairs) == 8


@pytest.mark.parametrize("poses", [False, True])
@pytest.mark.parametrize("form", ["x", "x.zip"])
def test_calfw_and_cplfw(poses, form, orl, tmp_path):
    name = "cplfw" if poses else "calfw"
    path = layouts.write(layouts.flat_lfw(orl, poses=poses), tmp_path / form)
    faces, pairs = load_flat_lfw(path, name, f"pairs_{name.upper()}.txt")
    assert faces.identities == PEOPLE
    assert faces[0][0].shape == (250, 250, 3)  # not those that others aligned
    assert pairs.genuine.tolist() == [True] * 8 + [False] * 8  # and not one in ten
    if not poses:
        assert pairs.fold[:8].tolist() == list(range(8))
    files = layouts.flat_lfw(orl, poses=poses)
    del files[f"pairs_{name.upper()}.txt"]
    with pytest.raises(FacelabError, match=rf"has no pairs_{name.upper()}\.txt, in it or beside it"):
        load_flat_lfw(layouts.write(files, tmp_path / "y"), name, f"pairs_{name.upper()}.txt")


@pytest.mark.parametrize("form", ["x", "x.zip"])
def test_cfp_has_one_file_name_in_every_folder(form, orl, tmp_path):
    files = layouts.cfp(orl)
    path = layouts.write(files, tmp_path / form)
    for protocol in ("FF", "FP"):
        faces, pairs = load_cfp(path, protocol)
        assert faces.identities == ["001", "002", "003", "004"]
        assert len(faces) == 20
        named = faces.table["file"].to_numpy()
        for k, (i, j) in enumerate(zip(pairs.first, pairs.second, strict=True)):  # by the lists themselves
            split = f"cfp-dataset/Protocol/Split/{protocol}/{pairs.fold[k] + 1:02d}"
            words = files[f"{split}/{'same' if pairs.genuine[k] else 'diff'}.txt"].decode().strip().split(",")
            for side, (row, word) in enumerate(zip((i, j), words, strict=True)):
                listed = files[f"cfp-dataset/Protocol/Pair_list_{protocol[side]}.txt"].decode().splitlines()
                assert named[row] == f"cfp-dataset/{listed[int(word) - 1].split('../')[1]}"
        assert len(pairs) == 20
        assert np.array_equal(faces.labels[pairs.first] == faces.labels[pairs.second], pairs.genuine)


SPLIT = "cfp-dataset/Protocol/Split/FP/03/same.txt"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({SPLIT: b"99,1\n"}, r"same\.txt line 1 is no pair of listed numbers: 99,1"),
        ({SPLIT: b"1,2,3\n"}, r"same\.txt line 1 is no pair"),
        ({SPLIT: b"1,8\n"}, r"same\.txt line 1 says that .*001/frontal/01.jpg and .* show one person"),
        ({SPLIT: None}, r"holds 19 lists in Protocol/Split/FP/; expected 20"),
        ({"cfp-dataset/Data/Images/002/profile/01.jpg": None}, r"Pair_list_P\.txt line 3 names .*002/profile/01\.jpg"),
        ({"cfp-dataset/Protocol/Pair_list_P.txt": None}, r"no Pair_list_P\.txt"),
        ({"cfp-dataset/Protocol/Pair_list_F.txt": b"1 /etc/passwd\n"}, r"line 1 names /etc/passwd, not \.\./Data"),
    ],
)
def test_damage_to_cfp_is_one_line(change, message, orl, tmp_path):
    files = {name: data for name, data in (layouts.cfp(orl) | change).items() if data is not None}
    with pytest.raises(FacelabError, match=message):
        load_cfp(layouts.write(files, tmp_path / "x"), "FP")


def test_agedb(orl, tmp_path):
    faces = load_agedb(layouts.write(layouts.agedb(orl), tmp_path / "AgeDB.zip"))
    assert faces.identities == ["JohnGielgud", "MariaCallas"]
    assert faces.table["age"].tolist() == [30, 35, 40, 45] * 2
    assert set(faces.table.columns) == {"identity", "file", "age"}
    with pytest.raises(FacelabError, match=r"no picture called NUMBER_NAME_AGE_GENDER\.jpg"):
        load_agedb(layouts.write(layouts.lfw(orl), tmp_path / "x"))


def test_rfw(orl, tmp_path):
    path = layouts.write(layouts.rfw(orl), tmp_path / "rfw.zip")
    faces, pairs = load_rfw(path, "Asian")
    assert faces.identities == ["m.0c7mh2", "m.0c7mh3"]
    assert shown(faces, pairs)[0] == ("m.0c7mh2_0001.jpg", "m.0c7mh2_0002.jpg")
    assert np.bincount(pairs.fold).tolist() == [2] * 10
    with pytest.raises(FacelabError, match=r"holds no Martian_pairs\.txt|no data/Martian"):
        load_rfw(path, "Martian")
