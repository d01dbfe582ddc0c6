"""Embeddings as a folder of Parquet shards: written by processes here or on a cluster, read one shard at a time.

The folder says of which network they are, so that those of two networks are never compared. It holds no pictures; but
an embedding is a template of a face, so keep the folder, and erase it, as you would the pictures.
"""

import io
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from facelab import __version__
from facelab.align.warp import Method
from facelab.convert import PER_SHARD, ConvertReport, FaceShards, describe_rows, fill_shards, open_shards, utf8
from facelab.data import FaceSet
from facelab.data.parquet import open_parquet
from facelab.detect.detection import Which
from facelab.errors import FacelabError, NoFaceError
from facelab.sources import Images, Missing, Opened, undetected
from facelab.synth.shards import Store, check_shard, keep_shard, shard_name
from facelab.workers import check_backend

if TYPE_CHECKING:  # who reads embeddings needs no torch
    from facelab.detect import Detector
    from facelab.models import Embedder

KIND = "embeddings"
Precision = Literal["float32", "float16"]


@dataclass(frozen=True, kw_only=True)
class EmbeddingShards(FaceShards):
    """What a folder of embeddings holds; those of another network, or of another set, are not mixed in.

    Attributes:
        fingerprint: of the network, with ``+flip`` where the embedding of the mirrored chip is added. Embeddings of two
            fingerprints must not be compared.
        flip: whether it is added.
        recipe: how the network was trained, all fields.
        dimensions: of an embedding.
        precision: of its numbers in the files.
        how: the chips came about.
        credit: whom the pictures are from.
        facelab: the version that wrote the folder.
    """

    fingerprint: str
    flip: bool
    recipe: dict[str, Any]
    dimensions: int
    precision: Precision
    how: str
    credit: str
    facelab: str

    def to_json(self) -> dict[str, Any]:
        return super().to_json() | {"kind": KIND}


@dataclass(frozen=True)
class Finder:
    """How a worker finds and aligns faces; see :func:`facelab.align.make_chips`."""

    detector: str
    turns: bool
    method: Method
    which: Which
    missing: Missing

    def __str__(self) -> str:
        return (
            f"photographs, detected and aligned by {self.detector} ({self.method}, {self.which} face"
            f"{', also turned' if self.turns else ''})"
        )


@dataclass(frozen=True)
class _Embed:
    """Embeds one shard and writes it; what a worker runs."""

    about: EmbeddingShards
    out: str
    network: str
    device: str
    finder: Finder | None = None

    def __call__(self, job: tuple[int, FaceSet]) -> int:
        import cv2

        from facelab.align import make_chips
        from facelab.device import threads
        from facelab.models.files import embed_faces

        shard, faces = job
        pictures, cv2_threads = len(faces), cv2.getNumThreads()
        embeddings = np.empty((0, self.about.dimensions), np.float32)
        cv2.setNumThreads(1)
        try:
            with threads(1):  # else the last bits would depend on how many there are
                embedder = _embedder(self.network, self.about.fingerprint, self.about.flip, self.device)
                if self.finder is not None:
                    detector = _detector(self.finder.detector, self.finder.turns, self.device)
                    faces, _ = make_chips(
                        faces,
                        detector,
                        method=self.finder.method,
                        which=self.finder.which,
                        missing=self.finder.missing,
                    )
                embeddings = embed_faces(embedder, faces)
        except NoFaceError:  # in the photographs of this shard
            faces = faces.select([])
        finally:
            cv2.setNumThreads(cv2_threads)
        data = to_parquet(self.about, embeddings, faces)
        keep_shard(Store(self.out), shard, data, len(faces))
        return pictures


@lru_cache(maxsize=1)
def _embedder(network: str, fingerprint: str, flip: bool, device: str) -> "Embedder":
    """Return the network in this process.

    Raises:
        FacelabError: it is not the one that was asked for: on this machine another one lies there.
    """
    from facelab.train import open_network

    found = open_network(network)
    if found.fingerprint_of(flip=flip) != fingerprint:
        raise FacelabError(f"{network} is another network on one of the machines; give all of them the same file.")
    return found.embedder(device, flip=flip)


@lru_cache(maxsize=1)
def _detector(name: str, turns: bool, device: str) -> "Detector":
    from facelab.detect import make_detector

    return make_detector(name, device=device, turns=turns)


