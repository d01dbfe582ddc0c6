"""The numbers of SynthFaces' data card.

Does a detector that was trained on real photographs find rendered faces; how are the attributes spread; how hard is the
closed set; does a network that has only seen rendered faces tell real people (ORL) apart, and what did each ingredient
of the renderer and of the training give. Published results also go into the card, ``facelab/data/cards/synthfaces.md``.
"""

from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from facelab.align.chips import make_chips
from facelab.data.faceset import FaceSet
from facelab.data.orl import load_orl
from facelab.detect.mtcnn import MTCNN
from facelab.evaluate import closed_set_accuracy, leave_one_out_rank1, nearest_centroid, verification
from facelab.evaluate.estimate import Estimate
from facelab.strict import Strict
from facelab.study.cards import marker, write_numbers
from facelab.study.experiment import Experiment, Job, Outcome, Run
from facelab.study.rendered import Render, load_faces
from facelab.study.training import Training
from facelab.synth.recipe import SynthRecipe


class FindRendered(Run):
    """MTCNN on upright full crops: who is found, and how far off the landmarks are.

    Easy faces have a yaw of less than 30 degrees and no occluder. Errors are in units of the true distance between
    the eyes, over the five landmarks of the faces found. A face is found if a detection's box holds the middle of its
    true landmarks.
    """

    faces: SynthRecipe

    def compute(self, job: Job) -> Outcome:
        faces = load_faces(self.faces, job)
        table, detector = faces.table, MTCNN(device=job.device)
        found, errors = np.zeros(len(faces), bool), np.full((len(faces), 5), np.nan)
        for start in range(0, len(faces), 32):
            images = [faces[i][0] for i in range(start, min(start + 32, len(faces)))]
            for i, detections in enumerate(detector.detect(images), start):
                truth = table["landmarks"].iloc[i]
                middle = truth.mean(axis=0)
                hits = [d for d in detections if (d.box[:2] < middle).all() and (middle < d.box[2:]).all()]
                if hits:
                    found[i] = True
                    errors[i] = np.linalg.norm(hits[0].landmarks - truth, axis=1) / np.linalg.norm(truth[0] - truth[1])
        easy = ((table["yaw"].abs() < np.pi / 6) & (table["occluder"] == "none")).to_numpy()
        return Outcome(
            {
                "faces": len(faces),
                "easy_faces": int(easy.sum()),
                "easy_found": int(found[easy].sum()),
                "easy_error_median": float(np.nanmedian(errors[easy])),
                "easy_error_median_by_landmark": np.nanmedian(errors[easy], axis=0).round(4).tolist(),
                "all_found": int(found.sum()),
                "found_share_by_occluder": {
                    name: float(found[rows].mean()) for name, rows in _groups(table["occluder"])
                },
            }
        )


class Balance(Run):
    """Distributions of the attributes: 5, 25, 50, 75, 95 % quantiles of numbers, shares of words."""

    faces: SynthRecipe

    def compute(self, job: Job) -> Outcome:
        table = load_faces(self.faces, job).table
        people = table.drop_duplicates("identity")
        result: dict[str, Any] = {"identities": len(people), "pictures": len(table)}
        of_people = ["age", "femaleness", "african", "asian", "caucasian", "melanin", "haemoglobin", "weight", "grey"]
        of_scenes = ["yaw", "pitch", "roll", "light_azimuth", "light_elevation", "distance", "exposure", "resolution"]
        for frame, names in ((people, of_people), (table, of_scenes)):
            for name in names:
                result[name] = frame[name].quantile([0.05, 0.25, 0.5, 0.75, 0.95]).round(3).tolist()
        for frame, names in ((people, ["hair_style", "beard"]), (table, ["expression", "occluder"])):
            for name in names:
                result[name] = frame[name].value_counts(normalize=True).round(3).to_dict()
        largest = people[["african", "asian", "caucasian"]].idxmax(axis=1)
        result["largest_shape"] = largest.value_counts(normalize=True).round(3).to_dict()
        return Outcome(result)


