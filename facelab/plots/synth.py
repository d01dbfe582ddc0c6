"""Figures of SynthFaces: one factor at a time, people by scenes, relatives, and how the attributes are spread."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from facelab.plots.style import BLUE, GREEN, GREY, ORANGE, PINK, SKY, YELLOW, new_figure, show_image, styled

if TYPE_CHECKING:
    from facelab.data.faceset import FaceSet
    from facelab.synth.identity import Identity
    from facelab.synth.render import Picture
    from facelab.synth.scene import Scene

COLUMNS = 7


@styled
def one_factor_at_a_time(seed: int = 12, *, size: int = 112) -> Figure:
    """Vary one rendering parameter per row while all others stay fixed.

    Args:
        seed: of the person and the scene that everything starts from.
        size: pixels of each picture.
    """
    import cv2

    from facelab.synth.dataset import renderer_for
    from facelab.synth.identity import sample_identity
    from facelab.synth.render import ChipFraming
    from facelab.synth.scene import OCCLUDERS, Ranges, expression_actions, sample_scene

    renderer = renderer_for()
    person = sample_identity(renderer.model, seed)
    scene = sample_scene(seed, Ranges.frontal())
    scene = replace(
        scene,
        yaw=0.0,
        pitch=0.0,
        roll=0.0,
        gaze=np.zeros(2),
        actions={},
        noise=0.004,
        blur=0.3,
        motion=0.0,
        resolution=1.0,
    )
    lit = replace(scene, key_strength=3.0, key_softness=0.1, fill_strength=0.0)

    def degrees(values: Sequence[float]) -> list[str]:
        return [f"{round(np.degrees(value)) + 0}°" for value in values]

    def light_from(azimuth: float) -> np.ndarray:
        return np.array([np.sin(azimuth) * 0.9, 0.43, np.cos(azimuth) * 0.9])

    turn = np.linspace(-1.0, 1.0, COLUMNS)
    nod = np.linspace(-0.45, 0.45, COLUMNS)
    azimuths = np.linspace(-1.5, 1.5, COLUMNS)
    softness = np.geomspace(0.01, 0.8, COLUMNS)
    distances = np.geomspace(3.5, 30, COLUMNS)
    expressions = ("neutral", "slight smile", "laugh", "surprise", "frown", "sad", "disgust")
    ages, sexes, fats = np.linspace(0, 1, COLUMNS), np.linspace(0.03, 0.97, COLUMNS), np.linspace(0.05, 0.95, COLUMNS)
    pigments = np.linspace(0.08, 2.0, COLUMNS)
    styles = ("none", "buzz", "short", "side", "curly", "afro", "bob")
    poles = np.linspace(0, 2, COLUMNS)
    blurs = np.linspace(0.3, 4.5, COLUMNS)

    def mixture(t: float) -> np.ndarray:
        return np.array([max(1 - t, 0), 1 - abs(1 - t), max(t - 1, 0)])

    def feature(t: float) -> np.ndarray:
        axes = np.zeros_like(person.axes)
        parts = {
            "nose-scale-horiz": 1.0,
            "nose-scale-vert": 0.8,
            "chin-width": 1.0,
            "chin-height": 0.8,
            "cheek-bones": 0.8,
        }
        for i, name in enumerate(renderer.model.axis_names):
            axes[i] = sum(amount for part, amount in parts.items() if part in name) * t
        return axes

    def moods(name: str) -> dict[str, float]:
        return expression_actions(name, 1.0, np.random.default_rng(1))

    rows: list[tuple[str, list[str], list[tuple[Identity, Scene]]]] = [
        ("yaw", degrees(turn), [(person, replace(scene, yaw=float(v))) for v in turn]),
        ("pitch", degrees(nod), [(person, replace(scene, pitch=float(v))) for v in nod]),
        ("expression", list(expressions), [(person, replace(scene, actions=moods(v))) for v in expressions]),
        ("light from", degrees(azimuths), [(person, replace(lit, key_direction=light_from(v))) for v in azimuths]),
        (
            "light's size",
            [f"{v:.2f}" for v in softness],
            [(person, replace(lit, key_direction=light_from(-0.8), key_softness=float(v))) for v in softness],
        ),
        (
            "distance, dm",
            [f"{v:.0f}" for v in distances],
            [(person, replace(scene, distance=float(v))) for v in distances],
        ),
        ("bone structure", [f"{v:+.1f}" for v in turn], [(replace(person, axes=feature(v)), scene) for v in turn]),
        ("age", [f"{v:.1f}" for v in ages], [(_aged(person, v), scene) for v in ages]),
        (
            "sex-linked shape",
            [f"{v:.1f}" for v in sexes],
            [(replace(person, femaleness=float(v)), scene) for v in sexes],
        ),
        ("weight", [f"{v:.1f}" for v in fats], [(replace(person, weight=float(v)), scene) for v in fats]),
        ("shape mixture", [f"{v:.1f}" for v in poles], [(replace(person, ethnicity=mixture(v)), scene) for v in poles]),
        ("melanin", [f"{v:.1f}" for v in pigments], [(replace(person, melanin=float(v)), scene) for v in pigments]),
        ("hair", list(styles), [(replace(person, hair_style=v, beard="none"), scene) for v in styles]),
        ("occluder", list(OCCLUDERS), [(person, replace(scene, occluder=v)) for v in OCCLUDERS]),
        ("blur, pixels", [f"{v:.1f}" for v in blurs], [(person, replace(scene, blur=float(v))) for v in blurs]),
    ]
    wide, tight = ChipFraming(int(size * 0.75), size // 8), ChipFraming(size)
    whole = {"yaw", "pitch", "distance, dm", "hair", "occluder"}  # rows that need to show more than the face

    def draw(row: str, who: "Identity", how: "Scene") -> np.ndarray:
        how, framing = replace(how, jitter=np.zeros(4)), wide if row in whole else tight
        image = renderer.render(renderer.body(who), [how], size=framing.shape, framing=framing)[0].image
        return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)

    return _grid(
        [[draw(name, who, how) for who, how in cells] for name, _, cells in rows],
        names=[name for name, _, _ in rows],
        labels=[values for _, values, _ in rows],
    )


def _aged(person: "Identity", age: float) -> "Identity":
    """Age changes shape, wrinkles and hair together."""
    return replace(
        person,
        age=float(age),
        wrinkles=float(np.clip(1.2 * (age - 0.05), 0, 1)),
        grey=float(np.clip(1.6 * age - 0.6, 0, 1)),
    )


@styled
def rendered_truth(picture: "Picture") -> Figure:
    """A rendered picture and what is known about it: box and landmarks (hollow where hidden), and the kind of each
    pixel."""
    from facelab.synth.render import KINDS

    figure, axes = new_figure(1, 3, width=7.5, height=2.9)
    show_image(axes[0, 0], picture.image, "picture")
    show_image(axes[0, 1], picture.image, "box and landmarks")
    x0, y0, x1, y1 = picture.box
    axes[0, 1].add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=SKY, linewidth=1.5))
    for points, seen, size in ((picture.dense, picture.dense_visible, 7), (picture.landmarks, picture.visible, 26)):
        for rows, colour in ((seen, YELLOW), (~seen, "none")):
            axes[0, 1].scatter(*points[rows].T, s=size, c=colour, edgecolors="black", linewidths=0.5, zorder=3)
    colours = np.array([to_rgb(c) for c in ("#dddddd", ORANGE, "black", SKY, PINK, BLUE, GREEN)])
    show_image(axes[0, 2], colours[picture.kinds], "what each pixel shows")
    handles = [
        Patch(facecolor=colours[k], edgecolor="grey", label=KINDS[k]) for k in range(len(KINDS)) if k in picture.kinds
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=8)
    return figure


@styled
def people_by_scenes(faces: "FaceSet", *, people: int = 8, scenes: int = 8) -> Figure:
    """One row per identity, one column per picture."""
    chosen = np.unique(np.linspace(0, len(faces.identities) - 1, people).round().astype(int))
    cells = [[faces[int(i)][0] for i in np.flatnonzero(faces.labels == label)[:scenes]] for label in chosen]
    return _grid(cells, names=[faces.identities[label] for label in chosen])


@styled
def relatives(seeds: Sequence[int] = (3, 8, 14, 21), *, size: int = 112) -> Figure:
    """A person, two siblings, two look-alikes and two strangers, all in the same scene: hard and easy impostors."""
    from facelab.synth.dataset import renderer_for
    from facelab.synth.identity import look_alike, sample_identity, sibling
    from facelab.synth.render import ChipFraming
    from facelab.synth.scene import Ranges, sample_scene

    renderer = renderer_for()
    model, framing = renderer.model, ChipFraming(size)
    scene = sample_scene(7, Ranges.frontal())

    def draw(who: "Identity") -> np.ndarray:
        return renderer.render(renderer.body(who), [scene], size=framing.shape, framing=framing)[0].image

    cells = []
    for seed in seeds:
        person = sample_identity(model, seed)
        family = [sibling(model, person, 1000 + seed), sibling(model, person, 2000 + seed)]
        doubles = [look_alike(model, person, 3000 + seed), look_alike(model, person, 4000 + seed)]
        strangers = [sample_identity(model, 5000 + seed), sample_identity(model, 6000 + seed)]
        cells.append([draw(who) for who in (person, *family, *doubles, *strangers)])
    head = ["person", "sibling", "sibling", "look-alike", "look-alike", "stranger", "stranger"]
    return _grid(cells, labels=[head] + [[""] * len(head)] * (len(cells) - 1))


@styled
def attribute_spread(faces: "FaceSet") -> Figure:
    """Histograms of what varies between people (top) and between pictures (bottom)."""
    people = faces.table.drop_duplicates("identity")
    degrees: Callable[[Any], Any] = np.degrees
    panels = [
        (people, "melanin", "melanin (optical depth)", None),
        (people, "age", "age (0 young, 1 old)", None),
        (people, "femaleness", "sex-linked shape (0 male, 1 female)", None),
        (faces.table, "yaw", "yaw in degrees", degrees),
        (faces.table, "light_azimuth", "light's azimuth in degrees", degrees),
        (faces.table, "distance", "camera distance in dm", None),
    ]
    figure, axes = new_figure(2, 3, width=9, height=4.5)
    for ax, (table, column, label, change) in zip(axes.ravel(), panels, strict=True):
        values = table[column].to_numpy()
        ax.hist(values if change is None else change(values), bins=24, color=BLUE)
        ax.set(xlabel=label)
    for row, what in ((0, "people"), (1, "pictures")):
        axes[row, 0].set_ylabel(what)
    return figure


def _grid(
    cells: list[list[np.ndarray]],
    *,
    names: Sequence[str] | None = None,
    labels: Sequence[Sequence[str]] | None = None,
) -> Figure:
    """Pictures in rows; ``names`` at the left of the rows, ``labels`` below the pictures."""
    rows, columns = len(cells), max(len(row) for row in cells)
    size = 1.1  # inches of a picture
    width, height = columns * size + (1.15 if names else 0.05), rows * size * (1.18 if labels else 1.03)
    figure = Figure(figsize=(width, height), dpi=76, facecolor="white")  # small files: a page shows many pictures
    axes = figure.subplots(rows, columns, squeeze=False)
    figure.subplots_adjust(
        left=1.1 / width if names else 0.005,
        right=0.995,
        top=0.997,
        bottom=0.16 / height if labels else 0.003,
        wspace=0.03,
        hspace=0.18 if labels else 0.03,
    )
    for r, row in enumerate(cells):
        for c, ax in enumerate(axes[r]):
            ax.set_axis_off()
            if c < len(row):
                ax.imshow(row[c])
            if labels and c < len(labels[r]):
                ax.text(0.5, -0.03, labels[r][c], transform=ax.transAxes, ha="center", va="top", fontsize=7, color=GREY)
        if names:
            where = axes[r, 0].transAxes
            axes[r, 0].text(-0.06, 0.5, names[r], transform=where, ha="right", va="center", fontsize=8, color=GREY)
    return figure
