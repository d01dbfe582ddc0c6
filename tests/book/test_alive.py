"""The interactive figures, each on its page of the built book, by keyboard, against Python's numbers."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from torchvision.ops import box_iou

from facelab import losses
from facelab.align import align, similarity, template
from facelab.detect.boxes import nms
from facelab.evaluate import apply_threshold, chance_of_a_false_match, errors_at, false_matches_per_day, pair_scores
from facelab.reports.alive import movable
from facelab.reports.page import Section, write_page

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
STORED = ROOT / "book" / "_static" / "alive"
Open = Callable[..., Any]
# What is wrong with a figure on a phone: cut, too small to touch, letters too small to read.
FAULTS = """figure => {
  const right = figure.getBoundingClientRect().right, faults = [];
  for (const node of figure.querySelectorAll('*')) {
    const box = node.getBoundingClientRect(), name = node.tagName + '.' + node.getAttribute('class');
    if (!box.width || node.closest('.alive-voice, clipPath')) continue;
    if (box.right > right + 1) faults.push(name + ' reaches out of the figure');
    if (node.matches('input, select, button') && box.height < 44) faults.push(name + ' is less than 44 pixels high');
    if (node.matches('text') && box.height < 9) faults.push(name + ' is smaller than 9 pixels');
  }
  return faults;
}"""


def stored(name: str) -> Any:
    """Return the data of a figure, as its page gets them."""
    text = (STORED / f"{name}.data.js").read_text("utf8")
    return json.loads(text.removeprefix(f"alive.data.{name} = ").removesuffix(";\n"))


@pytest.fixture
def figure(browser: Any, html: Path) -> Iterator[Open]:
    """Open a chapter and return its figure, a locator; what every figure must do is checked at the end.

    The window is that of a phone, the network is off. Formulas are left out: they take longest, and have their test.
    """
    from axe_playwright_python.base import AXE_SCRIPT

    context = browser.new_context(viewport={"width": 390, "height": 900}, reduced_motion="reduce", offline=True)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on(
        "request",
        lambda request: None if request.url.startswith(("file:", "data:", "blob:")) else said.append(request.url),
    )
    page.route("**/mathjax/**", lambda route: route.fulfill(body="", content_type="text/javascript"))
    found: list[Any] = []

    def opened(chapter: str, name: str, *, folder: str = "notebooks") -> Any:
        page.goto((html / folder / f"{chapter}.html").as_uri())
        assert not page.evaluate(f"'{name}' in alive.figures"), "it is loaded before it is near"
        shown = page.locator(f".alive[data-figure={name}]")
        shown.scroll_into_view_if_needed()
        page.wait_for_selector(f".alive[data-figure={name}][data-state]", state="attached")
        assert shown.get_attribute("data-state") == "ready", said
        found.append(shown)
        return shown

    yield opened
    (shown,) = found
    assert shown.evaluate(FAULTS) == []
    page.evaluate(AXE_SCRIPT)
    for width, scheme in ((390, "dark"), (1280, "light")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        wrong = shown.evaluate(
            "figure => axe.run(figure, {preload: false, resultTypes: ['violations']}).then((found) => found.violations)"
        )
        assert [(fault["id"], fault["nodes"][0]["html"][:100]) for fault in wrong] == []
    assert said == []
    context.close()


def test_threshold(figure: Open) -> None:
    """FAR, FRR and false matches a day are those that Python counts, wherever the threshold is."""
    shown = figure("12_verification_identification", "threshold")
    sets = stored("threshold")["strangers"]["sets"]

    def numbers() -> dict[str, str]:
        return {node.get_attribute("data-number"): node.inner_text() for node in shown.locator("[data-number]").all()}

    def counted(which: int, k: int) -> tuple[float, float]:
        """FAR and FRR at the threshold k/200."""
        scores, above = sets[which], k - sets[which]["first"]
        return sum(scores["impostor"][above:]) / sum(scores["impostor"]), sum(scores["genuine"][:above]) / sum(
            scores["genuine"]
        )

    def check(which: int, k: int, gallery: int, searches: int) -> float:
        far, frr = counted(which, k)
        said = numbers()
        assert said["far"] == f"{100 * far:.3g} %"
        assert said["frr"] == f"{100 * frr:.3g} %"
        day = false_matches_per_day(far, searches, gallery)
        assert float(said["day"].replace(",", "")) == pytest.approx(day, rel=5e-3)
        chance = chance_of_a_false_match(far, gallery)
        assert float(said["chance"].removesuffix(" %")) == pytest.approx(100 * chance, rel=5e-3)
        return far

    move, people, passing = (shown.locator("input[type=range]").nth(i) for i in range(3))
    k = int(move.input_value())
    assert counted(0, k)[0] <= 0.001 < counted(0, k - 1)[0]
    chosen = check(0, k, 500, 1000)
    move.press("ArrowLeft")
    assert check(0, k - 1, 500, 1000) > chosen
    people.press("ArrowRight")
    passing.press("ArrowLeft")
    check(0, k - 1, 1000, 500)
    shown.locator("select").select_option(label="cross entropy: photographs (ORL)")  # the threshold stays
    assert check(1, k - 1, 1000, 500) > 20 * chosen
    shown.locator("button").press("Enter")
    k = int(move.input_value())
    assert check(1, k, 1000, 500) <= 0.001 < counted(1, k - 1)[0]
    move.press("End")
    assert numbers()["far"] == numbers()["day"] == "not measured"


def test_a_russian_page_has_its_figure_in_russian(figure: Open) -> None:
    shown = figure("00_quickstart", "threshold", folder="book/ru")
    assert shown.get_attribute("lang") == "ru"
    labels = [node.get_attribute("aria-label") for node in shown.locator("[aria-label]").all()]
    said = " ".join([shown.inner_text(), *labels])
    assert "Подвиньте порог" in said
    assert not set(re.findall("[A-Za-z]+", said)) - {"FAR", "FRR", "ROC", "TAR", "N"}
    k = int(shown.locator("input[type=range]").first.input_value())
    assert shown.locator("output").first.inner_text() == f"{k / 200:.3f}".replace(".", ",")


def numbers(shown: Any) -> dict[str, str]:
    """The numbers that a figure shows, with a minus that Python reads."""
    found = {node.get_attribute("data-number"): node.inner_text() for node in shown.locator("[data-number]").all()}
    return {name: text.replace("−", "-") for name, text in found.items()}


# The loss with each margin as the package builds it, and its sliders.
MARGINS: dict[str, tuple[dict[str, float], Callable[[float], Any]]] = {
    "normface": ({}, lambda s: losses.NormFace(500, 2, scale=s)),
    "sphereface": ({"Margin m": 3.1}, lambda s: losses.SphereFace(500, 2, margin=3.1, annealing=(0, 0, 0))),
    "cosface": ({"Margin m": 0.4}, lambda s: losses.CosFace(500, 2, margin=0.4, scale=s)),
    "arcface": ({"Margin m": 0.25}, lambda s: losses.ArcFace(500, 2, margin=0.25, scale=s)),
    "combined": (
        {"m₁": 1.2, "m₂": 0.4, "m₃": 0.1},
        lambda s: losses.CombinedMargin(500, 2, m1=1.2, m2=0.4, m3=0.1, scale=s),
    ),
}


def margin_numbers(loss: Any, scale: float, degrees: float) -> dict[str, float]:
    """Measure one embedding by the package's forward and backward pass, among centres in the plane at these angles."""
    theta, others = np.radians(degrees), np.array(stored("margin")["others"])
    centres = [[np.cos(theta), np.sin(theta)], *zip(others, np.sqrt(1 - others**2), strict=True)]
    loss.centres.data = torch.tensor(centres, dtype=torch.float64)
    x, label = torch.tensor([[scale, 0.0]], dtype=torch.float64), torch.tensor([0])  # SphereFace's scale is its length
    value = loss.eval()(x, label)
    value.backward()
    logit = loss.margin_logits(x, label)[0, 0].item()
    pull = loss.centres.grad[0].numpy() @ [-np.sin(theta), np.cos(theta)]
    return {"psi": logit / scale, "logit": logit, "loss": value.item(), "p": np.exp(-value.item()), "pull": pull}


