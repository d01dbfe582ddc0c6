"""Wrong labels: what do they cost, does a sub-centre help, and does the network tell which they are?

The labels of a share of the training pictures are replaced by those of other people. Test pictures, of strangers, keep
theirs. Seed k of every loss learns from the same wrong labels, and starts from the same network.
"""

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from pydantic import Field

from facelab.data.faceset import FaceSet
from facelab.evaluate import holm
from facelab.evaluate.bootstrap import draw_identities
from facelab.evaluate.comparison import compare_draws, drawn_share_over_seeds
from facelab.losses import LOSSES, ClassifierLoss
from facelab.strict import Strict
from facelab.study.experiment import Experiment, Job, Outcome, Run, told
from facelab.study.losses import Parts, ended, measured_with_draws, pair_numbers
from facelab.study.rendered import Render
from facelab.study.training import Training
from facelab.train import Recipe

if TYPE_CHECKING:
    import matplotlib.figure
    import pandas as pd

MEASURES = ("tar_at_far_0.01", "eer", "auc")
FOUND = "found"  # AUC: how well the angle to the centre of the given label tells wrong labels from right ones


def with_wrong_labels(faces: FaceSet, share: float, seed: int) -> tuple[FaceSet, np.ndarray]:
    """Return the faces with a share of the labels replaced by other identities' at random, and which, shape (n,)."""
    rng = np.random.default_rng(seed)
    wrong = np.zeros(len(faces), dtype=bool)
    wrong[rng.permutation(len(faces))[: round(share * len(faces))]] = True
    other = rng.integers(1, len(faces.identities), len(faces))  # never the true one
    labels = np.where(wrong, (faces.labels + other) % len(faces.identities), faces.labels)
    names = [faces.identities[label] for label in labels]
    return FaceSet(f"{faces.name}, {share:.0%} wrong", faces.images, faces.table.assign(identity=names)), wrong


class Mislabelled(Run):
    """Train with wrong labels; measure strangers, and how the network sees the wrong labels."""

    parts: Parts
    images: int
    identities: int
    share: float
    training: Training
    replicates: int

    def compute(self, job: Job) -> Outcome:
        """Values beside the strangers': of the pictures with a wrong label, the share that the network names by this
        label (``learned``), and by the true one (``seen_through``). Arrays: the measures on each draw of identities.
        """
        recipe = self.training.recipe
        true, _, strangers = self.parts.of("test", self.images, self.identities, recipe.size, job)
        given, wrong = with_wrong_labels(true, self.share, recipe.seed)
        state = self.training.fit(given, job)
        embed = state.embedder(job.device)
        values, draws = measured_with_draws(embed(strangers.array()), strangers.labels, self.replicates)
        arrays = {key: draws[key] for key in MEASURES}
        arrays["stranger_labels"] = strangers.labels.astype(np.int16)
        if self.share:
            loss = state.recipe.build_loss(len(state.identities))
            assert isinstance(loss, ClassifierLoss)  # as the plan says
            loss.load_state_dict(state.loss)
            x, labels = torch.from_numpy(embed(given.array(), normalize=False)), torch.from_numpy(given.labels)
            with torch.inference_mode():
                named = loss.eval().logits(x).argmax(dim=1).numpy()
                centres = loss.main_centres(x, labels)[labels]
                cosines = torch.nn.functional.cosine_similarity(x, centres).numpy()
            # Names of people, as an identity may have lost all its pictures.
            named, labelled, people = (
                np.array(part)[index]
                for part, index in (
                    (given.identities, named), (given.identities, given.labels), (true.identities, true.labels)
                )
            )  # fmt: skip
            values["learned"] = float((named == labelled)[wrong].mean())
            values["seen_through"] = float((named == people)[wrong].mean())
            values[FOUND], arrays[FOUND] = _found(-cosines, wrong, given.labels, self.replicates)
        return Outcome(values | ended(state) | {"wrong": int(wrong.sum()), "pictures": len(wrong)}, arrays)


def _found(suspicion: np.ndarray, wrong: np.ndarray, labels: np.ndarray, replicates: int) -> tuple[float, np.ndarray]:
    """Return the AUC of finding the wrong labels, and that of each draw of (given) identities."""
    from sklearn.metrics import roc_auc_score

    draws = [
        roc_auc_score(wrong, suspicion, sample_weight=counts[labels])
        for block in draw_identities(labels.max() + 1, replicates, np.random.default_rng(0))
        for counts in block
    ]
    return float(roc_auc_score(wrong, suspicion)), np.array(draws)