class ClosedSet(Run):
    """A network trained on some pictures of each identity, tested on the others, and on the identities held out."""

    faces: SynthRecipe
    train_images: int
    training: Training

    def compute(self, job: Job) -> Outcome:
        faces, size = load_faces(self.faces, job), self.training.recipe.size
        known, strangers = (_rows(faces, "split", name).resized(size) for name in ("closed", "held-out"))
        train, test = known.split(train=self.train_images, seed=0)
        embed = self.training.embedder(train, job)
        gallery, probes = embed(train), embed(test)
        accuracy = closed_set_accuracy(gallery, train.labels, probes, test.labels)
        right = nearest_centroid(gallery, train.labels, probes) == test.labels
        easy = ((test.table["yaw"].abs() < np.pi / 6) & (test.table["occluder"] == "none")).to_numpy()
        report = verification(embed(strangers), strangers.labels, fars=(0.01,))
        return Outcome(
            {
                "train_pictures": len(train),
                "identities": len(train.identities),
                "epochs": self.training.recipe.epochs,
                "accuracy": accuracy.as_dict(),
                "accuracy_easy": float(right[easy].mean()),
                "accuracy_by_occluder": {
                    name: float(right[rows].mean()) for name, rows in _groups(test.table["occluder"])
                },
                "strangers": {name: estimate.as_dict() for name, estimate in report.items()},
            }
        )


class OrlChips(Run):
    """ORL's photographs, enlarged, detected and aligned; where MTCNN finds no face the central square is taken."""

    identities: int
    size: int

    def compute(self, job: Job) -> Outcome:
        import cv2

        faces = load_orl()
        faces = faces.select(faces.labels < self.identities)
        # The photographs end at chin and crown; a border gives the detector the surroundings it expects.
        images = [cv2.copyMakeBorder(faces[i][0], 24, 24, 24, 24, cv2.BORDER_REPLICATE) for i in range(len(faces))]
        images = [cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC) for image in images]
        detector = MTCNN(min_face=60, device=job.device)
        chips, report = make_chips(
            FaceSet("orl", images, faces.table), detector, missing="default", show_progress=job.show_progress
        )
        grey = _grey(chips.resized(self.size)).array()[:, :, :, 0]
        return Outcome(
            {"found": report.found, "missing": len(report.missing), "several": report.several},
            {"chips": grey, "labels": chips.labels},
        )


class CarryOver(Run):
    """A network trained in greyscale on rendered faces alone, on all pairs of ORL."""

    faces: SynthRecipe
    training: Training

    def compute(self, job: Job) -> Outcome:
        faces = _grey(load_faces(self.faces, job).resized(self.training.recipe.size))
        orl = job.needed["orl-chips"].arrays
        chips = np.repeat(orl["chips"][..., None], 3, axis=3)
        return Outcome(_on_orl(self.training.embedder(faces, job)(chips), orl["labels"]))


class Features(Run):
    """What learns nothing, on all pairs of ORL: the pixels, or histograms of local binary patterns."""

    features: Literal["pixels", "lbp"]

    def compute(self, job: Job) -> Outcome:
        orl = job.needed["orl-chips"].arrays
        features = {"pixels": pixels, "lbp": local_binary_patterns}[self.features](orl["chips"])
        return Outcome(_on_orl(features, orl["labels"]))


class Without(Strict):
    """Carry-over again without something.

    Attributes:
        title: what is left out.
        faces: to train on; augment: whether training images are changed at random.
    """

    title: str
    faces: SynthRecipe
    augment: bool = True


