"""From rendered faces to photographs: how well the shipped networks know real people, and what closes the gap.

All of ORL first: the shipped networks beside what learns nothing (pixels, local binary patterns, gradients), beside
eigenfaces, and beside a network that was trained on photographs of people. Then two halves of the people, each once
to develop on and once for the test, so that everybody is tested by what has not seen them: the networks trained further
on some of the development people, and remedies that need no training.

    photographs ─ system-NAME …
                ├ remedies-HALF
                └ tuned-NETWORK-PEOPLE-HALF-SEED …
"""

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from facelab.align.chips import make_chips
from facelab.data.faceset import FaceSet
from facelab.data.orl import load_orl
from facelab.detect.mtcnn import MTCNN
from facelab.errors import FacelabError
from facelab.evaluate import Scores, auc, eer, holm, leave_one_out_rank1, pair_scores, roc, tar_at_far
from facelab.evaluate.bootstrap import bootstrap_interval, draw_identities
from facelab.evaluate.comparison import Comparison, compare_draws, drawn_share_over_seeds
from facelab.evaluate.curve import Roc
from facelab.evaluate.estimate import Estimate
from facelab.files import package_folder
from facelab.models import pretrained
from facelab.study.cards import write_numbers
from facelab.study.experiment import Experiment, Job, Outcome, Run, told
from facelab.study.losses import pair_numbers
from facelab.study.synthfaces import local_binary_patterns, pixels
from facelab.study.training import Training

if TYPE_CHECKING:
    import matplotlib.figure
    import pandas as pd

MAIN = "tar_at_far_0.01"  # the main measure, chosen before the run
MEASURES: dict[str, Callable[[Roc], np.ndarray]] = {
    MAIN: functools.partial(tar_at_far, far=0.01),
    "auc": auc,
    "eer": eer,
}
SIZE = 64  # of the chips that features are taken from: what the networks see
DLIB = (
    "is missing. It is the network trained on photographs that the study measures beside ours, and no part of facelab: "
    "pip install --no-deps dlib-bin face_recognition_models"
)


class Photographs(Run):
    """ORL's photographs of the first so many people, detected and aligned as a reader would."""

    identities: int

    def compute(self, job: Job) -> Outcome:
        faces = load_orl()
        faces = faces.select(faces.labels < self.identities)
        chips, report = make_chips(faces, MTCNN(device=job.device), show_progress=job.show_progress)
        return Outcome(
            {"photographs": len(faces), "identities": self.identities, "missing": len(report.missing)},
            {
                "chips": chips.array()[..., 0],  # grey: the three channels are the same
                "labels": chips.labels,
                "photographs": faces.array()[..., 0],
                "boxes": np.stack(chips.table["box"]),
            },
        )


def _chips(job: Job) -> FaceSet:
    """Return the chips as the networks take them."""
    import pandas as pd

    found = job.needed["photographs"].arrays
    names = [f"s{label + 1:02d}" for label in found["labels"]]
    return FaceSet("orl", np.repeat(found["chips"][..., None], 3, axis=3), pd.DataFrame({"identity": names}))


def gradients(chips: np.ndarray) -> np.ndarray:
    """Return histograms of oriented gradients: cells of 8 x 8 pixels, 9 directions, blocks of 2 x 2 cells.

    Source: N. Dalal, B. Triggs, "Histograms of oriented gradients for human detection", CVPR 2005.

    Args:
        chips: shape (n, h, w), grey values, uint8.

    Raises:
        FacelabError: scikit-image is missing.
    """
    try:
        from skimage.feature import hog
    except ImportError as error:
        raise FacelabError("scikit-image is missing, which makes the gradients: pip install scikit-image") from error
    cells = {"pixels_per_cell": (8, 8), "cells_per_block": (2, 2), "orientations": 9}
    return np.stack([hog(chip, **cells) for chip in chips])


