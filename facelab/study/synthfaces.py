"""The numbers of SynthFaces' data card, each made by a command:

    python -m facelab.study.synthfaces detection    MTCNN, trained on real photographs, on rendered faces
    python -m facelab.study.synthfaces balance      how the attributes are distributed
    python -m facelab.study.synthfaces closed-set   a ResNet34 with cross entropy on synthfaces-500
    python -m facelab.study.synthfaces carry-over   a ResNet34 trained on SynthFaces alone, tested on real people (ORL)
    python -m facelab.study.synthfaces ablation     the same with one ingredient left out at a time
    python -m facelab.study.synthfaces card         write what was measured into the card

Results go to ``facelab/data/cards/synthfaces.json``, which the card quotes. Data sets and checkpoints lie under
facelab's cache folder; a command that was stopped goes on from there.
"""

import argparse
import dataclasses
import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from facelab.data.faceset import FaceSet
from facelab.data.orl import load_orl
from facelab.files import atomic_write
from facelab.synth import Ranges, SynthRecipe, load_synthfaces, make
from facelab.synth.recipe import folder_of

SIZE = 64  # pixels that the networks see
EPOCHS = 12
PRECISION = "bf16"  # twice as fast on the CPUs that have it; losses stay in float32


def results_path() -> Path:
    """Return the file of all results."""
    return Path(str(files("facelab.data.cards"))) / "synthfaces.json"


def results() -> dict[str, Any]:
    """Return all results that were measured, by the name of their command."""
    path = results_path()
    return json.loads(path.read_text()) if path.exists() else {}


def record(name: str, values: dict[str, Any]) -> None:
    """Put one result into the results file; the others stay."""
    with atomic_write(results_path()) as temporary:
        temporary.write_text(json.dumps(results() | {name: values}, indent=1, sort_keys=True) + "\n")
    print(json.dumps({name: values}, indent=1))


def detection(workers: int) -> dict[str, Any]:
    """MTCNN on upright full crops of 150 identities in 6 scenes each: who is found, and how far off the landmarks are.

    Easy faces have a yaw of less than 30 degrees and no occluder. Errors are in units of the true distance between
    the eyes, over the five landmarks of the faces found. A face is found if a detection's box holds the middle of its
    true landmarks.
    """
    from facelab.detect import MTCNN

    recipe, out = SynthRecipe(identities=150, images=6, seed=77, margin=56), folder_of("proof-detection")
    make(recipe, out, workers=workers, show_progress=True)
    faces = load_synthfaces(out)
    table, detector = faces.table, MTCNN()
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
    return {
        "faces": len(faces),
        "easy_faces": int(easy.sum()),
        "easy_found": int(found[easy].sum()),
        "easy_error_median": float(np.nanmedian(errors[easy])),
        "easy_error_median_by_landmark": np.nanmedian(errors[easy], axis=0).round(4).tolist(),
        "all_found": int(found.sum()),
        "found_share_by_occluder": {name: float(found[rows].mean()) for name, rows in _groups(table["occluder"])},
    }


def balance(workers: int) -> dict[str, Any]:
    """Distributions of the attributes of synthfaces-500: 5, 25, 50, 75, 95 % quantiles of numbers, shares of words."""
    table = load_synthfaces("synthfaces-500", workers=workers).table
    people = table.drop_duplicates("identity")
    result: dict[str, Any] = {"identities": len(people), "pictures": len(table)}
    of_people = ["age", "femaleness", "african", "asian", "caucasian", "melanin", "haemoglobin", "weight", "grey"]
    of_scenes = ["yaw", "pitch", "roll", "light_azimuth", "light_elevation", "distance", "exposure", "resolution"]
    for frame, names in ((people, of_people), (table, of_scenes)):
        for name in names:
            result[name] = frame[name].quantile([0.05, 0.25, 0.5, 0.75, 0.95]).round(3).tolist()
    for frame, names in ((people, ("hair_style", "beard")), (table, ("expression", "occluder"))):
        for name in names:
            result[name] = frame[name].value_counts(normalize=True).round(3).to_dict()
    largest = people[["african", "asian", "caucasian"]].idxmax(axis=1)
    result["largest_shape"] = largest.value_counts(normalize=True).round(3).to_dict()
    return result


