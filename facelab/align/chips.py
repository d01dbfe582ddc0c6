"""From a set of photographs to a set of chips: the first half of the chain in one call."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from facelab.align.similarity import TEMPLATE_SIZE, check_size
from facelab.align.warp import METHODS, Method, align_batch, default_box, default_landmarks
from facelab.data.faceset import FaceSet, Images
from facelab.data.parts import take
from facelab.detect.detection import Detection, Which, choose
from facelab.detect.registry import Detector
from facelab.errors import FacelabError, NoFaceError, count
from facelab.progress import progress_bar

BATCH = 32  # photographs decoded at a time


@dataclass(frozen=True)
class ChipReport:
    """What happened on the way from photographs to chips: ``photographs`` = ``found`` + ``missing``."""

    photographs: int
    found: int
    missing: tuple[int, ...]  # positions of the photographs in which no face was found
    several: int  # photographs with more than one face
    turned: int = 0  # faces that were found on a picture turned by a quarter or more
    chips: int | None = None  # if all faces of each photograph were taken: how many

    def __str__(self) -> str:
        return (
            f"{self.found} of {count(self.photographs, 'face')} found, {len(self.missing)} missing, "
            f"{count(self.several, 'photograph')} with several"
            + (f", {count(self.turned, 'face')} turned" if self.turned else "")
            + (f", {count(self.chips, 'chip')}" if self.chips is not None else "")
        )


def make_chips(
    faces: FaceSet,
    detector: Detector | Sequence[Sequence[Detection]],
    *,
    size: int = TEMPLATE_SIZE,
    method: Method = "five-point",
    missing: Literal["raise", "skip", "default"] = "raise",
    which: Which = "largest",
    show_progress: bool = False,
) -> tuple[FaceSet, ChipReport]:
    """Detect the face of each photograph and align it.

    Args:
        faces: photographs with one identity each.
        detector: finds the faces; or what one has found already, a list of faces for each photograph.
        size: width and height of the chips in pixels.
        method: how to align; see :func:`facelab.align.chip_matrices`.
        missing: what to do where no face is found: ``"raise"`` an error, ``"skip"`` the photograph, or take the
            ``"default"`` crop, see :func:`facelab.align.default_landmarks`. The report counts them.
        which: of several faces the ``"largest"``, the one nearest to the ``"middle"`` of the photograph, or ``"all"``,
            from left to right. Then it is not known who of them is whom: where a photograph shows several, their
            ``identity`` is empty. The column ``face`` numbers them, and is 0 where there is one.
        show_progress: show a progress bar.

    Returns:
        The chips, with the table of ``faces`` and the new columns ``found`` (bool), ``detection_score``, ``box`` (x0,
        y0, x1, y1) and ``landmarks`` (five x, y; pixels of the photograph; NaN if the detector finds none), where faces
        were turned ``turn`` (quarters), and with ``which="all"`` ``file`` and ``face``; and the report.

    Raises:
        FacelabError: no face in a photograph where ``missing="raise"``, or in none at all; no landmarks, which only
            ``method="crop"`` does without; or detections of another number of photographs.
    """
    check_size(size)
    if missing not in ("raise", "skip", "default"):
        raise FacelabError(f"missing={missing!r}: choose 'raise', 'skip' or 'default'.")
    if method not in METHODS:
        raise FacelabError(f"method={method!r}: choose one of {', '.join(METHODS)}.")
    if isinstance(detector, Sequence) and len(detector) != len(faces):
        raise FacelabError(f"FaceSet {faces.name!r}: {len(faces)} photographs, but detections of {len(detector)}.")
    chips = np.empty((len(faces), size, size, 3), np.uint8)
    rows, numbers, records, absent, several = [], [], [], [], 0
    with progress_bar(f"detect and align {faces.name}", len(faces), show_progress=show_progress) as bar:
        for start in range(0, len(faces), BATCH):
            positions = range(start, min(start + BATCH, len(faces)))
            images = [faces[position][0] for position in positions]
            found = detector[start : start + BATCH] if isinstance(detector, Sequence) else detector.detect(images)
            cut: list[tuple[np.ndarray, Detection]] = []
            for position, image, detections in zip(positions, images, found, strict=True):
                wanted = choose(detections, which, *image.shape[:2])
                several += len(detections) > 1
                if not wanted:
                    absent.append(position)
                    if missing == "raise":
                        row = faces.table.iloc[position].to_dict()
                        raise FacelabError(
                            f"FaceSet {faces.name!r}: no face found in photograph {position} ({row}); "
                            "missing='skip' leaves it out, missing='default' takes the central square."
                        )
                elif wanted[0].landmarks is None and method != "crop":
                    raise FacelabError(
                        f"FaceSet {faces.name!r}: the detector finds no landmarks, which method={method!r} needs; "
                        "take another detector, or method='crop'."
                    )
                for number, face in enumerate(wanted or _assumed(missing, *image.shape[:2]), start=1):
                    cut.append((image, face))
                    rows.append(position)
                    numbers.append(number if len(wanted) > 1 else 0)
                    box = face.box if wanted else np.full(4, np.nan)
                    records.append((bool(wanted), face.score, box.tolist(), _points(face).tolist(), face.turn))
            if cut:
                if len(rows) > len(chips):
                    chips.resize((2 * len(rows), *chips.shape[1:]), refcheck=False)
                chips[len(rows) - len(cut) : len(rows)] = align_batch(
                    [image for image, _ in cut],
                    np.stack([_points(face) for _, face in cut]),
                    size,
                    method=method,
                    boxes=np.stack([face.box for _, face in cut]),
                    turns=np.array([face.turn for _, face in cut]),
                )
            bar.update(len(images))
    if not rows:
        raise NoFaceError(
            f"FaceSet {faces.name!r}: no face found in any of {count(len(faces), 'photograph')}; are they photographs "
            "of faces? (If they are aligned chips: --images chips.)"
        )
    table = faces.table.iloc[rows].reset_index(drop=True)
    if which == "all":
        files = faces.files
        table["file"], table["face"] = [files[row] for row in rows], numbers
        table.loc[table["face"] > 0, "identity"] = ""
    columns = ("found", "detection_score", "box", "landmarks", "turn")
    for column, values in zip(columns, zip(*records, strict=True), strict=True):
        table[column] = values
    turned = int(table["turn"].astype(bool).sum())
    if not turned:
        del table["turn"]
    all_chips = len(rows) if which == "all" else None
    report = ChipReport(len(faces), len(faces) - len(absent), tuple(absent), several, turned, all_chips)
    return FaceSet(f"{faces.name}/chips", chips[: len(rows)], table), report


class AlignedImages(Sequence[np.ndarray]):
    """Chips of photographs whose landmarks are known, each cut out when it is asked for.

    Args:
        images: photographs, RGB uint8.
        landmarks: of each, five x, y in pixels; shape (n, 5, 2).
        size, method: see :func:`make_chips`.
    """

    def __init__(
        self, images: Images, landmarks: np.ndarray, *, size: int = TEMPLATE_SIZE, method: Method = "five-point"
    ):
        check_size(size)
        self.images, self.landmarks, self.size, self.method = images, landmarks, size, method

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> np.ndarray:  # type: ignore[override]
        return align_batch([self.images[index]], self.landmarks[index][None], self.size, method=self.method)[0]

    def take(self, at: list[int]) -> "AlignedImages":
        """Return some of them, for a worker that needs no other."""
        return AlignedImages(take(self.images, at), self.landmarks[at], size=self.size, method=self.method)


def _assumed(missing: str, height: int, width: int) -> list[Detection]:
    """Return the face that stands in for one that was not found; none unless it should."""
    if missing != "default":
        return []
    return [Detection(default_box(height, width), np.nan, default_landmarks(height, width))]


def _points(face: Detection) -> np.ndarray:
    return np.full((5, 2), np.nan) if face.landmarks is None else face.landmarks
