"""Where a set is kept: shards of Parquet with their checksums, in a folder or at an fsspec address.

A shard holds all pictures of a few identities, or a few photographs.
"""

import contextlib
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pandas as pd

from facelab.errors import FacelabError
from facelab.files import atomic_write

if TYPE_CHECKING:
    from facelab.synth.render import Renderer

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


class ShardRecipe(Protocol):
    """What can be made: chips (:class:`~facelab.synth.recipe.SynthRecipe`) or photographs."""

    @property
    def shards(self) -> int: ...

    def to_json(self) -> dict[str, Any]: ...

    def rows_of(self, shard: int) -> int: ...

    def render(self, renderer: "Renderer", shard: int) -> list[dict[str, Any]]: ...


class Store:
    """A folder for shards: a local one, written atomically, or any fsspec address such as ``s3://bucket/set`` or
    ``memory://set``.

    Raises:
        FacelabError: fsspec does not know such an address, lacks a package for it, or cannot reach it; also where it is
            read or written.
    """

    def __init__(self, address: str | Path):
        import fsspec

        self.address = str(address)
        with self._reached("open"):
            self.files, self.root = fsspec.core.url_to_fs(self.address)
        self.local = "file" in (
            self.files.protocol if isinstance(self.files.protocol, tuple) else (self.files.protocol,)
        )

    def _path(self, name: str) -> str:
        return f"{self.root.rstrip('/')}/{name}"

    @contextlib.contextmanager
    def _reached(self, what: str) -> Iterator[None]:
        """Turn what a file system raises, and each raises its own, into one line."""
        try:
            yield
        except FacelabError:
            raise
        except Exception as error:
            said = str(error).strip().splitlines() or [type(error).__name__]
            raise FacelabError(
                f"cannot {what} {self.address}: {said[0].rstrip('.')}. Check the address, and install what it needs; a "
                "folder on this machine always works."
            ) from error

    def write(self, name: str, data: bytes) -> None:
        """Write a whole file or none."""
        if self.local:
            with atomic_write(Path(self._path(name))) as temporary:
                temporary.write_bytes(data)
            return
        with self._reached("write to"):
            self.files.makedirs(self.root, exist_ok=True)
            self.files.pipe_file(self._path(name), data)

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a file, or None if there is none."""
        with self._reached("read"):
            try:
                return self.files.cat_file(self._path(name))
            except (FileNotFoundError, NotADirectoryError):
                return None

    def names(self) -> list[str]:
        """Return the names of the files that are there now."""
        with self._reached("read"):
            try:
                self.files.invalidate_cache(self.root)
                return sorted(path.rsplit("/", 1)[-1] for path in self.files.ls(self.root, detail=False))
            except (FileNotFoundError, NotADirectoryError):
                return []


def shard_name(index: int) -> str:
    return f"shard-{index:05d}.parquet"


def write_shard(store: Store, index: int, rows: list[dict[str, Any]]) -> None:
    """Write the rows of a shard as Parquet, see :func:`keep_shard`."""
    keep_shard(store, index, to_parquet(rows), len(rows))


def keep_shard(store: Store, index: int, data: bytes, rows: int) -> None:
    """Write a shard, then its checksum: a shard without one is not complete."""
    store.write(shard_name(index), data)
    record = {"shard": shard_name(index), "rows": rows, "sha256": hashlib.sha256(data).hexdigest()}
    store.write(shard_name(index) + ".json", json.dumps(record).encode())


def check_shard(store: Store, index: int) -> Literal["good", "missing", "damaged"]:
    """Say whether a shard is complete: its checksum is written after it, and must match."""
    record, data = store.read(shard_name(index) + ".json"), store.read(shard_name(index))
    if record is None or data is None:
        return "missing"
    try:
        expected = json.loads(record)["sha256"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return "damaged"
    return "good" if hashlib.sha256(data).hexdigest() == expected else "damaged"


def claim(store: Store, recipe: ShardRecipe) -> None:
    """Write the recipe beside the shards, or check that the one there is the same."""
    wanted = json.loads(json.dumps(recipe.to_json()))
    found = _recipe_in(store)
    if found is None:
        if any(name.startswith("shard-") for name in store.names()):
            raise FacelabError(f"{store.address} holds shards but no recipe.json; choose another folder.")
        if others := [name for name in store.names() if not name.startswith(".")]:
            raise FacelabError(
                f"{store.address} holds other files, such as {others[0]}: with shards beside them it would be "
                "read as rendered faces alone. Choose another folder."
            )
        store.write("recipe.json", json.dumps(wanted, indent=1).encode())
        return
    if found != wanted:
        changed = [f"{key}={found.get(key)!r}, not {wanted[key]!r}" for key in wanted if found.get(key) != wanted[key]]
        raise FacelabError(f"{store.address} holds another set ({'; '.join(changed)[:500]}). Choose another folder.")


def _recipe_in(store: Store) -> dict[str, Any] | None:
    """Return what ``recipe.json`` holds, or None where there is none.

    Raises:
        FacelabError: it is no recipe of a set; another program's may have the same name.
    """
    text = store.read("recipe.json")
    if text is None:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise FacelabError(
            f"{store.address}/recipe.json is damaged, or was not written by facelab synth. Choose another folder."
        )
    return found


def kind_of(out: str | Path) -> str | None:
    """Say what a folder holds: ``"chips"``, ``"photographs"``, ``"faces"`` (of another source), or None."""
    return (_recipe_in(Store(out)) or {}).get("kind")


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
    settings = _recipe_in(store) or {}
    if settings.pop("kind", None) != kind:
        raise FacelabError(f"SynthFaces: {out} holds no set of {kind}; make one with the command facelab synth.")
    settings.pop("generator", None)
    try:
        recipe = parse(settings)
    except (TypeError, KeyError, ValueError) as error:
        raise FacelabError(
            f"SynthFaces: recipe.json in {out} does not fit this version of facelab: {str(error).rstrip('.')}."
        ) from error
    tables = []
    for index in range(recipe.shards):
        if (state := check_shard(store, index)) != "good":
            raise FacelabError(
                f"SynthFaces: {shard_name(index)} in {out} is {state}; run the same facelab synth command again."
            )
        try:
            tables.append(pd.read_parquet(io.BytesIO(store.read(shard_name(index)) or b"")))
        except Exception as error:  # what the reader of a foreign format raises is without end
            raise FacelabError(f"SynthFaces: {shard_name(index)} in {out} holds something else than {kind}.") from error
    return pd.concat(tables, ignore_index=True)


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
    if isinstance(value, bytes):
        return pa.binary(), {"dtype": "binary", "_type": "Value"}
    if isinstance(value, bool):
        return pa.bool_(), {"dtype": "bool", "_type": "Value"}
    if isinstance(value, int):
        return pa.int32(), {"dtype": "int32", "_type": "Value"}
    return pa.float32(), {"dtype": "float32", "_type": "Value"}
