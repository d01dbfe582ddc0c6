"""Published lists of pairs: LFW's text file, and InsightFace's archives, which are pickles and must not run code."""

import os
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from sklearn.model_selection import KFold

from facelab.data import FaceSet, PairList, load_bin, load_folder, read_pairs
from facelab.data.folder import load_photographs
from facelab.data.pairs import consecutive_folds, identities_of_pairs
from facelab.errors import FacelabError, ImageError

LIST = "2\t1\nAnn_Lee\t1\t2\nAnn_Lee\t1\tBo\t1\nBo\t1\t2\nBo\t2\tAnn_Lee\t2\n"


@pytest.fixture
def people(orl, tmp_path) -> FaceSet:
    for k, name in enumerate(("Ann_Lee", "Bo")):
        (tmp_path / name).mkdir()
        for photo in (1, 2):
            cv2.imwrite(str(tmp_path / name / f"{name}_{photo:04d}.png"), orl[10 * k + photo][0])
    return load_folder(tmp_path)[0]


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_lfw_pairs_are_looked_up_by_name_and_number(people, tmp_path):
    listed = read_pairs(written(tmp_path / "pairs.txt", LIST), people)
    files = people.table["file"].to_numpy()
    shown = [(files[i], files[j]) for i, j in zip(listed.first, listed.second, strict=True)]
    assert shown[0] == ("Ann_Lee/Ann_Lee_0001.png", "Ann_Lee/Ann_Lee_0002.png")
    assert shown[1] == ("Ann_Lee/Ann_Lee_0001.png", "Bo/Bo_0001.png")
    assert shown[3] == ("Bo/Bo_0002.png", "Ann_Lee/Ann_Lee_0002.png")
    assert listed.fold.tolist() == [0, 0, 1, 1]
    assert (people.labels[listed.first] == people.labels[listed.second]).tolist() == [True, False, True, False]


def test_a_list_without_folds_is_one_fold(people, tmp_path):
    listed = read_pairs(written(tmp_path / "p.txt", LIST.replace("2\t1\n", "2\n", 1)), people)
    assert listed.fold.tolist() == [0] * 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1"),
        ("ten folds\n", "line 1"),
        ("0 0\n", "line 1"),
        ("² 300\n", "line 1"),
        ("9" * 5000 + "\n", "line 1"),
        ("a.png 1\nb.png 0\n", "line 1: a.png has no next line that ends in 1"),
        ("a.png 11\nb.png 11\n", "line 1 is no pair"),
        (LIST.replace("Bo\t1\t2", "Bo\tone\t2"), "line 4 is no pair: 'Bo\\\\tone\\\\t2'"),
        (LIST.replace("Bo\t1\t2", "Bo\t1\t7"), "line 4 names Bo_0007, which is not among"),
        ("2 1\nBo 1 2\nBo 1 3\nBo 1 Al 1\nBo 2 Al 2\n", "fold 1, from line 2 on, holds 2 genuine pairs of 2"),
        (LIST.rsplit("Bo", 1)[0].rsplit("\n", 2)[0] + "\n", "2 pairs; line 1 promises 4"),
    ],
)
def test_a_list_that_is_damaged_is_named_by_line(people, tmp_path, text, message):
    with pytest.raises(FacelabError, match=message):
        read_pairs(written(tmp_path / "pairs.txt", text), people)


def test_a_list_that_is_not_there(people, tmp_path):
    with pytest.raises(FacelabError, match=r"cannot read .*nothing\.txt"):
        read_pairs(tmp_path / "nothing.txt", people)


def named(people: FaceSet, listed: PairList) -> list[tuple[str, str]]:
    files = people.table["file"].to_numpy()
    return [(Path(files[i]).stem, Path(files[j]).stem) for i, j in zip(listed.first, listed.second, strict=True)]


