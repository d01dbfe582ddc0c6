"""Detectors against truth: rendered photographs of one to four people, every box and landmark known; and ORL.

    python -m facelab.study.detection

Renders 240 photographs (two minutes on two cores), runs every detector that can be made here on them, and writes
average precision, recall by yaw, size and occluder, and landmark errors, with 95 % intervals from a bootstrap over
photographs, to ``facelab/study/results/detection.json``. Test photographs of real people that installed packages carry
are drawn to facelab's cache folder, with what each detector finds.
"""

import importlib.util
import itertools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from facelab.data.images import read_image
from facelab.data.orl import load_orl
from facelab.detect import Detection, detectors, make_detector
from facelab.detect.metrics import Matches, average_precision, match, photograph_bootstrap, precision_recall
from facelab.errors import FacelabError
from facelab.evaluate import bootstrap_interval, wilson
from facelab.files import atomic_write, facelab_home
from facelab.plots import draw_detections
from facelab.progress import progress_bar
from facelab.study.results import save_results
from facelab.synth.photographs import Photographs, load_photographs

PHOTOGRAPHS, SEED = 240, 4
IOU = 0.5
YAW = (0.0, 15.0, 30.0, 45.0, 65.0)  # degrees, edges of groups of |yaw|
HEIGHT = (20.0, 50.0, 80.0, 130.0, 500.0)  # pixels, edges of groups of the true box's height
CURVE_POINTS = 60


def _detect(name: str, images: Iterable[np.ndarray], total: int, *, show_progress: bool) -> list[list[Detection]]:
    """Return what one detector finds on each image."""
    detector, found = make_detector(name), []
    with progress_bar(f"detect with {name}", total, show_progress=show_progress) as bar:
        for image in images:
            found.append(detector.detect([image])[0])
            bar.update()
    return found


def measure(name: str, photographs: Photographs, *, show_progress: bool = False) -> dict[str, Any]:
    """Measure one detector on the photographs."""
    images = (photograph.image for photograph in photographs)
    faces = _detect(name, images, len(photographs), show_progress=show_progress)
    truth = [photograph.boxes for photograph in photographs]
    matches = match(faces, truth, [photograph.landmarks for photograph in photographs], threshold=IOU)
    groups = _groups(photographs)
    precision, recall, score = precision_recall(matches)
    shown = np.unique(np.linspace(0, len(score) - 1, min(len(score), CURVE_POINTS)).round().astype(int))
    found = matches.face_found()
    every = np.ones(len(found), bool)
    result: dict[str, Any] = {
        "faces": len(found),
        "detections": len(matches.hit),
        "ap": _estimate(lambda counts: average_precision(matches, counts), matches, every, share=True),
        "ap_iou_0.3": average_precision(match(faces, truth, threshold=0.3)),
        "recall": _share(matches, found, every),
        "precision": {"value": float(matches.hit.mean()), "n": len(matches.hit)},
        "curve": {"precision": precision[shown].tolist(), "recall": recall[shown].tolist()},
        "recall_by": {
            kind: {label: _share(matches, found, rows) for label, rows in members.items() if rows.any()}
            for kind, members in groups.items()
        },
    }
    if not np.isnan(matches.nme).all():
        result["nme"] = _median(matches, every)
        result["error_by_landmark"] = np.nanmedian(matches.error, axis=0).round(4).tolist()
        result["nme_by"] = {
            kind: {label: _median(matches, rows) for label, rows in members.items() if (rows & found).sum() > 4}
            for kind, members in groups.items()
        }
    return result


def _groups(photographs: Photographs) -> dict[str, dict[str, np.ndarray]]:
    """Which faces belong to which group; each shape (faces,), bool."""
    table = photographs.table
    yaw = np.degrees(np.abs(np.concatenate([np.asarray(v, float) for v in table["yaw"]])))
    occluder = np.concatenate([np.asarray(v, str) for v in table["occluder"]])
    boxes = np.concatenate([photograph.boxes for photograph in photographs])
    height = boxes[:, 3] - boxes[:, 1]
    melanin = np.concatenate([np.asarray(v, float) for v in table["melanin"]])
    thirds = np.quantile(melanin, [1 / 3, 2 / 3])
    return {
        "yaw": {f"{a:.0f}–{b:.0f}°": (yaw >= a) & (yaw < b) for a, b in itertools.pairwise(YAW)},
        "height": {
            (f"{a:.0f}–{b:.0f} px" if b < 500 else f"from {a:.0f} px"): (height >= a) & (height < b)
            for a, b in itertools.pairwise(HEIGHT)
        },
        "occluder": {str(name): occluder == name for name in ("none", *sorted(set(occluder) - {"none"}))},
        "skin": {
            "lightest third": melanin < thirds[0],
            "middle third": (melanin >= thirds[0]) & (melanin < thirds[1]),
            "darkest third": melanin >= thirds[1],
        },
    }


