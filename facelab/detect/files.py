"""Detection on files: photographs in, JSON and marked pictures out."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from facelab.data.faceset import FaceSet
from facelab.data.folder import name_pictures
from facelab.data.images import read_image, write_image
from facelab.detect.detection import Detection
from facelab.detect.registry import make_detector
from facelab.errors import FacelabError, FileNameError, ImageError
from facelab.files import atomic_write, check_apart, claim, read_json
from facelab.progress import progress_bar


def detect_files(
    photos: Sequence[Path] | FaceSet,
    out: Path,
    *,
    detector: str = "mtcnn",
    show_progress: bool = False,
    **options: Any,
) -> tuple[dict[Path, int], list[FacelabError]]:
    """Detect faces in photographs and write ``out/NAME.json`` and ``out/NAME.png`` for each.

    The JSON file is a list of faces, see :meth:`facelab.detect.Detection.to_dict`, pixels of the upright picture, which
    is also the one that is marked; :func:`read_detections` reads it. What is read of unusual files:
    :func:`facelab.data.read_image`.

    Args:
        photos: files, or folders whose picture files are taken, those of their sub-folders too; for their names see
            :func:`facelab.data.folder.name_pictures`. Or a set, whose images have the names
            :attr:`facelab.data.FaceSet.files`.
        detector: a name of :func:`facelab.detect.detectors`.
        options: arguments of the detector; None leaves one at its default.

    Returns:
        The number of faces of each photograph, and an error for each file that could not be read; those are skipped.

    Raises:
        FacelabError: there are no photographs, two have the same name, or a file would be replaced that facelab did
            not make, see :func:`facelab.files.claim`.
    """
    by_file: dict[Path, Path] = {}
    errors: list[FacelabError] = []
    if isinstance(photos, FaceSet):
        named = {name: Path(name) for name in photos.files}
        images: Iterable[np.ndarray | Path] = (photos[row][0] for row in range(len(photos)))
    else:
        named, unread = name_pictures(photos)
        errors.extend(unread)
        images = named.values()
    for name, path in named.items():
        file = detections_file(out, name)
        if file in by_file:
            raise FacelabError(f"{by_file[file]} and {path} would both write {file}; rename one.")
        marked = file.with_suffix(".png")
        if marked.exists() and path.exists() and marked.samefile(path):
            raise FacelabError(f"the marked picture would overwrite {path}; choose another folder than {out}.")
        by_file[file] = path
    if not isinstance(photos, FaceSet):
        check_apart(out, named)
    written = [file.relative_to(out) for file in by_file]
    claim(out, [name.with_suffix(suffix).as_posix() for name in written for suffix in (".json", ".png")])
    finder, counts = make_detector(detector, **options), {}
    with progress_bar("detect", len(by_file), show_progress=show_progress) as bar:
        for (file, path), picture in zip(by_file.items(), images, strict=True):
            try:
                image = read_image(picture) if isinstance(picture, Path) else picture
                faces = finder.detect([image])[0]
                rows = [face.to_dict() for face in faces]
                with atomic_write(file) as temporary:
                    temporary.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
                write_image(file.with_suffix(".png"), mark_faces(image, faces))
                counts[path] = len(faces)
            except (ImageError, FileNameError) as error:
                errors.append(error)
            bar.update()
    return counts, errors


def detections_file(folder: Path, name: str) -> Path:
    """Return where :func:`detect_files` writes the faces of the photograph of this name; the suffix is ``.json``."""
    return folder / f"{PurePath(name).with_suffix('')}.json"


def read_detections(path: Path) -> list[Detection]:
    """Read what :func:`detect_files` wrote of one photograph.

    Raises:
        FacelabError: the file cannot be read, or holds no list of faces; the message names it.
    """
    try:
        rows = read_json(path)
        if not isinstance(rows, list):
            raise FacelabError("it holds no list of faces.")
        return [Detection.from_dict(row) for row in rows]
    except ValueError as error:
        raise FacelabError(f"cannot read detections from {path}: {error} Detect the faces again.") from error


def mark_faces(image: np.ndarray, faces: Sequence[Detection]) -> np.ndarray:
    """Return a copy of the image with the box and the landmarks of each face drawn over it."""
    import cv2

    marked = image.copy()
    width = max(1, round(max(image.shape[:2]) / 400))
    for face in faces:
        corner0, corner1 = face.box.round().astype(int).reshape(2, 2).tolist()
        cv2.rectangle(marked, corner0, corner1, (86, 180, 233), width)
        for point in [] if face.landmarks is None else face.landmarks.round().astype(int).tolist():
            cv2.circle(marked, point, width + 1, (230, 159, 0), -1)
    return marked