def to_parquet(about: EmbeddingShards, embeddings: np.ndarray, faces: FaceSet) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    numbers = pa.array(np.ascontiguousarray(embeddings, about.precision).ravel())
    identities, files = (
        pa.array(list(map(utf8, names)), pa.string()) for names in (faces.table["identity"], faces.files)
    )
    nobody = (faces.table["identity"] == "").to_numpy()  # also one of several faces
    columns = {
        "identity": identities.dictionary_encode(),
        "label": pa.array(np.where(nobody, -1, faces.table["label"]).astype(np.int64)),
        "file": files,
        "trained_on": pa.array(faces.table["trained_on"].to_numpy(bool)),
        "embedding": pa.FixedSizeListArray.from_arrays(numbers, about.dimensions),
    }
    table = pa.table(columns).replace_schema_metadata({"facelab": json.dumps(about.to_json())})
    sink = io.BytesIO()
    # Bytes of one rank side by side: the signs and exponents of embeddings are much alike, which saves a quarter.
    split = {"use_dictionary": ["identity"], "use_byte_stream_split": ["embedding.list.element"]}
    pq.write_table(table, sink, compression="zstd", **split)
    return sink.getvalue()


def write_embedding_shards(
    network: Path | str,
    opened: Opened,
    out: Path | str,
    *,
    images: Images = "auto",
    detector: str | None = None,
    method: Method = "five-point",
    which: Which = "largest",
    turns: bool = False,
    flip: bool = False,
    precision: Precision = "float32",
    per_shard: int = PER_SHARD,
    device: str = "auto",
    workers: int | None = None,
    backend: str = "local",
    address: str | None = None,
    show_progress: bool = False,
) -> ConvertReport:
    """Embed what is missing of a set, shard by shard: a run that was stopped goes on, and comes to the same bytes.

    One process with one thread takes the pictures of a shard all the way to their embeddings. So the bits depend
    neither on how many processes there are nor on which of them were killed, and two of them keep two cores busy.

    Args:
        network: see :func:`facelab.train.open_network`.
        opened: the set, see :func:`facelab.sources.open_pictures`.
        out: a folder or an fsspec address. Shards that are there and whole stay.
        images, method, which: see :func:`facelab.sources.open_chips`.
        detector: finds the faces in photographs, by its name; if not given, the landmarks that come with the set, and
            where none do, MTCNN.
        turns: see :func:`facelab.detect.make_detector`.
        flip: see :class:`facelab.models.Embedder`.
        precision: ``"float16"`` takes half the space.
        per_shard: pictures of a shard.
        device: where each worker computes.
        workers: processes on this machine; one for each core if not given, and one alone on a GPU.
        backend, address: see :func:`facelab.synth.make`. Each machine of a cluster must see the set and the network
            under the same paths.
        show_progress: show a bar.

    Raises:
        FacelabError: ``out`` holds embeddings of another network or set, or cannot be written, or a picture cannot be
            read; the message names it.
    """
    from facelab.device import resolve_device
    from facelab.train import open_network

    if backend == "local":
        resolved = resolve_device(device)
        device, workers = str(resolved), 1 if workers is None and resolved.type != "cpu" else workers
    check_backend(workers, backend, address)
    trained = open_network(network)
    finder, credit, start = None, opened.source.credit, time.perf_counter()
    landmarks = detector is None and which == "largest" and method == "five-point" and not turns
    opened, detects = undetected(opened, images, landmarks=landmarks, show_progress=show_progress)
    if detects is not None:
        finder = Finder(detector or "mtcnn", turns, method, which, opened.source.missing)
        _detector(finder.detector, turns, device)  # a wrong name is known before the work
    elif not landmarks:
        raise FacelabError(
            f"--detector, --method, --which or --turns would do nothing: {opened.faces.name} is {opened.how}. Leave it "
            "out."
        )
    faces = opened.faces
    recipe = EmbeddingShards(
        **vars(describe_rows(faces, per_shard)),
        fingerprint=trained.fingerprint_of(flip=flip),
        flip=flip,
        recipe=trained.recipe.model_dump(mode="json"),
        dimensions=trained.recipe.embedding_dim,
        precision=precision,
        how=str(finder) if finder else opened.how,
        credit=credit,
        facelab=__version__,
    )
    labels = faces.labels - (1 if "" in faces.identities else 0)  # the empty name is the first of all
    known = trained.knows(faces.identities, faces.name)[faces.labels]
    labelled = FaceSet(faces.name, faces.images, faces.table.assign(label=labels, trained_on=known))
    written = fill_shards(
        labelled,
        recipe,
        out,
        _Embed(recipe, str(out), str(network), device, finder),
        title=f"embed {faces.name}",
        workers=workers,
        backend=backend,
        address=address,
        show_progress=show_progress,
    )
    return ConvertReport(written, len(faces) - written, recipe.shards, time.perf_counter() - start)


