"""Skin: a two-pigment reflectance model, and the painting of one person's skin into a texture.

Light that leaves skin has crossed the epidermis twice and been absorbed by melanin, and has been scattered back by a
dermis in which haemoglobin absorbs. With optical depths m (melanin) and h (haemoglobin) the reflectance in band c is

    R_c = D_c exp(-m a_c) exp(-h b_c).

The bands are those of an sRGB camera (about 610, 550 and 465 nm). a follows the fall of melanin's absorption with
wavelength, flattened by scattering; b the absorption of blood, weak in red and strong in green and blue (Jacques,
"Optical properties of biological tissues: a review", 2013). D, a and b are chosen so that m from 0.1 to 2 spans the
range of measured skin colours.

The texture wraps around the template head like a cylinder, so a painted freckle stays on its place of the skin in
every pose and expression.
"""

import functools
from dataclasses import dataclass

import numpy as np

from facelab.synth.head import SKIN, HeadModel
from facelab.synth.identity import Identity

DERMIS = np.array([0.84, 0.66, 0.545])  # linear RGB of skin without pigments
MELANIN = np.array([1.05, 1.21, 1.44])
HAEMOGLOBIN = np.array([0.10, 0.95, 0.80])

WIDTH, HEIGHT = 768, 512  # texels around the head and from BOTTOM to TOP: 0.7 mm
TOP, BOTTOM, AXIS_Z = 8.6, 5.4, 0.4  # dm in the template; the cylinder's axis is x = 0, z = AXIS_Z


def reflectance(melanin: np.ndarray | float, haemoglobin: np.ndarray | float) -> np.ndarray:
    """R_c = D_c exp(-m a_c - h b_c): linear RGB reflectance, shape (..., 3)."""
    m, h = np.asarray(melanin)[..., None], np.asarray(haemoglobin)[..., None]
    return DERMIS * np.exp(-m * MELANIN - h * HAEMOGLOBIN)


def hair_colour(eumelanin: float, pheomelanin: float, grey: float) -> np.ndarray:
    """Linear RGB of hair: eumelanin darkens it to brown and black, pheomelanin reddens it, grey hair has neither."""
    pigment = np.array([0.52, 0.41, 0.28]) * np.exp(
        -eumelanin * np.array([1.30, 1.44, 1.52]) - pheomelanin * np.array([0.15, 0.85, 1.5])
    )
    return pigment * (1 - grey) + np.array([0.52, 0.51, 0.49]) * grey


def texture_coordinates(points: np.ndarray) -> np.ndarray:
    """Template positions (..., 3) to (u, v) in [0, 1]: u around the head with the face at 0.5, v from the top down."""
    u = np.arctan2(points[..., 0], points[..., 2] - AXIS_Z) / (2 * np.pi) + 0.5
    v = (TOP - points[..., 1]) / (TOP - BOTTOM)
    return np.stack([u, v], axis=-1)


@dataclass(frozen=True, eq=False)  # compared and hashed as itself, so that it can be a key of caches
class Atlas:
    """The template head unrolled: for each texel where it lies. Arrays have shape (HEIGHT, WIDTH).

    Attributes:
        x, y: template position of the front surface in dm (x as if seen from the front).
        theta: angle around the head, 0 at the nose.
    """

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    theta: np.ndarray


