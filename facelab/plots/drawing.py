"""What a figure becomes: an SVG, the same whenever it is drawn; its twin for a dark page; and one for a phone."""

import base64
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.image import AxesImage

SHARP = 192  # dots an inch of a picture inside: two for each pixel of a page, which has 96
MOST_BYTES = 190_000  # of a figure in a notebook
COARSE = 80  # dots an inch of its picture for programs that show no SVG of a notebook which was not run here
QUALITIES = (90, 80, 70, 60, 45, 30)  # of photographs; the first one with which a figure is small enough
MANY = 150  # points; more of them are smaller as a picture
PHONE = 3.9  # inches: as wide as a phone shows without making letters smaller
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
_SAME = {"svg.hashsalt": "facelab", "svg.fonttype": "path"}  # no font is needed to show it
_NOTHING = dict.fromkeys(("Date", "Creator", "Format", "Type"))


class Drawing(Figure):
    """A figure that a notebook shows as SVG, with its twin for a phone beside it (in the metadata of the output).

    It is stored as a plain picture, too: JupyterLab shows no SVG of a notebook that was run elsewhere, nor does GitHub.
    """

    def _ipython_display_(self) -> None:
        from IPython.display import display

        picture = svg(self)
        phone = narrow(self)
        data = {"image/svg+xml": picture, **_plain(self), "text/plain": repr(self)}
        display(data, metadata={"image/svg+xml": {"narrow": packed(phone)}} if phone else {}, raw=True)


def packed(picture: str) -> str:
    """Return an SVG as a notebook keeps a second one: compressed, in base64."""
    return base64.b64encode(zlib.compress(picture.encode(), 9)).decode()


def unpacked(picture: str) -> str:
    """Return what :func:`packed` was given."""
    return zlib.decompress(base64.b64decode(picture)).decode()


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
    """Return an SVG of the figure as wide as a phone, its panels one below the other.

    None where it is that narrow already, has rows of panels, or pictures: a phone shows it smaller, until it is tapped.
    """
    rows, columns = getattr(figure, "facelab_panels", (1, 1))
    panels = figure.axes
    width, height = figure.get_size_inches()
    if rows != 1 or len(panels) != columns or any(panel.images for panel in panels) or width <= 1.1 * PHONE:
        return None
    across = 2 if columns > 3 and width / columns < 2.4 else 1
    down = -(-columns // across)
    tall = min(height, max(2.9, LINE * max(len(panel.get_yticks()) for panel in panels)))
    with _stacked(figure, panels, down, across), _legends_below(figure):
        try:
            figure.set_size_inches(PHONE, down * tall)
            figure.draw_without_rendering()
            box = figure.get_tightbbox()
            beyond, above = box.x1 - PHONE, box.y1 - down * tall
            if max(beyond, above) > 0:  # a title or a label does not fit
                figure.set_size_inches(PHONE + max(0, beyond + 0.05), down * tall + 2 * max(0, above + 0.05))
            return svg(figure) if PHONE + beyond < min(width, 1.4 * PHONE) else None
        finally:
            figure.set_size_inches(width, height)


@contextmanager
def _stacked(figure: Figure, panels: list[Axes], down: int, across: int) -> Iterator[None]:
    """Panels of a row in a grid, each with the labels that it shared with the first one."""
    places = [panel.get_subplotspec() for panel in panels]
    first = panels[0]
    labelled = [p for p in panels[1:] if not p.get_ylabel() and first.get_shared_y_axes().joined(first, p)]
    ticked = [p for p in labelled if not p.yaxis.get_tick_params().get("labelleft", True)]
    grid = GridSpec(down, across, figure=figure)
    for number, panel in enumerate(panels):
        panel.set_subplotspec(grid[number // across, number % across])
        edge = number % across == 0
        if panel in labelled and edge:
            panel.set_ylabel(first.get_ylabel())
        if panel in ticked and edge:
            panel.tick_params(labelleft=True)
    try:
        yield
    finally:
        for panel, place in zip(panels, places, strict=True):
            panel.set_subplotspec(place)  # type: ignore[arg-type]
        for panel in labelled:
            panel.set_ylabel("")
        for panel in ticked:
            panel.tick_params(labelleft=False)


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
    forms = {}
    for kind in ("png", "jpeg"):
        quality = {"quality": 75} if kind == "jpeg" else None
        figure.savefig(buffer := io.BytesIO(), format=kind, dpi=COARSE, pil_kwargs=quality)
        forms[f"image/{kind}"] = base64.b64encode(buffer.getvalue()).decode()
    return dict([min(forms.items(), key=lambda form: len(form[1]))])


def _encoded(png: str, quality: int) -> str:
    """Return a picture as the smaller of PNG and WebP, which every browser of these years reads."""
    from PIL import Image

    data = base64.b64decode(png)
    Image.open(io.BytesIO(data)).save(webp := io.BytesIO(), format="webp", quality=quality, method=4)
    kind, data = min(("png", data), ("webp", webp.getvalue()), key=lambda form: len(form[1]))
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
