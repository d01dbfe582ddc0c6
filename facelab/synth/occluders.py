"""Glasses, sunglasses, hats, masks and hands: small meshes built around one head, drawn in front of it and casting
shadows."""

from dataclasses import dataclass

import numpy as np

from facelab.synth import skin
from facelab.synth.body import Body, Placed
from facelab.synth.head import HeadModel
from facelab.synth.scene import Scene


@dataclass
class Soup:
    """Triangles. One picture: positions (M, 3), normals (M, 3), colours (M, 4: linear RGB and gloss), triangles (F, 3),
    alphas (F,).

    A batch has the picture as first axis; pictures with fewer triangles are filled up with triangles of alpha 0, which
    are not drawn.
    """

    positions: np.ndarray
    normals: np.ndarray
    colours: np.ndarray
    triangles: np.ndarray
    alphas: np.ndarray

    @property
    def is_empty(self) -> bool:
        return not self.alphas.any()


def _empty() -> Soup:
    zeros = np.zeros
    return Soup(
        zeros((1, 3), np.float32),
        zeros((1, 3), np.float32),
        zeros((1, 4), np.float32),
        zeros((1, 3), np.int32),
        zeros(1, np.float32),
    )


def join(soups: list[Soup]) -> Soup:
    """Put the triangles of one picture together."""
    start = np.cumsum([0, *(len(s.positions) for s in soups)])
    triangles = np.concatenate([s.triangles + offset for s, offset in zip(soups, start, strict=False)])
    return Soup(
        np.concatenate([s.positions for s in soups]),
        np.concatenate([s.normals for s in soups]),
        np.concatenate([s.colours for s in soups]),
        triangles,
        np.concatenate([s.alphas for s in soups]),
    )


def pad(soups: list[Soup]) -> Soup:
    """Stack the occluders of several pictures."""
    vertices, faces = max(len(s.positions) for s in soups), max(len(s.triangles) for s in soups)

    def fill(array: np.ndarray, length: int) -> np.ndarray:
        return np.concatenate([array, np.zeros((length - len(array), *array.shape[1:]), array.dtype)])

    return Soup(
        *(np.stack([fill(getattr(s, name), vertices) for s in soups]) for name in ("positions", "normals", "colours")),
        *(np.stack([fill(getattr(s, name), faces) for s in soups]) for name in ("triangles", "alphas")),
    )


def build(model: HeadModel, body: Body, scene: Scene, placed: Placed) -> Soup:
    """Return the scene's occluder in camera space, on the placed head."""
    if scene.occluder == "none":
        return _empty()
    rng = np.random.default_rng(scene.occluder_seed)
    make = {"glasses": _glasses, "sunglasses": _glasses, "hat": _hat, "mask": _mask, "hand": _hand}[scene.occluder]
    # Not placed.expressed, from which this differs by rounding: so the pictures of this generator were made.
    soup = make(model, body, scene, body.rest + placed.offsets, rng)
    soup.positions = (soup.positions @ placed.turn.T + placed.translation).astype(np.float32)
    soup.normals = (soup.normals @ placed.turn.T).astype(np.float32)
    return soup


def _grid(points: np.ndarray, colours: np.ndarray, *, closed: bool = False) -> Soup:
    """A surface through points (R, C, 3) with colours (R, C, 4); ``closed`` joins the last column to the first."""
    rows, columns = points.shape[:2]
    if closed:
        along, across = np.roll(points, -1, 1) - np.roll(points, 1, 1), np.gradient(points, axis=0)
    else:
        along, across = np.gradient(points, axis=1), np.gradient(points, axis=0)
    normals = np.cross(along, across)
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    index = np.arange(rows * columns).reshape(rows, columns)
    right = np.roll(index, -1, 1) if closed else index[:, 1:]
    left = index if closed else index[:, :-1]
    a, b, c, d = left[:-1].ravel(), right[:-1].ravel(), right[1:].ravel(), left[1:].ravel()
    triangles = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]).astype(np.int32)
    return Soup(
        points.reshape(-1, 3).astype(np.float32),
        normals.reshape(-1, 3).astype(np.float32),
        np.broadcast_to(colours, (rows, columns, 4)).reshape(-1, 4).astype(np.float32),
        triangles,
        np.ones(len(triangles), np.float32),
    )


def _tube(path: np.ndarray, radius: float | np.ndarray, colour: np.ndarray, *, sides: int = 6) -> Soup:
    """A tube of given radius (or one radius per point) around a path (P, 3)."""
    tangent = np.gradient(path, axis=0)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-9)
    aside = np.cross(tangent, [0.13, 0.21, 0.97])
    aside /= np.maximum(np.linalg.norm(aside, axis=1, keepdims=True), 1e-9)
    above = np.cross(tangent, aside)
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = np.cos(angle)[None, :, None] * aside[:, None] + np.sin(angle)[None, :, None] * above[:, None]
    return _grid(path[:, None] + np.reshape(radius, (-1, 1, 1)) * ring, colour, closed=True)


