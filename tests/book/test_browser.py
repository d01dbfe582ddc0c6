"""The built pages in Chromium with the network off: light and dark, wide and phone."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

try:
    from axe_playwright_python.base import AXE_SCRIPT
except ImportError:
    AXE_SCRIPT = None

pytestmark = pytest.mark.slow

WAYS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]
ACCESSIBILITY = Path(__file__).with_name("accessibility.js").read_text("utf8")
FINISHED = "document.documentElement.dataset.settled"  # set by the book's own script when formulas stand
FAULTS = """() => {
  const name = node => node.tagName.toLowerCase() + '.' + node.className;
  const formulas = [...document.querySelectorAll('.math')];
  const errors = document.querySelectorAll('mjx-merror, [data-mjx-error]');
  const pictures = [...document.images].filter(picture => picture.getClientRects().length);
  const icons = [6, 7].some(version => document.fonts.check(`900 16px "Font Awesome ${version} Free"`));
  const shown = '.cell_output :is(pre, figure, table, .output, .text_html, .pst-scrollable-table-container)';
  const cut = [...document.querySelectorAll(shown)].filter(node => node.clientWidth)
    .filter(n => n.scrollWidth > n.clientWidth + 1 || n.getBoundingClientRect().right > window.innerWidth + 1);
  const wide = document.documentElement.scrollWidth > window.innerWidth;
  return {
    'formula not rendered': formulas.filter(node => !node.querySelector('mjx-container svg')).map(n => n.textContent),
    'formula with an error': [...errors].map(node => node.textContent),
    'picture not loaded': pictures.filter(picture => !picture.naturalWidth).map(picture => picture.src),
    'wider than the window': wide ? [...document.querySelectorAll('main *')]
      .filter(node => node.getBoundingClientRect().right > window.innerWidth + 1).slice(0, 5).map(name) : [],
    'output that is cut': cut.slice(0, 5).map(node => `${name(node)}: ${node.innerText.slice(0, 60)}`),
    'icon font missing': icons ? [] : ['Font Awesome'],
  };
}"""
SCROLL_THROUGH = """async () => {
  await new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)));  // in the new window
  for (const change of document.getAnimations()) change.finish();  // of the colours
  for (const picture of document.images) picture.loading = 'eager';
  await Promise.all([...document.images].filter(i => i.getClientRects().length && !i.complete)
    .map(i => new Promise(done => { i.onload = i.onerror = done; })));
  // The theme lets the keyboard into code that is too wide a moment after the window changed: wait for it, 2 s at most.
  const shut = () => [...document.querySelectorAll('pre[tabindex="-1"]')].some(p => p.scrollWidth > p.clientWidth);
  for (let waits = 0; waits < 40 && shut(); waits++) await new Promise(done => setTimeout(done, 50));
}"""


class Visit:
    """Pages opened with the network off, one after the other (a browser starts anew for each visit), with all that went
    wrong on the way.

    Attributes:
        said: what the page complained of since it was opened.
        good: the kinds of text whose contrast is good, as seen on the pages before; see accessibility.js.
    """

    def __init__(self, browser: Any, width: int, scheme: str) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.good: set[str] = set()
        self.page.on("console", lambda message: self._note(message.type, message.text))
        self.page.on("pageerror", lambda error: self.said.append(f"script error: {error}"))
        self.page.on("request", lambda request: self._request(request.url))

    def open(self, path: Path) -> None:
        self.said.clear()
        self.page.goto(path.as_uri())
        self.page.wait_for_function(FINISHED)

    def turn_to(self, width: int, scheme: str) -> None:
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.emulate_media(color_scheme=scheme)

    def look(self, width: int, scheme: str) -> None:
        """See the open page in another window, in another colour scheme, down to its end."""
        self.turn_to(width, scheme)
        self.page.evaluate(SCROLL_THROUGH)
        assert self.page.evaluate("document.documentElement.dataset.theme") == scheme

    def serious_faults(self) -> list[list[str]]:
        """What axe finds in the page as it is seen now: the rule, and an element that breaks it."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE_SCRIPT)
            self.page.evaluate(ACCESSIBILITY, sorted(self.good))
        faults, good = self.page.evaluate("seriousFaults()")
        self.good |= set(good)
        return faults

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
    found = {way: Faults({}, {}) for way in WAYS}
    visit = Visit(browser, *WAYS[0])
    for number, path in enumerate(pages):
        name, first = str(path.relative_to(html)), number % len(WAYS)
        visit.turn_to(*WAYS[first])
        visit.open(path)
        for way in WAYS[first:] + WAYS[:first]:
            visit.look(*way)
            wrong = {fault: where for fault, where in visit.page.evaluate(FAULTS).items() if where}
            if visit.said or wrong:
                found[way].shown[name] = (list(visit.said), wrong)
            if AXE_SCRIPT and (serious := visit.serious_faults()):
                found[way].accessible[name] = serious
            visit.said.clear()
    visit.context.close()
    return found


@pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way[0]}-{way[1]}")
def test_pages_offline(faults: dict[tuple[int, str], Faults], way: tuple[int, str]) -> None:
    assert not faults[way].shown


@pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way[0]}-{way[1]}")
def test_pages_are_accessible(faults: dict[tuple[int, str], Faults], way: tuple[int, str]) -> None:
    if not AXE_SCRIPT:
        pytest.skip("axe is not installed: uv sync --extra test")
    assert not faults[way].accessible


# Faults that can be seen in some ways only, each among sound things of the same kind.
FAULTY = """<!doctype html><html lang="en" data-settled="yes"><head><title>Faults</title><style>
  body { background: white; color: black; } .stage { position: relative; } .under { position: absolute; inset: 0; }
  .box { height: 3em; } .nowhere { display: none; } a { color: inherit; }
  @media (prefers-color-scheme: dark) {
    body { background: black; color: white; } .dim { color: #444; } .night { display: inline; } .day { display: none; }
    .bare { text-decoration: none; color: #ddd; }
  }
  @media (prefers-color-scheme: light) { .pit { background: #333; } }
  @media (max-width: 600px) { .pale { opacity: 0.4; } .box { overflow: auto; } .wide { display: none; } }
</style><script>
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const show = () => { document.documentElement.dataset.theme = dark.matches ? "dark" : "light"; };
  dark.onchange = show; show();
</script></head><body><main><h1>Faults</h1>
  <p>sound</p><p class="dim">dark on dark</p><p class="pale">faint on a phone</p>
  <div class="stage"><div class="under"></div><p class="stage">sound</p></div>
  <div class="stage"><div class="under pit"></div><p class="stage">on a box that a neighbour paints</p></div>
  <div class="box"><p>a box that cannot be reached</p><p>and</p><p>that scrolls</p><p>on a phone</p></div>
  <p>A text with a <a href="#a">link</a> that can be seen, and with <a class="bare" href="#b">one</a> that cannot.</p>
  <a href="#c"><img class="day" alt="day" src="data:,"><img class="night nowhere" alt="night" src="data:,"></a>
  <a href="#d"><img class="day" alt="a name by day" src="data:,"><img class="night nowhere" alt="" src="data:,"></a>
  <img class="night nowhere" src="data:,"><button class="wide"></button><p>sound</p>
</main></body></html>"""


def test_each_fault_is_found_in_each_way_in_which_it_shows(browser: Any, tmp_path: Path) -> None:
    """Also on a second page, where sound kinds of text are known, and whatever way is seen first."""
    if not AXE_SCRIPT:
        pytest.skip("axe is not installed: uv sync --extra test")
    (tmp_path / "faulty.html").write_text(FAULTY)
    expected = {way: {} for way in WAYS}
    for width, scheme in WAYS:
        lost = expected[width, scheme]
        lost["color-contrast"] = (scheme == "dark") + (scheme == "light") + (width == 390)
        lost |= {"button-name": 1} if width == 1280 else {"scrollable-region-focusable": 1}
        lost |= {"image-alt": 1, "link-name": 1, "link-in-text-block": 1} if scheme == "dark" else {}
    visit = Visit(browser, *WAYS[0])
    for first in (0, 3):
        visit.turn_to(*WAYS[first])
        visit.open(tmp_path / "faulty.html")
        for way in WAYS[first:] + WAYS[:first]:
            visit.look(*way)
            assert {rule: number for rule, number, _ in visit.serious_faults()} == expected[way]
    visit.context.close()
    assert visit.good


def test_output_that_is_cut_is_found(browser: Any, tmp_path: Path) -> None:
    page = tmp_path / "cut.html"
    page.write_text("""<!doctype html><main><div class="cell_output"><pre>short</pre></div><div class="cell_output">
      <pre style="width: 100px; overflow: auto">a line that is wider than its box, without a wrap</pre></div></main>""")
    visit = Visit(browser, 390, "light")
    visit.page.goto(page.as_uri())
    (cut,) = visit.page.evaluate(FAULTS)["output that is cut"]
    assert cut.startswith("pre.: a line that is wider")
    visit.context.close()


def test_words_of_a_table_stay_whole_on_a_phone_and_stand_left(browser: Any, html: Path) -> None:
    visit = Visit(browser, 390, "light")
    visit.open(html / "notebooks" / "02_faces_and_data.html")
    table = visit.page.locator("table.dataframe", has_text="Creative Commons")
    name = table.get_by_role("rowheader", name="synthfaces")
    visit.page.wait_for_selector("table.dataframe.whole")
    assert (
        name.evaluate("""cell => { const range = document.createRange(); range.selectNodeContents(cell);
      return range.getClientRects().length; }""")
        == 1
    )
    assert name.locator("xpath=../td").evaluate("cell => getComputedStyle(cell).textAlign") == "left"
    numbers = visit.page.locator("table.dataframe", has_text="80% right").locator("td").first
    assert numbers.evaluate("cell => getComputedStyle(cell).textAlign") == "right"
    visit.context.close()


