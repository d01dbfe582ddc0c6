import tracemalloc

import numpy as np
import pandas as pd
import pytest
from skimage import data

from facelab.align import align, default_landmarks, make_chips, template
from facelab.cli import app
from facelab.data import FaceSet
from facelab.data.images import read_image, write_image
from facelab.errors import FacelabError

FACE = data.astronaut()[20:220, 130:330]
BLANK = np.full((80, 60, 3), 128, np.uint8)


def dots(landmarks: np.ndarray, shape=(200, 220)) -> np.ndarray:
    """A picture with a soft white dot at each point."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    distance = (x[..., None] - landmarks[:, 0]) ** 2 + (y[..., None] - landmarks[:, 1]) ** 2
    return np.repeat((255 * np.exp(-distance / 18).sum(axis=2).clip(0, 1)).astype(np.uint8)[:, :, None], 3, axis=2)


@pytest.mark.parametrize("size", [64, 112, 160, 224])
def test_landmarks_land_on_the_template(size):
    angle = 0.4
    turn = 1.3 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    landmarks = (template(112) - 56) @ turn.T + [100, 105]
    chip = align(dots(landmarks), landmarks, size)[:, :, 0].astype(float)
    assert chip.shape == (size, size)
    for x, y in template(size):
        radius = size // 20
        x0, y0 = round(x) - radius, round(y) - radius
        patch = chip[y0 : y0 + 2 * radius + 1, x0 : x0 + 2 * radius + 1]
        weights = patch / patch.sum()
        ys, xs = np.mgrid[y0 : y0 + 2 * radius + 1, x0 : x0 + 2 * radius + 1]
        assert abs((weights * xs).sum() - x) < 0.5
        assert abs((weights * ys).sum() - y) < 0.5


def test_default_landmarks_cut_the_central_square():
    image = np.random.default_rng(0).integers(0, 256, (150, 112, 3), dtype=np.uint8)
    np.testing.assert_array_equal(align(image, default_landmarks(150, 112)), image[19:131])


@pytest.fixture
def faces():
    return FaceSet("three", [FACE, BLANK, FACE], pd.DataFrame({"identity": ["eileen", "nobody", "eileen"]}))


def test_missing_faces_are_errors_by_default(faces, mtcnn):
    with pytest.raises(FacelabError, match=r"no face found in photograph 1 .*nobody"):
        make_chips(faces, mtcnn)


def test_missing_faces_can_be_skipped(faces, mtcnn):
    chips, report = make_chips(faces, mtcnn, missing="skip")
    assert (report.photographs, report.found, report.missing) == (3, 2, (1,))
    assert chips.identities == ["eileen"]
    assert chips.array().shape == (2, 112, 112, 3)


def test_missing_faces_can_get_the_default_crop_and_are_counted(faces, mtcnn):
    chips, report = make_chips(faces, mtcnn, missing="default", size=64)
    assert (len(chips), report.found, report.missing) == (3, 2, (1,))
    assert chips.table["found"].tolist() == [True, False, True]
    assert (chips[1][0][:60, :60] == 128).all()  # the central square, without its border
    assert np.isnan(chips.table["detection_score"][1])


def test_no_face_at_all_and_wrong_choice_are_errors(faces, mtcnn):
    with pytest.raises(FacelabError, match="in any of 1 photograph"):
        make_chips(faces.select([1]), mtcnn, missing="skip")
    with pytest.raises(FacelabError, match="missing='ignore'"):
        make_chips(faces, mtcnn, missing="ignore")


def test_faces_that_were_found_already_are_taken(faces, mtcnn):
    found = mtcnn.detect([image for image, _ in faces])
    chips, report = make_chips(faces, found, missing="skip")
    expected, expected_report = make_chips(faces, mtcnn, missing="skip")
    np.testing.assert_array_equal(chips.array(), expected.array())
    assert report == expected_report
    with pytest.raises(FacelabError, match="3 photographs, but detections of 2"):
        make_chips(faces, found[:2])


def test_align_command_writes_chips_and_reports_bad_files(tmp_path, capsys):
    write_image(tmp_path / "in" / "eileen" / "a.png", FACE)
    write_image(tmp_path / "in" / "eileen" / "a.bmp", FACE)
    write_image(tmp_path / "in" / "nobody" / "b.png", BLANK)
    (tmp_path / "in" / "eileen" / "bad.jpg").write_bytes(b"no picture")
    with pytest.raises(SystemExit) as stop:
        app(["align", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--size", "96"])
    assert stop.value.code == 1
    out = capsys.readouterr().out
    assert "2 of 3 faces found" in out
    assert "bad.jpg" in out
    table = pd.read_csv(tmp_path / "out" / "chips.csv")
    assert table["chip"].tolist() == ["eileen/a.bmp.png", "eileen/a.png.png"]
    for chip in table["chip"]:
        assert read_image(tmp_path / "out" / chip).shape == (96, 96, 3)


def test_chips_are_held_in_memory_once():
    photographs = FaceSet("blank", [BLANK] * 200, pd.DataFrame({"identity": ["a"] * 200}))
    tracemalloc.start()
    chips, _ = make_chips(photographs, [[]] * 200, missing="default")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(chips) == 200
    assert peak < 1.5 * chips.images.nbytes  # 32 photographs at a time come to it


@pytest.fixture
def group(orl) -> FaceSet:
    """Two photographs: one of three people side by side, the last one the largest; one of a person alone."""
    import cv2

    people = [cv2.resize(orl[row][0], None, fx=scale, fy=scale) for row, scale in ((0, 1.2), (10, 1), (20, 1.5))]
    tall = max(len(image) for image in people)
    row = np.hstack([np.pad(image, ((0, tall - len(image)), (0, 0), (0, 0))) for image in people])
    table = pd.DataFrame({"identity": ["ann", "bob"], "file": ["ann/group.jpg", "bob/alone.jpg"]})
    return FaceSet("group", [row, orl[10][0]], table)


def test_which_face_of_a_group(group, mtcnn):
    found = mtcnn.detect([image for image, _ in group])
    assert [len(faces) for faces in found] == [3, 1]
    taken = {}
    for which in ("largest", "middle", "all"):
        chips, report = make_chips(group, found, which=which, size=64)
        assert (report.found, report.several) == (2, 1)
        taken[which] = [box[0] for box in chips.table["box"]]
    assert taken["all"][:3] == sorted(taken["all"][:3])
    assert taken["middle"] == taken["all"][1:2] + taken["all"][3:]
    assert taken["largest"] == taken["all"][2:]
    assert chips.table["identity"].tolist() == ["", "", "", "bob"]
    assert chips.table["file"].tolist() == ["ann/group.jpg"] * 3 + ["bob/alone.jpg"]
    assert chips.files == ["ann/group.face1.jpg", "ann/group.face2.jpg", "ann/group.face3.jpg", "bob/alone.jpg"]
    assert str(report).endswith("4 chips")
    expected, _ = make_chips(group.select([1]), mtcnn, size=64)
    np.testing.assert_array_equal(chips[3][0], expected[0][0])
    assert not (chips[0][0] == chips[2][0]).all()


def test_align_command_writes_a_chip_of_each_face(group, tmp_path, capsys):
    write_image(tmp_path / "in" / "ann" / "group.png", group[0][0])
    write_image(tmp_path / "in" / "bob" / "alone.png", group[1][0])
    write_image(tmp_path / "in" / "bob" / "lying.png", np.rot90(group[1][0], 2))
    with pytest.raises(SystemExit) as stop, pytest.warns(UserWarning, match="Sort them"):
        app(["align", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--which", "all", "--turns"])
    assert stop.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "3 of 3 faces found, 0 missing, 1 photograph with several, 1 face turned, 5 chips" in said
    table = pd.read_csv(tmp_path / "out" / "chips.csv")
    assert table["chip"].tolist() == [
        "ann/group.face1.png", "ann/group.face2.png", "ann/group.face3.png", "bob/alone.png", "bob/lying.png",
    ]  # fmt: skip
    alone, lying = (read_image(tmp_path / "out" / "bob" / name).astype(int) for name in ("alone.png", "lying.png"))
    assert np.abs(alone - lying).mean() < 1
    with pytest.raises(SystemExit):
        app(["align", str(tmp_path / "in"), "--out", str(tmp_path / "x"), "--detections", str(tmp_path), "--turns"])
    assert "--turns would do nothing" in capsys.readouterr().err