def torso(model: HeadModel, vertices: np.ndarray, cloth: np.ndarray, length: float = 7.0) -> Soup:
    """The clothes below the cut of the head model, for pictures that show more of a person: its open edge drawn
    straight down.

    Args:
        vertices: (V, 3) in camera space.
        cloth: (3,) linear RGB.
        length: dm.
    """
    edges = np.concatenate([model.triangles[:, [0, 1]], model.triangles[:, [1, 2]], model.triangles[:, [2, 0]]])
    _, first, count = np.unique(np.sort(edges, axis=1), axis=0, return_index=True, return_counts=True)
    rim = edges[first[count == 1]]
    rim = rim[(model.template[rim, 1] < 4.9).all(axis=1)]
    top = vertices[rim]  # (E, 2, 3)
    low = top + np.array([0, -length, 0.0])
    positions = np.stack([top[:, 0], top[:, 1], low[:, 1], low[:, 0]], axis=1).reshape(-1, 3)
    middle = np.array([vertices[:, 0].mean(), 0, vertices[:, 2].mean()])
    out = positions - middle
    normals = out * [1, 0, 1] / np.maximum(np.linalg.norm(out * [1, 0, 1], axis=1, keepdims=True), 1e-6) + [
        0,
        0.15,
        0.8,
    ]
    start = 4 * np.arange(len(rim))[:, None]
    triangles = np.concatenate([start + np.array([0, 1, 2]), start + np.array([0, 2, 3])]).astype(np.int32)
    colours = np.broadcast_to([*cloth, 0.05], (len(positions), 4))
    positions, normals, colours = (a.astype(np.float32) for a in (positions, normals, colours))
    return Soup(positions, normals, colours, triangles, np.ones(len(triangles), np.float32))


def _glasses(model: HeadModel, body: Body, scene: Scene, expressed: np.ndarray, rng: np.random.Generator) -> Soup:
    dark = scene.occluder == "sunglasses"
    frame = np.array([*(rng.choice([0.012, 0.03, 0.12, 0.35]) * np.exp(rng.normal(0, 0.3, 3))), 1.2])
    thickness = rng.uniform(0.009, 0.024)
    rimmed = dark or rng.random() < 0.85
    wide, high = rng.uniform(0.24, 0.30), rng.uniform(0.16, 0.25)
    power = rng.choice([2.0, 2.6, 4.0])  # round to square
    tint = np.exp(rng.uniform(np.log(0.003), np.log(0.03))) * np.exp(rng.normal(0, 0.2, 3))
    middle = body.eyes.mean(axis=0)
    nose = expressed[(np.abs(model.template[:, 0]) < 0.15) & (np.abs(model.template[:, 1] - 7.22) < 0.08), 2].max()
    depth = max(nose + 0.04, (body.eyes[:, 2] + body.eye_radii).max() + 0.12)
    t = np.linspace(0, 2 * np.pi, 33)
    parts, outer = [], []
    for side, eye in zip((-1, 1), body.eyes, strict=True):
        centre = np.array([eye[0] * 1.04, eye[1] - 0.035, depth])
        shape = (
            np.sign(np.cos(t)) * np.abs(np.cos(t)) ** (2 / power),
            np.sign(np.sin(t)) * np.abs(np.sin(t)) ** (2 / power),
        )
        x, y = centre[0] + wide * shape[0], centre[1] + high * shape[1] * np.where(np.sin(t) < 0, 1.05, 0.95)
        rim = np.stack([x, y, depth - 0.32 * (x - middle[0]) ** 2], axis=1)
        if rimmed:
            parts.append(_tube(rim, thickness, frame))
        if dark:
            inner = np.stack([rim * s + (1 - s) * rim.mean(0) for s in np.linspace(0.02, 1, 5)])
            shades = np.linspace(1.0, 0.4, 5)[:, None, None] * np.array([*tint, 1.2])
            lens = _grid(inner, shades)
            lens.normals[:] = np.array(
                [0.25 * side, 0.1, 0.96]
            )  # the sheet's own normals turn wild where it shrinks to a point
            parts.append(lens)
        outer.append(rim[np.argmax(side * rim[:, 0])] + [0, 0.06, 0])
    ears = expressed[model.masks[:, 2] > 0.5]
    for side, start in zip((-1, 1), outer, strict=True):
        ear = ears[side * ears[:, 0] > 0]
        end = np.array([side * (np.abs(ear[:, 0]).mean() - 0.03), ear[:, 1].max() - 0.10, ear[:, 2].mean() + 0.02])
        s = np.linspace(0, 1, 6)[:, None]
        path = start * (1 - s) + end * s + np.array([side * 0.05, 0, 0]) * np.sin(np.pi * s)
        parts.append(_tube(path, thickness * 0.9, frame))
    inner_left, inner_right = (
        middle[0] - (body.eyes[1, 0] - middle[0]) * 1.04 + wide,
        middle[0] + (body.eyes[1, 0] - middle[0]) * 1.04 - wide,
    )
    s = np.linspace(0, 1, 6)
    bridge = np.stack(
        [
            inner_left + (inner_right - inner_left) * s,
            middle[1] + 0.02 + 0.05 * np.sin(np.pi * s),
            np.full(6, depth + 0.02),
        ],
        axis=1,
    )
    parts.append(_tube(bridge, thickness, frame))
    return join(parts)