def test_a_figure_opens_large_and_closes_by_keyboard(browser: Any, html: Path) -> None:
    visit = Visit(browser, 390, "dark")
    visit.open(html / "notebooks" / "03_synthfaces.html")
    link = visit.page.locator("a.enlarge:visible").first
    link.focus()
    visit.page.keyboard.press("Enter")
    box = visit.page.locator("dialog.large > div:last-child")
    visit.page.wait_for_function("document.querySelector('dialog.large img').clientWidth >= 700")
    assert box.evaluate("box => box.scrollWidth > box.clientWidth")  # it scrolls
    before = visit.page.locator("dialog.large img").evaluate("picture => picture.clientWidth")
    visit.page.get_by_role("button", name="Larger").click()
    assert visit.page.locator("dialog.large img").evaluate("picture => picture.clientWidth") > 1.3 * before
    visit.page.keyboard.press("Escape")
    visit.page.wait_for_selector("dialog.large", state="detached")
    assert link.evaluate("link => link === document.activeElement")
    assert not visit.said
    visit.context.close()


@pytest.mark.parametrize("way", ["key", "tap"])
def test_a_tile_of_the_page_of_figures_opens_with_its_call(browser: Any, html: Path, way: str) -> None:
    visit = Visit(browser, 390, "light")
    visit.open(html / "book" / "figures.html")
    link = visit.page.get_by_role("link", name="Open roc_curves")
    tile = visit.page.locator("#roc-curves")
    assert not tile.locator("pre:visible").count()
    assert tile.locator("h3 > wbr").count(), "a name breaks behind a _"
    if way == "key":
        link.focus()
        visit.page.keyboard.press("Enter")
    else:
        box = tile.locator("img:visible").bounding_box()
        visit.page.evaluate("y => window.scrollTo(0, y)", box["y"] - 300)
        box = tile.locator("img:visible").bounding_box()
        visit.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    visit.page.wait_for_selector("#roc-curves:target")
    assert tile.locator("pre:visible").first.inner_text().strip() == "plots.roc_curves(data.scores)"
    assert tile.get_by_role("button", name="Copy").first.is_visible()
    assert not visit.page.locator("dialog.large").count()
    light = tile.locator("img:visible").get_attribute("src")
    visit.look(390, "dark")
    assert tile.locator("img:visible").get_attribute("src") == light.replace(".svg", "-dark.svg") != light
    assert not visit.said
    visit.context.close()


def test_search_works_offline(browser: Any, html: Path) -> None:
    visit = Visit(browser, 1280, "light")
    visit.page.goto((html / "search.html").as_uri() + "?q=margin")
    visit.page.wait_for_selector("#search-results li a[href*=notation]", timeout=10_000)  # results come one by one
    assert "notation" in visit.page.inner_html("#search-results")
    assert not visit.said
    visit.context.close()


def test_an_excerpt_of_a_search_shows_formulas_without_tex(browser: Any, html: Path) -> None:
    visit = Visit(browser, 1280, "light")
    visit.open(html / "search.html")
    excerpt = "page => Search.htmlToText(page, null)"
    formula = r'<div role="main"><span class="math">\(\cos\theta_y \ge \frac{1}{2}\)</span></div>'
    assert visit.page.evaluate(excerpt, formula).strip() == "cos θ_y ≥ 1/2"
    notation = (html / "book" / "notation.html").read_text("utf8")
    assert r"\mathbf" in notation
    assert not re.findall(r"\\[(A-Za-z]+", visit.page.evaluate(excerpt, notation))
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
    visit.page.click(".timeline details[open] a")
    visit.page.wait_for_url("**/literature/losses.html#card-adaface")
    assert visit.page.locator("#card-adaface + h3").inner_text().startswith("AdaFace (2022)")
    visit.context.close()


def test_the_cards_of_the_start_page_have_pictures_for_either_theme(browser: Any, html: Path) -> None:
    visit = Visit(browser, 390, "light")
    visit.open(html / "book" / "index.html")
    shown = visit.page.locator(".chapters img:visible")
    light = [picture.get_attribute("src") for picture in shown.all()]
    visit.look(390, "dark")
    dark = [picture.get_attribute("src") for picture in shown.all()]
    assert dark == [picture.replace(".svg", "-dark.svg") for picture in light]
    assert len(dark) == visit.page.locator(".chapters .sd-card").count() > 1
    assert all(picture.evaluate("picture => picture.naturalWidth") for picture in shown.all())
    visit.context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_without_scripts_a_page_is_whole_and_shows_no_button_that_does_nothing(
    browser: Any, html: Path, width: int
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark", java_script_enabled=False, offline=True
    )
    page = context.new_page()
    page.goto((html / "notebooks" / "00_quickstart.html").as_uri())
    assert "JavaScript is switched off" in page.locator(".no-script").inner_text()
    (download,) = page.locator("button:visible").all()
    download.focus()
    assert page.locator(".dropdown-menu a:visible").count() >= 3
    assert page.locator(".bd-sidebar-primary a:visible").count() > 5
    assert not page.locator(".alive:visible, .ink-dark:visible").count()
    page.goto((html / "book" / "index.html").as_uri())
    assert page.locator(".strip img:visible").count() == 5  # of the twins for two themes, one
    page.goto((html / "book" / "try_it.html").as_uri())
    assert "switched off" in page.locator("#try noscript").inner_text()
    assert not page.locator("#try button:visible").count()
    context.close()
