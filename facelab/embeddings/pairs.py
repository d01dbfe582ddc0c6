"""Pairs of a folder of embeddings, more than fit into memory: counted or drawn, by processes here or on a cluster."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, TypeVar

import numpy as np

from facelab.embeddings.shards import Embeddings
from facelab.evaluate.blocks import PairCounts, count_pairs, listed_pairs
from facelab.evaluate.scores import Scores, listed_scores
from facelab.progress import progress_bar
from facelab.workers import check_backend, cluster, deaths_said, run_jobs

R = TypeVar("R")
Places = list[tuple[int, np.ndarray]]

TILE = 16_384  # images on each side of what a worker counts at a time: 2.7e8 pairs, 0.2 GB at 512 dimensions
LIST = 50_000  # pairs that a worker compares at a time, of at most so many images on each side


@dataclass(frozen=True)
class StoredPairs:
    """Every pair of some embeddings of a folder.

    Attributes:
        found: the folder.
        rows: which of its embeddings take part, rising; all of them of somebody known.
        workers, backend, address: see :func:`facelab.synth.make`; the machines of a cluster must see the folder under
            the same address.
        show_progress: show a bar.
    """

    found: Embeddings
    rows: np.ndarray
    workers: int | None = 1
    backend: str = "local"
    address: str | None = None
    show_progress: bool = False

    @property
    def labels(self) -> np.ndarray:
        """Number of the identity of each, shape (n,)."""
        return self.found.labels[self.rows]

    def count(self, threshold: float | None = None) -> PairCounts:
        """Count all pairs by their score, see :func:`facelab.evaluate.count_pairs`.

        Args:
            threshold: one more, to be counted at exactly.

        Raises:
            FacelabError: a shard is missing or damaged, or the cluster does not answer.
        """
        tiles = [self.found.places(part) for part in np.array_split(self.rows, -(-len(self.rows) // TILE))]
        todo = ((tiles[i], tiles[j] if j > i else None) for i in range(len(tiles)) for j in range(i, len(tiles)))
        number = len(tiles) * (len(tiles) + 1) // 2
        return reduce(add, self._run(_Count(self.found, threshold), todo, number, "compare all pairs"))

    def sample(self, impostors: int, *, seed: int = 0) -> Scores:
        """Return the scores of all genuine pairs and of impostor pairs drawn at random; the same as
        :func:`facelab.evaluate.sampled_scores` draws from the whole in memory.

        Raises:
            FacelabError: see there and :meth:`count`.
        """
        labels = self.labels
        first, second = listed_pairs(labels, impostors, seed=seed)
        # Pairs of the same few shards side by side, so that a worker reads few.
        parts = max(1, round(math.sqrt(2 * impostors / LIST)))
        part = np.arange(len(labels)) * parts // len(labels)
        order = np.lexsort((first, part[second], part[first]))
        chunks = [order[start : start + LIST] for start in range(0, len(order), LIST)]
        values = np.empty(len(first))
        todo = ((k, self._places(first[chunk], second[chunk])) for k, chunk in enumerate(chunks))
        for k, scores in self._run(_Score(self.found), todo, len(chunks), "compare drawn pairs"):
            values[chunks[k]] = scores
        return Scores(values, labels[first], labels[second])

    def _places(self, first: np.ndarray, second: np.ndarray) -> tuple[Places, np.ndarray]:
        """Return where the images of some pairs lie, and which of them each pair compares, shape (2, p)."""
        rows, sides = np.unique([first, second], return_inverse=True)
        return self.found.places(self.rows[rows]), sides.reshape(2, -1)

    def _run(self, job: Callable[[Any], R], todo: Iterable[Any], number: int, title: str) -> Iterator[R]:
        workers = check_backend(self.workers, self.backend, self.address)
        with (
            cluster(self.backend, self.address),
            progress_bar(title, number, show_progress=self.show_progress) as bar,
            deaths_said(),
        ):
            for done in run_jobs(job, todo, number, workers=workers, backend=self.backend):
                bar.update()
                yield done


@dataclass(frozen=True)
class _Count:
    """Counts the pairs of a tile; what a worker runs."""

    found: Embeddings
    threshold: float | None

    def __call__(self, tile: tuple[Places, Places | None]) -> PairCounts:
        first, second = (None if places is None else self.found.gather(places) for places in tile)
        assert first is not None
        others = None if second is None else (second.embeddings, second.labels)
        return count_pairs(first.embeddings, first.labels, others, threshold=self.threshold)


@dataclass(frozen=True)
class _Score:
    """Compares listed pairs; what a worker runs."""

    found: Embeddings

    def __call__(self, job: tuple[int, tuple[Places, np.ndarray]]) -> tuple[int, np.ndarray]:
        number, (places, sides) = job
        block = self.found.gather(places)
        return number, listed_scores(block.embeddings, block.labels, *sides).values