def _hat(model: HeadModel, body: Body, scene: Scene, expressed: np.ndarray, rng: np.random.Generator) -> Soup:
    """A beanie, a cap with a visor, or a hat with a brim, fitted to the skull."""
    skull = body.skull
    colour = np.array([*(rng.choice([0.02, 0.08, 0.3, 0.6]) * np.exp(rng.normal(0, 0.6, 3))).clip(0.01, 0.8), 0.12])
    kind = rng.choice(["beanie", "cap", "brim"])
    tilt = rng.uniform(0.20, 0.36)  # the edge is higher in front than at the back
    rows, columns = 11, 36
    around = np.linspace(0, 2 * np.pi, columns, endpoint=False)
    down = np.linspace(0.02, 1.0, rows)[:, None] * (1.40 - tilt * np.cos(around))  # polar angle of the edge
    direction = np.stack([np.sin(down) * np.sin(around), np.cos(down), np.sin(down) * np.cos(around)], axis=-1)
    lift = {"beanie": 0.10, "cap": 0.11, "brim": 0.13}[kind] + (0.10 if kind == "brim" else 0.03) * np.cos(
        down[..., None]
    )
    points = skull.centre + direction * (skull.radius(direction)[..., None] + lift)
    ribs = np.ones((rows, columns, 1))
    if kind == "beanie":
        ribs = 0.85 + 0.15 * np.sin(around * 18)[None, :, None] * np.ones((rows, 1, 1))
        points[-2:] += 0.03 * direction[-2:]  # the turned-up edge
    shades = np.concatenate([colour[:3] * ribs, np.full((rows, columns, 1), colour[3])], axis=-1)
    parts = [_grid(points, shades, closed=True)]
    edge = points[-1]
    if kind == "cap":
        front = np.abs(np.angle(np.exp(1j * around))) < 1.0
        order = np.argsort(np.angle(np.exp(1j * around)))
        base = edge[order][front[order]]
        a = np.angle(np.exp(1j * around))[order][front[order]]
        reach = rng.uniform(0.45, 0.65) * np.cos(a * 1.5)[:, None].clip(0, 1)
        s = np.linspace(0, 1, 5)[:, None, None]
        droop = rng.uniform(0.05, 0.25)
        visor = (
            base[None]
            + s * reach[None] * np.array([0, -droop, 1.0])
            - np.array([0, 1, 0]) * (s**2 * 0.10 * np.abs(a)[None, :, None])
        )
        parts.append(_grid(visor, colour))
    if kind == "brim":
        wide = rng.uniform(0.35, 0.6)
        s = np.linspace(0, 1, 4)[:, None, None]
        outward = np.stack([np.sin(around), np.zeros(columns), np.cos(around)], axis=-1)
        parts.append(
            _grid(edge[None] + s * wide * (outward + np.array([0, rng.uniform(-0.25, 0.1), 0])), colour, closed=True)
        )
    return join(parts)