def eigenfaces(chips: np.ndarray, components: int = 100) -> np.ndarray:
    """Return the coordinates along the first principal axes of these same chips, without their names.

    Source: M. Turk, A. Pentland, "Eigenfaces for recognition", J. Cognitive Neuroscience 3, 1991.

    Args:
        chips: shape (n, h, w), grey values, uint8.
        components: so many axes, or as many as there are.
    """
    from sklearn.decomposition import PCA

    x = chips.reshape(len(chips), -1).astype(np.float64)
    return PCA(min(components, len(x) - 1), svd_solver="full").fit_transform(x)


FEATURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "pixels": pixels,
    "lbp": local_binary_patterns,
    "hog": gradients,
    "eigenfaces": eigenfaces,
}


def dlib_embeddings(photographs: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return the embeddings of dlib's network, trained on some 3 million photographs of people, shape (n, 128).

    It aligns faces itself, by five landmarks of its own in a given box.

    Args:
        photographs: shape (n, h, w), grey values, uint8.
        boxes: x0, y0, x1, y1 of the face on each, shape (n, 4).

    Raises:
        FacelabError: a package is missing.
    """
    try:
        import dlib
    except ImportError as error:
        raise FacelabError(f"The package dlib {DLIB}") from error
    try:
        folder = package_folder("face_recognition_models", "the weights come") / "models"
    except FacelabError as error:
        raise FacelabError(f"The package face_recognition_models {DLIB}") from error
    landmarks = dlib.shape_predictor(str(folder / "shape_predictor_5_face_landmarks.dat"))
    network = dlib.face_recognition_model_v1(str(folder / "dlib_face_recognition_resnet_model_v1.dat"))
    embeddings = []
    for photograph, box in zip(photographs, boxes.round().astype(int).tolist(), strict=True):
        image = np.repeat(photograph[..., None], 3, axis=2)
        embeddings.append(np.array(network.compute_face_descriptor(image, landmarks(image, dlib.rectangle(*box)))))
    return np.stack(embeddings)


def measured(scores: Scores, identities: int, replicates: int) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Return each of MEASURES, and the same on draws of identities; draw k is the same for all scores.

    Args:
        scores: of people with labels below ``identities``; not all need to be there.
        identities: how many to draw from.
        replicates: draws.
    """
    draws: dict[str, list[np.ndarray]] = {name: [] for name in MEASURES}
    for counts in draw_identities(identities, replicates, np.random.default_rng(0)):
        first, second = counts[:, scores.first], counts[:, scores.second]
        curve = roc(scores, np.where(scores.genuine, first, first * second))
        for name, measure in MEASURES.items():
            draws[name].append(measure(curve))
    point = roc(scores)
    return (
        {name: float(measure(point)) for name, measure in MEASURES.items()},
        {name: np.concatenate(drawn) for name, drawn in draws.items()},
    )


def _scores(embeddings: np.ndarray, labels: np.ndarray) -> Scores:
    """All pairs, in half precision as they are published: who takes them from the file measures the same."""
    scores = pair_scores(embeddings, labels)
    return Scores(scores.values.astype(np.float16).astype(np.float64), scores.first, scores.second)


class System(Run):
    """Compare all photographs in one way: a shipped network, features, or dlib's network."""

    system: str
    replicates: int

    def compute(self, job: Job) -> Outcome:
        found = job.needed["photographs"].arrays
        labels = found["labels"]
        if self.system == "dlib":
            embeddings = dlib_embeddings(found["photographs"], found["boxes"])
        elif make := FEATURES.get(self.system):
            embeddings = make(_chips(job).resized(SIZE).array()[..., 0])
        else:
            embeddings = pretrained(self.system, device=job.device)(_chips(job))
        scores = _scores(embeddings, labels)
        values, draws = measured(scores, labels.max() + 1, self.replicates)
        rank1 = leave_one_out_rank1(embeddings, labels)
        return Outcome(
            values | {"rank1": rank1.as_dict()},
            draws | {"scores": scores.values.astype(np.float16), "labels": labels.astype(np.int16)},
        )


class Halves(Run):
    """A division of the people into two halves; ``half`` is the one for the test, the other to develop on.

    Attributes:
        seed: of the division, and of who comes first among the development people.
    """

    identities: int
    seed: int
    half: int
    replicates: int

    def development(self, people: int) -> np.ndarray:
        """Return the labels of the first so many development people."""
        return self._order[1 - self.half][:people]

    @property
    def test(self) -> np.ndarray:
        """The labels of the test people."""
        return self._order[self.half]

    @property
    def _order(self) -> list[np.ndarray]:
        return np.array_split(np.random.default_rng(self.seed).permutation(self.identities), 2)

    def tested(self, embeddings: np.ndarray, labels: np.ndarray) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        """Measure all pairs of the test people."""
        rows = np.isin(labels, self.test)
        scores = _scores(embeddings[rows], labels[rows])
        values, draws = measured(scores, self.identities, self.replicates)
        return values, draws | {"scores": scores.values.astype(np.float16)}


class Remedies(Halves):
    """What needs no training, from the embeddings of development people; and the networks as they are."""

    networks: tuple[str, ...]
    people: tuple[int, ...]

    def compute(self, job: Job) -> Outcome:
        chips, labels = _chips(job), job.needed["photographs"].arrays["labels"]
        as_is = {name: pretrained(name, device=job.device)(chips) for name in self.networks}
        made = {f"{name}.as it is.0": x for name, x in as_is.items()}
        for name in self.networks:
            made[f"{name}.mirrored.0"] = pretrained(name, device=job.device, flip=True)(chips)
        if len(as_is) > 1:
            as_is["both"] = np.concatenate(list(as_is.values()), axis=1)
        for (name, x), people in itertools.product(as_is.items(), self.people):
            rows = np.isin(labels, self.development(people))
            made[f"{name}.mean subtracted.{people}"] = x - x[rows].mean(axis=0)
            made[f"{name}.whitened.{people}"] = (x - x[rows].mean(axis=0)) @ whitening(x[rows], labels[rows])
        values: dict[str, Any] = {}
        arrays: dict[str, np.ndarray] = {}
        for name, embeddings in made.items():
            values[name], found = self.tested(embeddings, labels)
            arrays |= {f"{name}.{key}": array for key, array in found.items()}
        return Outcome(values, arrays)


def whitening(embeddings: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the matrix after which embeddings of one person scatter alike in all directions, shape (d, d).

    The scatter within people is estimated with Ledoit and Wolf's shrinkage, as there are more dimensions than people.
    Source: A. O. Hatch, S. Kajarekar, A. Stolcke, "Within-class covariance normalization for SVM-based speaker
    recognition", Interspeech 2006.

    Args:
        embeddings: of development people, shape (n, d).
        labels: who is on each, shape (n,).
    """
    from sklearn.covariance import ledoit_wolf

    means = np.stack([embeddings[labels == label].mean(axis=0) for label in labels])
    covariance, _ = ledoit_wolf(embeddings - means, assume_centered=True)
    return np.linalg.cholesky(np.linalg.inv(covariance))


class Tuned(Halves):
    """Train a shipped network further on some development people."""

    network: str
    people: int
    training: Training

    def compute(self, job: Job) -> Outcome:
        chips, labels = _chips(job), job.needed["photographs"].arrays["labels"]
        known = chips.select(np.isin(labels, self.development(self.people)))
        state = self.training.fit(known, job, start_from=self.network)
        values, arrays = self.tested(state.embedder(job.device)(chips), labels)
        return Outcome(values | {"training_accuracy": state.history[-1]["accuracy"]}, arrays)


class Transfer(Experiment):
    """Rendered to real.

    Attributes:
        networks: shipped ones.
        further: those of them that are trained further, and how.
        beside: what else is measured on all photographs.
        reference: the network that all systems are compared with.
        people: numbers of development people; the first so many of a half.
        splits: seeds of divisions into halves; each half is tested once.
        seeds: of the further training.
    """

    identities: int = Field(40, ge=4, le=40, description="the first so many of ORL")
    networks: tuple[str, ...] = Field(min_length=1)
    further: dict[str, Training] = Field(min_length=1)
    beside: tuple[str, ...]
    reference: str
    people: tuple[int, ...] = Field(min_length=1)
    splits: tuple[int, ...] = Field((0,), min_length=1)
    seeds: tuple[int, ...] = Field(min_length=2)
    replicates: int = Field(1000, ge=2)

    def runs(self) -> dict[str, Run]:
        if max(self.people) > self.identities // 2:
            raise FacelabError(f"people = {max(self.people)}: half of {self.identities} people are to develop on.")
        common: dict[str, Any] = {"needs": ("photographs",), "replicates": self.replicates}
        runs: dict[str, Run] = {"photographs": Photographs(identities=self.identities)}
        for system in (*self.networks, *self.beside):
            runs[f"system-{system}"] = System(system=system, **common)
        for (seed, half), fold in self._folds().items():
            halved = {"identities": self.identities, "seed": seed, "half": half, **common}
            runs[f"remedies-{fold}"] = Remedies(networks=self.networks, people=self.people, **halved)
            for (network, training), people, k in itertools.product(self.further.items(), self.people, self.seeds):
                runs[f"tuned-{network}-{people}-{fold}-{k}"] = Tuned(
                    network=network, people=people, training=training.changed(seed=k), **halved
                )
        return runs

    def _folds(self) -> dict[tuple[int, int], str]:
        return {(seed, half): f"{seed}{'ab'[half]}" for seed in self.splits for half in (0, 1)}

    def values(self, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
        """Systems on all people; then each way to get better: its value, its difference to the network as it is, and
        how many people would show it."""
        photographs = outcomes["photographs"].values
        systems = {name: outcomes[f"system-{name}"] for name in (*self.networks, *self.beside)}
        ways = self._ways(outcomes)
        compared = {
            measure: {
                f"{name}": _compared(found, ways[f"{self._start(name)}.as it is.0"], measure, self.identities)
                for name, found in ways.items()
                if ".as it is." not in name
            }
            for measure in (MAIN, "auc")
        }
        return {
            **photographs,
            "test_people": self.identities // 2,
            "systems": {name: self._system(found) for name, found in systems.items()},
            "system_comparisons": {
                measure: _corrected(
                    {
                        f"{self.reference} - {name}": compare_draws(
                            np.array([systems[self.reference].values[measure]]),
                            np.array([found.values[measure]]),
                            systems[self.reference].arrays[measure][None],
                            found.arrays[measure][None],
                            self.identities,
                        )
                        for name, found in systems.items()
                        if name != self.reference
                    }
                )
                for measure in (MAIN, "auc")
            },
            "ways": {name: self._way(found) for name, found in ways.items()},
            "gains": {measure: _corrected(comparisons, power=True) for measure, comparisons in compared.items()},
        }

    def _start(self, way: str) -> str:
        name = way.split(".")[0]
        return name if name in self.networks else self.reference

    def _system(self, found: Outcome) -> dict[str, Any]:
        pairs = pair_numbers(found.arrays["labels"])
        result: dict[str, Any] = {"rank1": found.values["rank1"]}
        for measure in MEASURES:
            draws = found.arrays[measure]
            interval = bootstrap_interval(found.values[measure], draws, pairs[measure], self.identities, share=True)
            result[measure] = interval.as_dict()
        return result

    def _ways(self, outcomes: Mapping[str, Outcome]) -> dict[str, dict[str, np.ndarray]]:
        """Return for each way, ``"network.way.people"``, and measure the mean over folds of each seed, (seeds,), and of
        each draw, (seeds, r), under ``"draws.measure"``; and that of each fold, (seeds, folds)."""
        folds, ways = list(self._folds().values()), {}
        remedies = [outcomes[f"remedies-{fold}"] for fold in folds]
        for name in remedies[0].values:
            runs = [[(run.values[name], {m: run.arrays[f"{name}.{m}"] for m in MEASURES}) for run in remedies]]
            ways[name] = _over_folds(runs)
        for network, people in itertools.product(self.further, self.people):
            tuned = [[outcomes[f"tuned-{network}-{people}-{fold}-{seed}"] for fold in folds] for seed in self.seeds]
            ways[f"{network}.trained further.{people}"] = _over_folds(
                [[(run.values, run.arrays) for run in row] for row in tuned]
            )
        return ways

    def _way(self, found: dict[str, np.ndarray]) -> dict[str, Any]:
        result = {}
        for measure in MEASURES:
            draws, seeds = found[f"draws.{measure}"], found[measure]
            interval = drawn_share_over_seeds(seeds, draws, self.identities, self.identities)
            by_fold = found[f"folds.{measure}"].mean(axis=0).tolist()
            result[measure] = interval.as_dict() | {"seeds": seeds.tolist(), "folds": by_fold}
        return result

    def arrays(self, outcome: Callable[[str], Outcome]) -> dict[str, np.ndarray]:
        """Scores of all pairs, in half precision: no embedding of a person, and no photograph."""
        arrays = {"labels": outcome(f"system-{self.reference}").arrays["labels"]}
        for name in (*self.networks, *self.beside):
            arrays[f"scores.{name}"] = outcome(f"system-{name}").arrays["scores"]
        for (seed, half), fold in self._folds().items():
            order = Halves(identities=self.identities, seed=seed, half=half, replicates=2)
            arrays[f"test.{fold}"] = np.sort(order.test).astype(np.int16)
            for network, people, k in itertools.product(self.further, self.people, self.seeds):
                name = f"{network}-{people}-{fold}-{k}"
                arrays[f"tuned.{name}"] = outcome(f"tuned-{name}").arrays["scores"]
        return arrays

    def tables(self, values: dict[str, Any]) -> "dict[str, pd.DataFrame]":
        return {"systems": systems_table(values), "ways": ways_table(values)}

    def figures(self, values: dict[str, Any]) -> "dict[str, matplotlib.figure.Figure]":
        from facelab.plots import loss_results, paired_differences

        return {"systems": loss_results(system_panels(values)), "gains": paired_differences(gain_panels(values))}

    def publish(self, values: dict[str, Any], outcome: Callable[[str], Outcome]) -> None:
        for card in CARDS:
            write_numbers(card, "transfer", _told(values))


CARDS = (
    Path(str(files("facelab.data.cards"))) / "orl.md",
    Path(str(files("facelab.models"))) / "networks" / "card.md",
)
SYSTEMS = {
    "dlib": "dlib, trained on photographs",
    "synthfaces-arcface": "SynthFaces, ArcFace",
    "synthfaces-cross-entropy": "SynthFaces, cross entropy",
    "lbp": "local binary patterns",
    "hog": "oriented gradients",
    "eigenfaces": "eigenfaces",
    "pixels": "pixels",
    "both": "SynthFaces, both side by side",
}


def systems_table(values: dict[str, Any]) -> "pd.DataFrame":
    """Return one row for each system, best first: AUC, EER, TAR at FAR 1 % and rank-1, each with its interval."""
    import pandas as pd

    rows = sorted(values["systems"].items(), key=lambda row: -row[1][MAIN]["value"])
    names = {MAIN: "TAR at FAR 1 %", "auc": "AUC", "eer": "EER", "rank1": "rank-1"}
    cells = {
        SYSTEMS.get(name, name): {title: f"{Estimate(**found[key])}" for key, title in names.items()}
        for name, found in rows
    }
    return pd.DataFrame.from_dict(cells, orient="index")


def system_panels(values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what :func:`facelab.plots.loss_results` draws: TAR at FAR 1 % and AUC of each system."""
    return {
        title: {SYSTEMS.get(name, name): found[measure] for name, found in values["systems"].items()}
        for measure, title in ((MAIN, "TAR at FAR 1 %"), ("auc", "AUC"))
    }


def gain_panels(values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what :func:`facelab.plots.paired_differences` draws: each way minus the network as it is."""
    panels: dict[str, dict[str, Any]] = {}
    for measure, title in ((MAIN, "TAR at FAR 1 %"), ("auc", "AUC")):
        panels[title] = {}
        for name, gain in values["gains"][measure].items():
            network, way, people = name.split(".")
            told = SYSTEMS.get(network, network).removeprefix("SynthFaces, ")
            panels[title][f"{told}: {way}" + (f", {people} people" if people != "0" else "")] = gain
    return panels


def ways_table(values: dict[str, Any], measure: str = MAIN) -> "pd.DataFrame":
    """Return one row for each way to get better: its measure, and what it gains on the network as it is, in points.

    The last column says how many test people would show a gain of this size in 80 of 100 experiments.
    """
    import pandas as pd

    rows = {}
    for name, found in values["ways"].items():
        network, way, people = name.split(".")
        row = {"value": told(found[measure])}
        if gain := values["gains"][measure].get(name):
            row["gain, points"] = _points(gain)
            row["p (Holm)"] = f"{gain['p_holm']:.2f}"
            row["people needed"] = f"{gain['people_needed']:,}" if gain["people_needed"] else "–"
        rows[SYSTEMS.get(network, network), way, people if people != "0" else "–"] = row
    table = pd.DataFrame.from_dict(rows, orient="index").fillna("")
    table.index = pd.MultiIndex.from_tuples(table.index, names=["network", "way", "people"])
    return table


def _points(gain: dict[str, Any]) -> str:
    return "{:+.1f} [{:+.1f}, {:+.1f}]".format(*(100 * gain[key] for key in ("value", "low", "high")))


def _over_folds(
    runs: Sequence[Sequence[tuple[Mapping[str, float], Mapping[str, np.ndarray]]]],
) -> dict[str, np.ndarray]:
    """Average over folds: runs[seed][fold] are the values and the draws."""
    result: dict[str, np.ndarray] = {}
    for measure in MEASURES:
        folds = np.array([[values[measure] for values, _ in row] for row in runs])
        draws = np.array([[drawn[measure] for _, drawn in row] for row in runs])
        result |= {measure: folds.mean(axis=1), f"folds.{measure}": folds, f"draws.{measure}": draws.mean(axis=1)}
    return result


def _compared(found: dict[str, np.ndarray], before: dict[str, np.ndarray], measure: str, identities: int) -> Comparison:
    """Compare with the network as it is, which no seed changes."""
    seeds = len(found[measure])
    return compare_draws(
        found[measure],
        before[measure].repeat(seeds),
        found[f"draws.{measure}"],
        before[f"draws.{measure}"].repeat(seeds, axis=0),
        identities,
    )


def _corrected(comparisons: Mapping[str, Comparison], *, power: bool = False) -> dict[str, dict[str, Any]]:
    corrected = holm({name: comparison.p_value for name, comparison in comparisons.items()})
    result: dict[str, dict[str, Any]] = {}
    for name, comparison in comparisons.items():
        result[name] = comparison.difference.as_dict() | {"p_holm": corrected[name], "seeds": comparison.seeds}
        if power:
            result[name]["people_needed"] = people_needed(comparison.difference)
    return result


def people_needed(difference: Estimate) -> int | None:
    r"""Return how many people would show a difference of this size in 80 of 100 experiments, at level 0.05.

    .. math:: k' = k \Big( \frac{1.96 + 0.84}{1.96} \cdot \frac{h}{d} \Big)^2

    with h half the width of the interval found with k people, which falls as one over the root of their number, and d
    the difference. None where d is 0, or where that is more than a million. What is found in a sample is uncertain, and
    so is this number.
    """
    half = (difference.high - difference.low) / 2
    if difference.value == 0:
        return None
    people = difference.n * (2.8 / 1.96 * half / difference.value) ** 2
    return int(np.ceil(people)) if people < 1e6 else None


def _told(values: dict[str, Any]) -> list[str]:
    """What the cards say."""
    gains = values["gains"][MAIN]
    further = [name.split(".") for name in gains if ".trained further." in name]
    most = max(int(people) for _, _, people in further)
    told = [
        f"`{network}` {_points(gains[f'{network}.{way}.{people}'])}"
        for network, way, people in further
        if int(people) == most
    ]
    return [
        f"**How networks do on it** (`facelab study run transfer`). All pairs of {values['photographs']} photographs "
        f"of {values['identities']} people (ORL, AT&T Laboratories Cambridge), 95 % intervals over people.",
        "",
        "| | TAR at FAR 1 % | AUC | EER | rank-1 |",
        "|---|---|---|---|---|",
        *(f"| {' | '.join([name, *cells])} |" for name, *cells in systems_table(values).itertuples()),
        "",
        f"What training further on {most} of the people adds to TAR at FAR 1 % for the others, in points, with 95 % "
        f"intervals: {'; '.join(told)}.",
    ]
