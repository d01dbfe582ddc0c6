"""IJB, TinyFace, DigiFace-1M and Olivetti: small sets of the same layouts read right, and every fault is one line."""

import io
import os
import pickle
import zlib

import joblib
import layouts
import numpy as np
import pytest

from facelab.data.digiface import load_digiface
from facelab.data.ijb import load_ijb
from facelab.data.olivetti import load_olivetti
from facelab.data.templates import TemplateLists
from facelab.data.tinyface import load_tinyface
from facelab.errors import FacelabError
from facelab.sources import open_faces


@pytest.mark.parametrize("form", ["folder", "IJBC.tar"])
def test_ijb(orl, tmp_path, form):
    with pytest.warns(UserWarning, match="ijb-c: NIST has given out IJB-B and IJB-C no more"):
        opened = open_faces(layouts.write(layouts.ijb(orl), tmp_path / form))
    faces, lists = opened.faces, opened.templates
    assert opened.source.name == "ijb-c"
    assert len(faces) == 30
    assert faces.table["template"].tolist()[:7] == [1, 1, 1, 2, 2, 2, 11]
    assert faces.table["medium"].tolist()[:3] == [100, 101, 101]
    assert faces.table["weight"].tolist()[:2] == pytest.approx([0.9, 0.8])
    np.testing.assert_allclose(faces.table["landmarks"][3][0], [28.5, 48])
    assert faces.identities == [str(700 + k) for k in range(5)]
    assert (len(lists.first), int(lists.genuine.sum())) == (45, 5)
    assert [ids.tolist() for ids, _ in lists.galleries.values()] == [[1, 11], [21, 31, 41]]
    assert lists.probes[1].tolist() == [700, 701, 702, 703, 704]
    assert np.abs(faces[7][0].astype(int) - orl[11][0]).mean() < 5


def change(files: dict[str, bytes], name: str, old: bytes, new: bytes) -> dict[str, bytes]:
    assert old in files[name]
    return files | {name: files[name].replace(old, new, 1)}


MEDIA, POINTS, PAIRS = (f"meta/ijbc_{name}.txt" for name in ("face_tid_mid", "name_5pts_score", "template_pair_label"))
IJB = {
    "a line cut": (MEDIA, b"3.jpg 1 101", b"3.jpg 1", "line 3 holds '3.jpg 1': 2 words, expected 3"),
    "no number": (MEDIA, b"3.jpg 1 101", b"3.jpg x 101", "line 3: 'x' is no whole number"),
    "another order": (POINTS, b"3.jpg", b"33.jpg", "not the same in the same order"),
    "no picture": ("loose_crop/3.jpg", None, None, r"line 3 names 3\.jpg, which is not in"),
    "a pair cut": (PAIRS, b"2 1 1\n", b"2 1\n", r"template_pair_label\.txt line 1 is '2 1'; expected 3 numbers"),
    "a label": (PAIRS, b"11 1 0\n", b"11 1 7\n", "line 2: expected 0 or 1"),
    "no such template": (PAIRS, b"11 1 0\n", b"19 1 0\n", "name template 19, of which"),
    "a contradiction": (PAIRS, b"2 1 1\n", b"2 1 1\n1 2 0\n", "contradict themselves: templates 1 and 2"),
    "no subject": ("meta/ijbc_1N_probe_mixed.csv", b"2,700,", b"2,,", r"probe_mixed\.csv line 2 is '2,,x\.jpg'"),
}


@pytest.mark.parametrize("fault", IJB)
def test_a_fault_of_ijb_is_one_line(orl, tmp_path, fault):
    name, old, new, message = IJB[fault]
    files = layouts.ijb(orl)
    files = change(files, name, old, new) if old else {key: data for key, data in files.items() if key != name}
    with pytest.raises(FacelabError, match=message):
        load_ijb(layouts.write(files, tmp_path / "set"), "ijbc")


