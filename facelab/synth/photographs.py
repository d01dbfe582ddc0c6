"""Photographs of one to four people, 640x480, with a box and landmarks for every face: food for detectors."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facelab.data.faceset import EncodedImages
from facelab.errors import FacelabError
from facelab.synth.dataset import make
from facelab.synth.recipe import GENERATOR, check_seed, folder_of
from facelab.synth.scene import Ranges
from facelab.synth.shards import read_shards

if TYPE_CHECKING:
    from facelab.synth.render import Renderer

PER_SHARD = 40
FACE_HEIGHT = 2.1  # dm from chin to hairline and a little more; sets the size of a face in pixels
SHARED = (  # one light, one air, one camera for all people of a photograph
    *("key_direction", "key_strength", "key_softness", "key_temperature", "sky", "ground", "fill", "fill_strength"),
    *("exposure", "white_balance", "contrast", "saturation", "noise", "blur", "motion", "jpeg", "resolution"),
    "background_seed",
)


@dataclass(frozen=True)
class PhotographRecipe:
    """Everything that decides which photographs come out.

    Attributes:
        photographs: how many.
        seed: another seed gives other people and places.
        width, height: pixels.
        most: up to so many people on a photograph.
        smallest, largest: the height of a face in pixels, drawn evenly in the logarithm.
        ranges: how varied poses, light, occluders and sensor are.
    """

    photographs: int
    seed: int = 0
    width: int = 640
    height: int = 480
    most: int = 4
    smallest: float = 36.0
    largest: float = 260.0
    ranges: Ranges = field(default_factory=Ranges)

    def __post_init__(self) -> None:
        if not 1 <= self.photographs <= 1_000_000:
            raise FacelabError(f"photographs={self.photographs}; give 1 to 1,000,000.")
        if not 1 <= self.most <= 100:
            raise FacelabError(f"most={self.most}; give 1 to 100 people.")
        if not (16 <= self.width <= 4096 and 16 <= self.height <= 4096):
            raise FacelabError(f"photographs of {self.width} x {self.height} pixels; give 16 to 4096 each.")
        check_seed(self.seed)
        if not 8 <= self.smallest <= self.largest:
            raise FacelabError(f"faces from {self.smallest} to {self.largest} pixels; give 8 <= smallest <= largest.")

    def to_json(self) -> dict[str, Any]:
        return {"kind": "photographs", **dataclasses.asdict(self), "generator": GENERATOR}

    @property
    def shards(self) -> int:
        return -(-self.photographs // PER_SHARD)

    def numbers_of(self, shard: int) -> range:
        return range(shard * PER_SHARD, min((shard + 1) * PER_SHARD, self.photographs))

    def rows_of(self, shard: int) -> int:
        return len(self.numbers_of(shard))

    def render(self, renderer: "Renderer", shard: int) -> list[dict[str, Any]]:
        return [render_photograph(renderer, self, number) for number in self.numbers_of(shard)]


def render_photograph(renderer: "Renderer", recipe: PhotographRecipe, number: int) -> dict[str, Any]:
    """Render one photograph: people from back to front, each drawn over what is behind."""
    from facelab.synth import background, camera, occluders, sensor
    from facelab.synth.identity import sample_identity
    from facelab.synth.scene import sample_scene

    rng = np.random.default_rng([recipe.seed, 2, number])
    count = int(rng.integers(1, recipe.most + 1))
    width, height = recipe.width, recipe.height
    sizes = np.exp(rng.uniform(np.log(recipe.smallest), np.log(recipe.largest / (1 + 0.35 * (count - 1))), count))
    sizes = np.sort(sizes)  # the farthest first
    focal = float(np.exp(rng.uniform(np.log(0.8), np.log(2.2)))) * width
    slots = rng.permutation(count)
    first = sample_scene(np.random.SeedSequence([recipe.seed, 3, number]), recipe.ranges)
    image = background.paint(first, (height, width), coarse=int(rng.choice([96, 192, 320])))
    people: list[dict[str, Any]] = []
    for k in range(count):
        scene = sample_scene(np.random.SeedSequence([recipe.seed, 4, number, k]), recipe.ranges)
        scene = dataclasses.replace(scene, **{name: getattr(first, name) for name in SHARED})
        body = renderer.body(sample_identity(renderer.model, np.random.SeedSequence([recipe.seed, 5, number, k])))
        scale = sizes[k] / FACE_HEIGHT  # pixels per dm
        distance = focal / scale
        x = (slots[k] + 0.5 + rng.uniform(-0.28, 0.28)) * width / count
        y = float(
            np.clip(
                rng.uniform(0.22, 0.62) * height, max(0.75 * sizes[k], height - 9.5 * scale), height - 0.5 * sizes[k]
            )
        )
        where = np.array([(x - width / 2) / focal * distance, -(y - height / 2) / focal * distance, -distance])
        placed = renderer.place(body, scene, where)
        truth = renderer.truth(body, placed)
        matrix = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2]])
        reach = camera.project(placed.vertices, matrix)
        left, right = _span(reach[:, 0], 0.9 * sizes[k], width)
        top, bottom = _span(reach[:, 1], 0.9 * sizes[k], height)[0], height
        if right <= left or bottom <= top:
            continue
        window = matrix - np.array([[0, 0, left], [0, 0, top]])
        backdrop = np.ascontiguousarray(image[None, top:bottom, left:right])
        extra = [occluders.torso(renderer.model, placed.vertices, scene.cloth)]
        layer = renderer.layers(body, [scene], [placed], [truth], [window], backdrop, 2, extra)[0]
        image[top:bottom, left:right] = layer.image
        for other in people:  # who stands in front hides who stands behind
            other["visible"] &= ~_covered(layer.mask, other["landmarks"] - [left, top])
        shift = np.array([left, top], np.float32)
        people.append({
            "landmarks": layer.landmarks + shift,
            "visible": layer.visible,
            "box": layer.box + np.tile(shift, 2),
            "yaw": scene.yaw,
            "occluder": scene.occluder,
            "melanin": body.identity.melanin,
        })  # fmt: skip
    (picture,) = renderer.expose(image[None], [first])
    return {
        "image": {"bytes": sensor.encode_jpeg(picture, first.jpeg), "path": f"photograph-{number:05d}.jpg"},
        "photograph": number,
        "faces": len(people),
        "boxes": [float(v) for p in people for v in p["box"]],
        "landmarks": [float(v) for p in people for v in p["landmarks"].ravel()],
        "visible": [bool(v) for p in people for v in p["visible"]],
        "yaw": [float(p["yaw"]) for p in people],
        "melanin": [float(p["melanin"]) for p in people],
        "occluder": [str(p["occluder"]) for p in people],
    }


def _span(values: np.ndarray, margin: float, limit: int) -> tuple[int, int]:
    return int(np.clip(np.floor(values.min() - margin), 0, limit)), int(
        np.clip(np.ceil(values.max() + margin), 0, limit)
    )


def _covered(mask: np.ndarray, points: np.ndarray) -> np.ndarray:
    at = np.round(points).astype(int)
    inside = (at >= 0).all(axis=1) & (at[:, 0] < mask.shape[1]) & (at[:, 1] < mask.shape[0])
    at = np.clip(at, 0, [mask.shape[1] - 1, mask.shape[0] - 1])
    return inside & (mask[at[:, 1], at[:, 0]] > 0.5)


@dataclass(frozen=True, eq=False)
class Photograph:
    """One photograph and the truth about the faces on it.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        boxes: (n, 4) float32: x0, y0, x1, y1 from forehead to chin and ear to ear, pixels; may reach outside the
            picture.
        landmarks: (n, 5, 2) float32 pixels: left eye, right eye, nose, left and right mouth corner; left is image left.
        visible: (n, 5) bool.
        occluders: the name of each person's occluder.
    """

    image: np.ndarray
    boxes: np.ndarray
    landmarks: np.ndarray
    visible: np.ndarray
    occluders: tuple[str, ...]


class Photographs(Sequence):
    """A set of photographs, decoded one at a time."""

    def __init__(self, table: Any, name: str):
        self.table = table
        self._images = EncodedImages([cell["bytes"] for cell in table["image"]], name)

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, index: int) -> Photograph:  # type: ignore[override]
        row = self.table.iloc[index]
        n = int(row["faces"])
        return Photograph(
            self._images[index],
            np.asarray(row["boxes"], np.float32).reshape(n, 4),
            np.asarray(row["landmarks"], np.float32).reshape(n, 5, 2),
            np.asarray(row["visible"], bool).reshape(n, 5),
            tuple(row["occluder"]),
        )


def load_photographs(
    photographs: int | str | Path = 200, *, seed: int = 0, workers: int = 1, show_progress: bool = True
) -> Photographs:
    """Load photographs; a number renders so many on first use, a path reads a set made by ``facelab synth --photographs
    N``.

    Raises:
        FacelabError: the path holds no photographs, or a shard is damaged.
    """
    if isinstance(photographs, int):
        out: str | Path = folder_of(f"photographs-{photographs}-{seed}")
        make(PhotographRecipe(photographs, seed=seed), out, workers=workers, show_progress=show_progress)
    else:
        out = photographs
    table = read_shards(
        out, "photographs", lambda settings: PhotographRecipe(**settings | {"ranges": Ranges(**settings["ranges"])})
    )
    return Photographs(table, str(out))