def test_margin_laboratory(figure: Open) -> None:
    shown = figure("07_arcface_derivation", "margin")
    for name, (sliders, build) in MARGINS.items():
        shown.locator("select").select_option(name)
        for label, value in sliders.items():
            shown.get_by_role("slider", name=label).fill(str(value))
        assert shown.get_by_text("no scale of its own").is_visible() == (name == "sphereface")
        for scale, degrees in ((64, 60), (12, 170)):
            shown.get_by_role("slider", name="Scale s").fill(str(scale))
            shown.get_by_role("slider", name="Angle to the own centre").fill(str(degrees))
            said, expected = numbers(shown), margin_numbers(build(scale), scale, degrees)
            for what, value in expected.items():
                assert float(said[what]) == pytest.approx(
                    value, abs=0.0051 if what in ("loss", "logit", "pull") else 6e-4
                )
        own = build(1.0)  # the band: between the places where ψ(θ) = cos(90° - θ)
        edge = brentq(lambda t, own=own: margin_numbers(own, 1, t)["psi"] - np.sin(np.radians(t)), 0, 90)
        assert float(said["band"].rstrip("°")) == pytest.approx(90 - 2 * edge, abs=0.051)
    shown.locator("select").select_option("arcface")
    shown.get_by_role("slider", name="Margin m").press("ArrowRight")
    assert float(numbers(shown)["band"].rstrip("°")) == pytest.approx(np.degrees(0.55), abs=0.051)
    shown.get_by_role("slider", name="Scale s").fill("64")
    shown.get_by_role("slider", name="Margin m").fill("0.5")
    assert numbers(shown)["sure"] == "up to 48°"  # as the chapter prints for 512 dimensions


