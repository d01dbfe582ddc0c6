"""SynthFaces as a data set: made by any number of workers, resumed, loaded.

Each picture depends on (seed, identity, image) alone, so shards can be rendered by any number of workers, in any order,
on one machine or many, and come out byte for byte the same.
"""

import contextlib
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from facelab.data.faceset import EncodedImages, FaceSet
from facelab.errors import FacelabError, count
from facelab.progress import progress_bar
from facelab.synth.recipe import PRESETS, SynthRecipe, folder_of
from facelab.synth.scene import Ranges
from facelab.synth.shards import ShardRecipe, Store, check_shard, claim, read_shards, shard_name, write_shard
from facelab.workers import check_backend, cluster, deaths_said, run_jobs


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
        rendered = count(self.rendered, "picture")
        return f"{rendered} rendered in {self.seconds:.1f} s{rate}, {self.kept} were there already{mended}"


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
        workers: processes on this machine, with ``backend="local"`` alone; None for one per core.
        device: of the workers: ``"cpu"``, or a warp device such as ``"cuda:0"``, which all workers share. A GPU gives
            the same people and scenes; its pixels differ by rounding and by the sensor's noise.
        backend: ``"local"`` for processes of joblib, ``"dask"`` or ``"ray"`` for a cluster at ``address``.
        address: of the Dask scheduler or the Ray head.
        show_progress: show progress.

    Raises:
        FacelabError: ``out`` holds another data set, cannot be written, there is no such device, or a worker failed.
    """
    import time

    workers = check_backend(workers, backend, address)
    store = Store(out)
    there = set(store.names())
    states = {index: check_shard(store, index) for index in range(recipe.shards) if shard_name(index) in there}
    todo = [index for index in range(recipe.shards) if states.get(index) != "good"]
    repaired = tuple(shard_name(index) for index, state in states.items() if state == "damaged")
    kept = sum(recipe.rows_of(i) for i, state in states.items() if state == "good")
    total = sum(recipe.rows_of(i) for i in range(recipe.shards))
    here = todo and backend == "local"  # the machines of a cluster may have a device that this one lacks
    if here:
        from facelab.synth.render import check_device, renderer_for

        check_device(device)
    with cluster(backend, address) if todo else contextlib.nullcontext():
        claim(store, recipe)
        if here:
            # Read the data and compile before the workers start, once and with progress.
            renderer_for(device, show_progress)
        start = time.perf_counter()
        rendered = 0
        show_progress = show_progress and bool(todo)
        with progress_bar("Rendering", total, show_progress=show_progress, completed=kept) as bar, deaths_said():
            job = partial(render_shard, recipe, out=str(out), device=device)
            for _, count in run_jobs(job, todo, len(todo), workers=workers, backend=backend):
                rendered += count
                bar.update(count, note=f"{rendered / (time.perf_counter() - start):.0f}/s")
    return MakeReport(rendered, kept, repaired, time.perf_counter() - start)


def render_shard(recipe: ShardRecipe, index: int, out: str, device: str = "cpu") -> tuple[int, int]:
    """Render one shard and write it; what a worker runs.

    Returns:
        (index, number of pictures).
    """
    import cv2
    from threadpoolctl import threadpool_limits

    from facelab.synth.render import renderer_for

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
    write_shard(Store(out), index, rows)
    return index, len(rows)


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
        A FaceSet whose table has the columns of :data:`facelab.synth.COLUMNS` but ``image``; ``landmarks`` (5, 2),
        ``dense`` (N, 2), ``box`` (4,) as arrays. Read ``facelab.data.card("synthfaces")`` for what the faces can and
        cannot stand for.

    Raises:
        FacelabError: there is no such preset or folder, or a shard is missing or damaged; the message names it.
    """
    title, out = str(name), name
    if title in PRESETS:
        recipe, out = PRESETS[title], folder_of(title)
        if make_missing:
            make(recipe, out, workers=workers or min(os.cpu_count() or 1, 8), show_progress=show_progress)
    table = read_shards(
        out, "chips", lambda settings: SynthRecipe(**settings | {"ranges": Ranges(**settings["ranges"])})
    )
    try:
        images = EncodedImages([cell["bytes"] for cell in table.pop("image")], title)
        table["landmarks"] = [np.asarray(v, np.float32).reshape(5, 2) for v in table["landmarks"]]
        table["dense"] = [np.asarray(v, np.float32).reshape(-1, 2) for v in table["dense"]]
    except (KeyError, TypeError, ValueError) as error:
        raise FacelabError(f"SynthFaces: {title} does not hold the columns of a set of chips ({error}).") from error
    label = title if title in PRESETS else Path(title.rstrip("/")).name
    return FaceSet(label, images, table)
