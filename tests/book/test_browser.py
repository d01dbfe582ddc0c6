"""The built pages in Chromium with the network off: light and dark, wide and phone."""

from pathlib import Path
from typing import Any

import pytest

WIDTHS = (1280, 390)
SCHEMES = ("light", "dark")
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

    def open(self, path: Path) -> list[str]:
        self.said.clear()
        self.page.goto(path.as_uri())
        self.page.wait_for_function(FINISHED)
        self.page.evaluate(SCROLL_THROUGH)
        return self.said

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.said.append(f"console {kind}: {text}")

    def _request(self, url: str) -> None:
        if not url.startswith(("file:", "data:", "blob:")):
            self.said.append(f"asks the network for {url}")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_pages_offline(browser: Any, html: Path, pages: list[Path], width: int, scheme: str) -> None:
    visit, faults = Visit(browser, width, scheme), {}
    for path in pages:
        said = list(visit.open(path))
        assert visit.page.evaluate("document.documentElement.dataset.theme") == scheme
        found = {fault: where for fault, where in visit.page.evaluate(FAULTS).items() if where}
        if said or found:
            faults[str(path.relative_to(html))] = (said, found)
    visit.context.close()
    assert not faults


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_pages_are_accessible(browser: Any, html: Path, pages: list[Path], width: int, scheme: str) -> None:
    missing = "axe is not installed: uv sync --extra test"
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason=missing).Axe()
    visit, faults = Visit(browser, width, scheme), {}
    for path in pages:
        visit.open(path)
        violations = axe.run(visit.page).response["violations"]
        serious = [(v["id"], v["nodes"][0]["html"][:160]) for v in violations if v["impact"] in ("serious", "critical")]
        if serious:
            faults[str(path.relative_to(html))] = serious
    visit.context.close()
    assert not faults


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
