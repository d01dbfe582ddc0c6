"""What does it cost to recognise so many faces? Each constant measured on this machine, and a table from them.

A constant is CPU seconds of one thread for one item, or bytes of one. What they give together is arithmetic, see
:func:`cost_tables`: from a laptop's thousand faces to a thousand million.
"""

import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import numpy as np
from pydantic import Field

from facelab.data import FaceSet
from facelab.data.images import decode_named
from facelab.embeddings.shards import Precision
from facelab.errors import FacelabError
from facelab.models.registry import BACKBONES
from facelab.strict import Strict
from facelab.study.experiment import Experiment, Job, Outcome, Run
from facelab.study.rendered import Render, load_scenes
from facelab.synth.photographs import PhotographRecipe

if TYPE_CHECKING:
    import pandas as pd

FACES = (1_000, 100_000, 1_000_000, 100_000_000, 1_000_000_000)
_BATCH = 32  # chips in a forward pass


class Backbone(Strict):
    """A network whose speed is measured, of PyTorch and, if so said, as an ONNX file and one of 8-bit integers. Its
    weights, which do not change that, are random."""

    name: Literal[*BACKBONES]  # type: ignore[valid-type]
    size: int = 112
    dimensions: int = 512
    onnx: bool = False

    @property
    def recipe(self) -> dict[str, Any]:
        return {"backbone": self.name, "size": self.size, "embedding_dim": self.dimensions}


class FromPhotographs(Run):
    """From a photograph to a chip: decode, detect, align; and the bytes of both."""

    photographs: PhotographRecipe
    repeats: int

    def compute(self, job: Job) -> Outcome:
        import cv2

        from facelab.align import align
        from facelab.detect import make_detector

        scenes = load_scenes(self.photographs, job)
        files = [cell["bytes"] for cell in scenes.table["image"]]
        pictures = [decode_named(data, str(k)) for k, data in enumerate(files)]
        detector = make_detector("mtcnn", device="cpu")
        faces = [
            (image, face.landmarks)
            for image, found in zip(pictures, detector.detect(pictures), strict=True)
            for face in found
            if face.landmarks is not None
        ]
        chips = [align(image, landmarks) for image, landmarks in faces]
        kept = [cv2.imencode(".png", chip[:, :, ::-1])[1].tobytes() for chip in chips]
        with one_thread():
            seconds = seconds_of(
                {
                    "decode a photograph": (lambda: [decode_named(data, "photograph") for data in files], len(files)),
                    "detect in a photograph": (lambda: detector.detect(pictures), len(pictures)),
                    "align a face": (lambda: [align(image, landmarks) for image, landmarks in faces], len(faces)),
                    "decode a chip": (lambda: [decode_named(data, "chip") for data in kept], len(kept)),
                },
                self.repeats,
            )
        sizes = {"a photograph": sum(map(len, files)) / len(files), "a chip": sum(map(len, kept)) / len(kept)}
        return _outcome(seconds, sizes)


class Embed(Run):
    """From a chip to an embedding: every network in turn, so that a busy machine is the same for all."""

    networks: tuple[Backbone, ...]
    repeats: int

    def compute(self, job: Job) -> Outcome:
        from facelab.train import Checkpoint, Recipe, open_network

        chips = np.random.default_rng(0).integers(0, 256, (_BATCH, 112, 112, 3), dtype=np.uint8)
        jobs: dict[str, tuple[Callable[[], Any], int]] = {}
        with tempfile.TemporaryDirectory() as folder, one_thread():
            for network in self.networks:
                path, name = Path(folder, f"{network.name}.pt"), f"embed a chip, {network.name}"
                recipe = Recipe.parse(network.recipe)
                weights = dict(recipe.build_network().state_dict())
                Checkpoint(recipe, ["a", "b"], "", recipe.epochs, 1, network=weights).save(path)
                forms = {name: path}
                if network.onnx:
                    from facelab.export.graphs import describe, network_graph
                    from facelab.export.int8 import quantize
                    from facelab.models.onnx import write_onnx

                    graph, about = network_graph(path), describe(path)
                    for kind, model in (("ONNX", graph), ("int8", quantize(graph, chips))):
                        forms[f"{name}, {kind}"] = path.with_suffix(f".{kind}.onnx")
                        write_onnx(forms[f"{name}, {kind}"], model, about)
                jobs |= {
                    form: (partial(open_network(file).embedder("cpu"), chips), _BATCH) for form, file in forms.items()
                }
            return _outcome(seconds_of(jobs, self.repeats), {})