def closed_set(workers: int) -> dict[str, Any]:
    """A ResNet34 with cross entropy on synthfaces-500: 17 pictures of each of 500 identities to train on, 7 for the
    test."""
    from facelab.evaluate import closed_set_accuracy, nearest_centroid, verification

    faces = load_synthfaces("synthfaces-500", workers=workers)
    train, test = _rows(faces, "split", "closed").split(train=17, seed=0)
    embed = _train(_resized(train, grey=False), "closed-set").embedder()
    gallery, probes = embed(_resized(train, grey=False)), embed(_resized(test, grey=False))
    accuracy = closed_set_accuracy(gallery, train.labels, probes, test.labels)
    right = nearest_centroid(gallery, train.labels, probes) == test.labels
    easy = ((test.table["yaw"].abs() < np.pi / 6) & (test.table["occluder"] == "none")).to_numpy()
    strangers = _rows(faces, "split", "held-out")
    report = verification(embed(_resized(strangers, grey=False)), strangers.labels, fars=(0.01,))
    return {
        "train_pictures": len(train),
        "identities": len(train.identities),
        "epochs": EPOCHS,
        "accuracy": accuracy.as_dict(),
        "accuracy_easy": float(right[easy].mean()),
        "accuracy_by_occluder": {name: float(right[rows].mean()) for name, rows in _groups(test.table["occluder"])},
        "strangers": {name: estimate.as_dict() for name, estimate in report.items()},
    }


CARRY = SynthRecipe(identities=240, images=16, seed=900)  # the size that the bald prototype had


def carry_over(workers: int) -> dict[str, Any]:
    """A ResNet34 trained in greyscale on 240 identities x 16, tested on all pairs of ORL, beside pixels and LBP."""
    chips = _orl_chips()
    result = {"synthfaces": _carried(CARRY, "carry-over", chips, workers)}
    result["pixels"], result["lbp"] = _on_orl(_pixels(chips), chips), _on_orl(_lbp(chips), chips)
    return result | {"identities": CARRY.identities, "images": CARRY.images, "epochs": EPOCHS, "size": SIZE}


def ablation(workers: int) -> dict[str, Any]:
    """Carry-over again with one ingredient left out, no augmentation, or half the people: how much each gave."""
    calm = Ranges(light=0.0, quality=0.0)
    chips = _orl_chips()

    def without(name: str, **changes: Any) -> dict[str, Any]:
        return _carried(dataclasses.replace(CARRY, **changes), name, chips, workers)

    return {
        "no hair, brows or beards": without("no-hair", leave_out="hair"),
        "plain skin": without("plain-skin", leave_out="skin"),
        "soft light, clean sensor": without("calm", ranges=calm),
        "no augmentation": _carried(CARRY, "carry-over", chips, workers, augment=False),
        "half the people (120 × 16)": without("half", identities=120),  # the first 120 of the same people
    }


def _carried(recipe: SynthRecipe, name: str, chips: FaceSet, workers: int, *, augment: bool = True) -> dict[str, Any]:
    out = folder_of(f"proof-{name}")
    make(recipe, out, workers=workers, show_progress=True)
    faces = _resized(load_synthfaces(out), grey=True)
    return _on_orl(_train(faces, name if augment else f"{name}-plain", augment=augment).embedder()(chips), chips)


def _rows(faces: FaceSet, column: str, value: str) -> FaceSet:
    return faces.select((faces.table[column] == value).to_numpy(), f"{faces.name}/{value}")


def _groups(column: Any) -> list[tuple[str, np.ndarray]]:
    values = column.to_numpy()
    return [(str(value), values == value) for value in sorted(set(values))]


