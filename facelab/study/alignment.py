"""Does alignment matter? One recipe, trained and tested on plain crops, eyes-only and five-point chips.

    python -m facelab.study.alignment

Two sets of faces, three ways to align, three seeds: 18 trainings of a ResNet34, about 70 seconds each on one core.
Half of ORL's people and 40 of synthfaces-mini's are for training; the other 20 and 24 are strangers whom no network has
seen, and on whom all is measured. Every way sees the same photographs, the same boxes and landmarks (MTCNN's), the same
split, the same order of batches. Embeddings are kept under facelab's cache folder, so a command that was stopped goes
on from there. The results go to ``facelab/study/results/alignment.json``.
"""

import functools
import hashlib
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from facelab.align.chips import make_chips
from facelab.align.warp import METHODS, align_batch
from facelab.data.faceset import FaceSet
from facelab.data.orl import load_orl
from facelab.data.splits import split_identities
from facelab.detect.mtcnn import MTCNN
from facelab.evaluate import Scores, auc, compare_scores, holm, pair_scores, roc, tar_at_far
from facelab.evaluate.bootstrap import bootstrap_curves, bootstrap_interval
from facelab.evaluate.curve import Roc
from facelab.files import atomic_write, facelab_home
from facelab.study.results import save_results
from facelab.synth import SynthRecipe, load_synthfaces, make
from facelab.synth.recipe import folder_of
from facelab.train import Recipe, fit

SEEDS = (0, 1, 2)
STRANGERS = {"orl": 20, "mini": 24}
EPOCHS = {"orl": 30, "mini": 12}  # about as many steps for both: 180 and 240 of 32 chips
SIZE = 64  # pixels that the network sees
PRECISION = "bf16"  # faster on the CPUs that have it; losses stay in float32
UPRIGHT = SynthRecipe(identities=64, images=16, seed=1, margin=56)  # the people and scenes of synthfaces-mini, uncut
MEASURES: dict[str, Callable[[Roc], np.ndarray]] = {
    "tar_at_far_0.01": functools.partial(tar_at_far, far=0.01),  # the main measure, chosen before the run
    "auc": auc,
}


def photographs(name: str, *, show_progress: bool = False) -> FaceSet:
    """Return the uncut photographs: ``"orl"``, or ``"mini"``: synthfaces-mini with surroundings."""
    if name == "orl":
        return load_orl()
    out = folder_of("mini-upright")
    make(UPRIGHT, out, workers=1, show_progress=show_progress)
    return load_synthfaces(out)


def chips(name: str, *, show_progress: bool = False) -> tuple[dict[str, FaceSet], dict[str, int]]:
    """Return the chips of each way to align, of the same photographs, and how many photographs had no face found."""
    faces = photographs(name, show_progress=show_progress)
    first, report = make_chips(faces, MTCNN(min_face=40), missing="skip", show_progress=show_progress)
    found = np.setdiff1d(np.arange(len(faces)), report.missing)
    images = [faces[i][0] for i in found]
    landmarks, boxes = np.stack(first.table["landmarks"]), np.stack(first.table["box"])
    sets = {
        method: FaceSet(f"{name}/{method}", align_batch(images, landmarks, method=method, boxes=boxes), first.table)
        for method in METHODS
    }
    return sets, {"photographs": len(faces), "missing": len(report.missing)}


def embeddings(
    name: str, method: str, seed: int, sets: dict[str, FaceSet], *, show_progress: bool = False
) -> dict[str, Any]:
    """Train on the chips of one way to align; return the strangers' embeddings, by the way that their chips are made.

    What was computed before on the same chips is read from facelab's cache folder.
    """
    digest = hashlib.sha256(b"".join(np.asarray(faces.images).tobytes() for faces in sets.values())).hexdigest()[:8]
    path = facelab_home() / "alignment" / f"{name}-{method}-{seed}-{digest}.npz"
    if not path.is_file():
        checkpoint = path.with_suffix(".pt")
        recipe = Recipe(size=SIZE, embedding_dim=128, epochs=EPOCHS[name], batch_size=32, learning_rate=0.02, seed=seed)
        train, _ = split_identities(sets[method].resized(SIZE), held_out=STRANGERS[name], seed=0)
        state = fit(
            recipe, train, device="cpu", precision=PRECISION, checkpoint=checkpoint, show_progress=show_progress
        )
        embed = state.embedder()
        arrays = {
            other: embed(split_identities(faces, held_out=STRANGERS[name], seed=0)[1].resized(SIZE))
            for other, faces in sets.items()
        }
        with atomic_write(path) as temporary:
            np.savez_compressed(temporary, **arrays)
        checkpoint.unlink(missing_ok=True)
    return dict(np.load(path))


def study(name: str, *, show_progress: bool = False) -> dict[str, Any]:
    """Measure one set of faces: each way to align, the pairwise comparisons, and training one way, testing another."""
    sets, counts = chips(name, show_progress=show_progress)
    labels = split_identities(sets[METHODS[0]], held_out=STRANGERS[name], seed=0)[1].labels
    scores: dict[tuple[str, str], list[Scores]] = {}
    for seed, method in itertools.product(SEEDS, METHODS):
        for other, array in embeddings(name, method, seed, sets, show_progress=show_progress).items():
            scores.setdefault((method, other), []).append(pair_scores(array, labels))
    pairs = [("five-point", "crop"), ("five-point", "eyes"), ("eyes", "crop")]
    result: dict[str, Any] = counts | {
        "identities_trained": len(sets[METHODS[0]].identities) - STRANGERS[name],
        "strangers": STRANGERS[name],
        "strangers_chips": len(labels),
        "methods": {
            method: {key: _over_seeds(scores[method, method], measure) for key, measure in MEASURES.items()}
            for method in METHODS
        },
        "trained_tested": {
            method: {
                other: _over_seeds(scores[method, other], MEASURES["tar_at_far_0.01"], replicates=500)["value"]
                for other in METHODS
            }
            for method in METHODS
        },
        "comparisons": {},
    }
    for key, measure in MEASURES.items():
        compared = {
            f"{a} - {b}": compare_scores(scores[a, a], scores[b, b], measure, replicates=1000) for a, b in pairs
        }
        corrected = holm({names: comparison.p_value for names, comparison in compared.items()})
        result["comparisons"][key] = {
            names: {
                **comparison.difference.as_dict(),
                "p_holm": corrected[names],
                "sentence": comparison.sentence(*names.split(" - ")),
            }
            for names, comparison in compared.items()
        }
    return result


def _over_seeds(
    scores: Sequence[Scores], measure: Callable[[Roc], np.ndarray], replicates: int = 1000
) -> dict[str, Any]:
    """The mean over seeds, with the interval of an identity bootstrap in which all seeds meet the same draws."""
    points = [float(measure(roc(one))) for one in scores]
    draws = [
        np.concatenate([measure(curve) for curve in bootstrap_curves(one, replicates, np.random.default_rng(0))])
        for one in scores
    ]
    genuine, identities = int(scores[0].genuine.sum()), len(np.union1d(scores[0].first, scores[0].second))
    mean = bootstrap_interval(float(np.mean(points)), np.mean(draws, axis=0), genuine, identities, share=True)
    return mean.as_dict() | {"seeds": points}


def main() -> None:
    """Run what is missing and record the results."""
    import torch

    torch.set_num_threads(1)
    settings = {"size": SIZE, "epochs": EPOCHS, "seeds": list(SEEDS), "precision": PRECISION, "loss": "cross_entropy"}
    save_results("alignment", {"settings": settings} | {name: study(name, show_progress=True) for name in STRANGERS})


if __name__ == "__main__":
    main()