def _estimate(
    value: Callable[[np.ndarray], float], matches: Matches, rows: np.ndarray, *, share: bool
) -> dict[str, float]:
    """A measure of some faces, with its interval over the photographs that show them; n counts faces."""
    draws = photograph_bootstrap(value, matches.photographs)
    photographs = len(np.unique(matches.face_photograph[rows]))
    point = value(np.ones(matches.photographs))
    return bootstrap_interval(point, draws, int(rows.sum()), photographs, share=share).as_dict()


def _share(matches: Matches, found: np.ndarray, rows: np.ndarray) -> dict[str, float]:
    """Recall among some faces."""
    photograph, hit = matches.face_photograph[rows], found[rows]

    def value(counts: np.ndarray) -> float:
        weight = counts[photograph]
        return float((weight * hit).sum() / weight.sum()) if weight.sum() else np.nan

    return _estimate(value, matches, rows, share=True)


def _median(matches: Matches, rows: np.ndarray) -> dict[str, float]:
    """Median NME of the faces found among some, each counted as often as its photograph."""
    rows = rows & np.isfinite(matches.nme)
    order = np.argsort(matches.nme[rows])
    nme, photograph = matches.nme[rows][order], matches.face_photograph[rows][order]

    def value(counts: np.ndarray) -> float:
        weight = np.cumsum(counts[photograph])
        return float(nme[np.searchsorted(weight, weight[-1] / 2)]) if weight[-1] else np.nan

    return _estimate(value, matches, rows, share=False)


def measure_orl(name: str, *, show_progress: bool = False) -> dict[str, Any]:
    """Count on ORL's 400 photographs, each of one person: found exactly one face, several, or none."""
    faces = load_orl()
    found = _detect(name, (image for image, _ in faces), len(faces), show_progress=show_progress)
    array = np.array([len(boxes) for boxes in found])
    return {
        "found": wilson(int((array > 0).sum()), len(array)).as_dict(),
        "several": int((array > 1).sum()),
        "missed": np.flatnonzero(array == 0).tolist(),
    }


def real_photographs() -> dict[str, np.ndarray]:
    """Return the test photographs that installed packages carry, by package and file; RGB uint8.

    scikit-image's and one of insightface's show one person, insightface's ``t1.jpg`` shows six.
    """
    found: dict[str, np.ndarray] = {}
    for package, folder, names in (
        ("skimage", "data", ["astronaut.png"]),
        ("insightface", "data/images", ["Tom_Hanks_54745.png", "t1.jpg"]),
    ):
        spec = importlib.util.find_spec(package)
        for path in (Path(spec.origin).parent / folder / name for name in names) if spec and spec.origin else ():
            found[f"{package}/{path.name}"] = read_image(path)
    return found


def measure_real(name: str) -> dict[str, int]:
    """Count the faces found on each of :func:`real_photographs`, and draw them to the cache folder."""
    detector, counts = make_detector(name), {}
    for source, image in real_photographs().items():
        faces = detector.detect([image])[0]
        counts[source] = len(faces)
        with atomic_write(facelab_home() / "detection" / f"{source.replace('/', '-')}-{name}.png") as temporary:
            draw_detections(image, faces, title=f"{source}: {name}").savefig(temporary, format="png")
    return counts


def main() -> None:
    """Run what is missing and record the results."""
    import torch

    torch.set_num_threads(1)
    photographs = load_photographs(PHOTOGRAPHS, seed=SEED)
    results: dict[str, Any] = {"photographs": PHOTOGRAPHS, "seed": SEED, "iou": IOU, "detectors": {}, "left_out": {}}
    for name in detectors():
        try:
            results["detectors"][name] = measure(name, photographs, show_progress=True) | {
                "orl": measure_orl(name, show_progress=True),
                "real": measure_real(name),
            }
        except FacelabError as error:  # its model is not here
            results["left_out"][name] = str(error).split(". ")[0].replace(str(facelab_home()), "FACELAB_HOME")
    save_results("detection", results)


if __name__ == "__main__":
    main()