PAIRS = [
    ("Ann_Lee_0001", "Ann_Lee_0002"),
    ("Ann_Lee_0001", "Bo_0001"),
    ("Bo_0001", "Bo_0002"),
    ("Bo_0002", "Ann_Lee_0002"),
]
FORMS = {  # the same four pairs as they are published
    "LFW": LIST,
    "LFW, spaces, Windows": "2 1\r\n" + LIST.partition("\n")[2].replace("\t", " ").replace("\n", "\r\n"),
    "RFW": LIST.partition("\n")[2],
    "CPLFW": "".join(f"{a}.png {k}\n{b}.png {k}\n" for (a, b), k in zip(PAIRS, (1, 0, 1, 0), strict=True)),
    "CALFW": "".join(f"{a}.png {k}\n{b}.png {k}\n" for (a, b), k in zip(PAIRS, (1, 0, 2, 0), strict=True)),
    "a b 1": "".join(f"{a}.png {b}.png {k}\n" for (a, b), k in zip(PAIRS, (1, 0, 1, 0), strict=True)),
    "CSV with folders": "".join(
        f"../data/{a[:-5]}/{a}.png,../data/{b[:-5]}/{b}.png,{k}\n"
        for (a, b), k in zip(PAIRS, (1, 0, 1, 0), strict=True)
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_every_published_form_reads_as_the_same_pairs(people, tmp_path, form, encoding):
    (tmp_path / "list.txt").write_bytes(FORMS[form].encode(encoding))
    listed = read_pairs(tmp_path / "list.txt", people)
    assert named(people, listed) == PAIRS
    assert listed.genuine.tolist() == [True, False, True, False]
    says_folds = form == "CALFW" or form.startswith("LFW")
    assert listed.fold.tolist() == ([0, 0, 1, 1] if says_folds else [0, 1, 2, 3])


def test_where_all_genuine_pairs_come_first_each_fold_has_both_kinds(people, tmp_path):
    lines = [f"{a}.png {b}.png {k}\n" for k, (a, b) in ((1, PAIRS[0]), (0, PAIRS[1])) for _ in range(23)]
    listed = read_pairs(written(tmp_path / "list.txt", "".join(lines)), people)
    assert listed.fold.tolist() == consecutive_folds(23).tolist() * 2


def test_calfw_names_the_fold_and_not_only_who_is_alike(people, tmp_path):
    """Its K is 0 for impostors and else the fold, 1 to 10: read as K == 1, nine of ten genuine pairs are impostors."""
    lines = [f"{a}.png {k}\n{b}.png {k}\n" for k in range(1, 11) for a, b in (PAIRS[0], PAIRS[2])]
    lines += [f"{a}.png 0\n{b}.png 0\n" for a, b in (PAIRS[1], PAIRS[3])] * 10
    listed = read_pairs(written(tmp_path / "calfw.txt", "".join(lines)), people)
    assert listed.genuine.tolist() == [True] * 20 + [False] * 20
    assert listed.fold.tolist() == np.repeat(range(10), 2).tolist() * 2


def test_a_flat_folder_gets_its_people_from_the_list(people, tmp_path):
    flat, _ = load_photographs(sorted(people.images.folder.rglob("*.png")))
    assert flat.identities == [""]
    listed = read_pairs(written(tmp_path / "list.txt", FORMS["CPLFW"]), flat)
    found = identities_of_pairs(flat, listed)
    assert found.identities == ["Ann_Lee_0001.png", "Bo_0001.png"]
    assert (found.labels[listed.first] == found.labels[listed.second]).tolist() == listed.genuine.tolist()
    wrong = FORMS["CPLFW"] + "Ann_Lee_0001.png 1\nBo_0001.png 1\n"
    with pytest.raises(FacelabError, match="contradicts itself"):
        identities_of_pairs(flat, read_pairs(written(tmp_path / "wrong.txt", wrong), flat))


def test_a_list_and_a_folder_that_disagree_are_refused(people, tmp_path):
    """One more folder between, and identities were once 'part1' and 'part2': impostors counted as genuine."""
    parts = FaceSet("parts", people.images, people.table.assign(identity="part1"))
    with pytest.raises(FacelabError, match=r"line 3 says that Ann_Lee_0001 and Bo_0001 show two people, but 'parts'"):
        read_pairs(written(tmp_path / "list.txt", LIST), parts)


def test_a_name_that_stands_for_two_files_is_refused(people, tmp_path):
    twice = FaceSet("twice", people.images, people.table.assign(file=[f"{k}/01.png" for k in "abcd"]))
    with pytest.raises(FacelabError, match=r"names 01.png, of which 'twice' has 4: a/01.png and b/01.png"):
        read_pairs(written(tmp_path / "list.txt", "01.png c/01.png 0\n"), twice)
    listed = read_pairs(written(tmp_path / "list.txt", "x/a/01.png c/01 0\n"), twice)
    assert (listed.first.tolist(), listed.second.tolist()) == ([0], [2])


@pytest.mark.parametrize("number", [1, 7, 10, 23, 100, 6003])
def test_folds_are_those_of_scikit_learn(number):
    folds = min(number, 10)
    expected = np.empty(number, int)
    if folds > 1:
        for k, (_, test) in enumerate(KFold(folds).split(np.zeros(number))):
            expected[test] = k
        np.testing.assert_array_equal(consecutive_folds(number, folds), expected)


def archive(orl, same: list, encode=bytes) -> tuple[list, list]:
    files = [encode(cv2.imencode(".jpg", orl[row][0])[1]) for row in (0, 1, 2, 10, 11, 12)]
    return files, same


@pytest.mark.parametrize("protocol", [0, 2, 4, pickle.HIGHEST_PROTOCOL])
@pytest.mark.parametrize("encode", [bytes, np.asarray], ids=["bytes", "arrays"])
def test_an_archive_of_our_own_faces_reads_back(orl, tmp_path, protocol, encode):
    """The layout of lfw.bin: encoded images, two for each pair, and whether each pair is genuine."""
    path = tmp_path / "own.bin"
    path.write_bytes(pickle.dumps(archive(orl, [True, False, np.True_], encode), protocol=protocol))
    faces, listed = load_bin(path, folds=3)
    assert len(faces) == 6
    assert (faces.labels[listed.first] == faces.labels[listed.second]).tolist() == [True, False, True]
    assert listed.fold.tolist() == [0, 1, 2]
    difference = np.abs(faces[3][0].astype(int) - orl[10][0])
    assert difference.mean() < 4  # JPEG
    assert len(faces.identities) == 4


class Evil:
    def __init__(self, path: str):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_pickle_that_wants_to_run_code_is_refused_and_nothing_runs(tmp_path):
    path, made = tmp_path / "evil.bin", tmp_path / "made"
    path.write_bytes(pickle.dumps(([Evil(str(made))], [True])))
    with pytest.raises(FacelabError, match=r"it asks for (posix|nt)\.mkdir"):
        load_bin(path)
    assert not made.exists()


@pytest.mark.parametrize("content", [b"", b"\x80\x04", b"not a pickle", pickle.dumps(([b""], [])), pickle.dumps(7)])
def test_what_is_no_archive_is_said(tmp_path, content):
    path = tmp_path / "x.bin"
    path.write_bytes(content)
    with pytest.raises(FacelabError, match=r"x\.bin"):
        load_bin(path)


def test_a_damaged_image_is_named_when_it_is_needed(tmp_path):
    path = tmp_path / "x.bin"
    path.write_bytes(pickle.dumps(([b"", b"no image"], [True])))
    faces, _ = load_bin(path)
    with pytest.raises(ImageError, match=r"x\.bin: picture 1 cannot be decoded"):
        faces[1]


class Forged:
    """Pickles as what it is told to."""

    def __init__(self, *reduced: object):
        self.reduced = reduced

    def __reduce__(self):
        return self.reduced


def dtype(name: str, *, order: str = "|", parts: tuple = (None, None, None), flags: int = 0) -> Forged:
    return Forged(np.dtype, (name, False, True), (3, order, *parts, -1, -1, flags))


def array(shape: object, kind: object, content: object, fortran: object = False) -> Forged:
    reconstruct = np.zeros(1).__reduce__()[0]
    return Forged(reconstruct, (np.ndarray, (0,), b"b"), (1, shape, kind, fortran, content))


POINTERS = b"AAAAAAAA" * 2
FORGERIES = {
    "objects without their flag": array((2,), dtype("O8"), POINTERS),
    "objects with it": array((2,), dtype("O8", flags=63), POINTERS),
    "a scalar object": Forged(np.bool_(1).__reduce__()[0], (dtype("O8"), POINTERS[:8])),
    "fields of objects": array((1,), dtype("V8", parts=(None, ("a",), {"a": (dtype("O8"), 0)})), POINTERS[:8]),
    "a sub-array": array((1,), dtype("V8", parts=((dtype("u1"), (8,)), None, None)), POINTERS[:8]),
    "text": array((2,), dtype("U2"), POINTERS),
    "more bytes than its shape": array((2,), dtype("u1"), POINTERS),
    "a shape without end": array((1 << 62, 1 << 62), dtype("u1"), b""),
    "no elements, yet a shape without end": array((0, 1 << 62, 1 << 62), dtype("u1"), b""),
    "a shape below zero": array((-1,), dtype("u1"), b""),
    "a shape of text": array("2", dtype("u1"), b"ab"),
    "a type that is text": array((2,), "u1", b"ab"),
    "an order of bytes that is none": array((2,), dtype("u1", order="x"), b"ab"),
    "itself changed": Forged(np.dtype, ("u1", False, True), {"__class__": 1}),
    "a number as picture": 1 << 40,
    "lists of lists": [[[[1] * 9] * 9] * 9] * 9,
}


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize("what", FORGERIES)
def test_a_forged_array_is_refused_and_never_built(orl, tmp_path, what, protocol):
    path, forged = tmp_path / "forged.bin", FORGERIES[what]
    files, labels = archive(orl, [True, False, True])
    for content in (([forged, *files[1:]], labels), (files, forged), (forged, labels), (files, [forged, *labels[1:]])):
        path.write_bytes(pickle.dumps(content, protocol=protocol))
        with pytest.raises(FacelabError, match=r"forged\.bin (is no verification set|holds)"):
            load_bin(path)


@pytest.mark.parametrize("kind", ["u1", "i1", ">u2", "<i8", "b1", "f4"])
def test_labels_and_pictures_as_arrays_of_other_kinds_read_back(orl, tmp_path, kind):
    path = tmp_path / "own.bin"
    files, _ = archive(orl, [])
    same = np.array([1, 0, 1]).astype(kind)
    rows = [np.frombuffer(file, np.uint8) for file in files]
    objects = np.empty(6, object)
    objects[:] = [row.astype(kind) if kind in (">u2", "<i8") else row for row in rows]
    path.write_bytes(pickle.dumps((objects, same), protocol=2))
    faces, listed = load_bin(path)
    assert (faces.labels[listed.first] == faces.labels[listed.second]).tolist() == [True, False, True]
    assert faces.images.data == files


@pytest.mark.parametrize("label", [2, -1, 0.5, float("nan"), "yes", None, b"1", [1]])
def test_a_label_that_is_neither_true_nor_false_is_refused(orl, tmp_path, label):
    path = tmp_path / "x.bin"
    path.write_bytes(pickle.dumps(archive(orl, [True, False, label])))
    with pytest.raises(FacelabError, match="neither true nor false"):
        load_bin(path)


def test_a_small_file_claims_no_memory(tmp_path):
    """A position of 4 billion for one remembered object: the fast machine would make room for twice as many."""
    path = tmp_path / "x.bin"
    path.write_bytes(b"\x80\x02]r\xff\xff\xff\xff]\x86.")
    with pytest.raises(FacelabError, match="holds 0 images"):
        load_bin(path)
    path.write_bytes(b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f" + b"x" * 9)  # bytes without end
    with pytest.raises(FacelabError, match="no verification set"):
        load_bin(path)
