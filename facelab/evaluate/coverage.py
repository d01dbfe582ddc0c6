"""Does a 95 % interval hold the truth in 95 % of data sets? Simulate populations whose truth is known, and count."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from facelab.errors import FacelabError
from facelab.evaluate.comparison import compare_scores
from facelab.evaluate.curve import auc
from facelab.evaluate.estimate import Estimate, wilson
from facelab.evaluate.folds import draw_pairs, fold_accuracy
from facelab.evaluate.groups import errors_by_group
from facelab.evaluate.identification import closed_set_accuracy, leave_one_out_rank1, open_set
from facelab.evaluate.scores import Scores, listed_scores, pair_scores
from facelab.evaluate.thresholds import errors_at, transfer_threshold
from facelab.evaluate.verification import verification_of_pairs

IMAGES = 5  # of each identity
FARS = (0.1, 0.01)
_BINS = 100_000  # of cosines, for true values
_WORSE = 0.5  # noise that the second of two systems adds, in units of the first one's


@dataclass(frozen=True)
class Population:
    """People in the space of embeddings: each has a centre, around which the images lie.

    Attributes:
        name: of the population.
        dimension: of the space.
        noise: standard deviation of an image around its centre, which itself has 1 in each direction.
        uneven: standard deviation, between identities, of the logarithm of the noise: some are hard to recognise.
        families: of look-alikes; 0 for none. They are the same in every data set.
        likeness: the part of the variance of centres that a family shares.
    """

    name: str
    dimension: int
    noise: float
    uneven: float = 0.0
    families: int = 0
    likeness: float = 0.0

    def draw(
        self, identities: int, generator: np.random.Generator, images: int = IMAGES
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return embeddings of a data set, shape (identities * images, dimension), and their labels."""
        own = generator.normal(size=(identities, self.dimension))
        if self.families:
            shared = np.random.default_rng(0).normal(size=(self.families, self.dimension))
            member = generator.integers(self.families, size=identities)
            own = np.sqrt(self.likeness) * shared[member] + np.sqrt(1 - self.likeness) * own
        noise = self.noise * np.exp(self.uneven * generator.normal(size=(identities, 1, 1)))
        x = own[:, None] + noise * generator.normal(size=(identities, images, self.dimension))
        return x.reshape(-1, self.dimension), np.repeat(np.arange(identities), images)


POPULATIONS = {
    population.name: population
    for population in (
        Population("alike", 8, 0.9),
        Population("look-alikes", 8, 0.7, uneven=0.5, families=40, likeness=0.6),
        Population("near the ceiling", 24, 0.52, uneven=0.4),
    )
}


# Made by true_values, of 20,000 people each.
TRUTH = {
    "alike": {
        "AUC": 0.8788,
        "EER": 0.19998,
        "TAR at FAR 0.1": 0.64905,
        "threshold at FAR 0.1": 0.47152,
        "TAR at FAR 0.01": 0.21406,
        "threshold at FAR 0.01": 0.74974,
    },
    "look-alikes": {
        "AUC": 0.90345,
        "EER": 0.17543,
        "TAR at FAR 0.1": 0.74443,
        "threshold at FAR 0.1": 0.48772,
        "TAR at FAR 0.01": 0.41785,
        "threshold at FAR 0.01": 0.76688,
    },
    "near the ceiling": {
        "AUC": 0.99362,
        "EER": 0.03534,
        "TAR at FAR 0.1": 0.9834,
        "threshold at FAR 0.1": 0.26524,
        "TAR at FAR 0.01": 0.93197,
        "threshold at FAR 0.01": 0.46212,
    },
}


