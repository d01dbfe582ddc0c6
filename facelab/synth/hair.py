"""Hair and beard as strands: curves that grow from the skin, follow a comb, fall, and never enter the head.

Every strand stands for a lock of some ten hairs. It is grown once per identity in head space; pictures only turn it
with the head and, for beards, move it with the skin below.
"""

from dataclasses import dataclass

import numpy as np

from facelab.synth import camera, skin
from facelab.synth.head import SKIN, HeadModel
from facelab.synth.identity import Identity


@dataclass
class Strands:
    """S strands of P points.

    Attributes:
        points: (S, P, 3) float32, head space, dm, root first.
        anchor: (S,) int32, the vertex whose expression each strand follows.
        width: (S,) float32, dm; taper: (S,) share by which the tip is thinner.
        tint: (S, 3) float32, factor on the hair's colour.
        depth: (S, P) float32, 1 on the outside, 0 deep inside, where little light comes.
        under_hat: (S,) int32, 1 where a hat hides the strand.
    """

    points: np.ndarray
    anchor: np.ndarray
    width: np.ndarray
    taper: np.ndarray
    tint: np.ndarray
    depth: np.ndarray
    under_hat: np.ndarray


@dataclass(frozen=True)
class Style:
    """How a style grows. Lengths in dm; see ``_comb`` for the flow."""

    strands: int
    points: int
    length: float
    sides: float  # length of the sides relative to the top
    lift: float  # how steeply it leaves the skin
    gravity: float
    flow: str  # whorl, part, back or out
    layer: float  # thickness of the hair's body above the skin
    width: float = 0.016
    spread: float = 0.25  # disorder of directions


STYLES = {
    "buzz": Style(2600, 3, 0.055, 0.8, 0.6, 0.0, "whorl", 0.01, 0.011, 0.4),
    "short": Style(3000, 6, 0.40, 0.45, 0.22, 0.12, "whorl", 0.09, 0.013, 0.16),
    "side": Style(2600, 8, 0.80, 0.36, 0.30, 0.22, "part", 0.12, 0.014, 0.10),
    "curly": Style(2600, 14, 0.60, 0.75, 0.7, 0.20, "whorl", 0.30, 0.016, 0.40),
    "afro": Style(3400, 9, 0.50, 0.85, 1.0, 0.0, "out", 0.55, 0.018, 0.30),
    "long": Style(2500, 15, 2.7, 1.0, 0.35, 0.55, "part", 0.16, 0.017, 0.08),
    "wavy": Style(2500, 18, 2.2, 1.0, 0.40, 0.45, "part", 0.24, 0.018, 0.10),
    "bob": Style(2500, 12, 1.55, 0.95, 0.40, 0.5, "part", 0.18, 0.017, 0.08),
    "back": Style(2400, 9, 0.95, 0.8, 0.35, 0.12, "back", 0.10, 0.014, 0.10),
    "bun": Style(2500, 10, 1.25, 1.0, 0.10, 0.0, "back", 0.05, 0.013, 0.05),
}
HAT_LINE = 7.78  # dm in the template; hair rooted above it lies under a hat


def grow(model: HeadModel, identity: Identity, rest: np.ndarray, head: "Skull") -> Strands:
    """Grow hair and beard of one identity on its rest shape (V, 3), outside its skull."""
    rng = np.random.default_rng([identity.seed, 1])
    parts = []
    if identity.hair_style != "none":
        parts.append(_scalp_hair(model, identity, rest, head, rng))
        if identity.hair_style == "bun":
            parts.append(_bun(identity, head, rng))
    if identity.beard not in ("none", "stubble"):
        parts.append(_beard(model, identity, rest, head, rng))
    if not parts:
        zeros = np.zeros
        return Strands(
            points=zeros((0, 2, 3), np.float32),
            anchor=zeros(0, np.int32),
            width=zeros(0, np.float32),
            taper=zeros(0, np.float32),
            tint=zeros((0, 3), np.float32),
            depth=zeros((0, 2), np.float32),
            under_hat=zeros(0, np.int32),
        )
    longest = max(part.points.shape[1] for part in parts)
    parts = [_resample(part, longest) for part in parts]
    return Strands(*(np.concatenate([getattr(part, name) for part in parts]) for name in Strands.__dataclass_fields__))


