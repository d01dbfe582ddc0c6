"""Which loss is better, by how much, and are we sure? Every loss under one protocol, several seeds.

Part A, closed set: the same identities in training and test, other images. Part B, strangers: identities that no
network has seen. For each loss, learning rate, scale and margin are chosen by the validation parts alone, with the same
number of trials; then the test parts are looked at, once. A seed decides the initial weights of the network, the order
of the images and their augmentation, so that seed k of every loss starts from one network and sees one order.

    faces ─ tune-LOSS-k … ─ choose-LOSS ─ LOSS-SETTING-seed … ─ measure-LOSS-SETTING-seed
                                        └ network-LOSS
"""

import hashlib
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from pydantic import Field, model_validator

from facelab.data.faceset import FaceSet
from facelab.data.splits import split_closed_set, split_identities
from facelab.errors import FacelabError
from facelab.evaluate import (
    closed_set_accuracy,
    cmc,
    compare_by_identity,
    errors_at,
    holm,
    identification_rate,
    nearest_centroid,
    open_set,
    pair_scores,
    roc,
    threshold_at_far,
)
from facelab.evaluate.bootstrap import bootstrap_curves, bootstrap_interval
from facelab.evaluate.comparison import Comparison, compare_draws, drawn_share_over_seeds, share_over_seeds
from facelab.evaluate.curve import Roc, auc, eer, tar_at_far
from facelab.evaluate.templates import make_templates
from facelab.files import atomic_write
from facelab.losses import LOSSES, ClassifierLoss
from facelab.models import Embedder
from facelab.models.shipped import NETWORKS
from facelab.strict import Strict
from facelab.study.experiment import Experiment, Job, Outcome, Run, told
from facelab.study.rendered import Render, load_faces
from facelab.study.replay import replays
from facelab.study.training import Training
from facelab.synth.recipe import SynthRecipe
from facelab.train import Checkpoint, LossRecipe, Recipe

if TYPE_CHECKING:
    import matplotlib.figure
    import pandas as pd

FARS = (0.01, 0.001, 0.0001)
SHIPPED_FAR = 0.001  # of the threshold that comes with a network
SCORERS = ("centroid", "neighbour", "classifier")
FPIR = 0.01


def measure_strangers(curve: Roc) -> dict[str, np.ndarray]:
    """Return AUC, EER, and TAR at each of FARS that so many impostor pairs can show."""
    shown = [far for far in FARS if far * (curve.impostor_pairs or 0) >= 1]
    return {"auc": auc(curve), "eer": eer(curve)} | {f"tar_at_far_{far:g}": tar_at_far(curve, far) for far in shown}


class Parts(Strict):
    """Which images are for what, of a rendered set.

    Attributes:
        seed: of the split.
        train, validation, test: images of each identity of the closed set.
        strangers: so many of the held-out identities are for the test, the others for validation.
    """

    faces: SynthRecipe
    seed: int
    train: int = Field(17, ge=1)
    validation: int = Field(3, ge=1)
    test: int = Field(4, ge=1)
    strangers: int = Field(50, ge=2)

    def of(self, part: Literal["validation", "test"], images: int, identities: int | None, size: int, job: Job):
        """Return chips to train on, others of the same identities, and of strangers, for validation or for the test.

        Fewer images are some of those that more are: the first training set is part of the second. The same identities
        are some of all in the same way.
        """
        closed, strangers = _chips(self.faces, size, job)
        if identities is not None:
            closed = closed.select(closed.labels < identities)
        rest, test = split_closed_set(closed, train=self.train + self.validation, seed=self.seed)
        train, validation = split_closed_set(rest, train=self.train, seed=self.seed + 1)
        if images < self.train:
            train, _ = split_closed_set(train, train=images, seed=self.seed + 2)
        others, last = split_identities(strangers, held_out=self.strangers, seed=self.seed)
        return (train, validation, others) if part == "validation" else (train, test, last)


_held: dict[tuple[SynthRecipe, int], tuple[FaceSet, FaceSet]] = {}  # one process does many runs on the same chips


def _chips(recipe: SynthRecipe, size: int, job: Job) -> tuple[FaceSet, FaceSet]:
    """Return the chips of the closed set, and of the strangers, decoded once."""
    if (recipe, size) not in _held:
        faces = load_faces(recipe, job).resized(size)
        known = (faces.table["split"] == "closed").to_numpy()
        _held[recipe, size] = faces.select(known), faces.select(~known)
    return _held[recipe, size]