class Match(Run):
    """Pairs of a block, and the search of a gallery of one file; and the bytes of a template in either."""

    dimensions: tuple[int, ...]
    images: int
    gallery: int
    repeats: int

    def compute(self, job: Job) -> Outcome:
        from facelab.embeddings.pairs import LIST
        from facelab.evaluate import count_pairs, listed_scores
        from facelab.search import open_gallery

        generator = np.random.default_rng(0)
        jobs: dict[str, tuple[Callable[[], Any], int]] = {}
        sizes: dict[str, float] = {}
        with tempfile.TemporaryDirectory() as folder, one_thread():
            for d in self.dimensions:
                first, second = (generator.normal(size=(self.images, d)).astype(np.float32) for _ in range(2))
                labels = np.arange(self.images) // 10
                others = (second, labels + self.images)
                jobs[f"compare a pair, {d} dimensions"] = (
                    partial(count_pairs, first, labels, others),
                    self.images**2,
                )
                sides = generator.integers(self.images, size=(2, LIST))
                jobs[f"compare a drawn pair, {d} dimensions"] = (partial(listed_scores, first, labels, *sides), LIST)
                path = Path(folder, f"{d}.db")
                people = generator.normal(size=(self.gallery, d)).astype(np.float32)
                gallery = open_gallery(path, fingerprint="costs", dimensions=d, create=True)
                gallery.enrol_all([f"p{k:07d}" for k in range(self.gallery)], people)
                gallery.close()  # what was written lies in the file now, and not beside it
                sizes[f"an identity in a gallery, {d} dimensions"] = path.stat().st_size / self.gallery
                gallery = open_gallery(path, fingerprint="costs", dimensions=d)
                jobs[f"search, for each enrolled, {d} dimensions"] = (partial(gallery.search, people[:1]), self.gallery)
                jobs[f"search in batches of 64, for each enrolled, {d} dimensions"] = (
                    partial(gallery.search, people[:64] + 0.1),
                    self.gallery * 64,
                )
                for precision in get_args(Precision):
                    sizes[f"an embedding in a shard, {d} dimensions, {precision}"] = _stored(people[:1024], precision)
            return _outcome(seconds_of(jobs, self.repeats), sizes)


