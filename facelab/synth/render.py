"""From identities and scenes to pictures with exact truth.

The steps for a batch of scenes of one identity: add expressions and pose (NumPy); light the vertices with rays,
diffuse the light through skin, resolve visibility, shade over a background (warp kernels, CPU or GPU); pass the sensor
(OpenCV). On a GPU the first and the last step are kernels too (:mod:`facelab.synth.resident`), so that a picture stays
there until it is finished. Shape, skin and hair of a person are made on the CPU, once for all of the person's pictures.
"""

import contextlib
import functools
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp

from facelab.align.similarity import similarity, template
from facelab.errors import FacelabError
from facelab.files import can_write, facelab_home
from facelab.synth import background, camera, hair, kernels, occluders, resident, sensor, skin
from facelab.synth.body import Body, Placed
from facelab.synth.head import LASH, TEETH, TONGUE, HeadModel, load_head
from facelab.synth.identity import Identity, shape_axes
from facelab.synth.scene import Scene, blackbody

KINDS = ("background", "skin", "hair", "eye", "mouth", "clothes", "occluder")
SHADOW_RAYS = 4
DIFFUSION = (
    (0.75, 0.45, 0.35),
    (0.7, 0.35, 0.2),
    (0.65, 0.2, 0.1),
)  # share of neighbours' light per step, red green blue


@dataclass
class Picture:
    """A rendered picture and the truth about it.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        landmarks: (5, 2) float32 pixels: left eye, right eye, nose, left and right mouth corner; left is image left.
        visible: (5,) bool: not hidden by the head itself, hair or an occluder, and inside the picture.
        dense: (N, 2) landmarks named by ``camera.DENSE_NAMES``; dense_visible: (N,).
        box: (4,) x1, y1, x2, y2 of the face (forehead to chin, ear to ear) in pixels; may reach outside the picture.
        mask: (H, W) float32 share of each pixel that the person covers.
        kinds: (H, W) uint8 index into KINDS.
    """

    image: np.ndarray
    landmarks: np.ndarray
    visible: np.ndarray
    dense: np.ndarray
    dense_visible: np.ndarray
    box: np.ndarray
    mask: np.ndarray
    kinds: np.ndarray


@contextlib.contextmanager
def _silent_driver_search() -> Iterator[None]:
    """Warp's native code writes a warning to standard error on every machine without a GPU; most laptops have none."""
    sys.stderr.flush()
    try:
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    except OSError:  # no standard error to silence
        yield
        return
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def check_device(device: str) -> None:
    """Start warp.

    Raises:
        FacelabError: this machine has no such device.
    """
    import platformdirs

    wp.config.quiet = True  # type: ignore[attr-defined]
    if "WARP_CACHE_PATH" not in os.environ and not can_write(platformdirs.user_cache_path("warp")):
        wp.config.kernel_cache_dir = str(facelab_home() / "warp")
    with _silent_driver_search():
        wp.init()
    try:
        wp.get_device(device)
    except (ValueError, RuntimeError) as error:
        raise FacelabError(
            f"device {device!r} cannot render here ({error}); use 'cpu', or 'cuda:0' with a GPU."
        ) from error