class Skull:
    """The head as a distance from its centre in every direction, so that strands can be kept outside cheaply."""

    ROWS, COLUMNS = 36, 64

    def __init__(self, model: HeadModel, rest: np.ndarray):
        import cv2

        eyes, _ = camera.eyeballs(model, rest)
        self.eyes = eyes
        self.centre = eyes.mean(axis=0) + np.array([0, 0.12, -0.78])
        keep = np.unique(model.triangles[model.parts == SKIN])
        keep = keep[model.template[keep, 1] > 5.9]
        offset = rest[keep] - self.centre
        radius = np.linalg.norm(offset, axis=1)
        grid = np.zeros((self.ROWS, self.COLUMNS), np.float32)
        row, column = self._cell(offset / radius[:, None])
        np.maximum.at(grid, (row.astype(int) % self.ROWS, column.astype(int) % self.COLUMNS), radius.astype(np.float32))
        known = (grid > 0).astype(np.float32)
        wide, wide_known = np.hstack([grid] * 3), np.hstack([known] * 3)
        filled: np.ndarray = cv2.GaussianBlur(wide, (0, 0), 1.5) / np.maximum(
            cv2.GaussianBlur(wide_known, (0, 0), 1.5), 1e-3
        )
        filled = np.where(wide_known > 0, wide, filled)
        filled = cv2.GaussianBlur(filled, (0, 0), 0.7)[:, self.COLUMNS : 2 * self.COLUMNS]
        filled[: self.ROWS // 6] = np.maximum(filled[: self.ROWS // 6], 0.9 * filled[self.ROWS // 6])
        self.grid = filled

    def _cell(self, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        polar = np.arccos(np.clip(direction[..., 1], -1, 1)) / np.pi
        around = np.arctan2(direction[..., 0], direction[..., 2]) / (2 * np.pi) + 0.5
        return np.minimum(polar * self.ROWS, self.ROWS - 1e-3), np.minimum(around * self.COLUMNS, self.COLUMNS - 1e-3)

    def radius(self, direction: np.ndarray) -> np.ndarray:
        """Distance of the skin from the centre along unit directions (..., 3), bilinear."""
        row, column = self._cell(direction)
        row, column = row - 0.5, column - 0.5
        r0, c0 = np.floor(row).astype(int), np.floor(column).astype(int)
        fr, fc = row - r0, column - c0
        r0, r1 = np.clip(r0, 0, self.ROWS - 1), np.clip(r0 + 1, 0, self.ROWS - 1)
        c0, c1 = c0 % self.COLUMNS, (c0 + 1) % self.COLUMNS
        g = self.grid
        return (g[r0, c0] * (1 - fc) + g[r0, c1] * fc) * (1 - fr) + (g[r1, c0] * (1 - fc) + g[r1, c1] * fc) * fr

    def push_out(self, points: np.ndarray, clearance: np.ndarray) -> np.ndarray:
        """Move points (S, 3) that lie deeper than ``clearance`` (S,) above the skin outwards onto that height."""
        offset = points - self.centre
        length = np.linalg.norm(offset, axis=-1, keepdims=True)
        direction = offset / np.maximum(length, 1e-6)
        least = (self.radius(direction) + clearance)[..., None]
        return self.centre + direction * np.maximum(length, least)

    def pull_in(self, points: np.ndarray, height: np.ndarray) -> np.ndarray:
        """Move points (S, 3) that lie higher than ``height`` (S,) above the skin down to that height."""
        offset = points - self.centre
        length = np.linalg.norm(offset, axis=-1, keepdims=True)
        direction = offset / np.maximum(length, 1e-6)
        return self.centre + direction * np.minimum(length, (self.radius(direction) + height)[..., None])


def _roots(
    model: HeadModel, rest: np.ndarray, weight: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, ...]:
    """Draw roots on the skin with density ``weight`` (V,): positions (count, 3), normals, template positions,
    anchors."""
    triangles = model.triangles[model.parts == SKIN]
    triangles = triangles[weight[triangles].max(axis=1) > 0.02]
    a, b, c = (rest[triangles[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    area = np.linalg.norm(normal, axis=1)
    chance = area * weight[triangles].mean(axis=1)
    chosen = np.searchsorted(np.cumsum(chance) / chance.sum(), (np.arange(count) + rng.random(count)) / count)
    chosen = np.minimum(chosen, len(triangles) - 1)
    w = np.sort(rng.random((count, 2)), axis=1)
    w = np.stack([w[:, 0], w[:, 1] - w[:, 0], 1 - w[:, 1]], axis=1)
    corners = triangles[chosen]
    keep = np.einsum("sk,sk->s", w, weight[corners]) > 0.35 * rng.random(count) + 0.1
    corners, w, chosen = corners[keep], w[keep], chosen[keep]
    positions = np.einsum("sk,skd->sd", w, rest[corners])
    places = np.einsum("sk,skd->sd", w, model.template[corners])
    normals = normal[chosen] / np.maximum(area[chosen], 1e-9)[:, None]
    return positions, normals, places, corners[:, 0].astype(np.int32)


def _unit(v: np.ndarray) -> np.ndarray:
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-6)


def _tangent(v: np.ndarray, normal: np.ndarray) -> np.ndarray:
    return _unit(v - (v * normal).sum(-1, keepdims=True) * normal)


def _comb(
    style: Style, identity: Identity, offset: np.ndarray, outward: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The direction in which hair lies at its root, (S, 3): away from the crown, away from the parting, back, or
    out."""
    count = len(offset)
    ones = np.ones((count, 1))
    if style.flow == "out":
        return outward
    if style.flow == "back":
        return _tangent(ones * [0, -0.25, -1.0], outward)
    if style.flow == "part":
        line = 0.38 * identity.hair_part
        side = np.tanh((offset[:, :1] - line) / 0.06)
        direction = side * [1.0, 0, 0] + [0, -0.25, -0.18]
        return _tangent(direction + 0.0 * ones, outward)
    crown = _unit(np.array([0.12 * identity.hair_part, 0.8, -0.55]))
    swirl = np.cross(np.broadcast_to(crown, outward.shape), outward)
    forward = _tangent(outward - crown + 0.0 * ones, outward)
    return _unit(forward + 0.35 * np.sign(identity.hair_part) * swirl)


def _scalp_hair(
    model: HeadModel, identity: Identity, rest: np.ndarray, head: Skull, rng: np.random.Generator
) -> Strands:
    style = STYLES[identity.hair_style]
    place = model.template
    weight = skin.scalp(np.arctan2(place[:, 0], place[:, 2] - skin.AXIS_Z), place[:, 1], identity)
    weight = weight * (model.masks[:, 2] < 0.3) * (place[:, 1] > 6.3)
    roots, _, places, anchor = _roots(model, rest, weight.astype(np.float32), style.strands, rng)
    count = len(roots)
    outward = _unit(roots - head.centre)
    offset = roots - head.centre
    theta = np.arctan2(offset[:, 0], offset[:, 2])
    layer = rng.random(count) ** 0.7
    jitter = rng.normal(0, style.spread, (count, 3))
    volume = 0.45 + 1.1 * identity.hair_volume
    direction = _unit(
        _comb(style, identity, offset, outward, rng)
        + outward * style.lift * volume * rng.uniform(0.5, 1.3, (count, 1))
        + jitter
    )

    top = np.clip((places[:, 1] - 7.45) / 0.45, 0, 1)
    length = style.length * (0.6 + 0.4 * identity.hair_length if style.length > 1 else identity.hair_length)
    lengths = length * (style.sides + (1 - style.sides) * top) * rng.uniform(0.82, 1.08, count)
    if style.flow in ("whorl", "out"):  # the front stays off the face
        edge = np.clip((places[:, 1] - 7.75) / 0.35, 0, 1)
        lengths *= np.where(np.abs(theta) < 1.0, 0.45 + 0.55 * edge, 1.0)
    fringe = np.zeros(count, bool)
    if identity.fringe > 0 and style.flow == "part":
        # The front falls over the forehead and ends above the brows.
        fringe = (np.abs(theta) < 0.55 + 0.35 * identity.fringe) & (offset[:, 2] > 0.35) & (places[:, 1] < 8.3)
        brow = head.eyes[:, 1].mean() + 0.22 + 0.18 * (1 - identity.fringe)
        lengths = np.where(fringe, np.maximum(roots[:, 1] - brow, 0.1) * rng.uniform(0.95, 1.25, count), lengths)
        sweep = np.stack([0.35 * identity.hair_part * np.ones(count), -np.ones(count), 0.6 * np.ones(count)], axis=1)
        direction = np.where(fringe[:, None], _unit(sweep + 0.5 * outward + jitter * 0.6), direction)
    hold = 0.75 + 0.35 * (identity.hair_length - 1)  # how far round the face long hair is kept
    points = [roots - outward * 0.01]
    clear = style.layer * volume * layer
    front_y = head.eyes[:, 1].mean() + 0.55
    for k in range(1, style.points):
        step = (lengths / (style.points - 1))[:, None]
        p = points[-1] + step * direction
        share = k / (style.points - 1)
        height = 0.015 + clear * min(1.0, 3.0 * share)
        p = head.push_out(p, height)
        if style.flow != "out":  # combed hair hugs the head down to the cheeks; below, it hangs free
            held = head.pull_in(p, height + 0.03 + style.lift * 0.10 * volume)
            p = np.where((p[:, 1] > front_y - 0.75)[:, None], held, p)
        if style.length > 0.9 and style.flow == "part":
            # Hair that would fall over the face is drawn aside, behind the cheeks.
            o = p - head.centre
            angle = np.arctan2(o[:, 0], o[:, 2])
            inside = (np.abs(angle) < hold) & (p[:, 1] < front_y) & ~fringe
            turned = np.where(angle >= 0, hold, -hold) + rng.normal(0, 0.03, count)
            flat = np.hypot(o[:, 0], o[:, 2])
            aside = np.stack(
                [head.centre[0] + flat * np.sin(turned), p[:, 1], head.centre[2] + flat * np.cos(turned)], axis=1
            )
            p = np.where(inside[:, None], 0.5 * p + 0.5 * aside, p)
            p = head.push_out(p, 0.02 + clear * 0.8)
        went = _unit(p - points[-1])
        bend = np.array([0, -1.0, 0]) * style.gravity
        if style.flow == "back":
            bend = bend + np.array([0, -0.05, -0.5])
        direction = _unit(went + bend + jitter * 0.15)
        points.append(p)
    curve = np.stack(points, axis=1)
    # Whatever still falls over the face without being a fringe is cut away.
    o = curve - head.centre
    over_face = (
        (np.abs(np.arctan2(o[..., 0], o[..., 2])) < 0.7)
        & (curve[..., 1] < front_y - 0.22)
        & (curve[..., 1] > front_y - 1.6)
    )
    jumps = np.linalg.norm(np.diff(curve, axis=1), axis=2).max(axis=1) > 2.2 * lengths / (style.points - 1) + 0.02
    keep = fringe | ~(over_face.any(axis=1) | jumps)
    curve, offset, layer, places, anchor, count = (
        curve[keep],
        offset[keep],
        layer[keep],
        places[keep],
        anchor[keep],
        int(keep.sum()),
    )
    curve = _curl(curve, identity, style, offset, rng)
    depth = np.clip(0.25 + 0.75 * layer, 0, 1)[:, None] * np.linspace(0.72, 1.0, style.points)
    return Strands(
        points=curve.astype(np.float32),
        anchor=anchor,
        width=(style.width * rng.uniform(0.7, 1.3, count)).astype(np.float32),
        taper=np.full(count, 0.75 if style.flow != "out" else 0.3, np.float32),
        tint=_tints(identity, count, rng),
        depth=depth.astype(np.float32),
        under_hat=(places[:, 1] > HAT_LINE - 0.35 * (0.9 - places[:, 2])).astype(np.int32),
    )


def _curl(
    curve: np.ndarray, identity: Identity, style: Style, offset: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Wind strands around their path. Neighbours share a phase, so that they form locks."""
    count, points = curve.shape[:2]
    amount = {"wavy": 0.055, "curly": 0.06, "afro": 0.035, "long": 0.012, "bob": 0.012}.get(identity.hair_style, 0.006)
    amount *= 0.5 + identity.curl if identity.hair_style in ("long", "bob", "side", "short", "back") else 1.0
    if amount == 0:
        return curve
    lock = np.sin(offset @ np.array([[9.0, 4.0], [3.0, 11.0], [7.0, -6.0]]))  # a smooth function of the root
    phase = np.pi * lock[:, 0] + rng.normal(0, 0.5 + 1.2 * (identity.hair_style in ("curly", "afro")), count)
    turns = {"wavy": 2.6, "curly": 1.9, "afro": 1.4}.get(identity.hair_style, 1.5)
    t = np.linspace(0, 1, points)
    path = _unit(np.gradient(curve, axis=1))
    aside = _unit(np.cross(path, np.broadcast_to([0.3, 0.2, 1.0], path.shape)))
    above = np.cross(path, aside)
    angle = phase[:, None] + 2 * np.pi * turns * t * (1 + 0.15 * lock[:, 1:])
    size = (amount * np.minimum(t * 3, 1))[None, :, None] * (0.7 + 0.6 * rng.random((count, 1, 1)))
    return curve + size * (aside * np.cos(angle)[..., None] + above * np.sin(angle)[..., None])


def _tints(identity: Identity, count: int, rng: np.random.Generator) -> np.ndarray:
    """Strands differ in lightness; when hair greys, single strands turn before others."""
    tint = np.exp(rng.normal(0, 0.22, (count, 1))) * (1 + rng.normal(0, 0.03, (count, 3)))
    if 0.05 < identity.grey < 0.95:
        own = skin.hair_colour(identity.eumelanin, identity.pheomelanin, identity.grey)
        pure = skin.hair_colour(identity.eumelanin, identity.pheomelanin, 0.0)
        white = skin.hair_colour(identity.eumelanin, identity.pheomelanin, 1.0)
        is_grey = rng.random((count, 1)) < identity.grey
        tint = tint * np.where(is_grey, (0.45 * white + 0.55 * own) / own, 0.5 + 0.5 * pure / own)
    return tint.astype(np.float32)


def _bun(identity: Identity, head: Skull, rng: np.random.Generator) -> Strands:
    """A knot of hair wound around a ball at the back of the crown."""
    count, points = 260, 8
    high = identity.hair_part
    away = _unit(np.array([0.0, 0.55 + 0.45 * high, -0.75]))
    centre = head.centre + away * (head.radius(away) + 0.16)
    axis = _unit(rng.normal(0, 0.25, (count, 3)) + away)
    start = _unit(np.cross(axis, rng.normal(size=(count, 3))))
    other = np.cross(axis, start)
    t = np.linspace(0, 1.7 * np.pi, points)
    radius = rng.uniform(0.24, 0.33, (count, 1, 1)) * (0.8 + 0.4 * identity.hair_volume)
    curve = centre + radius * (start[:, None] * np.cos(t)[:, None] + other[:, None] * np.sin(t)[:, None])
    curve = curve + axis[:, None] * rng.uniform(-0.2, 0.2, (count, 1, 1))
    one = np.ones(count, np.float32)
    return Strands(
        curve.astype(np.float32),
        np.zeros(count, np.int32),
        0.02 * one,
        0.2 * one,
        _tints(identity, count, rng),
        (0.4 + 0.6 * rng.random((count, 1)) * np.ones(points)).astype(np.float32),
        np.zeros(count, np.int32),
    )


def _beard(model: HeadModel, identity: Identity, rest: np.ndarray, head: Skull, rng: np.random.Generator) -> Strands:
    place = model.template
    moustache, chin, full = skin.beard_at(place[:, 0], place[:, 1], place[:, 2])
    weight = {"moustache": moustache, "goatee": np.maximum(moustache, chin)}.get(identity.beard, full)
    weight = weight * (model.masks[:, 0] < 0.2) * (model.masks[:, 3] < 0.3)
    size = {"moustache": 420, "goatee": 800, "full": 1700}[identity.beard]
    roots, normals, places, anchor = _roots(
        model, rest, weight.astype(np.float32), int(size * (0.6 + 0.4 * identity.beard_density)), rng
    )
    count = len(roots)
    is_moustache = (places[:, 1] > 6.62) & (np.abs(places[:, 0]) < 0.33)
    away = np.stack(
        [np.where(is_moustache, 0.9 * np.sign(places[:, 0]), 0.25 * places[:, 0]), -np.ones(count), np.zeros(count)],
        axis=1,
    )
    direction = _unit(away + normals * 0.75 + rng.normal(0, 0.28, (count, 3)))
    length = (
        (0.07 + 0.30 * identity.beard_length**1.5) * np.where(is_moustache, 0.45, 1.0) * rng.uniform(0.6, 1.1, count)
    )
    length *= np.clip(1.3 - np.clip(places[:, 1] - 6.45, 0, 1) * 1.4, 0.4, 1.2)
    t = np.linspace(0, 1, 4)[None, :, None]
    bend = np.array([0, -0.35, 0.0])
    curve = roots[:, None] + length[:, None, None] * (t * direction[:, None] + t**2 * bend)
    redder = np.array([1.08, 1.0, 0.92], np.float32)
    return Strands(
        curve.astype(np.float32),
        anchor,
        (0.010 * rng.uniform(0.7, 1.2, count)).astype(np.float32),
        np.full(count, 0.6, np.float32),
        (_tints(identity, count, rng) * 0.85 * redder).astype(np.float32),
        (0.45 + 0.55 * rng.random((count, 1)) * np.linspace(0.6, 1, 4)).astype(np.float32),
        np.zeros(count, np.int32),
    )


def _resample(strands: Strands, points: int) -> Strands:
    """Give all strands the same number of points by linear interpolation along their index."""
    have = strands.points.shape[1]
    if have == points:
        return strands
    at = np.linspace(0, have - 1, points)
    low = np.minimum(at.astype(int), have - 2)
    f = (at - low).astype(np.float32)
    curve = strands.points[:, low] * (1 - f)[None, :, None] + strands.points[:, low + 1] * f[None, :, None]
    depth = strands.depth[:, low] * (1 - f) + strands.depth[:, low + 1] * f
    return Strands(curve, strands.anchor, strands.width, strands.taper, strands.tint, depth, strands.under_hat)


def shade_of(strands: Strands, rest: np.ndarray) -> np.ndarray:
    """How much of the sky hair leaves to each vertex, (V,) in [0.35, 1]: vertices close to many strands lie in their
    shade."""
    if not len(strands.points):
        return np.ones(len(rest), np.float32)
    cell = 0.12
    points = strands.points[::2].reshape(-1, 3)
    low = np.minimum(points.min(axis=0), rest.min(axis=0)) - 2 * cell
    shape = np.ceil((np.maximum(points.max(axis=0), rest.max(axis=0)) - low) / cell).astype(int) + 3
    density = np.zeros(shape, np.float32)
    np.add.at(density, tuple(((points - low) / cell).astype(int).T), 1.0)
    for axis in range(3):  # a box filter of three cells
        density = density + np.roll(density, 1, axis) + np.roll(density, -1, axis)
    here = density[tuple(((rest - low) / cell).astype(int).T)]
    return np.clip(np.exp(-here / 900), 0.35, 1).astype(np.float32)