def _stored(embeddings: np.ndarray, precision: Precision) -> float:
    """Return the bytes of an embedding in a shard, with the name of its file."""
    import pandas as pd

    from facelab.embeddings.shards import EmbeddingShards, to_parquet

    n, d = embeddings.shape
    names = [f"p{k // 10:07d}" for k in range(n)]
    table = pd.DataFrame({"identity": names, "file": [f"{name}/{k % 10}.jpg" for k, name in enumerate(names)]})
    table = table.assign(label=np.arange(n) // 10, trained_on=False)
    about = EmbeddingShards(
        "costs", n, n // 10, ("identity", "file"), "", n,
        fingerprint="", flip=False, recipe={}, dimensions=d, precision=precision, how="", credit="", facelab="",
    )  # fmt: skip
    return len(to_parquet(about, embeddings, FaceSet("costs", np.zeros((n, 1, 1, 3), np.uint8), table))) / n


class Costs(Experiment):
    """The constants of the cost model."""

    photographs: PhotographRecipe
    networks: Annotated[tuple[Backbone, ...], Field(min_length=1)]
    dimensions: Annotated[tuple[int, ...], Field(min_length=1)] = (128, 512)
    images: int = Field(4096, ge=64, description="on each side of the pairs that are compared")
    gallery: int = Field(20_000, ge=100, description="identities that are enrolled and searched")
    repeats: int = Field(7, ge=1, description="how often each is timed, in turn")

    def runs(self) -> dict[str, Run]:
        return {
            "photographs": Render(recipe=self.photographs),
            "chips": FromPhotographs(needs=("photographs",), photographs=self.photographs, repeats=self.repeats),
            "embeddings": Embed(networks=self.networks, repeats=self.repeats),
            "matches": Match(
                dimensions=self.dimensions, images=self.images, gallery=self.gallery, repeats=self.repeats
            ),
        }

    def values(self, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
        """``seconds``: by name CPU seconds of one thread for one item, the median with the least and the most of n
        rounds; ``bytes`` by name; ``machine`` of each run: its processor, cores, and how busy it was."""
        found = {name: outcome.values for name, outcome in outcomes.items() if name != "photographs"}
        return {
            "seconds": {name: one for values in found.values() for name, one in values["seconds"].items()},
            "bytes": {name: one for values in found.values() for name, one in values["bytes"].items()},
            "machine": {name: values["machine"] for name, values in found.items()},
        }

    def tables(self, values: dict[str, Any]) -> "dict[str, pd.DataFrame]":
        return {"constants": constants_table(values), **cost_tables(values)}


def constants_table(values: dict[str, Any]) -> "pd.DataFrame":
    """Return a row for each constant: its value, unit, and the least and the most of the rounds."""
    import pandas as pd

    rows = {
        name: {"unit": "CPU s"} | {end: f"{one[end]:.3g}" for end in ("value", "low", "high")} | {"rounds": one["n"]}
        for name, one in values["seconds"].items()
    } | {name: {"unit": "bytes", "value": f"{size:,.0f}"} for name, size in values["bytes"].items()}
    return pd.DataFrame(rows).T.rename_axis("constant").fillna("")


def cost_tables(
    values: dict[str, Any],
    faces: Sequence[int] = FACES,
    *,
    network: str | None = None,
    dimensions: int = 512,
    precision: str = "float32",
    each: int = 10,
    impostors: int = 10_000_000,
    dollars_per_core_hour: float | None = None,
    dollars_per_gigabyte_month: float | None = None,
) -> "dict[str, pd.DataFrame]":
    r"""Return what so many faces cost by the measured constants; the amounts are multiplied, nothing is measured here.

    With n faces, one in each photograph, and k photographs of each identity there are :math:`n (n - 1) / 2` pairs, of
    which :math:`n (k - 1) / 2` are genuine: all but the pairs grows with n, and the pairs grow with its square.

    Args:
        values: of the study ``costs``: ``Results.load("costs").values``.
        faces: how many, a column for each.
        network: whose time is taken, by the name of a constant; if not given, the first that was measured.
        dimensions: of an embedding.
        precision: of embeddings in shards.
        each: photographs of an identity, k.
        impostors: pairs that a sample draws.
        dollars_per_core_hour, dollars_per_gigabyte_month: your prices; a table of dollars comes if both are given.

    Returns:
        ``amounts`` (how many), ``core hours`` and ``gigabytes``, each with a row for each step, the constants that it
        rests on, and a column for each number of faces; and ``dollars``, if there are prices.

    Raises:
        FacelabError: a constant was not measured.
    """
    import pandas as pd

    embed = network or next(name for name in values["seconds"] if name.startswith("embed a chip"))
    pair, search = f"compare a pair, {dimensions} dimensions", f"search, for each enrolled, {dimensions} dimensions"
    batch = search.replace("search,", "search in batches of 64,")
    drawn = pair.replace("a pair", "a drawn pair")
    shard = f"an embedding in a shard, {dimensions} dimensions, {precision}"
    enrolled = f"an identity in a gallery, {dimensions} dimensions"

    def second(name: str) -> float:
        return float(_constant(values["seconds"], name)["value"])

    def size(name: str) -> float:
        return float(_constant(values["bytes"], name))

    amounts: dict[str, Callable[[int], float]] = {
        "photographs": lambda n: n,
        "chips and embeddings": lambda n: n,
        "identities": lambda n: n / each,
        "all pairs": lambda n: n * (n - 1) / 2,
        "genuine pairs": lambda n: n * (each - 1) / 2,
    }
    work: dict[str, tuple[tuple[str, ...], Callable[[int], float]]] = {
        "decode and detect": (("decode a photograph", "detect in a photograph"), lambda n: n),
        "align": (("align a face",), lambda n: n),
        "embed": ((embed,), lambda n: n),
        "compare all pairs": ((pair,), amounts["all pairs"]),
        "compare genuine pairs and a sample": (
            (drawn,),
            lambda n: min(amounts["genuine pairs"](n) + impostors, amounts["all pairs"](n)),
        ),
        "one search of all identities": ((search,), amounts["identities"]),
        "one search, in batches of 64": ((batch,), amounts["identities"]),
    }
    space: dict[str, tuple[tuple[str, ...], Callable[[int], float]]] = {
        "photographs": (("a photograph",), lambda n: n),
        "chips": (("a chip",), lambda n: n),
        "embeddings in shards": ((shard,), lambda n: n),
        "a gallery, one template for each identity": ((enrolled,), amounts["identities"]),
    }

    def table(rows: dict[str, tuple[tuple[str, ...], Callable[[int], float]]], unit: Callable[[str], float]) -> Any:
        cells = {
            step: {"rests on": " + ".join(names)} | {n: sum(map(unit, names)) * amount(n) for n in faces}
            for step, (names, amount) in rows.items()
        }
        return pd.DataFrame.from_dict(cells, orient="index").rename_axis("step")

    made = {
        "amounts": pd.DataFrame({name: {n: amount(n) for n in faces} for name, amount in amounts.items()}).T,
        "core hours": table(work, lambda name: second(name) / 3600),
        "gigabytes": table(space, lambda name: size(name) / 1e9),
    }
    if dollars_per_core_hour is not None and dollars_per_gigabyte_month is not None:
        paid = made["core hours"].copy(), made["gigabytes"].rename(lambda step: f"{step}, for a month")
        for one, price in zip(paid, (dollars_per_core_hour, dollars_per_gigabyte_month), strict=True):
            one[list(faces)] *= price
        made["dollars"] = pd.concat(paid)
    return made


def _constant(constants: Mapping[str, Any], name: str) -> Any:
    if name not in constants:
        raise FacelabError(f"the constant {name!r} was not measured; there are: {'; '.join(constants)}.")
    return constants[name]


def seconds_of(jobs: Mapping[str, tuple[Callable[[], Any], int]], repeats: int) -> dict[str, dict[str, float]]:
    """Return CPU seconds of one item of each job: the median, the least and the most of some rounds.

    In a round each job has its turn, so that a busy machine is as busy for one as for another. CPU time does not count
    what other programs take, but it grows where they take memory bandwidth and caches.

    Args:
        jobs: by name what to run, and how many items that are.
        repeats: rounds, after one that does not count.
    """
    taken: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(repeats + 1):
        for name, (job, items) in jobs.items():
            start = time.process_time()
            job()
            if turn:
                taken[name].append((time.process_time() - start) / items)
    return {
        name: {"value": float(np.median(each)), "low": min(each), "high": max(each), "n": len(each)}
        for name, each in taken.items()
    }


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch, OpenCV and BLAS compute on one thread while the block runs."""
    import cv2
    from threadpoolctl import threadpool_limits

    from facelab.device import threads

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with threads(1), threadpool_limits(1):
            yield
    finally:
        cv2.setNumThreads(before)


def _outcome(seconds: dict[str, dict[str, float]], sizes: dict[str, float]) -> Outcome:
    """Return what was measured, and on what machine: ``load`` is how many programs wanted a core, in the mean of the
    last 1, 5 and 15 minutes."""
    load = [round(one, 1) for one in os.getloadavg()] if hasattr(os, "getloadavg") else None
    machine = {"processor": _processor(), "cores": os.cpu_count(), "load": load}
    return Outcome({"seconds": seconds, "bytes": sizes, "machine": machine})


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