class Trial(Run):
    """Train with one choice of learning rate, scale, margin; look at the validation parts."""

    parts: Parts
    images: int
    training: Training

    def compute(self, job: Job) -> Outcome:
        """The score decides between trials: the mean of closed-set accuracy and of strangers' TAR at FAR 1 %."""
        recipe = self.training.recipe
        train, probes, strangers = self.parts.of("validation", self.images, None, recipe.size, job)
        kept = {"recipe": recipe.model_dump(mode="json")}
        try:
            state = self.training.fit(train, job)
            embed = state.embedder(job.device)
            gallery, found = (embed(part.array()) for part in (train, probes))
            accuracy = closed_set_accuracy(gallery, train.labels, found, probes.labels).value
            curve = roc(pair_scores(embed(strangers.array()), strangers.labels))
        except FacelabError as error:
            if "diverged" not in str(error):
                raise
            return Outcome(kept | {"score": 0.0, "diverged": str(error)})
        points = _points(curve)
        score = (accuracy + points["tar_at_far_0.01"]) / 2
        return Outcome(kept | {"score": score, "accuracy": accuracy, **points, **ended(state)})


class Choose(Run):
    """Choose the trial with the highest score; of equal ones the first."""

    def compute(self, job: Job) -> Outcome:
        best = max(self.needs, key=lambda name: job.needed[name].values["score"])
        if job.needed[best].values["score"] == 0:
            raise FacelabError(f"every trial of {', '.join(self.needs)} diverged; give lower learning rates.")
        return Outcome({"trial": best} | {key: job.needed[best].values[key] for key in ("score", "recipe")})


class TrainAndTest(Run):
    """Train, and look at the test parts.

    Attributes:
        images: of each identity, to train on; identities: the first so many, or all.
        keep: keep the embeddings of the test images and the centroids of the training images, too.
    """

    parts: Parts
    images: int
    identities: int | None = None
    keep: bool = False

    def training_of(self, job: Job) -> Training:
        raise NotImplementedError

    def compute(self, job: Job) -> Outcome:
        """Embeddings are kept in half precision (a cosine then is off by some 1e-5), predictions as they were."""
        training = self.training_of(job)
        train, probes, strangers = self.parts.of("test", self.images, self.identities, training.recipe.size, job)
        state = training.fit(train, job)
        embed = state.embedder(job.device)
        named, arrays = name_probes(state, embed, train, probes)
        accuracy = {scorer: float((labels == probes.labels).mean()) for scorer, labels in named.items()}
        arrays = arrays if self.keep else {}
        arrays |= {scorer: labels.astype(np.int16) for scorer, labels in named.items()}
        arrays |= {"labels": probes.labels.astype(np.int16), "strangers": _half(embed(strangers.array()))}
        arrays["stranger_labels"] = strangers.labels.astype(np.int16)
        curve = roc(pair_scores(arrays["strangers"], strangers.labels))
        points = _points(curve)
        recipe = training.recipe.model_dump(mode="json")
        return Outcome({"recipe": recipe, "accuracy": accuracy, **points, **ended(state)}, arrays)


class Tuned(TrainAndTest):
    """Train with what was chosen for a loss."""

    epochs: int
    seed: int
    precision: Literal["fp32", "bf16"]

    def training_of(self, job: Job) -> Training:
        chosen = job.needed[self.needs[-1]].values["recipe"]
        recipe = Recipe.parse({**chosen, "epochs": self.epochs, "seed": self.seed}, self.needs[-1])
        return Training(recipe=recipe, precision=self.precision)


class Network(Run):
    """Train a network that is shipped: all images of the closed set, the loss as it was chosen; weights are halved.

    What is measured is the network with the halved weights, on the strangers of the test.
    """

    parts: Parts
    training: Training

    def compute(self, job: Job) -> Outcome:
        loss = LossRecipe.model_validate(job.needed[self.needs[-1]].values["recipe"]["loss"])
        training = self.training.changed(loss=loss)
        size = training.recipe.size
        closed, _ = _chips(self.parts.faces, size, job)
        _, _, strangers = self.parts.of("test", self.parts.train, None, size, job)
        state = training.fit(closed, job)
        weights = {
            name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.network.items()
        }
        network = state.build_network()
        network.load_state_dict(weights)
        embeddings = _half(Embedder(network, size=size, device=job.device)(strangers.array()))
        curve = roc(pair_scores(embeddings, strangers.labels))
        points = _points(curve)
        arrays = {f"network.{name}": tensor.numpy() for name, tensor in weights.items()}
        arrays |= {"strangers": embeddings, "stranger_labels": strangers.labels.astype(np.int16)}
        return Outcome({"recipe": training.recipe.model_dump(mode="json"), **points, **ended(state)}, arrays)