class Renderer:
    """Renders pictures of identities on one device.

    Args:
        model: the head model.
        device: ``"cpu"`` or a warp device name such as ``"cuda:0"``. The tests compile all kernels for a GPU; no
            picture was rendered on one so far.
        resident: pose the head, enlarge the backdrop and expose the sensor with kernels too; by default on a GPU. On a
            CPU NumPy and OpenCV are faster, and the data sets hold what they give, to the byte.

    Raises:
        FacelabError: this machine has no such device.
    """

    def __init__(self, model: HeadModel, device: str = "cpu", *, resident: bool | None = None):
        check_device(device)
        self.model, self.device = model, device
        self.resident = wp.get_device(device).is_cuda if resident is None else resident
        self.batch = 64 if self.resident else 8  # pictures per launch
        self._neck = camera.neck_weight(model.template).astype(np.float32)
        # What the truth is about: the dense landmarks, then what the face box surrounds.
        t = model.template
        face = np.flatnonzero((t[:, 1] > 6.15) & (t[:, 1] < 8.1) & (t[:, 2] > 0.55))
        self._truth_vertices = np.concatenate([camera.dense_vertices(model), face]).astype(np.int32)
        triangles = model.triangles
        first, incident = _adjacency(triangles, len(model.template))
        first_n, neighbours = _neighbours(triangles, len(model.template))
        self._triangles = self._array(triangles, wp.int32)
        # Lashes cast no shadow worth a ray, and would dot the eyes.
        self._solid = self._array(triangles[(model.parts != LASH)].ravel(), wp.int32)
        self._first, self._incident = self._array(first, wp.int32), self._array(incident, wp.int32)
        self._first_n, self._neighbours = self._array(first_n, wp.int32), self._array(neighbours, wp.int32)
        self._parts = self._array(model.parts, wp.int32)
        self._template = self._array(model.template, wp.vec3)
        paint = np.concatenate([skin.texture_coordinates(model.template), model.masks[:, 3:4]], axis=1)
        self._paint = self._array(paint.astype(np.float32), wp.vec3)
        # Occlusion is computed with closed lips; this is what teeth, tongue and cavity see of the sky when they part.
        self._open_mouth = 0.14 * model.masks[:, 3]
        self._open_mouth[model.triangles[model.parts == TEETH]] = 0.8
        self._open_mouth[model.triangles[model.parts == TONGUE]] = 0.26
        self._last_occlusion = np.empty(0), np.empty(0)  # of the shape, and its occlusion
        self._meshes: list[wp.Mesh] = []  # one per picture of a batch, refitted for each launch
        self._lips = self._array(model.masks[:, 0], float)
        if self.resident:
            self._actions = self._array(model.actions, wp.vec3)
            self._head_share = self._array(self._neck, float)
            self._truth_vertices_on_device = self._array(self._truth_vertices, wp.int32)

    def _array(self, values: Any, dtype: type) -> wp.array:
        return wp.array(values, dtype=dtype, device=self.device)

    def _vectors(self, values: np.ndarray | wp.array) -> wp.array:
        """Points or colours (..., 3) on the device, where they may lie already."""
        return values if isinstance(values, wp.array) else self._array(values, wp.vec3)

    def _empty(self, shape: tuple[int, ...], dtype: type = wp.vec3) -> wp.array:
        return wp.empty(shape, dtype=dtype, device=self.device)

    def _launch(self, kernel: wp.Kernel, dim: tuple[int, ...], *inputs: object) -> None:
        wp.launch(kernel, dim=dim, inputs=list(inputs), device=self.device)

    def compile(self, show_progress: bool = False) -> None:
        """Compile the kernels, or take them from the cache of an earlier run."""
        from facelab.progress import progress_bar

        modules = [kernels, resident] if self.resident else [kernels]
        with progress_bar("Preparing the renderer", len(modules), show_progress=show_progress) as bar:
            for module in modules:
                wp.load_module(module, device=self.device)
                bar.update()

    def body(self, identity: Identity) -> Body:
        """Shape, paint and comb one identity."""
        rest = self.model.shape(
            age=identity.age,
            femaleness=identity.femaleness,
            muscle=identity.muscle,
            weight=identity.weight,
            ethnicity=identity.ethnicity,
            axes=shape_axes(self.model, identity),
        )
        eyes, radii = camera.eyeballs(self.model, rest)
        centre = eyes.mean(axis=0) - [0, 0.12, 0.75]
        skull = hair.Skull(self.model, rest)
        strands = hair.grow(self.model, identity, rest, skull)
        occlusion = self._occlusion(rest).copy()
        occlusion *= hair.shade_of(strands, rest)
        occlusion = np.maximum(occlusion, self._open_mouth)
        return Body(
            identity, rest, centre, eyes, radii, skin.paint_skin(self.model, identity), strands, occlusion, skull
        )

    def _occlusion(self, rest: np.ndarray) -> np.ndarray:
        """How much of the sky each vertex sees. The last answer is kept: other skin or hair is the same shape."""
        if np.array_equal(self._last_occlusion[0], rest):
            return self._last_occlusion[1]
        positions, result = self._array(rest[None], wp.vec3), self._empty((len(rest),), float)
        mesh = wp.Mesh(positions[0], self._solid)
        self._launch(
            kernels.ambient_occlusion,
            result.shape,
            *(mesh.id, positions[0], self._normals(positions)[0], 24, 1.2, result),
        )
        open_share, first, neighbours = result.numpy(), self._first_n.numpy(), self._neighbours.numpy()
        mean = np.add.reduceat(open_share[neighbours], first[:-1]) / np.maximum(np.diff(first), 1)
        self._last_occlusion = rest, (0.5 * open_share + 0.5 * mean).astype(np.float32)
        return self._last_occlusion[1]

    def place(self, body: Body, scene: Scene, where: np.ndarray | None = None) -> Placed:
        """Express and pose the head, its turning centre at ``where`` (3,) in camera space, by default on the optical
        axis."""
        return Placed(self.model, self._neck, body, scene, where)

    def truth(self, body: Body, placed: Placed, places: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Landmarks and the points of the face box in camera space: five (5, 3), dense (N, 3), face (M, 3).

        Args:
            places: (N + M, 3) of these vertices, if they were computed on the device.
        """
        places = placed.vertices[self._truth_vertices] if places is None else places
        dense, face = np.split(places, [len(camera.DENSE_NAMES)])
        eyes = (
            body.eyes + body.eye_radii[:, None] * [0, 0, 1]
        ) @ placed.turn.T + placed.translation  # fronts of the eyeballs
        return {"five": np.concatenate([eyes, dense[camera.NOSE_AND_MOUTH]]), "dense": dense, "face": face}

    def render(
        self,
        body: Body,
        scenes: Sequence[Scene],
        *,
        size: tuple[int, int],
        framing: "ChipFraming",
        supersampling: int = 2,
    ) -> list[Picture]:
        """Render one identity in several scenes.

        Args:
            size: (height, width) of the pictures.
            framing: where the face stands in the picture.
            supersampling: samples per pixel along each axis.
        """
        placed = [self.place(body, scene) for scene in scenes]
        if self.resident:
            posed, places = self._pose(body, scenes, placed)
            truths = [self.truth(body, p, points) for p, points in zip(placed, places, strict=True)]
            backdrops: Any = self._backdrops(scenes, size)
        else:
            posed = None
            truths = [self.truth(body, p) for p in placed]
            backdrops = np.stack([background.paint(scene, size) for scene in scenes])
        matrices = [framing.matrix(scene, truth) for scene, truth in zip(scenes, truths, strict=True)]
        image, coverage, kinds, keys = self._draw(body, scenes, placed, matrices, backdrops, supersampling, posed=posed)
        images = self.expose(image, scenes)
        return self._pictures(images, coverage, kinds, keys, truths, matrices, supersampling)

    def expose(self, linear: np.ndarray | wp.array, scenes: Sequence[Scene]) -> Sequence[np.ndarray]:
        """Pass linear light (B, H, W, 3), or vec3 (B, H, W) on the device, through the sensor of each scene:
        (H, W, 3) uint8 each."""
        if self.resident:
            return resident.expose(self._vectors(linear), scenes).numpy()
        pictures = linear.numpy() if isinstance(linear, wp.array) else linear
        return [sensor.expose(picture, scene) for picture, scene in zip(pictures, scenes, strict=True)]

    def layers(
        self,
        body: Body,
        scenes: Sequence[Scene],
        placed: Sequence[Placed],
        truths: Sequence[dict[str, np.ndarray]],
        matrices: Sequence[np.ndarray],
        backdrops: np.ndarray,
        supersampling: int,
        extra: Sequence[occluders.Soup] | None = None,
    ) -> list[Picture]:
        """Draw one identity over backdrops (B, H, W, 3), linear light in and out: pictures before the sensor.

        Args:
            placed, truths: from :meth:`place` and :meth:`truth`.
            matrices: (2, 3) each, from (x/d, -y/d, 1) to pixels.
            extra: more triangles in camera space for each picture, such as a torso.
        """
        image, coverage, kinds, keys = self._draw(body, scenes, placed, matrices, backdrops, supersampling, extra)
        return self._pictures(image.numpy(), coverage, kinds, keys, truths, matrices, supersampling)

    def _pictures(
        self,
        images: Sequence[np.ndarray],
        coverage: wp.array,
        kinds: wp.array,
        keys: wp.array,
        truths: Sequence[dict[str, np.ndarray]],
        matrices: Sequence[np.ndarray],
        supersampling: int,
    ) -> list[Picture]:
        coverage, kinds, keys = coverage.numpy(), kinds.numpy(), keys.numpy()
        pictures = []
        for b, (truth, matrix) in enumerate(zip(truths, matrices, strict=True)):
            five, dense = camera.project(truth["five"], matrix), camera.project(truth["dense"], matrix)
            face = camera.project(truth["face"], matrix)
            pictures.append(
                Picture(
                    image=images[b],
                    landmarks=five.astype(np.float32),
                    visible=_visible(truth["five"], five, keys[b], supersampling, len(self.model.triangles)),
                    dense=dense.astype(np.float32),
                    dense_visible=_visible(truth["dense"], dense, keys[b], supersampling, len(self.model.triangles)),
                    box=np.concatenate([face.min(axis=0), face.max(axis=0)]).astype(np.float32),
                    mask=coverage[b],
                    kinds=kinds[b],
                )
            )
        return pictures

    def _pose(
        self, body: Body, scenes: Sequence[Scene], placed: Sequence[Placed]
    ) -> tuple[tuple[wp.array, wp.array], np.ndarray]:
        """What :class:`Placed` computes, on the device: vertices and offsets (B, V), and those of the truth
        (B, N + M, 3)."""
        strengths = np.stack([self.model.strengths(scene.actions) for scene in scenes])
        turns = np.stack([np.stack([p.turn, p.shoulders]) for p in placed])
        positions, offsets = (self._empty((len(scenes), len(body.rest))) for _ in range(2))
        self._launch(
            resident.pose_vertices,
            positions.shape,
            *(self._array(body.rest, wp.vec3), self._actions, self._array(strengths, float), self._head_share),
            *(self._array(turns, wp.mat33), self._array(np.stack([p.translation for p in placed]), wp.vec3)),
            *(wp.vec3(*map(float, camera.NECK)), offsets, positions),
        )
        places = self._empty((len(scenes), len(self._truth_vertices)))
        self._launch(resident.gather, places.shape, positions, self._truth_vertices_on_device, places)
        return (positions, offsets), places.numpy()

    def _backdrops(self, scenes: Sequence[Scene], size: tuple[int, int]) -> wp.array:
        """What :func:`background.paint` gives, enlarged on the device: (B, H, W)."""
        canvases = self._array(np.stack([background.canvas(scene, size) for scene in scenes]), wp.vec3)
        result = self._empty((len(scenes), *size))
        self._launch(resident.enlarge, result.shape, canvases, result)
        return result

    def _view(
        self, body: Body, scene: Scene, turn: np.ndarray, translation: np.ndarray, matrix: np.ndarray
    ) -> kernels.View:
        view = kernels.View()
        view.m0, view.m1 = wp.vec3(*map(float, matrix[0])), wp.vec3(*map(float, matrix[1]))
        view.rotation = wp.mat33(*map(float, turn.ravel()))
        view.translation = wp.vec3(*map(float, translation))
        key, env = light(scene)
        view.key_direction = wp.vec3(*map(float, scene.key_direction))
        view.key_softness = float(scene.key_softness)
        view.key_colour = wp.vec3(*map(float, key))
        view.env, view.env_x, view.env_y, view.env_z = (wp.vec3(*map(float, row)) for row in env)
        eyes = body.eyes @ turn.T + translation
        view.eye_left, view.eye_right = wp.vec3(*map(float, eyes[0])), wp.vec3(*map(float, eyes[1]))
        yaw, pitch = scene.gaze
        for name, toe in (("gaze_left", 0.03), ("gaze_right", -0.03)):  # eyes converge a little
            a = yaw + toe
            gaze = turn @ np.array([np.sin(a) * np.cos(pitch), np.sin(pitch), np.cos(a) * np.cos(pitch)])
            setattr(view, name, wp.vec3(*map(float, gaze)))
        view.cloth = wp.vec3(*map(float, scene.cloth))
        view.neckline = float(scene.neckline)
        return view

    def _person(self, body: Body) -> kernels.Person:
        identity, person = body.identity, kernels.Person()
        person.iris = wp.vec3(*map(float, identity.iris))
        person.iris_radius = float(0.058 / body.eye_radii.mean())
        yellow = 0.06 * identity.age + 0.05 * identity.melanin
        person.sclera = wp.vec3(0.72 - 0.5 * yellow, 0.68 - 0.8 * yellow, 0.66 - 1.4 * yellow)
        red, dark = identity.lip_redness, identity.lip_darkness
        person.lip = wp.vec3(
            float(0.97 - 0.35 * dark), float(0.80 - 0.28 * red - 0.3 * dark), float(0.82 - 0.22 * red - 0.3 * dark)
        )
        person.hair = wp.vec3(*map(float, skin.hair_colour(identity.eumelanin, identity.pheomelanin, identity.grey)))
        person.hair_gloss = float(1.0 - 0.6 * identity.curl)
        person.skin_gloss = float(identity.gloss)
        person.teeth = wp.vec3(0.80, 0.73, 0.60)
        return person

    def _draw(
        self,
        body: Body,
        scenes: Sequence[Scene],
        placed: Sequence[Placed],
        matrices: Sequence[np.ndarray],
        backdrops: np.ndarray | wp.array,
        factor: int,
        extra: Sequence[occluders.Soup] | None = None,
        posed: tuple[wp.array, wp.array] | None = None,
    ) -> tuple[wp.array, wp.array, wp.array, wp.array]:
        """Image (B, H, W) vec3 of linear light, coverage, kinds (B, H, W), and keys of the nearest primitives."""
        model, (height, width) = self.model, backdrops.shape[1:3]
        soups = [occluders.build(model, body, scene, p) for scene, p in zip(scenes, placed, strict=True)]
        if extra is not None:
            soups = [occluders.join([soup, more]) for soup, more in zip(soups, extra, strict=True)]
        if posed is None:
            stacks = np.stack([p.vertices for p in placed]), np.stack([p.offsets for p in placed])
            posed = self._array(stacks[0], wp.vec3), self._array(stacks[1], wp.vec3)
        positions, offsets = posed
        views = self._array(
            [
                self._view(body, scene, p.turn, p.translation, m)
                for scene, p, m in zip(scenes, placed, matrices, strict=True)
            ],
            kernels.View,
        )
        occlusion, normals = self._array(body.occlusion, float), self._normals(positions)
        lit, seen = self._light(positions, normals, occlusion, soups, views)

        keys = wp.full(
            (len(scenes), height * factor, width * factor), 0xFFFFFFFFFFFFFFFF, dtype=wp.uint64, device=self.device
        )
        projected = self._project(positions, views, factor)
        lash = float(0.20 + 0.5 * body.identity.lashes)
        heads = (len(scenes), len(model.triangles))
        self._launch(kernels.draw_head, heads, projected, self._triangles, self._parts, lash, keys)
        things = self._draw_occluders(occluders.pad(soups), views, factor, keys)
        first_strand = len(model.triangles) + things[0].shape[1]
        scales = [float(np.linalg.norm(m[0, :2])) * factor for m in matrices]
        free = [0 if scene.occluder == "hat" else 1 for scene in scenes]
        locks = self._draw_strands(body.strands, offsets, views, factor, scales, free, first_strand, keys)

        image, coverage, kinds = (self._empty(backdrops.shape[:3], dtype) for dtype in (wp.vec3, float, wp.uint8))
        self._launch(
            kernels.shade,
            image.shape,
            *(keys, views, self._array([self._person(body)] * len(scenes), kernels.Person)),
            *(self._triangles, self._parts, positions, normals, projected, lit, seen, occlusion),
            *(self._template, self._paint, self._lips, self._array(body.texture, wp.uint8)),
            *things,
            *locks,
            *(len(model.triangles), first_strand, factor),
            self._vectors(backdrops),
            *(image, coverage, kinds),
        )
        return image, coverage, kinds, keys

    def _normals(self, positions: wp.array) -> wp.array:
        normals = self._empty(positions.shape)
        self._launch(
            kernels.vertex_normals,
            positions.shape,
            *(positions, self._triangles, self._first, self._incident, normals),
        )
        return normals

    def _project(self, positions: wp.array, views: wp.array, factor: int) -> wp.array:
        projected = self._empty(positions.shape)
        self._launch(kernels.project, positions.shape, positions, views, float(factor), projected)
        return projected

    def _light(
        self,
        positions: wp.array,
        normals: wp.array,
        occlusion: wp.array,
        soups: Sequence[occluders.Soup],
        views: wp.array,
    ) -> tuple[wp.array, wp.array]:
        """Irradiance that has diffused through skin, and the share of the key light that is seen: each (B, V)."""
        heads = self._shadow_meshes(positions)
        # What an occluder's mesh must outlive is the launch below, so the list is kept.
        others = [None if soup.is_empty else self._mesh(soup) for soup in soups]
        lit, lit_next = (self._empty(positions.shape) for _ in range(2))
        seen, seen_next = (self._empty(positions.shape, float) for _ in range(2))
        self._launch(
            kernels.light_vertices,
            positions.shape,
            self._array([mesh.id for mesh in heads], wp.uint64),
            self._array([mesh.id if mesh else 0 for mesh in others], wp.uint64),
            *(positions, normals, occlusion, views, SHADOW_RAYS, lit, seen),
        )
        for amount in DIFFUSION:
            self._launch(
                kernels.diffuse_vertices,
                positions.shape,
                *(self._first_n, self._neighbours, wp.vec3(*amount), lit, lit_next, seen, seen_next),
            )
            lit, lit_next, seen, seen_next = lit_next, lit, seen_next, seen
        return lit, seen

    def _draw_occluders(self, soup: occluders.Soup, views: wp.array, factor: int, keys: wp.array) -> list[wp.array]:
        """Draw a batch of occluders; return what :func:`kernels.shade` needs of them."""
        triangles, positions = self._array(soup.triangles, wp.int32), self._array(soup.positions, wp.vec3)
        projected = self._project(positions, views, factor)
        self._launch(
            kernels.draw_occluders,
            soup.triangles.shape[:2],
            *(projected, triangles, self._array(soup.alphas, float), len(self.model.triangles), keys),
        )
        normals, colours = self._array(soup.normals, wp.vec3), self._array(soup.colours, wp.vec4)
        return [triangles, positions, normals, projected, colours]

    def _draw_strands(
        self,
        strands: hair.Strands,
        offsets: wp.array,
        views: wp.array,
        factor: int,
        scales: list[float],
        free: list[int],
        first: int,
        keys: wp.array,
    ) -> list[wp.array]:
        """Draw hair and beard; return what :func:`kernels.shade` needs of them.

        Args:
            scales: samples per dm at depth 1, of each picture.
            free: 0 where a hat is worn.
            first: the number of the first strand's first piece among all primitives.
        """
        count, points = strands.points.shape[:2]
        positions, projected = (self._empty((len(views), count, points)) for _ in range(2))
        if count:
            self._launch(
                kernels.place_strands,
                positions.shape,
                *(self._array(strands.points, wp.vec3), self._array(strands.anchor, wp.int32)),
                *(offsets, views, float(factor), positions, projected),
            )
            self._launch(
                kernels.draw_strands,
                (len(views), count, points - 1),
                *(projected, self._array(strands.width, float), self._array(strands.taper, float)),
                *(self._array(scales, float), first, self._array(free, wp.int32)),
                *(self._array(strands.under_hat, wp.int32), keys),
            )
        return [positions, projected, self._array(strands.tint, wp.vec3), self._array(strands.depth, float)]

    def _shadow_meshes(self, positions: wp.array) -> list[wp.Mesh]:
        """One tree of triangles per image; made once and refitted, which is thirty times faster than building."""
        while len(self._meshes) < len(positions):
            self._meshes.append(wp.Mesh(wp.clone(positions[len(self._meshes)]), self._solid))
        meshes = self._meshes[: len(positions)]
        for b, mesh in enumerate(meshes):
            mesh.points.assign(positions[b])
            mesh.refit()
        return meshes

    def _mesh(self, soup: occluders.Soup) -> wp.Mesh:
        return wp.Mesh(self._array(soup.positions, wp.vec3), self._array(soup.triangles.ravel(), wp.int32))


@functools.lru_cache(maxsize=2)
def renderer_for(device: str = "cpu", show_progress: bool = False) -> Renderer:
    """Return this process's renderer: made once, with the head's data read and the kernels compiled or taken from the
    cache."""
    model = load_head(show_progress)
    renderer = Renderer(model, device)
    renderer.compile(show_progress)
    return renderer


def light(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """Return the key light's colour (3,) and the environment's irradiance as four rows: constant, x, y and z gradients,
    linear RGB.

    The camera's automatic exposure is part of it: light that falls on a surface facing the camera comes to about 0.9,
    two stops apart at most from scene to scene (``exposure``).
    """
    key = blackbody(scene.key_temperature) * scene.key_strength
    env = np.zeros((4, 3))
    env[0] = 0.32 * (scene.sky + scene.ground)
    env[2] = 0.30 * (scene.sky - scene.ground * 0.8)
    fill = scene.fill / np.linalg.norm(scene.fill) * scene.fill_strength
    env[1] += fill[0] * scene.sky * 0.6
    env[3] += fill[2] * scene.sky * 0.5 + 0.12
    facing = env[0] + env[3] + key * max(float(scene.key_direction[2]), 0.25) * 0.8
    gain = 0.88 / facing.mean()
    return key * gain, env * gain


@dataclass(frozen=True)
class ChipFraming:
    """Frames by the true landmarks: the face stands exactly in the template of ``size`` x ``size`` (ArcFace's at 112).

    Attributes:
        size: side of the chip in pixels.
        margin: extra pixels around the chip on each side; with a margin the picture is a full crop, shifted by the
            scene's jitter.
    """

    size: int = 112
    margin: int = 0

    @property
    def shape(self) -> tuple[int, int]:
        return self.size + 2 * self.margin, self.size + 2 * self.margin

    def matrix(self, scene: Scene, truth: dict[str, np.ndarray]) -> np.ndarray:
        """The (2, 3) matrix from (x/d, -y/d, 1) to pixels: the pinhole camera followed by the similarity of
        alignment."""
        if self.margin:  # a crop as a photographer frames it: upright, a little off
            face = camera.project(truth["face"], np.eye(2, 3))
            extent = np.ptp(face, axis=0).max()
            scale = 1.05 * self.size / extent * np.exp(0.08 * scene.jitter[2])
            middle = (face.min(0) + face.max(0)) / 2
            shift = np.array(self.shape[::-1]) / 2 + 0.05 * self.size * scene.jitter[:2] - scale * middle
            return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        return similarity(camera.project(truth["five"], np.eye(2, 3)), template(self.size))


def _visible(points: np.ndarray, pixels: np.ndarray, keys: np.ndarray, factor: int, head_triangles: int) -> np.ndarray:
    """Which landmarks are inside the picture and hidden by nothing.

    A landmark lies on the skin, or for the eyes on the eyeball just behind the lids: so the head itself hides it only
    from 0.12 dm before it on, while an occluder or a strand of hair hides it by being nearer at all.
    """
    samples = np.round((pixels + 0.5) * factor - 0.5).astype(int)
    height, width = keys.shape
    inside = (samples >= 0).all(axis=1) & (samples[:, 0] < width) & (samples[:, 1] < height)
    column, row = np.clip(samples[:, 0], 0, width - 1), np.clip(samples[:, 1], 0, height - 1)
    key = keys[row, column]
    nearest = (key >> np.uint64(32)).astype(np.uint32).view(np.float32)
    on_head = (key & np.uint64(0xFFFFFFFF)) < head_triangles
    nearest = np.where(key == np.uint64(0xFFFFFFFFFFFFFFFF), np.inf, nearest)  # beside the silhouette: nothing is drawn
    return inside & (-points[:, 2] - nearest < np.where(on_head, 0.12, 0.0))


def _adjacency(triangles: np.ndarray, vertices: int) -> tuple[np.ndarray, np.ndarray]:
    """For each vertex the triangles that touch it, as offsets (V+1,) and a flat list."""
    order = np.argsort(triangles.ravel(), kind="stable")
    first = np.searchsorted(triangles.ravel()[order], np.arange(vertices + 1))
    return first.astype(np.int32), (order // 3).astype(np.int32)


def _neighbours(triangles: np.ndarray, vertices: int) -> tuple[np.ndarray, np.ndarray]:
    """For each vertex its neighbours along edges, as offsets (V+1,) and a flat list."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    edges = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
    return np.searchsorted(edges[:, 0], np.arange(vertices + 1)).astype(np.int32), edges[:, 1].astype(np.int32)
