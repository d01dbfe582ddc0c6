"""SynthFaces as a data set: recipes, parallel rendering into Parquet shards, resuming, checking, loading.

A shard holds all pictures of a few identities. Each picture depends on (seed, identity, image) alone, so shards can
be rendered by any number of workers, in any order, on one machine or many, and come out byte for byte the same.
"""

import contextlib
import dataclasses
import functools
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import pandas as pd

from facelab.data.faceset import EncodedImages, FaceSet
from facelab.errors import FacelabError
from facelab.files import atomic_write, facelab_home
from facelab.progress import progress_bar
from facelab.synth.scene import Ranges

if TYPE_CHECKING:
    from facelab.synth.head import HeadModel
    from facelab.synth.identity import Identity
    from facelab.synth.render import Renderer

GENERATOR = 2  # raise when the same recipe would give other pictures

COLUMNS = {
    "image": "JPEG bytes of the picture (RGB)",
    "identity": "name of the invented person, 'p00000' and on",
    "picture": "number of the picture of this identity",
    "split": "'closed', or 'held-out' for identities kept for tests on strangers",
    "relative_of": "name of the identity whose sibling or look-alike this one is, or empty",
    "landmarks": "left eye, right eye, nose, left and right mouth corner; x, y in pixels; left is image left",
    "visible": "for each landmark whether nothing hides it and it lies inside the picture",
    "dense": "dense landmarks, named by facelab.synth.camera.DENSE_NAMES; x, y in pixels",
    "dense_visible": "for each dense landmark whether it can be seen",
    "box": "x0, y0, x1, y1 of the face from forehead to chin and ear to ear, pixels; may reach outside the picture",
    "coverage": "share of the picture that the person covers",
    "yaw": "rendering parameter, radians: positive when the face turns to image right",
    "pitch": "rendering parameter, radians: positive upwards",
    "roll": "rendering parameter, radians: positive clockwise in the image (a chip undoes it)",
    "gaze_yaw": "rendering parameter, radians: the eyes against the head, positive to image right",
    "gaze_pitch": "rendering parameter, radians: the eyes against the head, positive upwards",
    "expression": "rendering parameter: name of the combination of facial actions",
    "strength": "rendering parameter, 0 to 1: of the expression",
    "light_azimuth": "rendering parameter, radians: direction of the key light, positive from image right",
    "light_elevation": "rendering parameter, radians: direction of the key light above the horizon",
    "key_strength": "rendering parameter: key light over environment light, 1 is balanced",
    "key_softness": "rendering parameter: tangent of the key light's angular radius",
    "key_temperature": "rendering parameter, kelvin: colour of the key light",
    "distance": "rendering parameter, dm: from camera to head",
    "occluder": "rendering parameter: none, glasses, sunglasses, hat, mask or hand",
    "exposure": "rendering parameter, stops: error of the camera's exposure",
    "noise": "rendering parameter: standard deviation of sensor noise at white, 1 is white",
    "blur": "rendering parameter, pixels of a 224-pixel picture: standard deviation of the lens's blur",
    "jpeg": "rendering parameter: JPEG quality",
    "resolution": "rendering parameter: share of the picture's pixels per axis that the sensor had",
    "age": "rendering parameter, 0 to 1: between the head model's shapes 'young' (about 25 years) and 'old' (about 90)",
    "femaleness": "rendering parameter, 0 to 1: between the head model's male and female shapes",
    "muscle": "rendering parameter, 0 to 1: of the head model",
    "weight": "rendering parameter, 0 to 1: of the head model",
    "african": "rendering parameter: weight of one of three shapes of the head model; the three sum to 1",
    "asian": "rendering parameter: weight of one of three shapes of the head model",
    "caucasian": "rendering parameter: weight of one of three shapes of the head model",
    "melanin": "rendering parameter: optical depth of melanin in the skin, about 0.1 (light) to 2 (dark)",
    "haemoglobin": "rendering parameter: optical depth of blood in the skin",
    "eumelanin": "rendering parameter: dark pigment of the hair, 0 to 3",
    "pheomelanin": "rendering parameter: red pigment of the hair",
    "grey": "rendering parameter, 0 to 1: share of grey hair",
    "brow_thickness": "rendering parameter, 0 to 1",
    "freckles": "rendering parameter, 0 to 1",
    "wrinkles": "rendering parameter, 0 to 1",
    "hair_style": "rendering parameter: name of the style",
    "hair_length": "rendering parameter: factor on the style's length",
    "beard": "rendering parameter: none, stubble, moustache, goatee or full",
}