@pytest.mark.parametrize("value", [b"nan", b"inf"])
def test_a_score_that_is_no_number_is_named(orl, tmp_path, value):
    files = layouts.ijb(orl)
    line, rest = files[POINTS].split(b"\n", 1)
    files[POINTS] = line.rpartition(b" ")[0] + b" " + value + b"\n" + rest
    with pytest.raises(FacelabError, match=f"5pts_score.txt line 1: '{value.decode()}' is no number"):
        load_ijb(layouts.write(files, tmp_path / "set"), "ijbc")


def test_a_list_that_is_missing_is_named(orl, tmp_path):
    with pytest.raises(FacelabError, match=r"holds no ijbb_face_tid_mid\.txt"):
        load_ijb(layouts.write(layouts.ijb(orl), tmp_path), "ijbb")


def test_templates_that_genuine_pairs_join_are_one_identity():
    first, second = np.array([1, 2, 4, 1]), np.array([2, 3, 5, 4])
    known = TemplateLists(first, second, np.array([True, True, True, False])).identities
    assert known[1] == known[2] == known[3] != known[4] == known[5]


@pytest.mark.parametrize("form", ["tinyface.zip"])
def test_tinyface(orl, tmp_path, form):
    opened = open_faces(layouts.write(layouts.tinyface(orl), tmp_path / form))
    faces, lists = opened.faces, opened.templates
    assert faces.table["split"].value_counts().to_dict() == {"gallery": 8, "probe": 8, "distractor": 4}
    assert faces.table["identity"].tolist()[:3] == ["11", "11", "12"]
    assert set(faces.table["identity"][faces.table["split"] == "distractor"]) == {""}
    ((ids, who),) = lists.galleries.values()
    assert len(ids) == 12
    assert len(set(who[8:])) == 4  # each stranger is another
    assert (who[8:] < 0).all()
    assert lists.probes[1].tolist() == [11, 11, 12, 12, 13, 13, 14, 14]
    assert faces[0][0].shape == (22, 18, 3)


@pytest.mark.parametrize("fault", ["missing", "cut"])
def test_a_fault_of_tinyface_is_one_line(orl, tmp_path, fault):
    files = layouts.tinyface(orl)
    name = "tinyface/Testing_Set/probe_img_ID_pairs.mat"
    if fault == "missing":
        del files["tinyface/Testing_Set/Probe/12_3.jpg"]
    else:
        files[name] = files[name][:200]
    message = r"names 12_3\.jpg, which is not in Probe/" if fault == "missing" else "is no list of TinyFace"
    with pytest.raises(FacelabError, match=message):
        load_tinyface(layouts.write(files, tmp_path / "set"))


def digiface(orl, first: int, pictures: int) -> dict[str, bytes]:
    return {
        f"{first + person}/{k}.png": layouts.jpeg(orl[10 * person + k][0]) for person in (1, 0) for k in range(pictures)
    }


def test_digiface_as_it_comes(orl, tmp_path):
    for first, name, pictures in ((2000, "2000-3999_72", 3), (0, "0-1999_72", 3), (100000, "100000-133332_5", 2)):
        layouts.write(digiface(orl, first, pictures), tmp_path / f"subjects_{name}_imgs.zip")
    faces = open_faces(tmp_path).faces
    assert faces.identities == ["000000", "000001", "002000", "002001", "100000", "100001"]
    assert faces.table["file"].tolist()[:4] == ["0/0.png", "0/1.png", "0/2.png", "1/0.png"]
    assert len(faces) == 16
    for row, source in ((0, 0), (5, 12), (8, 2), (15, 11)):
        assert np.abs(faces[row][0].astype(int) - orl[source][0]).mean() < 5
    assert len(load_digiface(tmp_path / "subjects_0-1999_72_imgs.zip")) == 6
    assert len(pickle.loads(pickle.dumps(faces))[15][0]) == 112
    layouts.write(digiface(orl, 5000, 1), tmp_path / "subjects_4000-4999_72_imgs.zip")
    with pytest.raises(FacelabError, match=r"holds person 500[01], whom its name does not promise"):
        load_digiface(tmp_path)


