"""What a figure becomes: an SVG, the same whenever it is drawn; its twin for a dark page; and one for a phone."""

import base64
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.image import AxesImage, imsave
from matplotlib.text import Text

SHARP = 192  # dots an inch of a picture inside: two for each pixel of a page, which has 96
MOST_BYTES = 190_000  # of a figure in a notebook
COARSE = 80  # dots an inch of its picture for programs that show no SVG of a notebook which was not run here
QUALITIES = (90, 80, 70, 60, 45, 30)  # of photographs; the first one with which a figure is small enough
MANY = 150  # points; more of them are smaller as a picture
PHONE = 3.9  # inches: a phone 390 pixels wide has 342 for them, so 8 points are still 9 pixels
FACE = 0.65  # inches of the smallest picture there
GAP = 0.05  # inches between pictures
LINE = 0.2  # inches for a row with a name
SHORT = 12  # letters of a legend's entry that leave room for another beside it on a phone

# Ink and paper, and what they are on a dark page; colours of data read on both and stay.
INKS = {
    "#1a1a1a": "#e2e6ea",  # letters, lines that are no data
    "#555555": "#b4bac2",  # letters of less weight
    "#ffffff": "#121212",  # the page of the theme
    "#dddddd": "#3a3f45",  # grid
    "#d9d9d9": "#4a5057",  # what is left of a bar
    "#cccccc": "#5a6068",  # frame of a legend
}
LABEL = ("color", "fontsize", "rotation", "horizontalalignment", "verticalalignment")  # of a label that is repeated
_SAME = {"svg.hashsalt": "facelab", "svg.fonttype": "path"}  # no font is needed to show it
_PHOTOGRAPH = re.compile(r'(?<=")data:image/[^"]+')
_NOTHING = dict.fromkeys(("Date", "Creator", "Format", "Type"))


class Drawing(Figure):
    """A figure that a notebook shows as SVG, with its twin for a phone beside it (in the metadata of the output).

    It is stored as a plain picture, too: JupyterLab shows no SVG of a notebook that was run elsewhere, nor does GitHub.

    Attributes:
        by_row: what belongs together are the panels of a row, not those of a column; see :func:`narrow`.
        phone: what a phone shows instead, of a figure that cannot be made narrow; a diagram with words in boxes, say.
        dark: what a dark page of figures shows instead, of a figure with inks of its own; itself if it fits both.
    """

    by_row = False
    phone: Figure | None = None
    dark: Figure | None = None

    def _ipython_display_(self) -> None:
        from IPython.display import display

        picture = svg(self)
        phone = narrow(self)
        data = {"image/svg+xml": picture, **_plain(self), "text/plain": repr(self)}
        display(data, metadata={"image/svg+xml": {"narrow": packed(phone, picture)}} if phone else {}, raw=True)


def packed(twin: str, picture: str) -> str:
    """Return an SVG as a notebook keeps it beside ``picture``: compressed, in base64.

    A photograph that stands in both is not kept twice: ``"picture:3"`` stands for the one with this number.
    """
    inside = _PHOTOGRAPH.findall(picture)
    numbers = {photograph: f"picture:{number}" for number, photograph in enumerate(inside)}
    text = _PHOTOGRAPH.sub(lambda found: numbers.get(found[0], found[0]), twin)
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def unpacked(twin: str, picture: str) -> str:
    """Return what :func:`packed` was given beside ``picture``."""
    inside = _PHOTOGRAPH.findall(picture)
    text = zlib.decompress(base64.b64decode(twin)).decode()
    return re.sub(r'(?<=")picture:(\d+)(?=")', lambda found: inside[int(found[1])], text)