def _resized(faces: FaceSet, *, grey: bool) -> FaceSet:
    """Decode all chips once at the network's resolution, in greyscale if asked."""
    import cv2

    faces = faces.resized(SIZE)
    if not grey:
        return faces
    images = np.stack([cv2.cvtColor(cv2.cvtColor(x, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB) for x in faces.images])
    return FaceSet(faces.name, images, faces.table)


def _train(faces: FaceSet, name: str, *, augment: bool = True) -> Any:
    from facelab.train import Recipe, fit
    from facelab.train.state import cache_path

    recipe = Recipe(size=SIZE, epochs=EPOCHS, batch_size=64, learning_rate=0.02, augment=augment)
    path = cache_path("proofs", name, recipe, faces)
    return fit(recipe, faces, device="cpu", precision=PRECISION, checkpoint=path, show_progress=True)


def _orl_chips() -> FaceSet:
    """ORL's photographs, enlarged, detected and aligned; where MTCNN finds no face the central square is taken."""
    import cv2

    from facelab.align import make_chips
    from facelab.detect import MTCNN

    faces = load_orl()
    # The photographs end at chin and crown; a border gives the detector the surroundings it expects.
    images = [cv2.copyMakeBorder(faces[i][0], 24, 24, 24, 24, cv2.BORDER_REPLICATE) for i in range(len(faces))]
    images = [cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC) for image in images]
    chips, report = make_chips(FaceSet("orl", images, faces.table), MTCNN(min_face=60), missing="default")
    print(report)
    return _resized(chips, grey=True)


def _on_orl(embeddings: np.ndarray, chips: FaceSet) -> dict[str, Any]:
    """All pairs of ORL: AUC, EER and TAR at FAR 1 % with identity bootstrap; rank-1 of each photograph among all
    others."""
    from facelab.evaluate import leave_one_out_rank1, verification

    report = verification(embeddings, chips.labels, fars=(0.01,))
    rank1 = leave_one_out_rank1(embeddings, chips.labels).value
    return {name: estimate.as_dict() for name, estimate in report.items()} | {"rank1": rank1}


def _pixels(chips: FaceSet) -> np.ndarray:
    """The grey values themselves, each chip with mean 0 and deviation 1."""
    x = chips.array()[:, :, :, 0].reshape(len(chips), -1).astype(np.float64)
    return (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)


def _lbp(chips: FaceSet, cells: int = 8) -> np.ndarray:
    """Histograms of uniform local binary patterns (8 neighbours, radius 1) over 8 x 8 cells (Ahonen et al. 2006),
    square roots."""
    codes = np.zeros((len(chips), SIZE - 2, SIZE - 2), np.int64)
    x = chips.array()[:, :, :, 0].astype(np.int64)
    steps = [(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)]
    for bit, (dy, dx) in enumerate(steps):
        neighbour = x[:, 1 + dy : SIZE - 1 + dy, 1 + dx : SIZE - 1 + dx]
        codes |= (neighbour >= x[:, 1:-1, 1:-1]).astype(np.int64) << bit
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    uniform = (bits != np.roll(bits, 1, axis=1)).sum(axis=1) <= 2
    bins = np.full(256, uniform.sum())
    bins[uniform] = np.arange(uniform.sum())
    bound = np.linspace(0, SIZE - 2, cells + 1).round().astype(int)
    count = int(uniform.sum()) + 1
    out = []
    for image in bins[codes]:
        parts = [
            np.bincount(image[bound[r] : bound[r + 1], bound[c] : bound[c + 1]].ravel(), minlength=count)
            for r in range(cells)
            for c in range(cells)
        ]
        out.append(np.sqrt(np.concatenate(parts)))
    return np.array(out)


def carry_over_table() -> pd.DataFrame:
    """Return what was measured on ORL, one row per method or ingredient: AUC, TAR at FAR 1 % and rank-1."""
    measured = results()
    carried = measured["carry_over"]
    rows = {
        f"SynthFaces, {carried['identities']} × {carried['images']}": carried["synthfaces"],
        "pixels": carried["pixels"],
        "LBP": carried["lbp"],
    }
    rows |= {f"SynthFaces, {name}": values for name, values in measured.get("ablation", {}).items()}
    cells = {
        name: {
            "AUC": _estimate(v["auc"]),
            "TAR at FAR 1 %": _estimate(v["tar_at_far_0.01"]),
            "rank-1": f"{v['rank1']:.3f}",
        }
        for name, v in rows.items()
    }
    return pd.DataFrame.from_dict(cells, orient="index")


def write_card() -> None:
    """Put the numbers of the results file into the card, below its marker."""
    path = results_path().with_suffix(".md")
    head = path.read_text().partition(MARKER)[0]
    with atomic_write(path) as temporary:
        temporary.write_text(head + MARKER + "\n\n" + "\n".join(_sections(results())).rstrip() + "\n")