def test_landmarks(figure: Open) -> None:
    shown = figure("05_alignment", "landmarks")
    data = stored("landmarks")
    points, target = np.array(data["landmarks"]), template()
    grey = np.frombuffer(base64.b64decode(data["grey"]), np.uint8).reshape(data["height"], data["width"])
    image = np.repeat(grey[:, :, None], 3, axis=2)

    def check() -> float:
        matrix, said = similarity(points, target), numbers(shown)
        left = np.linalg.norm(points @ matrix[:, :2].T + matrix[:, 2] - target, axis=1)
        assert float(said["residual"]) == pytest.approx(left.mean(), abs=0.0051)
        assert float(said["largest"].split()[0]) == pytest.approx(left.max(), abs=0.0051)
        assert float(said["scale"]) == pytest.approx(np.sqrt(np.linalg.det(matrix[:, :2])), abs=6e-4)
        assert float(said["turn"].rstrip("°")) == pytest.approx(np.degrees(np.arctan2(*matrix[1::-1, 0])), abs=0.051)
        chip = shown.locator("canvas").nth(1).evaluate("c => [...c.getContext('2d').getImageData(0, 0, 112, 112).data]")
        difference = np.array(chip).reshape(112, 112, 4)[:, :, :3] - align(image, points).astype(int)
        assert np.abs(difference).max() <= 1
        return left.mean()

    begin = check()
    nose = shown.locator(".alive-handle").nth(2)
    nose.press("ArrowDown")
    nose.press("Shift+ArrowRight")
    points[2] += (5, 1)
    assert check() > begin
    handle, mouse = shown.locator(".alive-handle").nth(4), shown.page.mouse
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    x, y = box["x"] + 22, box["y"] + 22
    mouse.move(x, y)
    mouse.down()
    mouse.move(x + 30, y - 20, steps=2)
    mouse.up()
    pixel = shown.locator("canvas").first.bounding_box()["width"] / data["width"]
    place = [float(number) for number in re.findall(r"[xy] ([\d.]+)", handle.get_attribute("aria-label"))]
    assert place == pytest.approx(points[4] + np.array([30, -20]) / pixel, abs=0.3)
    points[4] = place
    check()
    shown.get_by_role("button", name="Swap").press("Enter")
    points = points[[1, 0, 2, 4, 3]]
    assert check() > 10
    assert "Left and right are swapped" in shown.inner_text()
    shown.get_by_role("button", name="Back").press("Enter")
    points = np.array(data["landmarks"])
    assert check() == begin
    shown.evaluate("""figure => {
      for (const handle of figure.querySelectorAll('.alive-handle')) for (let i = 0; i < 20; i++)
        handle.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowUp', shiftKey: true}));
    }""")
    assert "The points lie on a line" in shown.inner_text()
    assert numbers(shown)["residual"] == "–"
    shown.get_by_role("button", name="Back").press("Enter")


