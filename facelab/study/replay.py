"""What one small experiment would have shown: few test images, one training each, drawn many times from a study's runs.

A study knows, for each training, which test images it names rightly. So an experiment with fewer images and one seed
need not be guessed at: draw its trainings and its images from the study's, and count. Of 2,000 images 75 are drawn
without replacement, and only four numbers matter: how many images both name rightly, only the first, only the second,
none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from facelab.errors import FacelabError


@dataclass(frozen=True, eq=False)
class Replay:
    """Many experiments that compare two trainings on the same few test images.

    Attributes:
        first, second: how many images each names rightly, shapes (experiments,).
        images: of each experiment.
        expected: second minus first in share of all images, averaged over the pairs of trainings.
    """

    first: np.ndarray
    second: np.ndarray
    images: int
    expected: float

    def as_dict(self, *, gain: float) -> dict[str, Any]:
        """Return shares of the experiments, and how often each difference came.

        Args:
            gain: relative; an experiment "shows" it if second ≥ (1 + gain) · first.
        """
        difference = self.second - self.first
        seen, times = np.unique(difference, return_counts=True)
        return {
            "experiments": len(difference),
            "images": self.images,
            "expected": self.expected,
            "gain_shown": float((self.second >= (1 + gain) * self.first).mean()),
            "second_worse": float((difference < 0).mean()),
            "equal": float((difference == 0).mean()),
            "low": float(np.quantile(difference, 0.025) / self.images),
            "high": float(np.quantile(difference, 0.975) / self.images),
            "difference": seen.tolist(),
            "times": times.tolist(),
        }


def replay(
    first: np.ndarray, second: np.ndarray, *, images: int, experiments: int = 10_000, same: bool = False, seed: int = 0
) -> Replay:
    """Draw small experiments: one training of each loss, some of the images, both named on the same ones.

    Args:
        first, second: whether each training names each image rightly, bool, shapes (seeds, images of the study).
        images: of one experiment, at most those of the study.
        same: both are trainings of one loss: an experiment takes two different seeds.
        seed: of the draws.

    Raises:
        FacelabError: the arrays do not have the same images, there are too few images, or no two different seeds.
    """
    if first.shape[1:] != second.shape[1:] or not 0 < images <= first.shape[1]:
        raise FacelabError(f"cannot draw {images} images of arrays of shapes {first.shape} and {second.shape}.")
    pairs = [(a, b) for a in range(len(first)) for b in range(len(second)) if not (same and a == b)]
    if not pairs:
        raise FacelabError("two trainings of one loss need two seeds; there is one.")
    rng = np.random.default_rng(seed)
    cells = np.array([_cells(first[a], second[b]) for a, b in pairs])
    taken = rng.integers(len(pairs), size=experiments)
    drawn = np.empty((experiments, 4), int)
    for pair, of_pair in enumerate(cells):
        rows = taken == pair
        drawn[rows] = rng.multivariate_hypergeometric(of_pair, images, size=rows.sum())
    both, only_first, only_second, _ = drawn.T
    expected = float((cells[:, 2] - cells[:, 1]).mean() / first.shape[1])
    return Replay(both + only_first, both + only_second, images, expected)


def _cells(a: np.ndarray, b: np.ndarray) -> tuple[int, ...]:
    """Return how many images both name rightly, only the first, only the second, none."""
    return tuple(int(np.count_nonzero(part)) for part in (a & b, a & ~b, ~a & b, ~a & ~b))


def replays(right: Mapping[str, Mapping[str, np.ndarray]], *, images: int, gain: float) -> dict[str, Any]:
    """Replay the experiment that this course grew from: cross entropy by its classifier, ArcFace by nearest neighbour.

    And three others that tell what decided it: the same losses under one scorer, and, for worlds in which the losses
    are equal, cross entropy twice, under two scorers and under one.

    Args:
        right: by loss, by scorer: bool, shapes (seeds, images).
        images, gain: as for :func:`replay` and :meth:`Replay.as_dict`.
    """
    worlds = {
        "as it was": (("cross_entropy", "classifier"), ("arcface", "neighbour")),
        "one scorer": (("cross_entropy", "centroid"), ("arcface", "centroid")),
        "equal losses": (("cross_entropy", "classifier"), ("cross_entropy", "neighbour")),
        "equal losses, one scorer": (("cross_entropy", "centroid"), ("cross_entropy", "centroid")),
    }
    return {
        world: replay(right[a][x], right[b][y], images=images, same=a == b).as_dict(gain=gain)
        | {"first": f"{a}, {x}", "second": f"{b}, {y}"}
        for world, ((a, x), (b, y)) in worlds.items()
    }
