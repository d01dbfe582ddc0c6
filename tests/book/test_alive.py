"""The interactive figures, each on its page of the built book, by keyboard, against Python's numbers."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from facelab.evaluate import chance_of_a_false_match, false_matches_per_day

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

    def opened(chapter: str, name: str) -> Any:
        page.goto((html / "notebooks" / f"{chapter}.html").as_uri())
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
            "figure => axe.run(figure, {resultTypes: ['violations']}).then((found) => found.violations)"
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