MARKER = "<!-- numbers: written by python -m facelab.study.synthfaces card -->"


def _sections(results: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    if r := results.get("detection"):
        five = ", ".join(f"{v:.1%}" for v in r["easy_error_median_by_landmark"])
        lines += [
            "**Are they faces?** (`detection`) MTCNN, trained on real photographs only, found "
            f"{r['easy_found']} of {r['easy_faces']} faces with |yaw| < 30° and no occluder "
            f"({r['easy_found'] / r['easy_faces']:.1%}). Its landmarks lie {r['easy_error_median']:.1%} of the "
            f"distance between the eyes from the truth (median; by "
            f"landmark {five}). Of all {r['faces']}, profiles "
            f"and occluders included, it found {r['all_found']}. Share found by "
            f"occluder: {_shares(r['found_share_by_occluder'])}.",
            "",
        ]
    if r := results.get("closed_set"):
        lines += [
            f"**How hard are they?** (`closed-set`) A ResNet34 with cross entropy, {SIZE} × {SIZE} pixels, "
            f"{r['epochs']} epochs, {r['train_pictures'] // r['identities']} pictures of each of {r['identities']} "
            f"identities: accuracy {_estimate(r['accuracy'])} on {r['accuracy']['n']} other pictures of them "
            f"({r['accuracy_easy']:.3f} where |yaw| < 30° without occluder; by occluder: "
            f"{_shares(r['accuracy_by_occluder'])}). On 100 strangers, all pairs: AUC "
            f"{_estimate(r['strangers']['auc'])}, TAR at FAR 1 % {_estimate(r['strangers']['tar_at_far_0.01'])}.",
            "",
        ]
    if r := results.get("carry_over"):
        lines += [
            "**Do they carry over to real people?** (`carry-over`, `ablation`) A ResNet34 trained in greyscale "
            f"on SynthFaces alone ({r['size']} × {r['size']} pixels, {r['epochs']} epochs), on all pairs of ORL's 400 "
            "photographs, aligned by MTCNN, with 95 % intervals from an identity bootstrap; one training seed each.",
            "",
            "| | AUC | TAR at FAR 1 % | rank-1 |",
            "|---|---|---|---|",
            *(f"| {' | '.join([name, *cells])} |" for name, *cells in carry_over_table().itertuples()),
            "",
        ]
    if r := results.get("balance"):
        quantiles = {name: value for name, value in r.items() if isinstance(value, list)}
        lines += [
            f"**How are the attributes spread?** (`balance`) Quantiles over the {r['identities']} people and "
            f"{r['pictures']} pictures of synthfaces-500; angles in radians, distance in dm.",
            "",
            "| | 5 % | 25 % | 50 % | 75 % | 95 % |",
            "|---|---|---|---|---|---|",
            *(f"| {name} | " + " | ".join(f"{v:g}" for v in values) + " |" for name, values in quantiles.items()),
            "",
            *(f"- {name.replace('_', ' ')}: {_shares(value)}" for name, value in r.items() if isinstance(value, dict)),
        ]
    missing = {"closed_set": "closed-set", "carry_over": "carry-over", "ablation": "ablation"}
    if names := [f"`{command}`" for name, command in missing.items() if name not in results]:
        lines += ["", f"**Not measured yet:** {', '.join(names)}."]
    return lines


def _estimate(values: dict[str, float]) -> str:
    return f"{values['value']:.3f} [{values['low']:.3f}, {values['high']:.3f}]"


def _shares(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.1%}" for name, value in values.items())


def main() -> None:
    """Run one command and record its result."""
    commands: dict[str, Callable[[int], dict[str, Any]]] = {
        "detection": detection,
        "balance": balance,
        "closed-set": closed_set,
        "carry-over": carry_over,
        "ablation": ablation,
    }
    parser = argparse.ArgumentParser(description="Make the numbers of SynthFaces' data card.")
    parser.add_argument("command", choices=[*commands, "card"])
    parser.add_argument("--workers", type=int, default=2, help="processes for rendering")
    chosen = parser.parse_args()
    if chosen.command == "card":
        write_card()
        return
    record(chosen.command.replace("-", "_"), commands[chosen.command](chosen.workers))


if __name__ == "__main__":
    main()