def _mask(model: HeadModel, body: Body, scene: Scene, expressed: np.ndarray, rng: np.random.Generator) -> Soup:
    """A surgical mask over nose, mouth and chin."""
    import cv2

    colour = np.array([[0.42, 0.62, 0.75], [0.78, 0.78, 0.78], [0.02, 0.02, 0.022], [0.55, 0.66, 0.60]])[
        rng.integers(4)
    ]
    t = model.template
    face = np.flatnonzero((model.masks[:, 3] < 0.2) & (t[:, 2] > 0.4) & (t[:, 1] > 5.9) & (t[:, 1] < 7.3))
    points = expressed[face]
    chin = expressed[(t[:, 1] < 6.3) & (t[:, 1] > 6.1) & (t[:, 2] > 1.1), 1].min()
    top = body.eyes[:, 1].mean() - rng.uniform(0.22, 0.34)
    rows, columns = 14, 21
    u, v = np.linspace(-1, 1, columns), np.linspace(0, 1, rows)
    x = u[None, :] * 0.60 * np.ones((rows, 1))
    crest = top - 0.13 * u**2
    foot = chin - 0.04 + 0.28 * u**2
    y = crest * (1 - v[:, None]) + foot * v[:, None]
    distance = (points[:, None, 0] - x.ravel()) ** 2 + (points[:, None, 1] - y.ravel()) ** 2
    z = np.where(distance < 0.11**2, points[:, None, 2], -9).max(axis=0)
    fallback = points[np.argmin(distance, axis=0), 2]
    z = np.where(z < 0, fallback, z).reshape(rows, columns).astype(np.float32)
    z = np.maximum(cv2.GaussianBlur(z, (0, 0), 1.6, borderType=cv2.BORDER_REPLICATE), z - 0.02) + 0.035
    folds = 0.90 + 0.10 * np.cos(v * 2 * np.pi * 4)[:, None, None]
    shades = np.concatenate([colour * folds * np.ones((rows, columns, 1)), np.full((rows, columns, 1), 0.1)], axis=-1)
    parts = [_grid(np.stack([x, y, z], axis=-1), shades)]
    ears = expressed[model.masks[:, 2] > 0.5]
    for side, column in ((-1, 0), (1, -1)):
        ear = ears[side * ears[:, 0] > 0]
        for row, lift in ((1, 0.12), (-2, -0.12)):
            start = np.array([x[row, column], y[row, column], z[row, column]])
            end = np.array([side * (np.abs(ear[:, 0]).mean()), ear[:, 1].mean() + lift, ear[:, 2].mean()])
            s = np.linspace(0, 1, 5)[:, None]
            parts.append(
                _tube(
                    start * (1 - s) + end * s + np.array([side * 0.06, 0, 0]) * np.sin(np.pi * s),
                    0.014,
                    np.array([0.7, 0.7, 0.7, 0.1]),
                )
            )
    return join(parts)


def _hand(model: HeadModel, body: Body, scene: Scene, expressed: np.ndarray, rng: np.random.Generator) -> Soup:
    """A hand before mouth, cheek or chin: a palm and five fingers, in the person's own skin."""
    person = body.identity
    tone = skin.reflectance(person.melanin, person.haemoglobin + 0.1)
    side = rng.choice([-1.0, 1.0])
    t = model.template
    front = expressed[(np.abs(t[:, 0]) < 0.25) & (np.abs(t[:, 1] - 6.6) < 0.15), 2].max()
    place = np.array(
        [
            side * rng.uniform(0.0, 0.42),
            body.eyes[:, 1].mean() - rng.uniform(0.55, 0.95),
            front + rng.uniform(0.10, 0.22),
        ]
    )
    lean = rng.uniform(0.2, 1.2) * side
    along = np.array([-np.sin(lean), np.cos(lean), -0.12])
    across = np.array([np.cos(lean), np.sin(lean), 0.1 * side])
    back = np.cross(across, along)
    parts = []
    gap = rng.uniform(0.085, 0.105)
    bend = rng.uniform(0.1, 0.5)
    colour = np.array([*tone, 0.6])
    for k, length in enumerate((0.62, 0.70, 0.66, 0.52)):
        s = np.linspace(0, 1, 8)[:, None]
        start = place + across * (k - 1.5) * gap * 2.0
        path = (
            start + along * length * s - back * np.sign(back[2]) * bend * length * s**2 + across * (k - 1.5) * 0.05 * s
        )
        radius = 0.088 * np.sqrt(np.clip(1.02 - s[:, 0] ** 8, 0.02, 1)) * (1 - 0.12 * s[:, 0])
        knuckles = np.concatenate(
            [tone * (1 - 0.12 * np.exp(-((s - 0.45) ** 2) / 0.004)), np.full((8, 1), 0.6)], axis=1
        )
        parts.append(_tube(path, radius, knuckles[:, None], sides=10))
    s = np.linspace(0, 1, 7)[:, None]
    thumb = place - across * side * 0.34 - along * 0.30 + (along * 0.8 - across * side * 0.55) * 0.5 * s
    parts.append(_tube(thumb, 0.095 * np.sqrt(np.clip(1.02 - s[:, 0] ** 8, 0.02, 1)), colour, sides=10))
    a, b = np.meshgrid(np.linspace(0, 2 * np.pi, 16, endpoint=False), np.linspace(0.05, np.pi - 0.05, 9))
    palm = place - along * 0.36
    ball = (
        palm
        + (np.sin(b) * np.cos(a))[..., None] * across * 0.37
        + np.cos(b)[..., None] * along * 0.44
        + (np.sin(b) * np.sin(a))[..., None] * back * 0.09
    )
    parts.append(_grid(ball, colour, closed=True))
    wrist = np.stack([palm - along * (0.3 + 0.5 * k) for k in range(4)])
    parts.append(_tube(wrist, 0.27, np.array([*scene.cloth, 0.1]) if rng.random() < 0.6 else colour, sides=12))
    return join(parts)