def true_values(population: Population, identities: int = 20_000, seed: int = 1) -> dict[str, float]:
    """Return the measures of a population, from so many of its people: AUC, EER, and TAR and threshold at each FAR.

    Impostors are the first images of every two identities. Exact but for the number of people, and for cosines told
    apart by 2e-5.
    """
    x, _ = population.draw(identities, np.random.default_rng(seed))
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32).reshape(identities, IMAGES, -1)
    i, j = np.triu_indices(IMAGES, 1)
    genuine = _histogram(np.einsum("kid,kjd->kij", x, x)[:, i, j])
    impostor, firsts = np.zeros(_BINS), x[:, 0]
    for start in range(0, identities, 500):
        block = firsts[start : start + 500] @ firsts[start:].T
        impostor += _histogram(block[np.triu_indices(len(block), 1, block.shape[1])])
    genuine, impostor = genuine / genuine.sum(), impostor / impostor.sum()
    far, frr = 1 - np.cumsum(impostor), np.cumsum(genuine)  # of a threshold at the upper edge of each bin
    crossing = int(np.argmin(np.abs(far - frr)))
    found = {"AUC": float(genuine @ (1 - far - impostor / 2)), "EER": float(far[crossing] + frr[crossing]) / 2}
    for asked in FARS:
        at = int(np.argmin(np.abs(far - asked)))
        found[f"TAR at FAR {asked:g}"] = float(1 - frr[at])
        found[f"threshold at FAR {asked:g}"] = 2 * (at + 1) / _BINS - 1
    return found


def _histogram(cosines: np.ndarray) -> np.ndarray:
    bins = ((cosines.ravel() + 1) * (_BINS / 2)).astype(np.int64)
    return np.bincount(np.clip(bins, 0, _BINS - 1), minlength=_BINS).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Simulated:
    """A measure on many data sets of one population.

    Attributes:
        truth: of the population; of a measure that depends on how many people there are, the mean over the data sets.
        estimates: one for each data set.
    """

    truth: float
    estimates: Sequence[Estimate]

    @property
    def held(self) -> np.ndarray:
        """Which intervals hold the truth, shape (data sets,), bool; one that could not be measured does not count."""
        known = [e for e in self.estimates if not np.isnan(e.low)]
        return np.array([e.low <= self.truth <= e.high for e in known], dtype=bool)

    @property
    def coverage(self) -> Estimate:
        """Share of data sets whose interval holds the truth; n counts data sets."""
        return wilson(int(self.held.sum()), len(self.held))

    @property
    def width(self) -> float:
        """Mean width of the intervals."""
        return float(np.nanmean([e.high - e.low for e in self.estimates]))


@dataclass(frozen=True)
class _DataSet:
    """What is drawn once for all measures: embeddings and labels, another data set, and a second system."""

    population: Population
    x: np.ndarray
    labels: np.ndarray
    scores: Scores
    generator: np.random.Generator
    replicates: int

    def other(self) -> Scores:
        """Pairs of as many other people."""
        x, labels = self.population.draw(self.labels[-1] + 1, self.generator)
        return pair_scores(x, labels)


def _curves(data: _DataSet) -> dict[str, Estimate]:
    names = {"AUC": "auc", "EER": "eer"} | {f"TAR at FAR {far:g}": f"tar_at_far_{far:g}" for far in FARS}
    found = verification_of_pairs(data.scores, fars=FARS, replicates=data.replicates)
    return {name: found[key] for name, key in names.items()}


def _errors(data: _DataSet) -> dict[str, Estimate]:
    """At the thresholds that have this FAR in the population; also as if pairs were independent."""
    found = {}
    for asked in FARS:
        far, frr = errors_at(data.scores, _true(data, f"threshold at FAR {asked:g}"), replicates=data.replicates)
        for name, rate in (("FAR", far), ("FRR", frr)):
            found[f"{name} at threshold {asked:g}"] = rate
            found[f"{name} at threshold {asked:g}, pairs taken as independent"] = wilson(
                round(rate.value * rate.n), rate.n
            )
    return found


def _transfer(data: _DataSet) -> dict[str, Estimate]:
    moved = transfer_threshold(data.other(), data.scores, FARS[0], replicates=data.replicates)
    return {f"FAR after transfer {FARS[0]:g}": moved.far, f"FRR after transfer {FARS[0]:g}": moved.frr}


def _identification(data: _DataSet) -> dict[str, Estimate]:
    """Two images of each identity are enrolled; in the open set every third identity is not."""
    place = np.arange(len(data.labels)) % IMAGES
    gallery, known = place < 2, data.labels % 3 > 0
    x, y = data.x, data.labels
    search = open_set(x[gallery & known], y[gallery & known], x[~gallery], y[~gallery])
    closed = (x[gallery], y[gallery], x[~gallery], y[~gallery])
    return {
        "rank-1": leave_one_out_rank1(x, y),
        "rank-1, over images": leave_one_out_rank1(x, y, over="images"),
        "closed set": closed_set_accuracy(*closed),
        "closed set, over images": closed_set_accuracy(*closed, over="images"),
        "DIR at FPIR 0.1": search.dir_at_far(0.1, replicates=data.replicates),
    }