def test_digiface_twice_and_elsewhere(orl, tmp_path):
    layouts.write(digiface(orl, 0, 1), tmp_path / "subjects_0-1999_72_imgs.zip")
    layouts.write(digiface(orl, 0, 1), tmp_path / "subjects_0-1999_72_imgs")
    with pytest.raises(FacelabError, match=r"both hold person [01]: is one there twice"):
        load_digiface(tmp_path)
    layouts.write({"ann/1.png": b""}, tmp_path / "other" / "subjects_0-1_5_imgs")
    with pytest.raises(FacelabError, match="does not lie in a folder with the number of a person"):
        load_digiface(tmp_path / "other")


@pytest.fixture(scope="module")
def kept(orl) -> bytes:
    return layouts.olivetti(orl)


@pytest.mark.parametrize("packed", [True, False])
def test_olivetti_as_scikit_learn_keeps_it(orl, kept, tmp_path, packed, monkeypatch):
    monkeypatch.setattr(joblib, "load", None)  # it would run what a file asks for
    (tmp_path / "olivetti_py3.pkz").write_bytes(kept if packed else zlib.decompress(kept))
    faces = open_faces(tmp_path).faces
    assert len(faces) == 400
    assert len(faces.identities) == 40
    image, label = faces[123]
    assert faces.identities[label] == "s13"
    assert image.shape == (64, 64, 3)
    import cv2

    expected = cv2.resize(orl[123][0], (64, 64), interpolation=cv2.INTER_AREA).astype(int)
    assert np.corrcoef(image.ravel(), expected.ravel())[0, 1] > 0.999  # upright, scaled as scikit-learn does


def test_scikit_learn_sees_the_same(orl, kept, tmp_path):
    from sklearn.datasets import fetch_olivetti_faces

    (tmp_path / "olivetti_py3.pkz").write_bytes(kept)
    theirs = fetch_olivetti_faces(data_home=tmp_path, download_if_missing=False)
    ours = load_olivetti(tmp_path)
    np.testing.assert_array_equal(ours.images[..., 0], np.round(theirs.images * 255).astype(np.uint8))
    np.testing.assert_array_equal(ours.labels, theirs.target)


class Evil:
    def __init__(self, path: str):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def joblib_bytes(value: object) -> bytes:
    data = io.BytesIO()
    joblib.dump(value, data, compress=3)
    return data.getvalue()


HOSTILE = {
    "code": (lambda made: joblib_bytes(Evil(made)), r"it asks for (posix|nt)\.mkdir"),
    "code among arrays": (lambda made: joblib_bytes([np.zeros(3), Evil(made)]), r"it asks for (posix|nt)\.mkdir"),
    "a name with a line end": (lambda made: b"\x80\x04\x8c\x03a\nb\x8c\x01c\x93.", r"it asks for a\\nb\.c"),
    "objects": (lambda made: joblib_bytes(np.array([Evil(made), 1], object)), r"mkdir|array of objects"),
    "another shape": (lambda made: joblib_bytes(np.zeros((4, 5))), r"array of shape \(4, 5\) and type float64"),
    "no array": (lambda made: joblib_bytes([1, 2]), "something else than an array"),
    "a bomb": (lambda made: zlib.compress(bytes(20 << 20), 1), "cut short, or too large"),
    "cut": (lambda made: joblib_bytes(np.zeros((400, 4096), np.uint8))[:-9], "cut short|damaged"),
    "nothing": (lambda made: b"", "it is damaged"),
    "a page": (lambda made: b"<html>", "is not the file|asks|damaged"),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_or_damaged_pickle_is_refused_and_nothing_runs(tmp_path, what):
    write, message = HOSTILE[what]
    (tmp_path / "olivetti_py3.pkz").write_bytes(write(str(tmp_path / "made")))
    with pytest.raises(FacelabError, match=message):
        load_olivetti(tmp_path)
    assert not (tmp_path / "made").exists()