class SynthFacesCard(Experiment):
    """All that the card says in numbers."""

    detection: SynthRecipe
    closed_set: SynthRecipe
    train_images: int = Field(ge=1, description="of each identity of the closed set; the others are for the test")
    carry_over: SynthRecipe
    ablation: dict[str, Without]
    orl_identities: int = Field(40, ge=2, description="the first so many")
    training: Training

    def runs(self) -> dict[str, Run]:
        orl = ("orl-chips", "render-carry-over")
        runs: dict[str, Run] = {
            "detection": FindRendered(faces=self.detection),
            "render-closed-set": Render(recipe=self.closed_set),
            "balance": Balance(needs=("render-closed-set",), faces=self.closed_set),
            "closed-set": ClosedSet(
                needs=("render-closed-set",),
                faces=self.closed_set,
                train_images=self.train_images,
                training=self.training,
            ),
            "orl-chips": OrlChips(identities=self.orl_identities, size=self.training.recipe.size),
            "render-carry-over": Render(recipe=self.carry_over),
            "carry-over": CarryOver(needs=orl, faces=self.carry_over, training=self.training),
            "pixels": Features(needs=("orl-chips",), features="pixels"),
            "lbp": Features(needs=("orl-chips",), features="lbp"),
        }
        for name, left_out in self.ablation.items():
            training = self.training.changed(augment=left_out.augment)
            runs[f"ablation-{name}"] = CarryOver(needs=orl, faces=left_out.faces, training=training)
        return runs

    def values(self, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
        found = {name: outcome.values for name, outcome in outcomes.items()}
        return {
            "detection": found["detection"],
            "balance": found["balance"],
            "closed_set": found["closed-set"],
            "carry_over": {
                "synthfaces": found["carry-over"],
                "pixels": found["pixels"],
                "lbp": found["lbp"],
                "identities": self.carry_over.identities,
                "images": self.carry_over.images,
                "epochs": self.training.recipe.epochs,
                "size": self.training.recipe.size,
            },
            "ablation": {left_out.title: found[f"ablation-{name}"] for name, left_out in self.ablation.items()},
        }

    def tables(self, values: dict[str, Any]) -> dict[str, pd.DataFrame]:
        return {"carry-over": carry_over_table(values)}

    def publish(self, values: dict[str, Any], outcome: Callable[[str], Outcome]) -> None:
        write_card(values)


def carry_over_table(values: dict[str, Any]) -> pd.DataFrame:
    """Return what was measured on ORL, one row per method or ingredient: AUC, TAR at FAR 1 % and rank-1.

    Args:
        values: of the study's results.
    """
    carried = values["carry_over"]
    rows = {
        f"SynthFaces, {carried['identities']} × {carried['images']}": carried["synthfaces"],
        "pixels": carried["pixels"],
        "LBP": carried["lbp"],
    }
    rows |= {f"SynthFaces, {name}": measured for name, measured in values["ablation"].items()}
    cells = {
        name: {
            "AUC": f"{Estimate(**measured['auc'])}",
            "TAR at FAR 1 %": f"{Estimate(**measured['tar_at_far_0.01'])}",
            "rank-1": f"{measured['rank1']:.3f}",
        }
        for name, measured in rows.items()
    }
    return pd.DataFrame.from_dict(cells, orient="index")


CARD = Path(str(files("facelab.data.cards"))) / "synthfaces.md"
MARKER = marker("synthfaces")


def write_card(values: dict[str, Any], path: Path = CARD) -> None:
    """Put the values of the study into the card, below its marker."""
    write_numbers(path, "synthfaces", _sections(values))


def _sections(values: dict[str, Any]) -> list[str]:
    r, c, t, b = (values[name] for name in ("detection", "closed_set", "carry_over", "balance"))
    five = ", ".join(f"{v:.1%}" for v in r["easy_error_median_by_landmark"])
    quantiles = {name: value for name, value in b.items() if isinstance(value, list)}
    return [
        "**Are they faces?** (`detection`) MTCNN, trained on real photographs only, found "
        f"{r['easy_found']} of {r['easy_faces']} faces with |yaw| < 30° and no occluder "
        f"({r['easy_found'] / r['easy_faces']:.1%}). Its landmarks lie {r['easy_error_median']:.1%} of the "
        f"distance between the eyes from the truth (median; by landmark {five}). Of all {r['faces']}, profiles "
        f"and occluders included, it found {r['all_found']}. Share found by "
        f"occluder: {_shares(r['found_share_by_occluder'])}.",
        "",
        f"**How hard are they?** (`closed-set`) A ResNet34 with cross entropy, {t['size']} × {t['size']} pixels, "
        f"{c['epochs']} epochs, {c['train_pictures'] // c['identities']} pictures of each of {c['identities']} "
        f"identities: accuracy {Estimate(**c['accuracy'])} on {c['accuracy']['n']} other pictures of them "
        f"({c['accuracy_easy']:.3f} where |yaw| < 30° without occluder; by occluder: "
        f"{_shares(c['accuracy_by_occluder'])}). On 100 strangers, all pairs: AUC "
        f"{Estimate(**c['strangers']['auc'])}, TAR at FAR 1 % {Estimate(**c['strangers']['tar_at_far_0.01'])}.",
        "",
        "**Do they carry over to real people?** (`carry-over`, `ablation`) A ResNet34 trained in greyscale "
        f"on SynthFaces alone ({t['size']} × {t['size']} pixels, {t['epochs']} epochs), on all pairs of ORL's 400 "
        "photographs, aligned by MTCNN, with 95 % intervals from an identity bootstrap; one training seed each.",
        "",
        "| | AUC | TAR at FAR 1 % | rank-1 |",
        "|---|---|---|---|",
        *(f"| {' | '.join([name, *cells])} |" for name, *cells in carry_over_table(values).itertuples()),
        "",
        f"**How are the attributes spread?** (`balance`) Quantiles over the {b['identities']} people and "
        f"{b['pictures']} pictures of synthfaces-500; angles in radians, distance in dm.",
        "",
        "| | 5 % | 25 % | 50 % | 75 % | 95 % |",
        "|---|---|---|---|---|---|",
        *(f"| {name} | " + " | ".join(f"{v:g}" for v in row) + " |" for name, row in quantiles.items()),
        "",
        *(f"- {name.replace('_', ' ')}: {_shares(value)}" for name, value in b.items() if isinstance(value, dict)),
    ]


def _shares(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.1%}" for name, value in values.items())


def _rows(faces: FaceSet, column: str, value: str) -> FaceSet:
    return faces.select((faces.table[column] == value).to_numpy(), f"{faces.name}/{value}")


def _groups(column: pd.Series) -> list[tuple[str, np.ndarray]]:
    values = column.to_numpy()
    return [(str(value), values == value) for value in sorted(set(values))]


def _grey(faces: FaceSet) -> FaceSet:
    import cv2

    grey = [cv2.cvtColor(faces.images[i], cv2.COLOR_RGB2GRAY) for i in range(len(faces.images))]
    images = np.stack([cv2.cvtColor(image, cv2.COLOR_GRAY2RGB) for image in grey])
    return FaceSet(faces.name, images, faces.table)


def _on_orl(embeddings: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """All pairs of ORL: AUC, EER and TAR at FAR 1 % with identity bootstrap; rank-1 of each photograph among all
    others."""
    report = verification(embeddings, labels, fars=(0.01,))
    rank1 = leave_one_out_rank1(embeddings, labels).value
    return {name: estimate.as_dict() for name, estimate in report.items()} | {"rank1": rank1}


def pixels(chips: np.ndarray) -> np.ndarray:
    """Return the grey values themselves, each chip (n, h, w) with mean 0 and deviation 1."""
    x = chips.reshape(len(chips), -1).astype(np.float64)
    return (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)


def local_binary_patterns(chips: np.ndarray, cells: int = 8) -> np.ndarray:
    """Return histograms of uniform local binary patterns (8 neighbours, radius 1) over 8 x 8 cells, square roots.

    Source: T. Ahonen, A. Hadid, M. Pietikäinen, "Face description with local binary patterns", PAMI 28, 2006.

    Args:
        chips: shape (n, h, w), grey values, uint8.
        cells: so many in each direction.
    """
    x, (height, width) = chips.astype(np.int64), chips.shape[1:]
    codes = np.zeros((len(chips), height - 2, width - 2), np.int64)
    steps = [(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)]
    for bit, (dy, dx) in enumerate(steps):
        neighbour = x[:, 1 + dy : height - 1 + dy, 1 + dx : width - 1 + dx]
        codes |= (neighbour >= x[:, 1:-1, 1:-1]).astype(np.int64) << bit
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    uniform = (bits != np.roll(bits, 1, axis=1)).sum(axis=1) <= 2
    bins = np.full(256, uniform.sum())
    bins[uniform] = np.arange(uniform.sum())
    rows, columns = (np.linspace(0, side - 2, cells + 1).round().astype(int) for side in (height, width))
    count = int(uniform.sum()) + 1
    out = []
    for image in bins[codes]:
        parts = [
            np.bincount(image[rows[r] : rows[r + 1], columns[c] : columns[c + 1]].ravel(), minlength=count)
            for r in range(cells)
            for c in range(cells)
        ]
        out.append(np.sqrt(np.concatenate(parts)))
    return np.array(out)
