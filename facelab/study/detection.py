"""Detectors against truth: rendered photographs of one to four people, every box and landmark known; and real ones.

Every detector that can be made here meets the same photographs: average precision, recall by yaw, size and occluder,
and landmark errors, with 95 % intervals from a bootstrap over photographs. Then ORL, and a portrait that a package
carries; what each detector finds on it is drawn into the folder of its run.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from facelab.data.images import read_image
from facelab.data.orl import load_orl
from facelab.detect import Detection, Detector, detectors, make_detector
from facelab.detect.metrics import Matches, average_precision, match, photograph_bootstrap, precision_recall
from facelab.errors import FacelabError
from facelab.evaluate import Estimate, bootstrap_interval, wilson
from facelab.files import atomic_write, facelab_home, package_folder
from facelab.progress import progress_bar
from facelab.study.experiment import Experiment, Job, Outcome, Run
from facelab.study.rendered import Render, load_scenes
from facelab.synth.photographs import PhotographRecipe, Photographs

if TYPE_CHECKING:
    import matplotlib.figure
    import pandas as pd

YAW = (0.0, 15.0, 30.0, 45.0, 65.0)  # degrees, edges of groups of |yaw|
HEIGHT = (20.0, 50.0, 80.0, 130.0, 500.0)  # pixels, edges of groups of the true box's height
CURVE_POINTS = 60


class MeasureDetector(Run):
    """Measure one detector. If its model or package is not here, that is what is found."""

    detector: str
    photographs: PhotographRecipe
    iou: float
    orl: int

    def compute(self, job: Job) -> Outcome:
        try:
            detector = make_detector(self.detector, device=job.device if self.detector == "mtcnn" else None)
        except FacelabError as error:
            reason = str(error).split(". ")[0].replace(str(facelab_home()), "FACELAB_HOME")
            return Outcome({"left_out": reason})
        show = job.show_progress
        values = measure(detector, load_scenes(self.photographs, job), iou=self.iou, show_progress=show)
        values["orl"] = measure_orl(detector, self.orl, show_progress=show)
        values["real"] = measure_real(detector, job.folder)
        return Outcome(values)


class Detectors(Experiment):
    """Detectors on the same photographs."""

    detectors: Annotated[tuple[Literal[*detectors()], ...], Field(min_length=1)]  # type: ignore[valid-type]
    photographs: PhotographRecipe
    iou: float = Field(0.5, gt=0, le=1, description="of a box with the true one, so that the face is found")
    orl: int = Field(400, ge=1, description="so many of ORL's photographs")

    def runs(self) -> dict[str, Run]:
        runs: dict[str, Run] = {"photographs": Render(recipe=self.photographs)}
        for name in self.detectors:
            runs[name] = MeasureDetector(
                needs=("photographs",), detector=name, photographs=self.photographs, iou=self.iou, orl=self.orl
            )
        return runs

    def values(self, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
        found = {name: outcomes[name].values for name in self.detectors}
        return {
            "detectors": {name: values for name, values in found.items() if "left_out" not in values},
            "left_out": {name: values["left_out"] for name, values in found.items() if "left_out" in values},
        }

    def tables(self, values: dict[str, Any]) -> "dict[str, pd.DataFrame]":
        import pandas as pd

        rows = {
            name: {
                "AP": f"{Estimate(**found['ap'])}",
                "recall": f"{Estimate(**found['recall'])}",
                "precision": f"{found['precision']['value']:.3f}",
                "landmark error": f"{Estimate(**found['nme'])}" if "nme" in found else "none",
                "ORL": f"{Estimate(**found['orl']['found'])}",
            }
            for name, found in values["detectors"].items()
        }
        return {"detectors": pd.DataFrame(rows).T.rename_axis("detector")}

    def figures(self, values: dict[str, Any]) -> "dict[str, matplotlib.figure.Figure]":
        from facelab.plots import precision_recall_curves, recall_by_group

        found = values["detectors"]
        if not found:
            return {}
        return {
            "precision-recall": precision_recall_curves(found),
            "recall-by-group": recall_by_group(found, tuple(next(iter(found.values()))["recall_by"])),
        }


def _detect(
    detector: Detector, images: Iterable[np.ndarray], total: int, *, show_progress: bool
) -> list[list[Detection]]:
    """Return what a detector finds on each image."""
    found = []
    with progress_bar("detect faces", total, show_progress=show_progress) as bar:
        for image in images:
            found.append(detector.detect([image])[0])
            bar.update()
    return found


def measure(
    detector: Detector, photographs: Photographs, *, iou: float = 0.5, show_progress: bool = False
) -> dict[str, Any]:
    """Measure a detector on the photographs; a face is found by a box that overlaps its own by ``iou``."""
    images = (photograph.image for photograph in photographs)
    faces = _detect(detector, images, len(photographs), show_progress=show_progress)
    truth = [photograph.boxes for photograph in photographs]
    matches = match(faces, truth, [photograph.landmarks for photograph in photographs], threshold=iou)
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
    estimate = bootstrap_interval(point, draws, int(rows.sum()), photographs, share=share)
    return replace(estimate, identities=None).as_dict()  # photographs were drawn


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


def measure_orl(detector: Detector, photographs: int = 400, *, show_progress: bool = False) -> dict[str, Any]:
    """Count on the first of ORL's 400 photographs, each of one person: found exactly one face, several, or none."""
    faces = load_orl().select(np.arange(photographs))
    found = _detect(detector, (faces[i][0] for i in range(len(faces))), len(faces), show_progress=show_progress)
    array = np.array([len(boxes) for boxes in found])
    return {
        "found": wilson(int((array > 0).sum()), len(array)).as_dict(),
        "several": int((array > 1).sum()),
        "missed": np.flatnonzero(array == 0).tolist(),
    }


def real_photographs() -> dict[str, np.ndarray]:
    """Return the photographs of real people that installed packages carry, by package and file; RGB uint8.

    One: the portrait of an astronaut by NASA, public domain, in scikit-image. Other packages carry photographs of known
    people who were not asked; nothing is published about those.
    """
    with contextlib.suppress(FacelabError):  # not installed
        folder = package_folder("skimage", "photographs come") / "data"
        return {"skimage/astronaut.png": read_image(folder / "astronaut.png")}
    return {}


def measure_real(detector: Detector, drawings: Path) -> dict[str, int]:
    """Count the faces found on each of :func:`real_photographs`, and draw them to the folder ``drawings``."""
    from facelab.plots import draw_detections

    counts = {}
    for source, image in real_photographs().items():
        faces = detector.detect([image])[0]
        counts[source] = len(faces)
        with atomic_write(drawings / f"{Path(source).stem}.png") as temporary:
            draw_detections(image, faces, title=source).savefig(temporary, format="png")
    return counts