class Measure(Run):
    """Measure the strangers' embeddings of a run: verification with draws of identities, and identification.

    Identification: the first half of the strangers is enrolled with the first half of its images; their other images
    are the mated searches, all images of the other strangers the non-mated ones, or the distractors.
    """

    replicates: int

    def compute(self, job: Job) -> Outcome:
        arrays = job.needed[self.needs[0]].arrays
        embeddings, labels = arrays["strangers"].astype(np.float64), arrays["stranger_labels"].astype(np.int64)
        points, draws = measured_with_draws(embeddings, labels, self.replicates)
        return Outcome(points | _identified(embeddings, labels), draws)


def measured_with_draws(
    embeddings: np.ndarray, labels: np.ndarray, replicates: int
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Return the measures of :func:`measure_strangers` on all strangers, and on each draw of them, shapes (r,)."""
    scores = pair_scores(embeddings, labels)
    curves = bootstrap_curves(scores, replicates, np.random.default_rng(0))
    drawn = [measure_strangers(curve) for curve in curves]
    return _points(roc(scores)), {name: np.concatenate([draw[name] for draw in drawn]) for name in drawn[0]}


def _identified(embeddings: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    number = np.array([np.count_nonzero(labels[:row] == labels[row]) for row in range(len(labels))])
    first, known = number < np.bincount(labels)[labels] // 2, labels < (labels.max() + 1) // 2
    enrolled = first & known
    searches = open_set(embeddings[enrolled], labels[enrolled], embeddings[~enrolled], labels[~enrolled])
    ranked = cmc(embeddings[first], labels[first], embeddings[~first], labels[~first])
    found = {"rank_1": float(ranked[0]), "rank_5": float(ranked[:5][-1])}
    if FPIR * len(searches.strangers) >= 1:
        found[f"dir_at_fpir_{FPIR:g}"] = searches.dir_at_far(FPIR, replicates=2).value
    pairs = known.sum() * (~known).sum()  # of a query and a distractor
    rates = tuple(fpr for fpr in (0.1, 0.01, 0.001) if fpr * pairs >= 1)
    measured = identification_rate(embeddings[known], labels[known], embeddings[~known], rates)
    return found | {f"identification_rate_{fpr:g}": rate for fpr, rate in measured.items()}


def _points(curve: Roc) -> dict[str, float]:
    return {name: float(value) for name, value in measure_strangers(curve).items()}


def _operating_point(embeddings: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Return the threshold for SHIPPED_FAR, and what it does to the pairs it was chosen on, as a report says it."""
    scores = pair_scores(embeddings, labels)
    threshold = threshold_at_far(scores, SHIPPED_FAR)
    far, frr = errors_at(scores, threshold)
    return {"threshold": threshold, "asked": SHIPPED_FAR, "far": far.as_dict(), "frr": frr.as_dict()}


def _half(embeddings: np.ndarray) -> np.ndarray:
    return embeddings.astype(np.float16)


def ended(state: Checkpoint) -> dict[str, float]:
    """How the training ended, on its own images."""
    last = state.history[-1]
    return {"training_loss": last["loss"], "training_accuracy": last["accuracy"], "steps": state.step}


def name_probes(
    state: Checkpoint, embed: Embedder, train: FaceSet, probes: FaceSet
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Name each probe by each scorer; a loss without class centres has no classifier. Also what they compared."""
    gallery, found = (embed(part.array(), normalize=False) for part in (train, probes))
    named = {"centroid": nearest_centroid(gallery, train.labels, found)}
    # In double precision, as the centroids are: of a network that has hardly begun, cosines differ by less than 1e-7.
    unit = [x / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True) for x in (gallery, found)]
    named["neighbour"] = train.labels[(unit[1] @ unit[0].T).argmax(axis=1)]
    loss = state.recipe.build_loss(len(state.identities))
    if isinstance(loss, ClassifierLoss):
        loss.load_state_dict(state.loss)
        with torch.inference_mode():
            named["classifier"] = loss.eval().logits(torch.from_numpy(found)).argmax(dim=1).numpy()
    centroids = make_templates(gallery, train.labels, train.labels).embeddings
    return named, {"test": _half(unit[1]), "centroids": _half(centroids)}


class Setting(Strict):
    """How many images of each identity there are to learn from, and how long a training is."""

    images: int = Field(ge=1)
    epochs: int = Field(ge=1)


class Networks(Strict):
    """The networks that are shipped: how they are trained, but for the loss."""

    losses: tuple[Literal[*LOSSES], ...]  # type: ignore[valid-type]
    training: Training


class SmallExperiment(Strict):
    """The experiment that is replayed: one training of each loss, so many test images, such a relative gain claimed."""

    images: int = Field(75, ge=1)
    gain: float = Field(0.14, gt=0)


class Losses(Experiment):
    """Every loss in every setting, each seed, tuned before.

    Attributes:
        training: what all losses share; the epochs are a setting's.
        settings: by name; the first one is the main one.
        losses: for each loss, the values of the recipe's fields that its trials try: all combinations.
        tuning: where the trials are made; tuning_seed: of their trainings.
        reference: all others are compared with these losses.
        keep: the losses whose test embeddings are kept, of the first seed.
        networks: also to be trained.
        replay: a small experiment to draw many times from the predictions; it needs cross entropy and ArcFace.
    """

    parts: Parts
    training: Training
    settings: dict[str, Setting] = Field(min_length=1)
    losses: dict[Literal[*LOSSES], dict[str, list[Any]]] = Field(min_length=2)  # type: ignore[valid-type]
    tuning: Setting
    tuning_seed: int
    seeds: tuple[int, ...] = Field(min_length=2)
    reference: tuple[Literal[*LOSSES], ...] = ("cross_entropy",)  # type: ignore[valid-type]
    keep: tuple[Literal[*LOSSES], ...] = ()  # type: ignore[valid-type]
    networks: Networks | None = None
    replay: SmallExperiment | None = None
    replicates: int = Field(1000, ge=100, description="draws of identities for the intervals")

    @model_validator(mode="after")
    def _check_trials(self) -> "Losses":
        numbers = {name: len(list(self.trials(name))) for name in self.losses}
        if len(set(numbers.values())) > 1:
            raise FacelabError(f"losses get as many trials as each other, not {numbers}")
        known = [*self.reference, *self.keep, *(self.networks.losses if self.networks else ())]
        if unknown := [name for name in known if name not in self.losses]:
            raise FacelabError(f"{unknown[0]} is not among the losses of this plan")
        return self

    def trials(self, loss: str) -> list[dict[str, Any]]:
        """Return the changes of the recipe that each trial of a loss makes."""
        grid = self.losses[loss]
        trials = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
        return [trial | {"loss": {"name": loss, **trial.get("loss", {})}} for trial in trials]

    def runs(self) -> dict[str, Run]:
        runs: dict[str, Run] = {"faces": Render(recipe=self.parts.faces)}
        shared = self.training.recipe.model_dump()
        for number, loss in itertools.product(range(len(self.trials(next(iter(self.losses))))), self.losses):
            fields = {"epochs": self.tuning.epochs, "seed": self.tuning_seed}
            recipe = Recipe.parse({**shared, **fields, **self.trials(loss)[number]}, f"losses.{loss}")
            training = Training(recipe=recipe, precision=self.training.precision)
            runs[f"tune-{_file(loss)}-{number}"] = Trial(
                needs=("faces",), parts=self.parts, images=self.tuning.images, training=training
            )
        for loss in self.losses:
            trials = tuple(f"tune-{_file(loss)}-{number}" for number in range(len(self.trials(loss))))
            runs[f"choose-{_file(loss)}"] = Choose(needs=trials)
        for seed in self.seeds:
            for (name, setting), loss in itertools.product(self.settings.items(), self.losses):
                runs[self.run(loss, name, seed)] = Tuned(
                    needs=("faces", f"choose-{_file(loss)}"),
                    parts=self.parts,
                    **setting.model_dump(),
                    seed=seed,
                    precision=self.training.precision,
                    keep=loss in self.keep and seed == self.seeds[0],
                )
            if self.networks and seed == self.seeds[0]:
                for loss in self.networks.losses:
                    runs[f"network-{_file(loss)}"] = Network(
                        needs=("faces", f"choose-{_file(loss)}"), parts=self.parts, training=self.networks.training
                    )
        for name in [name for name, run in runs.items() if isinstance(run, Tuned | Network)]:
            runs[f"measure-{name}"] = Measure(needs=(name,), replicates=self.replicates)
        return runs

    def run(self, loss: str, setting: str, seed: int) -> str:
        """Return the name of a run."""
        return f"{_file(loss)}-{setting}-{seed}"

    def values(self, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
        tested = {
            (setting, loss): _Tested.of([self.run(loss, setting, seed) for seed in self.seeds], outcomes)
            for setting, loss in itertools.product(self.settings, self.losses)
        }
        self._check_chosen(outcomes)
        first = outcomes[self.run(next(iter(self.losses)), next(iter(self.settings)), self.seeds[0])].arrays
        return {
            "identities": int(first["labels"].max()) + 1,
            "images": len(first["labels"]),
            "strangers": int(first["stranger_labels"].max()) + 1,
            "tuning": {
                loss: {
                    "chosen": outcomes[f"choose-{_file(loss)}"].values["trial"],
                    "trials": [
                        {
                            key: value
                            for key, value in outcomes[f"tune-{_file(loss)}-{k}"].values.items()
                            if key != "recipe"
                        }
                        | {"changes": changes}
                        for k, changes in enumerate(self.trials(loss))
                    ],
                }
                for loss in self.losses
            },
            "settings": {
                setting: {
                    "losses": {loss: tested[setting, loss].measured() for loss in self.losses},
                    "comparisons": self._compared({loss: tested[setting, loss] for loss in self.losses}),
                    "replay": self._replayed(setting, outcomes),
                }
                for setting in self.settings
            },
            "networks": {
                loss: outcomes[f"network-{_file(loss)}"].values | outcomes[f"measure-network-{_file(loss)}"].values
                for loss in (self.networks.losses if self.networks else ())
            },
        }

    def arrays(self, outcome: Callable[[str], Outcome]) -> dict[str, np.ndarray]:
        """Of every run, whom each scorer named: ``predictions.LOSS.SETTING.SCORER``, shape (seeds, test images).

        Of the losses in ``keep``, the first seed of the main setting, embeddings in half precision: ``test.LOSS``,
        ``centroids.LOSS``, ``strangers.LOSS``. And the true ``labels`` and ``stranger_labels``.
        """
        arrays: dict[str, np.ndarray] = {}
        for setting, loss in itertools.product(self.settings, self.losses):
            runs = [outcome(self.run(loss, setting, seed)).arrays for seed in self.seeds]
            for scorer in SCORERS:
                if scorer in runs[0]:
                    arrays[f"predictions.{loss}.{setting}.{scorer}"] = np.array([run[scorer] for run in runs])
            arrays |= {key: runs[0][key] for key in ("labels", "stranger_labels")}
            if loss in self.keep and setting == next(iter(self.settings)):
                arrays |= {f"{key}.{loss}": runs[0][key] for key in ("test", "centroids", "strangers")}
        return arrays

    def publish(self, values: dict[str, Any], outcome: Callable[[str], Outcome]) -> None:
        """Write the networks that are shipped, and what was measured of them; a plan without any leaves them alone."""
        if self.networks is None:
            return
        about = {}
        for loss, found in values["networks"].items():
            name, made = f"synthfaces-{_file(loss)}", outcome(f"network-{_file(loss)}")
            drawn = outcome(f"measure-network-{_file(loss)}").arrays
            weights: dict[str, Any] = {
                key.removeprefix("network."): array for key, array in made.arrays.items() if key.startswith("network.")
            }
            with atomic_write(NETWORKS / f"{name}.npz") as temporary:
                np.savez_compressed(temporary, **weights)
                digest = hashlib.sha256(temporary.read_bytes()).hexdigest()
            strangers = made.arrays["stranger_labels"]
            pairs, people = pair_numbers(strangers), len(np.unique(strangers))
            about[name] = {
                "sha256": digest,
                **{field: found["recipe"][field] for field in ("backbone", "embedding_dim", "size")},
                "recipe": found["recipe"],
                "strangers": {
                    key: bootstrap_interval(found[key], draws, pairs[key], people, share=True).as_dict()
                    for key, draws in drawn.items()
                },
                "operating_point": _operating_point(made.arrays["strangers"], strangers),
            }
        with atomic_write(NETWORKS / "networks.json") as temporary:
            temporary.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")

    def figures(self, values: dict[str, Any]) -> "dict[str, matplotlib.figure.Figure]":
        from facelab.plots import loss_results, paired_differences, replayed_experiments, tuning_trials

        settings = {f"{self.settings[name].images} images": part for name, part in values["settings"].items()}
        main = next(iter(settings.values()))["losses"]
        fars = {far: f"tar_at_far_{far:g}" for far in FARS if f"tar_at_far_{far:g}" in main[next(iter(main))]}

        def rows(losses: dict[str, Any], key: str) -> dict[str, Any]:
            return {loss: row[key] for loss, row in losses.items()}

        compared = {title: part["comparisons"]["accuracy"] for title, part in settings.items()}
        figures = {
            "accuracy": loss_results({title: rows(part["losses"], "centroid") for title, part in settings.items()}),
            "strangers": loss_results({f"FAR {100 * far:g} %": rows(main, key) for far, key in fars.items()}),
            "differences": paired_differences(compared),
            "tuning": tuning_trials(values["tuning"]),
        }
        for name, part in values["settings"].items():
            if part["replay"]:
                figures[f"replay-{name}"] = replayed_experiments(part["replay"])
        return figures

    def _replayed(self, setting: str, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
        """Replay the experiment that the course grew from, if the plan has its two losses."""
        if self.replay is None or not {"cross_entropy", "arcface"} <= self.losses.keys():
            return {}
        right: dict[str, dict[str, np.ndarray]] = {}
        for loss in ("cross_entropy", "arcface"):
            runs = [outcomes[self.run(loss, setting, seed)].arrays for seed in self.seeds]
            right[loss] = {scorer: np.array([run[scorer] == run["labels"] for run in runs]) for scorer in SCORERS}
        return replays(right, images=self.replay.images, gain=self.replay.gain)

    def _check_chosen(self, outcomes: Mapping[str, Outcome]) -> None:
        """Check that each run was made with what is chosen now."""
        for name, run in self.runs().items():
            if isinstance(run, Tuned):
                chosen = Recipe.parse(outcomes[run.needs[-1]].values["recipe"]).changes()
                made = Recipe.parse(outcomes[name].values["recipe"]).changes()
                if any(chosen.get(key) != made.get(key) for key in {*chosen, *made} - {"epochs", "seed"}):
                    raise FacelabError(f"the run {name} was made before {run.needs[-1]}; delete it, and run it again.")

    def _compared(self, tested: "dict[str, _Tested]") -> dict[str, Any]:
        """Compare every loss with the references, each pair once; the p values of a measure are corrected together."""
        pairs = [
            (loss, other)
            for place, other in enumerate(self.reference)
            for loss in self.losses
            if loss != other and loss not in self.reference[:place]
        ]
        result: dict[str, Any] = {}
        for measure in ("accuracy", *next(iter(tested.values())).draws):
            compared = {pair: tested[pair[0]].minus(tested[pair[1]], measure) for pair in pairs}
            corrected = holm({" - ".join(pair): comparison.p_value for pair, comparison in compared.items()})
            result[measure] = {
                " - ".join(pair): {
                    **comparison.difference.as_dict(),
                    "p_holm": corrected[" - ".join(pair)],
                    "sentence": comparison.sentence(*(LOSSES[name].title for name in pair)),
                }
                for pair, comparison in compared.items()
            }
        return result

    def tables(self, values: dict[str, Any]) -> "dict[str, pd.DataFrame]":
        import pandas as pd

        losses = {
            (setting, loss): {key: told(found) for key, found in measured.items() if key != "variation"}
            for setting, part in values["settings"].items()
            for loss, measured in part["losses"].items()
        }
        compared = {
            (setting, measure, pair): {**{k: comparison[k] for k in ("value", "low", "high", "p_holm", "sentence")}}
            for setting, part in values["settings"].items()
            for measure, pairs in part["comparisons"].items()
            for pair, comparison in pairs.items()
        }
        trials = {
            (loss, number): {"chosen": tuned["chosen"].endswith(f"-{number}"), **trial}
            for loss, tuned in values["tuning"].items()
            for number, trial in enumerate(tuned["trials"])
        }
        tables = {
            "losses": pd.DataFrame(losses).T.rename_axis(["setting", "loss"]),
            "comparisons": pd.DataFrame(compared).T.rename_axis(["setting", "measure", "pair"]),
            "tuning": pd.DataFrame(trials).T.rename_axis(["loss", "trial"]),
        }
        if values["networks"]:
            tables["networks"] = pd.DataFrame(values["networks"]).T.drop(columns="recipe").rename_axis("loss")
        return tables


@dataclass(frozen=True, eq=False)
class _Tested:
    """The runs of one loss in one setting, one for each seed.

    Attributes:
        right: share of each identity's test images that each scorer names rightly, shapes (seeds, identities).
        points: measures on strangers, shapes (seeds,); draws: of some of them, shapes (seeds, r).
        images: how many test images; pairs: of strangers, that each measure counts.
        strangers: how many.
    """

    right: dict[str, np.ndarray]
    points: dict[str, np.ndarray]
    draws: dict[str, np.ndarray]
    images: int
    pairs: dict[str, int]
    strangers: int

    @classmethod
    def of(cls, names: Sequence[str], outcomes: Mapping[str, Outcome]) -> "_Tested":
        runs, measured = ([outcomes[f"{prefix}{name}"] for name in names] for prefix in ("", "measure-"))
        labels = runs[0].arrays["labels"]
        right = {
            scorer: np.array([by_identity(run.arrays[scorer] == labels, labels) for run in runs])
            for scorer in SCORERS
            if scorer in runs[0].arrays
        }
        points = {key: np.array([run.values[key] for run in measured]) for key in measured[0].values}
        draws = {key: np.array([run.arrays[key] for run in measured]) for key in measured[0].arrays}
        strangers = runs[0].arrays["stranger_labels"]
        return cls(right, points, draws, len(labels), pair_numbers(strangers), len(np.unique(strangers)))

    def minus(self, other: "_Tested", measure: str) -> Comparison:
        """Compare with another loss."""
        if measure == "accuracy":
            return compare_by_identity(self.right["centroid"], other.right["centroid"], share=True)
        points, draws = self.points[measure], self.draws[measure]
        return compare_draws(points, other.points[measure], draws, other.draws[measure], self.strangers)

    def measured(self) -> dict[str, Any]:
        """Each measure: its mean with its interval over seeds and identities (others only seeds), and each seed's."""
        result: dict[str, Any] = {}
        for scorer, right in self.right.items():
            result[scorer] = share_over_seeds(right, self.images).as_dict() | {"seeds": right.mean(axis=1).tolist()}
        for key, points in self.points.items():
            mean = {"value": float(points.mean())}
            if key in self.draws:
                mean = drawn_share_over_seeds(points, self.draws[key], self.pairs[key], self.strangers).as_dict()
            result[key] = mean | {"seeds": points.tolist()}
        right, draws = self.right["centroid"], self.draws["tar_at_far_0.01"]
        result["variation"] = {  # standard deviations: over trainings, and, of their mean, over draws of identities
            "accuracy": {
                "seed": float(right.mean(axis=1).std(ddof=1)),
                "identities": float(right.mean(axis=0).std(ddof=1) / np.sqrt(right.shape[1])),
            },
            "tar_at_far_0.01": {
                "seed": float(self.points["tar_at_far_0.01"].std(ddof=1)),
                "identities": float(draws.mean(axis=0).std(ddof=1)),
            },
        }
        return result


def pair_numbers(labels: np.ndarray) -> dict[str, int]:
    """Return how many pairs each measure of strangers counts: all for AUC and EER, the genuine ones for TAR."""
    people = np.bincount(labels)
    genuine = int((people * (people - 1) // 2).sum())
    every = len(labels) * (len(labels) - 1) // 2
    return {"auc": every, "eer": every} | {f"tar_at_far_{far:g}": genuine for far in FARS}


def by_identity(right: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the share of each identity's images that is right, shape (identities,)."""
    return np.bincount(labels, right) / np.bincount(labels)


def _file(loss: str) -> str:
    return loss.replace("_", "-")