def svg(figure: Figure, *, most: int = MOST_BYTES) -> str:
    """Return a figure as SVG; letters are drawn as paths, and photographs inside lose quality until it is small enough.

    Args:
        figure: a photograph in it has at most two pixels for each one of the page.
        most: bytes that it should not exceed.
    """
    with rc_context(_SAME), _laid_out(figure), _as_they_are(figure), _many_points(figure):  # type: ignore[arg-type]
        figure.savefig(buffer := io.StringIO(), format="svg", dpi=SHARP, metadata=_NOTHING)
    text = re.sub(r"^.*?(?=<svg)|(?<=>)\s+(?=<)", "", buffer.getvalue(), flags=re.DOTALL)
    text = re.sub(r"\s*\n\s*", " ", text)  # a notebook needs more for each line
    text = text.replace("image-rendering:crisp-edges;image-rendering:pixelated", "")
    text = re.sub(r'(?<= d=")[^"]+|(?<= [xy]=")[^"]+', _rounded, text)
    for quality in QUALITIES:
        small = re.sub(r"data:image/png;base64,([^\"]+)", lambda found, q=quality: _encoded(found[1], q), text)  # type: ignore[misc]
        if len(small) <= most:
            break
    return small


def dark(picture: str) -> str:
    """Return the twin of an SVG of :func:`svg` for a dark page: the colours of ink and paper are exchanged."""
    inked = re.sub(r"(?<=--><g)(?= transform=)", ' style="fill: #1a1a1a"', picture)  # black letters name no colour
    return re.sub(r"#[0-9a-f]{6}(?![\w-])", lambda found: INKS.get(found[0], found[0]), inked)


def narrow(figure: Figure) -> str | None:
    """Return an SVG of the figure as wide as a phone, with letters of the same size; None where it is that narrow.

    Curves stand one panel below the other, or in two columns if the panels are small or have several rows. Of pictures,
    as many stand in a line as can be seen. Columns that find no room follow below, in all rows; where a figure says
    ``by_row``, each row breaks into lines instead. A figure with its own one for a ``phone`` has that.
    """
    if (own := getattr(figure, "phone", None)) is not None:
        return svg(own)
    width, height = figure.get_size_inches()
    panels = panels_of(figure)
    if width <= 1.05 * PHONE or not panels or not all(panel.get_subplotspec() for panel in panels):
        return None
    pictures = [bool(panel.images) for panel in panels]
    try:
        if all(pictures):
            with _laid_out(figure), _legends_below(figure), _broken(figure, _pictures_across(figure)) as lines:
                _place(figure, lines)
                return svg(figure)
        with _legends_below(figure), nullcontext(height) if any(pictures) else _stacked(figure) as tall:
            figure.set_size_inches(PHONE, tall)
            figure.draw_without_rendering()
            box = figure.get_tightbbox()
            beyond, above = box.x1 - PHONE, box.y1 - tall
            if max(beyond, above) > 0:  # a title or a label does not fit
                figure.set_size_inches(PHONE + max(0, beyond + 0.05), tall + 2 * max(0, above + 0.05))
            return svg(figure) if PHONE + beyond < min(width, 1.4 * PHONE) else None
    finally:
        figure.set_size_inches(width, height)


@contextmanager
def _stacked(figure: Figure) -> Iterator[float]:
    """Panels with curves in at most two columns; gives the inches that they are high."""
    rows, columns = grid_of(figure)
    width, height = figure.get_size_inches()
    across = min(columns, 2) if rows > 1 or (columns > 3 and width / columns < 2.4) else 1
    ticks = max(len(panel.get_yticks()) for panel in panels_of(figure))
    with _broken(figure, across) as lines:
        grid = GridSpec(len(lines), across, figure=figure)
        for number, line in enumerate(lines.values()):
            for slot, panel in line.items():
                panel.set_subplotspec(grid[number, slot])
        tall = len(lines) * min(height / rows, max(2.9, LINE * ticks))
        if all(panel.get_aspect() != "auto" for panel in panels_of(figure)):  # no empty bands between them
            figure.set_size_inches(PHONE, tall)
            figure.draw_without_rendering()
            high = max(panel.bbox.height for panel in panels_of(figure)) / figure.dpi
            letters = max(sum(_around(line, across)[2:]) for line in lines.values())
            tall = min(tall, len(lines) * (high + letters + 2 * GAP))
        yield tall