def test_suppression(figure: Open) -> None:
    shown = figure("04_detection", "suppression")
    data = stored("suppression")
    boxes, scores = torch.tensor(data["boxes"]), torch.tensor(data["scores"])

    def check(score: float, iou: float) -> int:
        passed = torch.tensor(data["scores"], dtype=torch.float64) > score
        kept = nms(boxes[passed], scores[passed], torch.zeros(int(passed.sum())), iou)
        said = numbers(shown)
        assert [int(said[name]) for name in ("passed", "kept", "gone")] == [
            int(passed.sum()), len(kept), int(passed.sum()) - len(kept),
        ]  # fmt: skip
        assert shown.locator(".alive-kept").count() == len(kept)
        overlaps = box_iou(torch.tensor(data["faces"]), boxes[passed][kept]) >= 0.5
        assert said["faces"] == ", ".join(str(int(n)) for n in overlaps.sum(dim=1))
        assert int(said["none"]) == int((~overlaps.any(dim=0)).sum())
        return len(kept)

    score, iou = (shown.locator("input[type=range]").nth(i) for i in range(2))
    check(0.9, 0.3)
    score.press("ArrowRight")
    few = check(0.91, 0.3)
    iou.fill("0.7")
    assert check(0.91, 0.7) > 2 * few
    score.press("Home")
    iou.fill("0.3")
    assert check(0.6, 0.3) == 29  # as the chapter prints
    assert shown.locator(".alive-gone").count() == 192 - 29
    shown.get_by_role("button", name="Hide").press("Enter")
    assert shown.locator(".alive-gone").count() == 0