_LEFT_OUT: dict[str, dict[str, Any]] = {
    "nothing": {},
    "hair": {"hair_style": "none", "beard": "none", "brow_density": 0.0, "brow_thickness": 0.0},
    "skin": dict.fromkeys(("freckles", "moles", "wrinkles", "blotches", "dark_circles"), 0.0),
}


@dataclass(frozen=True)
class SynthRecipe:
    """Everything that decides which pictures come out.

    Attributes:
        identities, images: how many people, and pictures of each.
        seed: another seed gives other people.
        held_out: so many of the last identities are marked ``held-out`` for tests on strangers.
        size: side of the chip in pixels; margin: pixels around it (0 stores aligned chips, more stores upright full
            crops for the reader's own detector and aligner).
        supersampling: samples per pixel and axis.
        ranges: how varied the scenes are.
        relatives: ``"siblings"`` or ``"look-alikes"`` makes every second identity a relative of the one before.
        leave_out: an ingredient to do without, for experiments: ``"hair"`` (with brows and beards), or ``"skin"``
            (freckles, moles, wrinkles, blotches).
    """

    identities: int
    images: int
    seed: int = 0
    held_out: int = 0
    size: int = 112
    margin: int = 0
    supersampling: int = 2
    ranges: Ranges = field(default_factory=Ranges)
    relatives: Literal["none", "siblings", "look-alikes"] = "none"
    leave_out: Literal["nothing", "hair", "skin"] = "nothing"

    def __post_init__(self) -> None:
        for name in ("identities", "images", "size", "supersampling"):
            if getattr(self, name) < 1:
                raise FacelabError(f"SynthFaces: {name}={getattr(self, name)}; give 1 or more.")
        if not 0 <= self.held_out <= self.identities:
            raise FacelabError(
                f"SynthFaces: held_out={self.held_out} of {self.identities} identities; choose 0 to {self.identities}."
            )
        if self.margin < 0 or self.seed < 0:
            raise FacelabError(f"SynthFaces: margin={self.margin}, seed={self.seed}; neither may be negative.")
        if self.relatives not in ("none", "siblings", "look-alikes"):
            raise FacelabError(f"SynthFaces: relatives={self.relatives!r}; choose 'none', 'siblings' or 'look-alikes'.")
        if self.leave_out not in _LEFT_OUT:
            raise FacelabError(f"SynthFaces: leave_out={self.leave_out!r}; choose one of {', '.join(_LEFT_OUT)}.")

    def to_json(self) -> dict[str, Any]:
        return {"kind": "chips", **dataclasses.asdict(self), "generator": GENERATOR}

    @property
    def per_shard(self) -> int:
        """Identities per shard: about 200 pictures, so that a killed run loses seconds."""
        return max(1, 200 // self.images)

    @property
    def shards(self) -> int:
        return -(-self.identities // self.per_shard)

    def identities_of(self, shard: int) -> range:
        return range(shard * self.per_shard, min((shard + 1) * self.per_shard, self.identities))

    def rows_of(self, shard: int) -> int:
        return len(self.identities_of(shard)) * self.images

    def render(self, renderer: "Renderer", shard: int) -> list[dict[str, Any]]:
        """Render the rows of one shard."""
        return [row for number in self.identities_of(shard) for row in render_identity(renderer, self, number)]


class ShardRecipe(Protocol):
    """What :func:`make` can render: chips (:class:`SynthRecipe`) or photographs."""

    shards: int

    def to_json(self) -> dict[str, Any]: ...

    def rows_of(self, shard: int) -> int: ...

    def render(self, renderer: "Renderer", shard: int) -> list[dict[str, Any]]: ...


PRESETS = {
    "synthfaces-mini": SynthRecipe(identities=64, images=16, seed=1),
    "synthfaces-500": SynthRecipe(identities=600, images=24, seed=500, held_out=100),
}


def identity_of(model: "HeadModel", recipe: SynthRecipe, number: int) -> "Identity":
    """Return identity ``number`` of a recipe."""
    from facelab.synth.identity import look_alike, sample_identity, sibling

    if recipe.relatives != "none" and number % 2 == 1:
        make = sibling if recipe.relatives == "siblings" else look_alike
        return make(model, identity_of(model, recipe, number - 1), np.random.SeedSequence([recipe.seed, number]))
    person = sample_identity(model, np.random.SeedSequence([recipe.seed, number]))
    return dataclasses.replace(person, **_LEFT_OUT[recipe.leave_out])


def render_identity(renderer: "Renderer", recipe: SynthRecipe, number: int) -> list[dict[str, Any]]:
    """Render all pictures of one identity; one dict per picture with the columns of COLUMNS."""
    from facelab.synth.render import ChipFraming
    from facelab.synth.scene import sample_scene
    from facelab.synth.sensor import encode_jpeg

    person = identity_of(renderer.model, recipe, number)
    body = renderer.body(person)
    framing = ChipFraming(recipe.size, recipe.margin)
    related = recipe.relatives != "none" and number % 2 == 1
    rows = []
    for start in range(0, recipe.images, renderer.batch):
        numbers = range(start, min(start + renderer.batch, recipe.images))
        scenes = [sample_scene(np.random.SeedSequence([recipe.seed, number, k]), recipe.ranges) for k in numbers]
        pictures = renderer.render(
            body, scenes, size=framing.shape, framing=framing, supersampling=recipe.supersampling
        )
        for k, scene, picture in zip(numbers, scenes, pictures, strict=True):
            rows.append(
                {
                    "image": {"bytes": encode_jpeg(picture.image, scene.jpeg), "path": f"p{number:05d}-{k:03d}.jpg"},
                    "identity": f"p{number:05d}",
                    "picture": k,
                    "split": "held-out" if number >= recipe.identities - recipe.held_out else "closed",
                    "relative_of": f"p{number - 1:05d}" if related else "",
                    "landmarks": picture.landmarks.ravel().tolist(),
                    "visible": picture.visible.tolist(),
                    "dense": picture.dense.ravel().tolist(),
                    "dense_visible": picture.dense_visible.tolist(),
                    "box": picture.box.tolist(),
                    "coverage": float(picture.mask.mean()),
                    **scene.columns(),
                    **person.columns(),
                }
            )
    return rows


@functools.lru_cache(maxsize=2)
def renderer_for(device: str = "cpu", show_progress: bool = False) -> "Renderer":
    """Return this process's renderer: made once, with the head's data read and the kernels compiled or taken from the
    cache."""
    from facelab.synth.head import load_head
    from facelab.synth.render import Renderer

    model = load_head(show_progress)
    renderer = Renderer(model, device)
    renderer.compile(show_progress)
    return renderer


def _shard_name(index: int) -> str:
    return f"shard-{index:05d}.parquet"


def render_shard(recipe: ShardRecipe, index: int, out: str, device: str = "cpu") -> tuple[int, int]:
    """Render one shard and write it with its checksum. Returns (index, number of pictures). This is what a worker
    runs."""
    import cv2
    from threadpoolctl import threadpool_limits

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        # One thread: a matrix product split over threads adds up in another order, and the bytes would depend on the
        # machine.
        with threadpool_limits(1):
            renderer = renderer_for(device)
            rows = recipe.render(renderer, index)
    finally:
        cv2.setNumThreads(threads)
    data = to_parquet(rows)
    store = Store(out)
    store.write(_shard_name(index), data)
    record = {"shard": _shard_name(index), "rows": len(rows), "sha256": hashlib.sha256(data).hexdigest()}
    store.write(_shard_name(index) + ".json", json.dumps(record).encode())
    return index, len(rows)


def to_parquet(rows: list[dict[str, Any]]) -> bytes:
    """Write rows as Parquet with documented columns, in the form that the Hugging Face reader decodes into images."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {name: [row[name] for row in rows] for name in rows[0]}
    arrays, fields, features = [], [], {}
    for name, values in columns.items():
        kind, feature = _arrow_type(name, max(values, key=len) if isinstance(values[0], list) else values[0])
        arrays.append(pa.array(values, type=kind))
        fields.append(pa.field(name, kind, metadata={"description": COLUMNS[name]} if name in COLUMNS else None))
        features[name] = feature
    schema = pa.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": features}})})
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), sink, compression="zstd", row_group_size=64)
    return sink.getvalue()


def _arrow_type(name: str, value: Any) -> tuple[Any, Any]:
    import pyarrow as pa

    if name == "image":
        return pa.struct([("bytes", pa.binary()), ("path", pa.string())]), {"_type": "Image"}
    if isinstance(value, list):
        if value and isinstance(value[0], str):
            return pa.list_(pa.string()), {"feature": {"dtype": "string", "_type": "Value"}, "_type": "List"}
        if value and isinstance(value[0], bool):
            return pa.list_(pa.bool_()), {"feature": {"dtype": "bool", "_type": "Value"}, "_type": "List"}
        return pa.list_(pa.float32()), {"feature": {"dtype": "float32", "_type": "Value"}, "_type": "List"}
    if isinstance(value, str):
        return pa.string(), {"dtype": "string", "_type": "Value"}
    if isinstance(value, int):
        return pa.int32(), {"dtype": "int32", "_type": "Value"}
    return pa.float32(), {"dtype": "float32", "_type": "Value"}


class Store:
    """A folder for shards: a local one, written atomically, or any fsspec address such as ``s3://bucket/set`` or
    ``memory://set``.

    Raises:
        FacelabError: fsspec does not know such an address, or lacks a package for it.
    """

    def __init__(self, address: str | Path):
        import fsspec

        self.address = str(address)
        try:
            self.files, self.root = fsspec.core.url_to_fs(self.address)
        except (ImportError, ValueError) as error:  # a package is missing for it, or there is no such protocol
            raise FacelabError(f"cannot open {self.address}: {error}. Install what it needs, or correct it.") from error
        self.local = "file" in (
            self.files.protocol if isinstance(self.files.protocol, tuple) else (self.files.protocol,)
        )

    def _path(self, name: str) -> str:
        return f"{self.root.rstrip('/')}/{name}"

    def write(self, name: str, data: bytes) -> None:
        """Write a whole file or none.

        Raises:
            FacelabError: the place is full or cannot be written.
        """
        if self.local:
            with atomic_write(Path(self._path(name))) as temporary:
                temporary.write_bytes(data)
            return
        try:
            self.files.makedirs(self.root, exist_ok=True)
            self.files.pipe_file(self._path(name), data)
        except OSError as error:
            raise FacelabError(
                f"cannot write {self._path(name)}: {error}. Free space or choose another place."
            ) from error

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a file, or None if there is none."""
        try:
            return self.files.cat_file(self._path(name))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def names(self) -> list[str]:
        try:
            return sorted(path.rsplit("/", 1)[-1] for path in self.files.ls(self.root, detail=False))
        except (FileNotFoundError, NotADirectoryError):
            return []


def check_shard(store: Store, index: int) -> Literal["good", "missing", "damaged"]:
    """Say whether a shard is complete: its checksum is written after it, and must match."""
    record, data = store.read(_shard_name(index) + ".json"), store.read(_shard_name(index))
    if record is None or data is None:
        return "missing"
    try:
        expected = json.loads(record)["sha256"]
    except (ValueError, KeyError):
        return "damaged"
    return "good" if hashlib.sha256(data).hexdigest() == expected else "damaged"


@dataclass(frozen=True)
class MakeReport:
    """What a run did: pictures rendered now, pictures that were there, names of damaged shards that were rendered
    again."""

    rendered: int
    kept: int
    repaired: tuple[str, ...]
    seconds: float

    def __str__(self) -> str:
        rate = f", {self.rendered / self.seconds:.1f} a second" if self.rendered and self.seconds else ""
        mended = f"; damaged and rendered again: {', '.join(self.repaired)}" if self.repaired else ""
        return (
            f"{self.rendered} pictures rendered in {self.seconds:.1f} s{rate}, {self.kept} were there already{mended}"
        )


def make(
    recipe: ShardRecipe,
    out: str | Path,
    *,
    workers: int | None = 1,
    device: str = "cpu",
    backend: Literal["local", "dask", "ray"] = "local",
    address: str | None = None,
    show_progress: bool = False,
) -> MakeReport:
    """Render what is missing of a data set.

    Args:
        recipe: which pictures.
        out: a folder or an fsspec address. Shards that are there and whole stay.
        workers: processes on this machine (with ``backend="local"``); None for one per core.
        device: of the workers: ``"cpu"``, or a warp device such as ``"cuda:0"``, which all workers share. A GPU gives
            the same people and scenes; its pixels differ by rounding and by the sensor's noise.
        backend: ``"local"`` for processes of joblib, ``"dask"`` or ``"ray"`` for a cluster at ``address``.
        address: of the Dask scheduler or the Ray head.
        show_progress: show progress.

    Raises:
        FacelabError: ``out`` holds another data set, cannot be written, there is no such device, or a worker failed.
    """
    import time

    workers = os.cpu_count() or 1 if workers is None else workers
    if workers < 1:
        raise FacelabError(f"SynthFaces: workers={workers}; give 1 or more.")
    store = Store(out)
    states = [check_shard(store, index) for index in range(recipe.shards)]
    todo = [index for index, state in enumerate(states) if state != "good"]
    repaired = tuple(_shard_name(index) for index, state in enumerate(states) if state == "damaged")
    kept = sum(recipe.rows_of(i) for i, state in enumerate(states) if state == "good")
    total = sum(recipe.rows_of(i) for i in range(recipe.shards))
    here = todo and backend == "local"  # the machines of a cluster may have a device that this one lacks
    if here:
        from facelab.synth.render import check_device

        check_device(device)
    with _cluster(backend, address) if todo else contextlib.nullcontext():
        _claim(store, recipe)
        if here:
            renderer_for(
                device, show_progress
            )  # read the data and compile before the workers start, once and with progress
        start = time.perf_counter()
        rendered = 0
        with progress_bar("Rendering", total, show_progress=show_progress and bool(todo), completed=kept) as bar:
            for _, count in _run(recipe, todo, str(out), workers, device, backend):
                rendered += count
                bar.update(count, note=f"{rendered / (time.perf_counter() - start):.0f}/s")
    return MakeReport(rendered, kept, repaired, time.perf_counter() - start)


def _claim(store: Store, recipe: ShardRecipe) -> None:
    """Write the recipe beside the shards, or check that the one there is the same."""
    wanted = json.loads(json.dumps(recipe.to_json()))
    text = store.read("recipe.json")
    if text is None:
        if any(name.startswith("shard-") for name in store.names()):
            raise FacelabError(f"{store.address} holds shards but no recipe.json; choose another folder or empty it.")
        store.write("recipe.json", json.dumps(wanted, indent=1).encode())
        return
    try:
        found = json.loads(text)
    except ValueError as error:
        raise FacelabError(
            f"{store.address}/recipe.json is damaged; delete the folder and make the set again."
        ) from error
    if found != wanted:
        changed = [f"{key}={found.get(key)!r}, not {wanted[key]!r}" for key in wanted if found.get(key) != wanted[key]]
        raise FacelabError(
            f"{store.address} holds another set ({'; '.join(changed)}). Choose another folder or empty it."
        )


def _run(
    recipe: ShardRecipe, todo: Sequence[int], out: str, workers: int, device: str, backend: str
) -> Iterator[tuple[int, int]]:
    import joblib

    if not todo or (backend == "local" and (workers == 1 or len(todo) == 1)):
        yield from (render_shard(recipe, index, out, device) for index in todo)
        return
    local, as_they_come = backend == "local", backend != "ray"  # Ray's pool hands nothing back before all is done
    parallel = joblib.Parallel(
        n_jobs=min(workers, len(todo)) if local else -1,
        backend="loky" if local else None,
        return_as="generator_unordered" if as_they_come else "list",
        batch_size=1,
    )
    step = len(todo) if as_they_come else 4 * joblib.effective_n_jobs(-1)
    for start in range(0, len(todo), step):
        yield from parallel(joblib.delayed(render_shard)(recipe, i, out, device) for i in todo[start : start + step])


@contextlib.contextmanager
def _cluster(backend: str, address: str | None) -> Iterator[None]:
    """Point joblib at a cluster while the block runs."""
    import joblib

    if backend == "local":
        yield
        return
    if backend not in ("dask", "ray"):
        raise FacelabError(f"backend {backend!r}: choose 'local', 'dask' or 'ray'.")
    try:
        if backend == "dask":
            from dask.distributed import Client

            client = Client(address)
        else:
            import ray
            from ray.util.joblib import register_ray

            ray.init(address=address, ignore_reinit_error=True)
            register_ray()
            client = contextlib.nullcontext()
    except ImportError as error:
        raise FacelabError(f"backend {backend!r} is not installed: pip install 'facelab[scale]'") from error
    except (OSError, ValueError) as error:
        raise FacelabError(f"no {backend} cluster answers at {address!r} ({error}); check the address.") from error
    with client, joblib.parallel_config(backend=backend):
        yield


def folder_of(name: str) -> Path:
    """Return the folder of a set under facelab's cache; pictures of another generator lie beside it."""
    return facelab_home() / "synthfaces" / f"generator-{GENERATOR}" / name


def kind_of(out: str | Path) -> str | None:
    """Say what a folder holds: ``"chips"``, ``"photographs"``, or None."""
    text = Store(out).read("recipe.json")
    return json.loads(text).get("kind") if text is not None else None


def read_shards(out: str | Path, kind: str, parse: Callable[[dict[str, Any]], ShardRecipe]) -> pd.DataFrame:
    """Read and check all shards of a set.

    Args:
        out: the folder or fsspec address.
        kind: ``"chips"`` or ``"photographs"``.
        parse: makes the recipe from the fields in ``recipe.json``.

    Raises:
        FacelabError: there is no set of that kind, or a shard is missing or damaged; the message names it.
    """
    store = Store(out)
    text = store.read("recipe.json")
    settings = json.loads(text) if text is not None else {}
    if settings.pop("kind", None) != kind:
        raise FacelabError(f"SynthFaces: {out} holds no set of {kind}; make one with the command facelab synth.")
    settings.pop("generator")
    tables = []
    for index in range(parse(settings).shards):
        if (state := check_shard(store, index)) != "good":
            raise FacelabError(
                f"SynthFaces: {_shard_name(index)} in {out} is {state}; run the same facelab synth command again."
            )
        tables.append(pd.read_parquet(io.BytesIO(store.read(_shard_name(index)))))
    return pd.concat(tables, ignore_index=True)


def choose(
    preset: str | None = None,
    *,
    identities: int | None = None,
    images: int | None = None,
    photographs: int | None = None,
    **settings: Any,
) -> tuple[ShardRecipe, str]:
    """Turn what a user asks for into a recipe and its place under the cache folder.

    Args:
        preset: a name of PRESETS, which nothing else may change; or give ``identities`` and ``images``, or
            ``photographs``.
        settings: further fields of :class:`SynthRecipe`; of :class:`PhotographRecipe` only the seed.

    Raises:
        FacelabError: an unknown preset, or more or less than one of the three ways.
    """
    ways = (preset is not None) + (photographs is not None) + (identities is not None or images is not None)
    if ways != 1 or (identities is None) != (images is None):
        raise FacelabError(
            f"choose one: a preset ({', '.join(PRESETS)}), --identities N with --images K, or --photographs N."
        )
    if photographs is not None:
        from facelab.synth.photographs import PhotographRecipe

        seed = settings.get("seed", 0)
        return PhotographRecipe(photographs, seed=seed), str(folder_of(f"photographs-{photographs}-{seed}"))
    if preset is not None:
        if preset not in PRESETS:
            raise FacelabError(f"there is no preset {preset!r}; there are: {', '.join(PRESETS)}.")
        return PRESETS[preset], str(folder_of(preset))
    recipe = SynthRecipe(identities, images, **settings)
    changed = [f"{k}-{v}" for k, v in settings.items() if v != SynthRecipe.__dataclass_fields__[k].default]
    return recipe, str(folder_of("-".join([f"{identities}x{images}", *changed])))


def load_synthfaces(
    name: str | Path = "synthfaces-mini",
    *,
    workers: int | None = None,
    show_progress: bool = True,
    make_missing: bool = True,
) -> FaceSet:
    """Load a SynthFaces data set; a preset that is not there yet is rendered first.

    Args:
        name: a preset (``"synthfaces-mini"``, ``"synthfaces-500"``), or the folder or fsspec address of a set made by
            :func:`make`.
        workers: processes for rendering; by default the number of cores, at most 8.
        show_progress: show progress while rendering.
        make_missing: False never renders and raises instead.

    Returns:
        A FaceSet whose table has the columns of :data:`COLUMNS` but ``image``; ``landmarks`` (5, 2), ``dense`` (N, 2),
        ``box`` (4,) as arrays. Read ``facelab.data.card("synthfaces")`` for what the faces can and cannot stand for.

    Raises:
        FacelabError: there is no such preset or folder, or a shard is missing or damaged; the message names it.
    """
    title = str(name)
    if title in PRESETS:
        recipe, out = PRESETS[title], folder_of(title)
        if make_missing:
            make(recipe, out, workers=workers or min(os.cpu_count() or 1, 8), show_progress=show_progress)
    else:
        out = name
    table = read_shards(
        out, "chips", lambda settings: SynthRecipe(**settings | {"ranges": Ranges(**settings["ranges"])})
    )
    images = EncodedImages([cell["bytes"] for cell in table.pop("image")], title)
    table["landmarks"] = [np.asarray(v, np.float32).reshape(5, 2) for v in table["landmarks"]]
    table["dense"] = [np.asarray(v, np.float32).reshape(-1, 2) for v in table["dense"]]
    label = title if title in PRESETS else Path(title.rstrip("/")).name
    return FaceSet(label, images, table)