@contextmanager
def _broken(figure: Figure, across: int) -> Iterator[dict[tuple[int, int], dict[int, Axes]]]:
    """Lines of at most so many panels, in order, by block and number; the first panel has the labels of its row."""
    places: dict[Axes, Any] = {panel: panel.get_subplotspec() for panel in panels_of(figure)}
    columns = sorted({place.colspan.start for place in places.values()})
    by_row = getattr(figure, "by_row", False)
    lines: dict[tuple[int, int], dict[int, Axes]] = {}
    heads: dict[int, Axes] = {}  # the first panel of each row
    for panel, place in places.items():
        row, column = place.rowspan.start, columns.index(place.colspan.start)
        heads.setdefault(row, panel)
        block = column // across
        lines.setdefault((row, block) if by_row else (block, row), {})[column % across] = panel
    labelled, ticked = [], []
    for (first, second), line in lines.items():
        head, panel = heads[first if by_row else second], line[min(line)]
        same = (len(heads) > 1 and not by_row) or head.get_shared_y_axes().joined(head, panel)
        if panel is not head and not panel.get_ylabel() and same:
            labelled.append(panel)
            label = head.yaxis.label.properties()
            panel.set_ylabel(label["text"], **{key: label[key] for key in LABEL})
            if not panel.yaxis.get_tick_params().get("labelleft", True):
                ticked.append(panel)
                panel.tick_params(labelleft=True)
                for old, new in zip(head.get_yticklabels(), panel.get_yticklabels(), strict=False):
                    new.set_fontweight(old.get_fontweight())
    try:
        yield dict(sorted(lines.items()))
    finally:
        for panel, place in places.items():
            panel.set_subplotspec(place)
            panel.set_in_layout(True)
        for panel in labelled:
            panel.set_ylabel("")
        for panel in ticked:
            panel.tick_params(labelleft=False)


def panels_of(figure: Figure) -> list[Axes]:
    """The panels in which something is drawn."""
    return [panel for panel in figure.axes if panel.axison or panel.has_data()]


def grid_of(figure: Figure) -> tuple[int, int]:
    """How many rows and columns of panels a figure has."""
    places = [place for panel in panels_of(figure) if (place := panel.get_subplotspec())]
    return len({place.rowspan.start for place in places}), len({place.colspan.start for place in places})