def test_training(figure: Open) -> None:
    shown = figure("08_arcface_training", "training")
    runs = stored("training")["runs"]

    def check(which: int, step: int) -> None:
        run, said = runs[which], numbers(shown)
        own, other = (
            np.frombuffer(base64.b64decode(run[angle]), np.uint8).reshape(-1, run["batch"])[step - 1].astype(float)
            for angle in ("own", "other")
        )
        assert [float(said[name].rstrip("°")) for name in ("own", "other")] == pytest.approx(
            [own.mean(), other.mean()], abs=0.051
        )
        assert said["epoch"] == str((step - 1) // run["epoch"] + 1)
        assert said["right"] == f"{(own < other).sum()} of {run['batch']}"
        margin = run["margin"][step - 1]
        assert said["wide"].split(" ")[0] == (str((own + margin < other).sum()) if margin else "no")

    steps, play = shown.get_by_role("slider"), shown.get_by_role("button")
    check(1, 1)
    steps.press("ArrowRight")
    check(1, 2)
    assert play.inner_text() == "Next epoch"  # as motion is to be reduced
    play.press("Enter")
    check(1, 11)
    shown.locator("select").select_option("2")
    steps.press("End")
    check(2, 72)
    shown.locator("select").select_option("0")
    check(0, 1)
    shown.page.emulate_media(reduced_motion="no-preference")
    play.press("Enter")
    assert play.inner_text() == "Pause"
    shown.page.wait_for_function("steps => steps.valueAsNumber > 3", arg=steps.element_handle())
    play.press("Enter")
    assert play.inner_text() == "Play"
    check(0, int(steps.input_value()))


def test_factors(figure: Open) -> None:
    """Each value shows its own picture, and the cosine that the network gave it."""
    shown = figure("03_synthfaces", "factors")
    data = stored("factors")
    known = {name: row for part in data["factors"].values() for name, row in part.items()}
    menu, move, face = shown.locator("select"), shown.locator("input[type=range]"), shown.locator(".alive-face")
    assert menu.locator("option").all_inner_texts() == list(known)
    for name in ("yaw", "melanin"):
        menu.select_option(name)
        row = known[name]
        places = set()
        move.press("Home")
        for label, cosine in zip(row["labels"], row["cosines"], strict=True):
            assert shown.locator("[data-number=cosine]").inner_text() == f"{cosine:.3f}"
            assert shown.locator("output").inner_text() == label
            assert face.get_attribute("aria-label") == f"A rendered face; {name}: {label}."
            same = "the same person" if cosine >= data["threshold"] else "another person"
            assert shown.locator("small").inner_text().endswith(same)
            places.add(face.evaluate("face => face.style.backgroundPositionX"))
            move.press("ArrowRight")
        assert len(places) == len(row["labels"])
        assert row["file"] in face.evaluate("face => face.style.backgroundImage")


def test_maps(figure: Open) -> None:
    """The point under the pointer is the one that Python finds there; the numbers are those of the map."""
    shown = figure("11_embedding_analysis", "maps")
    data = stored("maps")
    points_of, how, colour = (shown.locator("select").nth(i) for i in range(3))
    chart, about = shown.locator("svg.map"), shown.locator("[data-number=about]")

    def said(which: int) -> str:
        row, column = data["identity"][which], which % data["sheet"]["columns"]
        yaw, melanin = f"{data['yaw'][which]:.0f}".replace("-", "−"), f"{data['melanin'][which]:.2f}"
        return f"{data['names'][row]}, picture {column + 1}: yaw {yaw if yaw != '−0' else '0'}°, melanin {melanin}"

    for space, method in (("ArcFace", "PCA"), ("cross entropy", "UMAP, 15 neighbours"), ("pure noise", "PCA")):
        points_of.select_option(space)
        how.select_option(method)
        now = data["spaces"][space]["maps"][method]
        for name in ("trustworthiness", "continuity"):
            assert shown.locator(f"[data-number={name}]").inner_text() == f"{now[name]:.3f}"
        if space != "pure noise":
            points = np.array(now["points"])
            highest = int(points[:, 1].argmax())  # at the upper edge; below a pointer there
            box = chart.bounding_box()
            chart.click(position={"x": (14 + 0.312 * points[highest, 0]) / 340 * box["width"], "y": 4})
            assert about.inner_text() == said(highest)
            chart.press("ArrowDown")
            moved = about.inner_text()
            assert moved != said(highest)
            assert moved in {said(i) for i in range(len(points))}
    assert about.inner_text() == "A point of noise: nobody, and no group."
    assert not shown.locator(".alive-chip").is_visible()
    points_of.select_option("ArcFace")
    drawn = []
    for way in ("identity", "yaw", "melanin"):
        colour.select_option(way)
        drawn.append(shown.evaluate("figure => figure.querySelectorAll('.dot')[0].style.color"))
    assert len(set(drawn)) == 3


def test_a_report_carries_its_own_scores(browser: Any, tmp_path: Path) -> None:
    """One file, without the network; names that look like HTML stay text; the threshold given is where it begins."""
    scores = pair_scores(np.random.default_rng(0).normal(size=(40, 8)), np.repeat(np.arange(10), 4))
    name = "</script><b>set</b> & 'more'"
    sections = [Section("Pairs & <b>more</b>", "Text.", threshold=movable(scores, name, 0.1, 0.2))]
    write_page(tmp_path / "report.html", name, sections, lead="")
    context = browser.new_context(viewport={"width": 390, "height": 900}, color_scheme="dark", offline=True)
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto((tmp_path / "report.html").as_uri())
    page.wait_for_selector(".alive[data-state=ready]")
    assert not page.locator("main b").count()
    far, frr = errors_at(scores, 0.2, replicates=2)
    numbers = {node.get_attribute("data-number"): node.inner_text() for node in page.locator("[data-number]").all()}
    assert numbers["far"] == f"{100 * far.value:.3g} %"
    assert numbers["frr"] == f"{100 * frr.value:.3g} %"
    page.locator("button").click()
    k = int(page.locator("input[type=range]").first.input_value())
    assert apply_threshold(scores, k / 200).far <= 0.1 < apply_threshold(scores, (k - 1) / 200).far
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert said == []
    context.close()
