"""From a set of photographs to a set of chips: the first half of the chain in one call."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from facelab.align.similarity import TEMPLATE_SIZE
from facelab.align.warp import METHODS, Method, align_batch, default_box, default_landmarks
from facelab.data.faceset import FaceSet
from facelab.detect.detection import Detection, largest
from facelab.detect.registry import Detector
from facelab.errors import FacelabError
from facelab.progress import progress_bar

BATCH = 32  # photographs decoded at a time


@dataclass(frozen=True)
class ChipReport:
    """What happened on the way from photographs to chips: ``photographs`` = ``found`` + ``missing``."""

    photographs: int
    found: int
    missing: tuple[int, ...]  # positions of the photographs in which no face was found
    several: int  # photographs with more than one face, of which the largest was taken

    def __str__(self) -> str:
        return (
            f"{self.found} of {self.photographs} faces found, {len(self.missing)} missing, "
            f"{self.several} photographs with several"
        )


def make_chips(
    faces: FaceSet,
    detector: Detector | Sequence[Sequence[Detection]],
    *,
    size: int = TEMPLATE_SIZE,
    method: Method = "five-point",
    missing: Literal["raise", "skip", "default"] = "raise",
    show_progress: bool = False,
) -> tuple[FaceSet, ChipReport]:
    """Detect the largest face of each photograph and align it.

    Args:
        faces: photographs with one identity each.
        detector: finds the faces; or what one has found already, a list of faces for each photograph.
        size: width and height of the chips in pixels.
        method: how to align; see :func:`facelab.align.chip_matrices`.
        missing: what to do where no face is found: ``"raise"`` an error, ``"skip"`` the photograph, or take the
            ``"default"`` crop, see :func:`facelab.align.default_landmarks`. The report counts them.
        show_progress: show a progress bar.

    Returns:
        The chips, with the table of ``faces`` and the new columns ``found`` (bool), ``detection_score``, ``box`` (x0,
        y0, x1, y1) and ``landmarks`` (five x, y; pixels of the photograph; NaN if the detector finds none), and the
        report.

    Raises:
        FacelabError: no face in a photograph where ``missing="raise"``, or in none at all; no landmarks, which only
            ``method="crop"`` does without; or detections of another number of photographs.
    """
    if missing not in ("raise", "skip", "default"):
        raise FacelabError(f"missing={missing!r}: choose 'raise', 'skip' or 'default'.")
    if method not in METHODS:
        raise FacelabError(f"method={method!r}: choose one of {', '.join(METHODS)}.")
    if isinstance(detector, Sequence) and len(detector) != len(faces):
        raise FacelabError(f"FaceSet {faces.name!r}: {len(faces)} photographs, but detections of {len(detector)}.")
    chips = np.empty((len(faces), size, size, 3), np.uint8)
    rows, records, absent, several = [], [], [], 0
    with progress_bar(f"detect and align {faces.name}", len(faces), show_progress=show_progress) as bar:
        for start in range(0, len(faces), BATCH):
            positions = range(start, min(start + BATCH, len(faces)))
            images = [faces[position][0] for position in positions]
            found = detector[start : start + BATCH] if isinstance(detector, Sequence) else detector.detect(images)
            taken, landmarks, boxes = [], [], []
            for position, image, detections in zip(positions, images, found, strict=True):
                face = largest(detections)
                several += len(detections) > 1
                if face is None:
                    absent.append(position)
                    if missing == "raise":
                        row = faces.table.iloc[position].to_dict()
                        raise FacelabError(
                            f"FaceSet {faces.name!r}: no face found in photograph {position} ({row}); "
                            "missing='skip' leaves it out, missing='default' takes the central square."
                        )
                    if missing == "skip":
                        continue
                elif face.landmarks is None and method != "crop":
                    raise FacelabError(
                        f"FaceSet {faces.name!r}: the detector finds no landmarks, which method={method!r} needs; "
                        "take another detector, or method='crop'."
                    )
                taken.append(image)
                boxes.append(face.box if face else default_box(*image.shape[:2]))
                points = face.landmarks if face else default_landmarks(*image.shape[:2])
                landmarks.append(np.full((5, 2), np.nan) if points is None else points)
                rows.append(position)
                score, box = (face.score, face.box) if face else (np.nan, np.full(4, np.nan))
                records.append((face is not None, score, box.tolist(), landmarks[-1].tolist()))
            if taken:
                aligned = align_batch(taken, np.stack(landmarks), size, method=method, boxes=np.stack(boxes))
                chips[len(rows) - len(taken) : len(rows)] = aligned
            bar.update(len(images))
    if not rows:
        raise FacelabError(
            f"FaceSet {faces.name!r}: no face found in any of {len(faces)} photographs; are they photographs of faces?"
        )
    table = faces.table.iloc[rows].reset_index(drop=True)
    for column, values in zip(
        ("found", "detection_score", "box", "landmarks"), zip(*records, strict=True), strict=True
    ):
        table[column] = values
    report = ChipReport(len(faces), len(faces) - len(absent), tuple(absent), several)
    return FaceSet(f"{faces.name}/chips", chips[: len(rows)], table), report