def _of_runs(runs: list[Outcome], key: str) -> tuple[np.ndarray, np.ndarray]:
    """Return a measure of each run, shape (seeds,), and on each draw, shape (seeds, r)."""
    return np.array([run.values[key] for run in runs]), np.array([run.arrays[key] for run in runs])


class Rival(Strict):
    """A loss, and the fields of the recipe that it has for itself."""

    name: Literal[*LOSSES]  # type: ignore[valid-type]
    recipe: dict[str, Any] = Field(default_factory=dict)


class Noise(Experiment):
    """Each loss with each share of wrong labels, each seed.

    Attributes:
        images: of each identity to learn from; identities: the first so many.
        losses: the last one is compared with each other.
    """

    parts: Parts
    images: int = Field(ge=2)
    identities: int = Field(ge=3)
    training: Training
    losses: tuple[Rival, ...] = Field(min_length=2)
    shares: tuple[float, ...] = Field(min_length=1)
    seeds: tuple[int, ...] = Field(min_length=2)
    replicates: int = Field(200, ge=100, description="draws of identities for the intervals")

    def runs(self) -> dict[str, Run]:
        runs: dict[str, Run] = {"faces": Render(recipe=self.parts.faces)}
        shared = self.training.recipe.model_dump()
        for seed, share, loss in itertools.product(self.seeds, self.shares, self.losses):
            own = {**loss.recipe, "loss": {"name": loss.name, **loss.recipe.get("loss", {})}, "seed": seed}
            recipe = Recipe.parse({**shared, **own}, f"losses.{loss.name}")
            runs[self.run(loss.name, share, seed)] = Mislabelled(
                needs=("faces",),
                parts=self.parts,
                images=self.images,
                identities=self.identities,
                share=share,
                training=Training(recipe=recipe, precision=self.training.precision),
                replicates=self.replicates,
            )
        return runs

    def run(self, loss: str, share: float, seed: int) -> str:
        """Return the name of a run."""
        return f"{loss.replace('_', '-')}-{round(1000 * share)}-{seed}"

    def values(self, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
        names = [loss.name for loss in self.losses]
        done = {
            (loss, share): [outcomes[self.run(loss, share, seed)] for seed in self.seeds]
            for loss, share in itertools.product(names, self.shares)
        }
        first = next(iter(done.values()))[0]
        result: dict[str, Any] = {
            "pictures": first.values["pictures"],
            "strangers": int(first.arrays["stranger_labels"].max()) + 1,
            "shares": {
                str(share): {loss: self._measured(done[loss, share], first.arrays["stranger_labels"]) for loss in names}
                for share in self.shares
            },
        }
        compared: dict[str, Any] = {}
        for share, other in itertools.product(self.shares, names[:-1]):
            ours, our_draws = _of_runs(done[names[-1], share], MEASURES[0])
            theirs, their_draws = _of_runs(done[other, share], MEASURES[0])
            compared[f"{share}: {names[-1]} - {other}"] = compare_draws(
                ours, theirs, our_draws, their_draws, result["strangers"]
            )
        corrected = holm({pair: found.p_value for pair, found in compared.items()})
        result["comparisons"] = {
            pair: found.difference.as_dict() | {"p_holm": corrected[pair]} for pair, found in compared.items()
        }
        return result

    def _measured(self, runs: list[Outcome], strangers: np.ndarray) -> dict[str, Any]:
        pairs, people = pair_numbers(strangers), len(np.unique(strangers))
        result: dict[str, Any] = {}
        for key in (*MEASURES, FOUND):
            if key in runs[0].values:
                points, draws = _of_runs(runs, key)
                n, identities = (runs[0].values["pictures"], self.identities) if key == FOUND else (pairs[key], people)
                share = drawn_share_over_seeds(points, draws, n, identities)
                result[key] = share.as_dict() | {"seeds": points.tolist()}
        for key in ("learned", "seen_through", "training_accuracy"):
            if key in runs[0].values:
                result[key] = float(np.mean([run.values[key] for run in runs]))
        return result

    def tables(self, values: dict[str, Any]) -> "dict[str, pd.DataFrame]":
        import pandas as pd

        rows = {
            (share, loss): {
                key: told(found) if isinstance(found, dict) else f"{found:.3f}" for key, found in measured.items()
            }
            for share, losses in values["shares"].items()
            for loss, measured in losses.items()
        }
        compared = pd.DataFrame(values["comparisons"]).T
        return {
            "noise": pd.DataFrame(rows).T.rename_axis(["share of wrong labels", "loss"]),
            "comparisons": compared.rename_axis("share: pair"),
        }

    def figures(self, values: dict[str, Any]) -> "dict[str, matplotlib.figure.Figure]":
        from facelab.plots import wrong_labels

        return {"noise": wrong_labels(values["shares"])}
