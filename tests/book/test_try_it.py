"""The page that runs the pipeline in the reader's browser: the numbers of Python, no request, errors that help."""

import hashlib
import importlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from facelab.align import align
from facelab.data.images import read_image
from facelab.errors import FacelabError
from facelab.files import read_bytes
from facelab.models import pretrained, shipped_networks

pytest.importorskip("sphinx", reason="the book's tools are not installed: uv sync --extra book")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
IDLE = "#try:not([aria-busy])"
FOUND = """() => facelab.last.faces.map(({box, score, landmarks, chip, embedding}) =>
  ({box, score, landmarks, chip: [...chip], embedding: [...embedding]}))"""


@pytest.fixture(scope="module")
def maker() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "book" / "_ext")
        yield importlib.import_module("browser_page")


@pytest.fixture(scope="module")
def single_file(maker: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of the built book, if FACELAB_BOOK_HTML names one; else made now."""
    if given := os.environ.get("FACELAB_BOOK_HTML"):
        return Path(given).resolve() / "_static" / maker.FOLDER / maker.SINGLE_FILE
    path = tmp_path_factory.mktemp("single") / maker.SINGLE_FILE
    path.write_text(maker.single_file(), "utf8")
    return path


@pytest.fixture(scope="module")
def pictures(maker: ModuleType, group_photo: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ORL, rendered people, six people on a photograph: PNG files, which every decoder gives alike."""
    folder = tmp_path_factory.mktemp("pictures")
    for name, data in maker.pictures().items():
        (folder / name).write_bytes(data)
    small = cv2.resize(group_photo, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    for name, picture in [("photograph.png", read_image(folder / "photograph.jpg")), ("group.png", small)]:
        cv2.imwrite(str(folder / name), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return folder


class Session:
    """The single file, opened with the network off and started by the keyboard."""

    def __init__(self, browser: Any, path: Path) -> None:
        self.context = browser.new_context(
            viewport={"width": 390, "height": 800}, offline=True, permissions=["camera"], accept_downloads=True
        )
        self.page = self.context.new_page()
        self.asked: list[str] = []
        self.said: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("console", lambda message: message.type == "error" and self.said.append(message.text))
        self.page.goto(path.as_uri())

    def start(self) -> None:
        self.page.keyboard.press("Tab")
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector("#try-tool:visible", timeout=60_000)

    def choose(self, path: Path) -> None:
        self.page.set_input_files("#try-file", path)
        self.page.wait_for_selector(IDLE, timeout=60_000)

    def alert(self) -> str:
        return self.page.inner_text("#try-alert") if self.page.is_visible("#try-alert") else ""


@pytest.fixture(scope="module")
def session(browser: Any, single_file: Path) -> Iterator[Session]:
    session = Session(browser, single_file)
    session.start()
    yield session
    session.context.close()


@pytest.mark.parametrize(("name", "faces"), [("orl.png", 6), ("sheet.png", 9), ("photograph.png", 4), ("group.png", 6)])
def test_the_page_gives_the_numbers_of_python(session, pictures, mtcnn, name, faces):
    session.choose(pictures / name)
    assert session.alert() == ""
    there = session.page.evaluate(FOUND)
    picture = read_image(pictures / name)
    here = sorted(mtcnn.detect([picture])[0], key=lambda face: face.box[0] + face.box[2])
    assert len(there) == len(here) == faces
    chips = np.stack([align(picture, face.landmarks) for face in here])
    for field in ("box", "landmarks", "score"):
        expected = [getattr(face, field) for face in here]
        np.testing.assert_allclose([face[field] for face in there], expected, atol=1e-3, err_msg=field)
    off = np.abs(np.array([face["chip"] for face in there]).reshape(chips.shape) - chips.astype(int))
    assert off.max() <= 1  # a grey level, where rounding tips over
    assert (off > 0).mean() < 1e-3
    embeddings = pretrained("synthfaces-arcface", device="cpu")(chips)
    np.testing.assert_allclose([face["embedding"] for face in there], embeddings, atol=1e-3)
    cosines = session.page.evaluate("facelab.last.cosines")
    np.testing.assert_allclose(cosines, embeddings @ embeddings.T, atol=1e-3)


def test_the_decision_is_that_of_the_published_threshold(session, pictures):
    session.choose(pictures / "sheet.png")
    point = shipped_networks()["synthfaces-arcface"]["operating_point"]
    cosines = np.array(session.page.evaluate("facelab.last.cosines"))
    rows = session.page.locator("#try-cosines tbody tr").all_inner_texts()
    said = [re.findall(r"(−?[\d.]+)\s+(same|different)", row) for row in rows]
    for i, row in enumerate(said):
        others = np.delete(cosines[i], i)
        assert [float(value.replace("−", "-")) for value, _ in row] == pytest.approx(others, abs=6e-4)
        assert [word == "same" for _, word in row] == list(others >= point["threshold"])
    text = session.page.inner_text("#try-decision")
    for share, digits in [(point["far"]["low"], 2), (point["far"]["high"], 2), (point["frr"]["value"], 1)]:
        assert f"{100 * share:.{digits}f} %" in text
    assert f"{point['threshold']:.3f}" in text
    assert "has never seen a real person. It decides nothing about one." in session.page.inner_text("#try-result")


def test_the_numbers_can_be_saved(session, pictures):
    session.choose(pictures / "orl.png")
    with session.page.expect_download() as download:
        session.page.click("#try-save")
    saved = json.loads(Path(download.value.path()).read_text("utf8"))
    assert saved["network"]["sha256"] == shipped_networks()["synthfaces-arcface"]["sha256"]
    np.testing.assert_allclose([np.linalg.norm(face["embedding"]) for face in saved["faces"]], 1, atol=1e-5)
    shown = {key: np.array(face[key]) for face in session.page.evaluate(FOUND)[:1] for key in ("box", "embedding")}
    assert all((np.array(saved["faces"][0][key]) == values).all() for key, values in shown.items())


def test_what_cannot_work_is_said(session, tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((200, 300), 128, np.uint8))
    cv2.imwrite(str(tmp_path / "dot.png"), np.zeros((1, 1), np.uint8))
    session.page.click("#try-samples button:has-text('ORL')")
    session.page.wait_for_selector("#try-result:visible")
    session.choose(tmp_path / "notes.txt")
    assert not session.page.is_visible("#try-result"), "the faces of the picture before stand below the alert"
    assert "“notes.txt” is not a picture that this browser can read" in session.alert()
    for name in ("grey.png", "dot.png"):
        session.choose(tmp_path / name)
        assert "No face was found in this picture" in session.alert()
        assert not session.page.is_visible("#try-result")


def test_the_camera_is_asked_for_and_switched_off(session):
    session.page.click("#try-camera")
    session.page.wait_for_selector("#try-take:enabled")
    session.page.click("#try-take")
    session.page.wait_for_selector(IDLE)
    assert "No face was found" in session.alert()  # Chromium's camera for tests shows a clock
    assert session.page.evaluate("document.getElementById('try-video').srcObject") is None
    assert not session.page.is_visible("#try-live")


def test_a_second_press_opens_no_second_camera(session):
    session.page.evaluate("""() => {
      globalThis.opened = [];
      const media = navigator.mediaDevices, open = media.getUserMedia.bind(media);
      media.getUserMedia = async (asked) => {
        const stream = await open(asked);
        opened.push(...stream.getTracks());
        return stream;
      };
      const camera = document.getElementById("try-camera");
      camera.click();
      camera.click();
    }""")
    session.page.wait_for_selector("#try-take:enabled")
    session.page.evaluate("document.getElementById('try-camera').click()")
    session.page.click("#try-close")
    assert session.page.evaluate("opened.map((track) => track.readyState)") == ["ended"]
    assert session.page.evaluate("document.activeElement.id") == "try-camera"


def test_a_picture_chosen_too_early_is_not_dropped_in_silence(session, pictures):
    session.page.evaluate("document.querySelectorAll('#try-samples button').forEach((button) => button.click())")
    assert "Still at work" in session.alert()
    session.page.wait_for_selector(IDLE)
    assert session.page.inner_text("#try-found") == "4 faces found"  # the first one
    assert session.alert() == ""


def test_it_is_accessible_on_a_phone_in_both_schemes(session, pictures):
    axe = pytest.importorskip("axe_playwright_python.base", reason="axe is not installed: uv sync --extra test")
    session.choose(pictures / "orl.png")
    session.page.evaluate(axe.AXE_SCRIPT)
    for width, scheme in [(390, "dark"), (1280, "light")]:
        session.page.set_viewport_size({"width": width, "height": 800})
        session.page.emulate_media(color_scheme=scheme)
        faults = session.page.evaluate("axe.run({resultTypes: ['violations']}).then(({violations}) => violations)")
        assert [(fault["id"], fault["nodes"][0]["html"][:100]) for fault in faults] == []
        assert session.page.evaluate("document.documentElement.scrollWidth") <= width


def test_nothing_left_the_machine_and_nothing_can(session):
    """Looks back on all that the session did above."""
    assert all(url.startswith(("file:", "blob:")) for url in session.asked)
    assert session.said == []
    assert "Requests since the pipeline was loaded: 0." in session.page.inner_text("#try-requests")
    session.page.click("#try-send")
    session.page.wait_for_selector("#try-sent:not(:empty)")
    assert session.page.inner_text("#try-sent") == "The browser refused to send it: rule connect-src."
    assert all("Content Security Policy" in text for text in session.said)


def test_a_browser_without_webassembly_is_told(browser, single_file):
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.add_init_script("delete globalThis.WebAssembly")
    page.goto(single_file.as_uri())
    page.click("#try-start")
    page.wait_for_selector("#try-alert:visible")
    assert "This browser has no WebAssembly" in page.inner_text("#try-alert")
    context.close()


def test_in_the_book_it_is_loaded_when_asked_for(browser, html):
    context = browser.new_context(offline=True)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((html / "book" / "try_it.html").as_uri())
    assert not [url for url in asked if "packed" in url or "ort" in url.rpartition("/")[2]]
    page.click("#try-start")
    page.wait_for_selector("#try-tool:visible", timeout=60_000)
    page.click("#try-samples button:has-text('ORL')")
    page.wait_for_selector(IDLE, timeout=60_000)
    assert page.inner_text("#try-found") == "6 faces found"
    assert "AT&T Laboratories Cambridge" in page.inner_text("#try-caption")
    assert all(url.startswith(("file:", "blob:", "data:")) for url in asked)
    page.click("#try-send")
    page.wait_for_selector("#try-sent:not(:empty)")
    assert page.inner_text("#try-sent") == "The browser refused to send it: rule connect-src."
    context.close()


def test_it_is_small_and_whole(maker, single_file):
    assert single_file.stat().st_size < 20_000_000
    size = sum(map(len, maker.scripts().values()))
    assert f"Load the pipeline ({size / 1e6:.0f} MB)" in single_file.read_text("utf8")
    assert maker.ALONE in single_file.read_text("utf8")


def test_a_runtime_that_is_not_the_published_one_is_refused(maker, tmp_path, monkeypatch):
    monkeypatch.setattr(maker, "HERE", tmp_path)
    (tmp_path / "vendor").mkdir()
    data = bytearray(read_bytes(ROOT / "book/browser/vendor/ort.wasm.min.js.gz"))
    (tmp_path / "vendor" / "ort.wasm.min.js.gz").write_bytes(data[:-20])
    with pytest.raises(FacelabError, match=r"ort\.wasm\.min\.js\.gz is damaged"):
        maker.vendored("ort.wasm.min.js")
    other = maker.gzip.compress(b"var ort;")
    assert hashlib.sha256(b"var ort;").hexdigest() not in maker.VENDORED.values()
    (tmp_path / "vendor" / "ort.wasm.min.js.gz").write_bytes(other)
    with pytest.raises(FacelabError, match="is not the file of onnxruntime-web"):
        maker.vendored("ort.wasm.min.js")