@dataclass(frozen=True, eq=False)
class Block:
    """The embeddings of one shard.

    Attributes:
        embeddings: as the network gives them, not normalised, shape (n, dimensions), float32.
        labels: number of the identity in the set, -1 where it is not known who it is; shape (n,).
        files: names of the pictures.
    """

    embeddings: np.ndarray
    labels: np.ndarray
    files: list[str]


class Embeddings:
    """A folder of embeddings, or the fsspec address of one, opened for reading.

    Args:
        address: where it is.

    Attributes:
        about: what it holds.

    Raises:
        FacelabError: there is none, or a shard of it is missing; the message names it.
    """

    def __init__(self, address: Path | str):
        self.address = str(address)
        self.about, self._files = open_shards(address, KIND, lambda values: EmbeddingShards(**values), "facelab embed")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shards(self) -> int:
        """How many there are."""
        return len(self._files)

    @cached_property
    def _who(self) -> tuple[np.ndarray, np.ndarray, dict[int, str], list[int]]:
        labels, known, sizes = [np.empty(0, np.int64)], [np.empty(0, bool)], []
        names: dict[int, str] = {}
        for file in self._files:
            table = open_parquet(file).read(columns=["identity", "label", "trained_on"])
            found, first = np.unique(table["label"].to_numpy(), return_index=True)
            names |= dict(zip(found.tolist(), table["identity"].take(first).to_pylist(), strict=True))
            labels.append(table["label"].to_numpy())
            known.append(table["trained_on"].to_numpy())
            sizes.append(len(table))
        names = {label: names[label] for label in sorted(names) if label >= 0}
        return np.concatenate(labels), np.concatenate(known), names, sizes

    @property
    def labels(self) -> np.ndarray:
        """Number of the identity of each embedding, -1 where it is not known who it is; shape (n,). Of no embedding is
        more than this read."""
        return self._who[0]

    @property
    def trained_on(self) -> np.ndarray:
        """Whether the network was trained on an identity of this name, of each embedding; shape (n,), bool."""
        return self._who[1]

    @property
    def names(self) -> dict[int, str]:
        """The name of each number in ``labels``; a number may be left out, as no face of that identity was found."""
        return self._who[2]

    @property
    def sizes(self) -> list[int]:
        """How many embeddings each shard holds."""
        return self._who[3]

    def read(self, shard: int) -> Block:
        """Return one shard.

        Raises:
            FacelabError: it is damaged, or holds something else.
        """
        import pyarrow.parquet as pq

        store, name = Store(self.address), shard_name(shard)
        if (state := check_shard(store, shard)) != "good":
            raise FacelabError(f"{name} in {self.address} is {state}; run the same facelab embed again.")
        table = pq.read_table(io.BytesIO(store.read(name) or b""))
        numbers = table["embedding"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        embeddings = numbers.reshape(-1, self.about.dimensions).astype(np.float32)
        return Block(embeddings, table["label"].to_numpy(), table["file"].to_pylist())

    def select(self, rows: np.ndarray) -> Block:
        """Return some embeddings; only the shards that hold one are read.

        Args:
            rows: which, rising; shape (m,).
        """
        return self.gather(self.places(rows))

    def places(self, rows: np.ndarray) -> list[tuple[int, np.ndarray]]:
        """Return where embeddings lie: a shard, and the rows of it; and so on. A worker needs no more to read them.

        Args:
            rows: which, rising; shape (m,).
        """
        starts = np.cumsum([0, *self.sizes])
        ends = np.searchsorted(rows, starts)
        return [
            (shard, rows[ends[shard] : ends[shard + 1]] - starts[shard])
            for shard in range(self.shards)
            if ends[shard + 1] > ends[shard]
        ]

    def gather(self, places: list[tuple[int, np.ndarray]]) -> Block:
        """Return the embeddings that lie there, in this order."""
        blocks = [Block(np.empty((0, self.about.dimensions), np.float32), np.empty(0, np.int64), [])]
        for shard, rows in places:
            block = self.read(shard)
            blocks.append(Block(block.embeddings[rows], block.labels[rows], [block.files[row] for row in rows]))
        return Block(
            np.concatenate([block.embeddings for block in blocks]),
            np.concatenate([block.labels for block in blocks]),
            [file for block in blocks for file in block.files],
        )

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "_who"}  # a worker needs none of it

    def by_identity(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield each identity with all its embeddings, shape (n, dimensions), as soon as the last of them is read."""
        left, parts = np.bincount(self.labels[self.labels >= 0]), defaultdict(list)
        for shard in range(self.shards):
            block = self.read(shard)
            for label in np.unique(block.labels[block.labels >= 0]).tolist():
                parts[label].append(block.embeddings[block.labels == label])
                left[label] -= len(parts[label][-1])
                if not left[label]:
                    yield self.names[label], np.concatenate(parts.pop(label))
