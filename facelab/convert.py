"""A set of faces written as Parquet shards, in a folder or at an fsspec address, by processes here or on a cluster."""

import contextlib
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from facelab.data import FaceSet
from facelab.data.parquet import ParquetImages, open_parquet
from facelab.data.parts import encoded, part
from facelab.errors import FacelabError
from facelab.progress import progress_bar
from facelab.synth.shards import Store, check_shard, claim, shard_name, write_shard
from facelab.workers import check_backend, cluster, deaths_said, run_jobs

KIND = "faces"  # in recipe.json, beside SynthFaces' "chips" and "photographs"
Shards = TypeVar("Shards", bound="FaceShards")

PER_SHARD = 1024  # images: some 100 MB of photographs, 10 MB of chips


@dataclass(frozen=True)
class FaceShards:
    """What a folder of shards holds, so that another set is not mixed in and the same one is gone on with.

    Attributes:
        name: of the set.
        images, identities: how many.
        columns: of the table.
        rows: SHA-256 of the table of the images, in order.
        per_shard: images of a shard.
    """

    name: str
    images: int
    identities: int
    columns: tuple[str, ...]
    rows: str
    per_shard: int = PER_SHARD

    @property
    def shards(self) -> int:
        return -(-self.images // self.per_shard)

    def rows_of(self, shard: int) -> int:
        return len(self.range_of(shard))

    def range_of(self, shard: int) -> range:
        return range(shard * self.per_shard, min((shard + 1) * self.per_shard, self.images))

    def to_json(self) -> dict[str, Any]:
        return {"kind": KIND, **vars(self), "columns": list(self.columns)}


@dataclass(frozen=True)
class ConvertReport:
    """What a run did: images written now, images that were there, seconds."""

    written: int
    kept: int
    shards: int
    seconds: float

    def __str__(self) -> str:
        there = f"{self.kept} were there already" if self.kept else f"{self.shards} shards"
        return f"{self.written} images written in {self.seconds:.1f} s; {there}"


def describe_rows(faces: FaceSet, per_shard: int) -> FaceShards:
    """Return the recipe of a set: the same for the same table of images in the same order, wherever they lie."""
    listed = hashlib.sha256()
    for identity, file in zip(faces.table["identity"], faces.files, strict=True):
        listed.update(f"{identity}\0{file}\n".encode("utf-8", "surrogateescape"))
    for name in faces.table.columns.difference(["identity", "file"]):  # such as split and landmarks
        for value in faces.table[name]:
            text = value.tolist() if isinstance(value, np.ndarray) else value
            listed.update(f"{text}\n".encode("utf-8", "surrogateescape"))
    columns = tuple(map(str, faces.table.columns))
    return FaceShards(faces.name, len(faces), len(faces.identities), columns, listed.hexdigest(), per_shard)


def write_faces_as_shards(
    faces: FaceSet,
    out: str | Path,
    *,
    per_shard: int = PER_SHARD,
    workers: int | None = 1,
    backend: str = "local",
    address: str | None = None,
    show_progress: bool = False,
) -> ConvertReport:
    """Write what is missing of a set as shards: the bytes of each picture as they are kept, and its row of the table.

    Args:
        faces: the set.
        out: a folder or an fsspec address. Shards that are there and whole stay.
        per_shard: images of a shard.
        workers, backend, address: see :func:`facelab.synth.make`. Of a cluster, each machine must see the set under
            the same path.
        show_progress: show a bar.

    Raises:
        FacelabError: ``out`` holds another set or cannot be written, or a picture cannot be read; the message names it.
    """
    recipe, start = describe_rows(faces, per_shard), time.perf_counter()
    written = fill_shards(
        faces,
        recipe,
        out,
        partial(_write, str(out)),
        title="Writing",
        workers=workers,
        backend=backend,
        address=address,
        show_progress=show_progress,
    )
    return ConvertReport(written, len(faces) - written, recipe.shards, time.perf_counter() - start)


def fill_shards(
    faces: FaceSet,
    recipe: FaceShards,
    out: str | Path,
    job: Callable[[tuple[int, FaceSet]], int],
    *,
    title: str,
    workers: int | None,
    backend: str,
    address: str | None,
    show_progress: bool,
) -> int:
    """Write the shards that are not there, or not whole; return how many images that were.

    Args:
        faces: the set; a worker gets its part of it.
        recipe: of the shards.
        out: see :func:`write_faces_as_shards`, as for the last four.
        job: writes one shard, of its number and its images, and returns how many these are.
        title: of the bar.

    Raises:
        FacelabError: see :func:`write_faces_as_shards`.
    """
    workers = check_backend(workers, backend, address)
    store = Store(out)
    there = set(store.names())
    todo = [k for k in range(recipe.shards) if shard_name(k) not in there or check_shard(store, k) != "good"]
    written, number = 0, sum(recipe.rows_of(k) for k in todo)
    with cluster(backend, address) if todo else contextlib.nullcontext():
        claim(store, recipe)  # type: ignore[arg-type] # it renders nothing
        shown, kept = show_progress and bool(todo), len(faces) - number
        with progress_bar(title, len(faces), show_progress=shown, completed=kept) as bar, deaths_said():
            parts = ((k, part(faces, recipe.range_of(k))) for k in todo)
            for images in run_jobs(job, parts, len(todo), workers=workers, backend=backend):
                written += images
                bar.update(images)
    return written


def _write(out: str, job: tuple[int, FaceSet]) -> int:
    """Write one shard; what a worker runs."""
    shard, faces = job
    files, rows = faces.files, []
    for k, row in enumerate(faces.table.to_dict("records")):
        image = {"bytes": encoded(faces.images, k), "path": utf8(files[k])}
        rows.append({"image": image} | {str(name): _plain(value) for name, value in row.items()})
    write_shard(Store(out), shard, rows)
    return len(rows)


def _plain(value: Any) -> Any:
    """Return a value of a table as Parquet takes it."""
    if isinstance(value, str):
        return utf8(value)
    if isinstance(value, np.ndarray | list | tuple):
        return [_plain(one) for one in np.asarray(value).ravel().tolist()]
    return value.item() if isinstance(value, np.generic) else value


def utf8(value: str) -> str:
    """Return a name that Parquet, which is UTF-8, can hold: other bytes of it are written as ``\\xe9``."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def load_face_shards(path: str | Path) -> FaceSet:
    """Load what :func:`write_faces_as_shards` wrote, from a folder or an fsspec address; no picture is read.

    Returns:
        The set as it was, with its columns; text that is not UTF-8 in a name is written as ``\\xe9``.

    Raises:
        FacelabError: there is no such set, or a shard is missing or no Parquet file; the message names it.
    """
    recipe, files = open_shards(
        path, KIND, lambda values: FaceShards(**values | {"columns": tuple(values["columns"])}), "facelab data convert"
    )
    tables = []
    for k, file in enumerate(files):
        tables.append(open_parquet(file).read(columns=list(recipe.columns)).to_pandas())
        if len(tables[-1]) != recipe.rows_of(k):
            raise FacelabError(f"{file} holds {len(tables[-1])} rows, not {recipe.rows_of(k)}: it is of another set.")
    table = pd.concat(tables, ignore_index=True)
    if "landmarks" in table:
        table["landmarks"] = [np.asarray(points, np.float32).reshape(-1, 2) for points in table["landmarks"]]
    return FaceSet(recipe.name, ParquetImages(files, "image"), table)


def open_shards(
    path: str | Path, kind: str, parse: Callable[[dict[str, Any]], Shards], command: str
) -> tuple[Shards, list[str]]:
    """Return what shards hold, and the path or address of each.

    Args:
        path: the folder or fsspec address.
        kind: as recipe.json says it.
        parse: makes what it says of its other fields.
        command: that wrote them, for messages.

    Raises:
        FacelabError: there are none of that kind, or one is missing.
    """
    store = Store(path)
    try:
        settings = json.loads(store.read("recipe.json") or b"")
        if settings.pop("kind") != kind:
            raise ValueError
        recipe = parse(settings)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FacelabError(f"{path} holds no {kind} that {command} wrote, or its recipe.json is damaged.") from error
    there = set(store.names())
    names = [shard_name(k) for k in range(recipe.shards)]
    if missing := next((name for name in names if name not in there or f"{name}.json" not in there), None):
        raise FacelabError(f"{path} holds no whole {missing}: run the same {command} again.")
    return recipe, [f"{str(path).rstrip('/')}/{name}" for name in names]