@functools.lru_cache(maxsize=1)
def atlas(model: HeadModel) -> Atlas:
    """Return the unrolled template; computed once."""
    skin = np.unique(model.triangles[model.parts == SKIN])
    points = model.template[skin]
    radius = np.hypot(points[:, 0], points[:, 2] - AXIS_Z)
    # The outermost surface in each cell of a coarse grid, holes filled by a few averaging steps.
    columns, rows = WIDTH // 8, HEIGHT // 8
    uv = texture_coordinates(points)
    inside = (uv[:, 1] > 0) & (uv[:, 1] < 1)
    cells = (
        np.minimum(uv[inside, 1] * rows, rows - 1).astype(int),
        np.minimum(uv[inside, 0] * columns, columns - 1).astype(int),
    )
    grid = np.zeros((rows, columns), np.float32)
    np.maximum.at(grid, cells, radius[inside].astype(np.float32))
    import cv2

    known = (grid > 0).astype(np.float32)
    blurred, weight = cv2.GaussianBlur(grid * known, (0, 0), 2), cv2.GaussianBlur(known, (0, 0), 2)
    grid = np.where(known > 0, grid, blurred / np.maximum(weight, 1e-4))
    r = cv2.resize(cv2.GaussianBlur(grid, (0, 0), 0.8), (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    theta = (np.arange(WIDTH) + 0.5) / WIDTH * 2 * np.pi - np.pi
    y = TOP - (np.arange(HEIGHT) + 0.5) / HEIGHT * (TOP - BOTTOM)
    theta, y = np.meshgrid(theta.astype(np.float32), y.astype(np.float32))
    return Atlas(x=r * np.sin(theta), y=y, z=AXIS_Z + r * np.cos(theta), theta=theta)


def _noise(rng: np.random.Generator, cells: int) -> np.ndarray:
    """Smooth noise with about unit variance, ``cells`` bumps around the head; it wraps."""
    import cv2

    coarse = rng.normal(size=(max(cells * HEIGHT // WIDTH, 2), cells)).astype(np.float32)
    wrapped = np.concatenate([coarse[:, -2:], coarse, coarse[:, :2]], axis=1)
    step = WIDTH / cells
    wide = cv2.resize(wrapped, (round(WIDTH + 4 * step), HEIGHT), interpolation=cv2.INTER_CUBIC)
    start = round(2 * step)
    return wide[:, start : start + WIDTH]


@functools.cache  # the same few for everybody
def _blob(a: Atlas, x: float, y: float, rx: float, ry: float) -> np.ndarray:
    """A soft ellipse on the front of the face, mirrored to both sides if x is not 0."""
    left = np.exp(-(((a.x - x) / rx) ** 2) - ((a.y - y) / ry) ** 2)
    if x == 0:
        return left * (a.z > 0.5)
    return (left + np.exp(-(((a.x + x) / rx) ** 2) - ((a.y - y) / ry) ** 2)) * (a.z > 0.5)


def beard_at(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return soft masks of the moustache, the chin and the whole beard at template positions."""
    ax, theta = np.abs(x), np.abs(np.arctan2(x, z - AXIS_Z))
    front = _step(z - 0.55, 0.06)
    lip_top = 6.80 - 0.35 * ax**1.5
    moustache = _step(lip_top - y, 0.02) * _step(y - (6.67 - 0.30 * ax), 0.02) * _step(0.33 - ax, 0.03)
    mouth = np.exp(-((x / 0.27) ** 4) - ((y - 6.59) / 0.085) ** 4)
    chin = _step(6.55 - y, 0.03) * _step(0.30 - ax, 0.05) * _step(y - 6.0, 0.05)
    line = 6.50 + 0.75 * np.clip(ax - 0.32, 0, None)  # the upper edge over the cheek, rising to the ear
    cheek = _step(line - y, 0.05) * _step(y - 6.02 - 0.12 * ax, 0.06) * _step(1.75 - theta, 0.08)
    full = np.clip(np.maximum(cheek, moustache), 0, 1) * (1 - mouth)
    return moustache * front * (1 - mouth), chin * front * (1 - mouth), full


def beard_region(a: Atlas) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The masks of :func:`beard_at` on the atlas, each (HEIGHT, WIDTH)."""
    return beard_at(a.x, a.y, a.z)


def _step(value: np.ndarray, width: float) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(value / width, -30, 30)))


def scalp(theta: np.ndarray, y: np.ndarray, person: Identity) -> np.ndarray:
    """Where hair grows, in [0, 1]: inside a hairline over forehead, temples and ears, down to the nape.

    Args:
        theta: angle around the template head, 0 at the nose.
        y: height in the template, dm.
    """
    t = np.abs(theta)
    recede = 0.20 * person.hairline
    front = 7.98 - recede * np.exp(-((t / 0.75) ** 2)) + 0.04 * np.cos(t * 6) * np.exp(-((t / 0.9) ** 2))
    line = front - 0.72 * _step(t - 0.97, 0.07)  # down the temple to the sideburn
    line = line + 0.30 * np.exp(-(((t - 1.52) / 0.16) ** 2))  # over the ear
    line = line - 0.62 * _step(t - 1.95, 0.12)  # behind the ear down to the nape
    ragged = 0.012 * np.sin(theta * 23 + person.shape_seed % 7) + 0.008 * np.sin(theta * 61)
    return _step(y - line - ragged, 0.03)


def paint_skin(model: HeadModel, person: Identity) -> np.ndarray:
    """Paint one person's skin, scalp and brows.

    Returns:
        (HEIGHT, WIDTH, 4) uint8: the square roots of linear RGB reflectance, and a height (128 is the mean) whose slope
        tilts the surface: wrinkles and pores.
    """
    import cv2

    a = atlas(model)
    rng = np.random.default_rng(person.seed)
    # Pigments vary over the face: blood in cheeks, nose and ears; melanin around the eyes and over forehead and nose.
    blotch = person.blotches * (0.045 * _noise(rng, 12) + 0.035 * _noise(rng, 37) + 0.03 * _noise(rng, 110))
    h = person.haemoglobin + blotch + 0.16 * rng.uniform(0.4, 1.4) * _blob(a, 0.42, 6.92, 0.24, 0.17)
    h += (
        0.20 * rng.uniform(0.2, 1.3) * _blob(a, 0, 6.90, 0.15, 0.12)
        + 0.05 * _blob(a, 0, 6.35, 0.25, 0.15)
        - 0.05 * _blob(a, 0, 7.8, 0.6, 0.25)
    )
    h += 0.12 * np.exp(-(((np.abs(a.theta) - 1.5) / 0.25) ** 2) - ((a.y - 7.1) / 0.35) ** 2)
    m = person.melanin * (1 + 0.05 * _noise(rng, 9) + 0.05 * _noise(rng, 60) + 0.03 * _noise(rng, 250))
    circles = person.dark_circles * _blob(a, 0.31, 7.17, 0.17, 0.055)
    m += (0.14 + 0.12 * person.melanin) * circles + 0.10 * person.melanin * _blob(a, 0.31, 7.36, 0.20, 0.08)
    h += 0.20 * circles + 0.07 * _blob(a, 0.31, 7.36, 0.18, 0.07)
    m += 0.10 * person.melanin * _blob(a, 0, 6.6, 0.36, 0.22) - 0.05 * person.melanin * _blob(a, 0.4, 7.0, 0.25, 0.2)
    m += _freckles(a, person, rng)
    m += _moles(a, person, rng)
    if person.beard != "none":
        moustache, chin, full = beard_region(a)
        region = {"moustache": moustache, "goatee": np.maximum(moustache, chin)}.get(person.beard, full)
        shadow = (
            {"stubble": 0.42}.get(person.beard, 0.8)
            * person.beard_density
            * (0.35 + 0.25 * person.eumelanin)
            * (1 - 0.6 * person.grey)
        )
        m += region * shadow * (0.8 + 0.45 * np.abs(rng.normal(size=a.x.shape)))
    elif person.femaleness < 0.5:
        m += beard_region(a)[2] * 0.06 * person.eumelanin
    albedo: np.ndarray = reflectance(np.maximum(m, 0.02), np.maximum(h, 0.02)).astype(np.float32)
    albedo = albedo * (1 - 0.10 * _blob(a, 0.31, 7.325, 0.14, 0.02)[..., None] * (0.5 + person.lashes))
    hair = hair_colour(person.eumelanin, person.pheomelanin, person.grey)
    if person.hair_style != "none":
        cover = scalp(a.theta, a.y, person) * (0.72 if person.hair_style == "buzz" else 0.85)
        grain = 0.75 + 0.2 * np.abs(rng.normal(size=a.x.shape))
        albedo += cover[..., None].astype(np.float32) * ((hair * 0.75) * grain[..., None] - albedo)
    elif person.femaleness < 0.5:
        cover = scalp(a.theta, a.y, person) * 0.10 * person.eumelanin * (1 - person.grey)
        albedo *= (1 - cover[..., None] * 0.5).astype(np.float32)
    albedo = _brows(albedo, person, hair, rng)
    pores = 3.0 * _noise(rng, 300) + 2.5 * rng.normal(size=a.x.shape) * (0.6 + 0.4 * person.wrinkles)
    creases = _creases(a, person, rng)
    albedo *= 1 - 0.35 * creases[..., None]  # light that enters a crease seldom comes out
    texture = np.dstack([np.sqrt(np.clip(albedo, 0, 1)) * 255, np.clip(128 + pores - 30 * creases, 0, 255)])
    return np.round(cv2.GaussianBlur(texture, (0, 0), 0.5)).astype(np.uint8)


def _freckles(a: Atlas, person: Identity, rng: np.random.Generator) -> np.ndarray:
    import cv2

    count = int(person.freckles * 420)
    dots = np.zeros(a.x.shape, np.float32)
    for x, y, size, depth in zip(
        rng.normal(0, 0.38, count),
        rng.normal(6.98, 0.22, count),
        rng.uniform(0.5, 1.4, count),
        rng.uniform(0.1, 0.5, count),
        strict=True,
    ):
        _dot(dots, x, y, size, depth)
    return cv2.GaussianBlur(dots, (0, 0), 0.8)


def _moles(a: Atlas, person: Identity, rng: np.random.Generator) -> np.ndarray:
    dots = np.zeros(a.x.shape, np.float32)
    for _ in range(min(int(person.moles * 6), 9)):
        _dot(dots, rng.normal(0, 0.5), rng.uniform(6.2, 7.9), rng.uniform(0.8, 2.2), rng.uniform(0.7, 1.6))
    return dots


def _front_z(x: float | np.ndarray) -> np.ndarray:
    """About where the front of the template's face lies at x, for strokes given in x and y."""
    return 1.50 - 0.62 * np.minimum(np.abs(x), 0.7) ** 1.8


def _pixel(x: np.ndarray | float, y: np.ndarray | float) -> np.ndarray:
    points = np.stack([np.asarray(x), np.asarray(y), _front_z(x)], axis=-1)
    return texture_coordinates(points) * [WIDTH, HEIGHT]


def _dot(image: np.ndarray, x: float, y: float, size: float, value: float) -> None:
    import cv2

    column, row = _pixel(x, y)
    cv2.circle(image, (int(column * 16), int(row * 16)), int(size * 16), float(value), -1, cv2.LINE_AA, 4)


def _brows(albedo: np.ndarray, person: Identity, hair: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Paint both brows hair by hair: rooted along a curve, leaning outwards, upright near the nose."""
    import cv2

    scale = 8  # strokes are drawn into an enlarged window around each brow
    brow = hair_colour(max(person.eumelanin, 0.9) + 0.25, person.pheomelanin, 0.55 * person.grey) * 0.75
    for side in (-1, 1):
        count = int(190 * (0.35 + person.brow_density) * (0.6 + 0.6 * person.brow_thickness))
        t = rng.beta(1.0, 1.15, count)
        length = person.brow_length
        x = 0.115 + 0.40 * length * t
        middle = (
            7.452
            - 0.025 * t
            + 0.03 * person.brow_height
            + 0.065 * person.brow_arch * np.sin(np.pi * np.clip(t, 0, 1) ** 1.35 * 0.92)
        )
        middle += 0.05 * person.brow_tilt * (t - 0.5) - 0.05 * np.clip(t - 0.72, 0, 1)
        half = 0.052 * person.brow_thickness * (1.05 - 0.78 * t**2.2) * (0.75 + 0.25 * np.minimum(t / 0.12, 1))
        y = middle + rng.uniform(-1, 1, count) * half
        lean = np.clip(
            0.35 + 1.0 * t + rng.normal(0, 0.22, count) - 0.5 * (y - middle) / np.maximum(half, 1e-3) * 0.3, -0.2, 1.9
        )
        reach = (0.055 + 0.025 * rng.random(count)) * (0.75 + 0.4 * person.brow_thickness)
        start = _pixel(side * x, y)
        end = _pixel(side * (x + reach * np.sin(lean)), y + reach * np.cos(lean) * 0.55)
        low, high = (
            np.floor(np.minimum(start, end).min(0)).astype(int) - 3,
            np.ceil(np.maximum(start, end).max(0)).astype(int) + 3,
        )
        size = high - low
        layer = np.zeros((size[1] * scale // 2, size[0] * scale // 2), np.float32)
        strength = 0.55 + 0.45 * rng.random(count)
        for p, q, value in zip((start - low) * scale / 2, (end - low) * scale / 2, strength, strict=True):
            cv2.line(
                layer,
                tuple((p * 8).astype(int).tolist()),
                tuple((q * 8).astype(int).tolist()),
                float(value),
                2,
                cv2.LINE_AA,
                3,
            )
        layer = cv2.resize(
            cv2.GaussianBlur(layer, (0, 0), 1.5), (int(size[0]), int(size[1])), interpolation=cv2.INTER_AREA
        )
        cover = np.clip(layer * 1.15, 0, 0.92)[..., None] * (0.45 + 0.5 * person.brow_density)
        window = albedo[low[1] : high[1], low[0] : high[0]]
        window += cover * (np.minimum(brow, window * 0.85) - window)
    return albedo


def _creases(a: Atlas, person: Identity, rng: np.random.Generator) -> np.ndarray:
    """Depth of the wrinkles, 0 to 1, float32 like the atlas: fine lines, and folds beside nose and mouth."""
    import cv2

    fine, folds = (np.zeros(a.x.shape, np.float32) for _ in range(2))
    w = person.wrinkles

    def line(layer: np.ndarray, xs: np.ndarray, ys: np.ndarray, depth: float) -> None:
        points = (_pixel(xs, ys) * 16).astype(np.int32)
        taper = np.sqrt(np.sin(np.pi * (np.arange(len(points) - 1) + 0.5) / (len(points) - 1)))
        for start, end, share in zip(points[:-1].tolist(), points[1:].tolist(), taper.tolist(), strict=True):
            cv2.line(layer, start, end, depth * share, 2, cv2.LINE_AA, 4)

    for k in range(3 + int(w * 2)):  # forehead
        y = 7.60 + 0.075 * k + rng.normal(0, 0.008)
        xs = np.linspace(-0.42, 0.42, 24) * rng.uniform(0.7, 1.0)
        line(fine, xs, y + 0.05 * np.cos(xs * 5) + 0.012 * rng.normal(size=24).cumsum() * 0.4, w * rng.uniform(0.5, 1))
    for side in (-1, 1):
        t = np.linspace(0, 1, 16)
        for k in range(3):  # crow's feet
            line(fine, side * (0.51 + 0.11 * t), 7.30 + (k - 1) * 0.035 * (1 + 1.6 * t) + rng.normal(0, 0.004), 0.8 * w)
        line(fine, side * (0.20 + 0.22 * t), 7.17 - 0.03 * np.sin(np.pi * t), 0.7 * w)  # under the eye
        line(fine, side * (0.045 + 0.01 * t), 7.43 + 0.10 * t, 0.6 * w)  # between the brows
        line(folds, side * (0.17 + 0.20 * t**0.8), 6.90 - 0.33 * t, 0.2 + 0.8 * w)  # from the nose to the mouth
        line(folds, side * (0.29 + 0.02 * t), 6.56 - 0.16 * t, 0.8 * w * w)  # beside the chin
    creases = 1.5 * cv2.GaussianBlur(fine, (0, 0), 1.4) + 2.2 * cv2.GaussianBlur(folds, (0, 0), 3.2)
    return np.minimum(creases, 1)
