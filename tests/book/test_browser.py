"""The built pages in Chromium with the network off: light and dark, wide and phone."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

pytestmark = pytest.mark.slow

WAYS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]
# From a disk, axe cannot fetch the style sheets a second time: it would say so on the console, for each of them.
AXE = {"resultTypes": ["violations"], "preload": False}
FINISHED = "document.documentElement.dataset.settled"  # set by the book's own script when formulas stand
FAULTS = """() => {
  const name = node => node.tagName.toLowerCase() + '.' + node.className;
  const formulas = [...document.querySelectorAll('.math')];
  const errors = document.querySelectorAll('mjx-merror, [data-mjx-error]');
  const pictures = [...document.images].filter(picture => picture.getClientRects().length);
  const icons = [6, 7].some(version => document.fonts.check(`900 16px "Font Awesome ${version} Free"`));
  const wide = document.documentElement.scrollWidth > window.innerWidth;
  return {
    'formula not rendered': formulas.filter(node => !node.querySelector('mjx-container svg')).map(n => n.textContent),
    'formula with an error': [...errors].map(node => node.textContent),
    'picture not loaded': pictures.filter(picture => !picture.naturalWidth).map(picture => picture.src),
    'wider than the window': wide ? [...document.querySelectorAll('main *')]
      .filter(node => node.getBoundingClientRect().right > window.innerWidth + 1).slice(0, 5).map(name) : [],
    'icon font missing': icons ? [] : ['Font Awesome'],
  };
}"""
SCROLL_THROUGH = """async () => {
  await new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)));  // in the new window
  for (const change of document.getAnimations()) change.finish();  // of the colours
  for (const picture of document.images) picture.loading = 'eager';
  await Promise.all([...document.images].filter(i => i.getClientRects().length && !i.complete)
    .map(i => new Promise(done => { i.onload = i.onerror = done; })));
}"""


class Visit:
    """One page opened with the network off, with all that went wrong on the way."""

    def __init__(self, browser: Any, width: int, scheme: str) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.page.on("console", lambda message: self._note(message.type, message.text))
        self.page.on("pageerror", lambda error: self.said.append(f"script error: {error}"))
        self.page.on("request", lambda request: self._request(request.url))

    def open(self, path: Path) -> None:
        self.said.clear()
        self.page.goto(path.as_uri())
        self.page.wait_for_function(FINISHED)

    def look(self, width: int, scheme: str) -> None:
        """See the open page in another window, in another colour scheme, down to its end."""
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.emulate_media(color_scheme=scheme)
        self.page.evaluate(SCROLL_THROUGH)
        assert self.page.evaluate("document.documentElement.dataset.theme") == scheme

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.said.append(f"console {kind}: {text}")

    def _request(self, url: str) -> None:
        if not url.startswith(("file:", "data:", "blob:")):
            self.said.append(f"asks the network for {url}")


class Faults(NamedTuple):
    """What is wrong with the pages in one way to see them, by page."""

    shown: dict[str, Any]
    accessible: dict[str, Any]


@pytest.fixture(scope="module")
def faults(browser: Any, html: Path, pages: list[Path]) -> dict[tuple[int, str], Faults]:
    """Each page is opened once, every fourth one in the same way; then it is seen in the other three."""
    axe = None
    if find_spec("axe_playwright_python"):
        from axe_playwright_python.sync_playwright import Axe

        axe = Axe()
    found = {way: Faults({}, {}) for way in WAYS}
    for number, path in enumerate(pages):
        name, first = str(path.relative_to(html)), number % len(WAYS)
        visit = Visit(browser, *WAYS[first])
        visit.open(path)
        for way in WAYS[first:] + WAYS[:first]:
            visit.look(*way)
            wrong = {fault: where for fault, where in visit.page.evaluate(FAULTS).items() if where}
            if visit.said or wrong:
                found[way].shown[name] = (list(visit.said), wrong)
            if axe:
                violations = axe.run(visit.page, options=AXE).response["violations"]
                serious = [
                    (v["id"], v["nodes"][0]["html"][:160]) for v in violations if v["impact"] in ("serious", "critical")
                ]
                if serious:
                    found[way].accessible[name] = serious
            visit.said.clear()
        visit.context.close()
    return found


@pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way[0]}-{way[1]}")
def test_pages_offline(faults: dict[tuple[int, str], Faults], way: tuple[int, str]) -> None:
    assert not faults[way].shown


@pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way[0]}-{way[1]}")
def test_pages_are_accessible(faults: dict[tuple[int, str], Faults], way: tuple[int, str]) -> None:
    pytest.importorskip("axe_playwright_python", reason="axe is not installed: uv sync --extra test")
    assert not faults[way].accessible


def test_search_works_offline(browser: Any, html: Path) -> None:
    visit = Visit(browser, 1280, "light")
    visit.page.goto((html / "search.html").as_uri() + "?q=margin")
    visit.page.wait_for_selector("#search-results li a", timeout=10_000)
    assert "notation" in visit.page.inner_html("#search-results")
    assert not visit.said
    visit.context.close()


def test_the_timeline_can_be_filtered_and_opened(browser: Any, html: Path) -> None:
    visit = Visit(browser, 390, "dark")
    visit.open(html / "notebooks" / "01_literature_review.html")
    shown = ".timeline details:visible summary"
    assert visit.page.locator(shown).count() > 40
    visit.page.click(".timeline label:has-text('adaptive margin')")
    assert set(visit.page.locator(shown).all_inner_texts()) >= {"CurricularFace", "MagFace", "AdaFace"}
    assert "ArcFace" not in visit.page.locator(shown).all_inner_texts()
    visit.page.click(".timeline summary:has-text('AdaFace')")
    assert visit.page.locator(".timeline details[open] p:visible").count() == 1
    visit.context.close()