def _folds(data: _DataSet) -> dict[str, Estimate]:
    first, second, fold = draw_pairs(data.labels, data.generator, folds=5)
    found = fold_accuracy(listed_scores(data.x, data.labels, first, second), fold)
    return {"accuracy, five folds": found.estimate, "accuracy, over folds": found.over_folds}


def _groups(data: _DataSet) -> dict[str, Estimate]:
    """Two groups of the same kind of people: the true ratio is 1, whichever seems the worse."""
    threshold = _true(data, f"threshold at FAR {FARS[0]:g}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a group without errors has no ratio
        audit = errors_by_group(data.x, data.labels, data.labels % 2, threshold, replicates=data.replicates)
    return {"FAR ratio of two groups": audit.far_ratio.ratio, "FRR ratio of two groups": audit.frr_ratio.ratio}


def _differences(data: _DataSet) -> dict[str, Estimate]:
    """A second system that is like the first with more noise, on the same people."""
    worse = data.x + _WORSE * data.population.noise * data.generator.normal(size=data.x.shape)
    second = pair_scores(worse, data.labels)
    return {
        "difference of AUC": compare_scores([data.scores], [second], auc, replicates=data.replicates).difference,
    }


PROTOCOLS: dict[str, Callable[[_DataSet], dict[str, Estimate]]] = {
    "curves": _curves,
    "errors": _errors,
    "transfer": _transfer,
    "identification": _identification,
    "folds": _folds,
    "groups": _groups,
    "differences": _differences,
}


def _true(data: _DataSet, name: str) -> float:
    return TRUTH[data.population.name][name]


def simulate_intervals(
    population: str,
    identities: int,
    protocols: Sequence[str] = ("curves", "errors"),
    *,
    datasets: int = 300,
    replicates: int = 200,
    seed: int = 0,
) -> dict[str, Simulated]:
    """Draw data sets of a population, measure each, and return the measures by name.

    Args:
        population: of POPULATIONS, by name.
        identities: in each data set, with five images each.
        protocols: of PROTOCOLS; what is measured.
        datasets: how many.
        replicates: draws of identities for each interval.
        seed: of everything.

    Raises:
        FacelabError: there is no such population or protocol.

    Example:
        >>> found = simulate_intervals("alike", 10, ["errors"], datasets=20, replicates=20)["FAR at threshold 0.1"]
        >>> found.truth, found.coverage.n
        (0.1, 20)
    """
    for name, known in ((population, list(POPULATIONS)), *((protocol, list(PROTOCOLS)) for protocol in protocols)):
        if name not in known:
            raise FacelabError(f"{name!r}: give one of {', '.join(known)}.")
    generator = np.random.default_rng([seed, identities, *population.encode()])
    found: dict[str, list[Estimate]] = {}
    for _ in range(datasets):
        x, labels = POPULATIONS[population].draw(identities, generator)
        data = _DataSet(POPULATIONS[population], x, labels, pair_scores(x, labels), generator, replicates)
        for protocol in protocols:
            for name, estimate in PROTOCOLS[protocol](data).items():
                found.setdefault(name, []).append(estimate)
    return {name: Simulated(_truth(population, name, estimates), estimates) for name, estimates in found.items()}


def _truth(population: str, name: str, estimates: Sequence[Estimate]) -> float:
    known = TRUTH[population] | {"FAR ratio of two groups": 1.0, "FRR ratio of two groups": 1.0}
    for far in FARS:
        for where in (f"at threshold {far:g}", f"after transfer {far:g}"):
            known |= {f"FAR {where}": far, f"FRR {where}": 1 - known[f"TAR at FAR {far:g}"]}
    name = name.removesuffix(", pairs taken as independent")
    return known.get(name, float(np.nanmean([estimate.value for estimate in estimates])))