def _pictures_across(figure: Figure) -> int:
    """How many pictures stand side by side on a phone: none narrower than its title, or far smaller than before."""
    figure.draw_without_rendering()  # gives panels the shape of their pictures
    columns = grid_of(figure)[1]
    side = max(panel.get_window_extent().width for panel in panels_of(figure)) / figure.dpi
    texts = [text for text in figure.findobj(Text) if text.get_text() and text.get_ha() == "center"]  # type: ignore[attr-defined]
    title = max((text.get_window_extent().width for text in texts), default=0) / figure.dpi
    left = max(_around({0: panel}, columns)[0] for panel in panels_of(figure))
    most = max(1, int((PHONE - left) / max(FACE, title + GAP, 0.7 * side)))
    return -(-columns // -(-columns // most))


def _place(figure: Figure, blocks: dict[tuple[int, int], dict[int, Axes]]) -> None:
    """Put lines of pictures one below the other, with the room that the letters around each need."""
    lines = list(blocks.values())
    across = 1 + max(max(line) for line in lines)
    shapes = np.array([max(panel.bbox.height / panel.bbox.width for panel in line.values()) for line in lines])
    gaps = GAP * (1 + 2 * np.diff([block for block, _ in blocks], append=len(blocks)).clip(0, 1))
    foot = sum(legend.get_window_extent().height for legend in figure.legends if legend.get_visible()) / figure.dpi
    left, right, above, below = np.zeros((4, len(lines)))
    for _ in range(2):  # what letters need is measured once the pictures have their size
        side = (PHONE - left.max() - right.max() - (across - 1) * GAP) / across
        ends = (above + side * shapes + below + gaps).cumsum()
        height = ends[-1] + foot
        figure.set_size_inches(PHONE, height)
        for line, low, high in zip(lines, height - ends + below + gaps, side * shapes, strict=True):
            for slot, panel in line.items():
                x = left.max() + slot * (side + GAP)
                panel.set_position((x / PHONE, low / height, side / PHONE, high / height))
        figure.draw_without_rendering()
        left, right, above, below = np.array([_around(line, across) for line in lines]).T


def _around(line: dict[int, Axes], across: int) -> list[float]:
    """Inches that letters of a line of panels need: left, right, above and below."""
    beyond = {
        slot: np.subtract(panel.get_tightbbox().extents, panel.bbox.extents) / panel.figure.dpi  # type: ignore[union-attr]
        for slot, panel in line.items()
    }
    below, above = min(box[1] for box in beyond.values()), max(box[3] for box in beyond.values())
    left, right = -beyond.get(0, (0,))[0], beyond.get(across - 1, (0, 0, 0))[2]
    return [max(0, room) for room in (left, right, above, -below)]


@contextmanager
def _legends_below(figure: Figure) -> Iterator[None]:
    """Legends of the figure below its panels, as narrow as their entries allow."""
    wide = list(figure.legends)
    for legend in wide:
        labels = [text.get_text() for text in legend.texts]
        below = figure.legend(  # type: ignore[call-overload]
            legend.legend_handles,
            labels,
            loc="outside lower center",
            ncols=2 if max(map(len, labels)) <= SHORT else 1,
            prop=legend.prop,
            frameon=legend.get_frame_on(),
        )
        for old, new in zip(legend.texts, below.texts, strict=True):
            new.set(parse_math=old.get_parse_math(), color=old.get_color())
        legend.set(visible=False, in_layout=False)
    try:
        yield
    finally:
        for legend in figure.legends[len(wide) :]:
            legend.remove()
        for legend in wide:
            legend.set(visible=True, in_layout=True)


@contextmanager
def _laid_out(figure: Figure) -> Iterator[None]:
    """Everything where the layout puts it; drawing it does not move it again, which takes longer than the drawing."""
    engine = figure.get_layout_engine()
    if engine is not None:
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    try:
        yield
    finally:
        figure.set_layout_engine(engine)


@contextmanager
def _as_they_are(figure: Figure) -> Iterator[None]:
    """Photographs with fewer pixels than would be shown go into the file as they are: a browser enlarges them."""
    few = []
    for picture in figure.findobj(AxesImage):
        values: Any = picture.get_array()
        shown = picture.axes.bbox.width / figure.dpi * SHARP
        if values.ndim == 3 and values.shape[2] == 3 and values.shape[1] <= shown:
            few.append((picture, picture.get_interpolation()))
            picture.set_interpolation("none")
    try:
        yield
    finally:
        for picture, before in few:
            picture.set_interpolation(before)


@contextmanager
def _many_points(figure: Figure) -> Iterator[None]:
    """Clouds of many points as pictures."""
    clouds = [cloud for cloud in figure.findobj(PathCollection) if len(cloud.get_offsets()) > MANY]  # type: ignore[arg-type]
    for cloud in clouds:
        cloud.set_rasterized(True)
    try:
        yield
    finally:
        for cloud in clouds:
            cloud.set_rasterized(False)


def _rounded(found: re.Match[str]) -> str:
    """Numbers to a hundredth of a point, which nobody sees."""
    return re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), found[0])


def _plain(figure: Figure) -> dict[str, str]:
    """Return the smaller of PNG and JPEG, in base64, by its kind."""
    from PIL import Image

    figure.savefig(png := io.BytesIO(), format="png", dpi=COARSE)
    with Image.open(png) as picture:  # it is not laid out and drawn again
        imsave(jpeg := io.BytesIO(), np.asarray(picture), format="jpeg", dpi=COARSE, pil_kwargs={"quality": 75})
    files = {"png": png, "jpeg": jpeg}
    forms = {f"image/{kind}": base64.b64encode(file.getvalue()).decode() for kind, file in files.items()}
    return dict([min(forms.items(), key=lambda form: len(form[1]))])


def _encoded(png: str, quality: int) -> str:
    """Return a picture as the smaller of PNG and WebP, which every browser of these years reads."""
    from PIL import Image

    data = base64.b64decode(png)
    Image.open(io.BytesIO(data)).save(webp := io.BytesIO(), format="webp", quality=quality, method=4)
    kind, data = min(("png", data), ("webp", webp.getvalue()), key=lambda form: len(form[1]))
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
