"""Detection on files: photographs in, JSON and marked pictures out."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from facelab.data.folder import find_images
from facelab.data.images import read_image, write_image
from facelab.detect.detection import Detection
from facelab.detect.registry import make_detector
from facelab.errors import FacelabError, ImageError
from facelab.files import atomic_write
from facelab.progress import progress_bar


def detect_files(
    photos: Sequence[Path], out: Path, *, detector: str = "mtcnn", show_progress: bool = False, **options: Any
) -> tuple[dict[Path, int], list[ImageError]]:
    """Detect faces in photographs and write ``out/NAME.json`` and ``out/NAME.png`` for each.

    The JSON file is a list of ``{"box": [x0, y0, x1, y1], "score", "landmarks": [[x, y] x 5]}``, pixels of the upright
    picture, which is also the one that is marked; landmarks are null from a detector that finds boxes only. What is
    read of unusual files: :func:`facelab.data.read_image`.

    Args:
        photos: files, or folders whose picture files are taken, those of their sub-folders too.
        detector: a name of :func:`facelab.detect.detectors`.
        options: arguments of the detector; None leaves one at its default.

    Returns:
        The number of faces of each photograph, and an error for each file that could not be read; those are skipped.

    Raises:
        FacelabError: there are no photographs, two have the same name, or one would be overwritten.
    """
    paths = [path for photo in photos for path in (find_images(photo) if Path(photo).is_dir() else [Path(photo)])]
    if not paths:
        where = f"in {', '.join(map(str, photos))}" if photos else "given"
        raise FacelabError(f"no photograph {where}. Give picture files or folders of them.")
    by_name: dict[str, Path] = {}
    for path in paths:
        if path.stem in by_name:
            raise FacelabError(f"{by_name[path.stem]} and {path} would both write {out / path.stem}.json; rename one.")
        marked = out / f"{path.stem}.png"
        if marked.exists() and path.exists() and marked.samefile(path):
            raise FacelabError(f"the marked picture would overwrite {path}; choose another folder than {out}.")
        by_name[path.stem] = path
    finder, counts, errors = make_detector(detector, **options), {}, []
    with progress_bar("detect", len(paths), show_progress=show_progress) as bar:
        for name, path in by_name.items():
            try:
                image = read_image(path)
                faces = finder.detect([image])[0]
                rows = [face.to_dict() for face in faces]
                with atomic_write(out / f"{name}.json") as temporary:
                    temporary.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
                write_image(out / f"{name}.png", mark_faces(image, faces))
                counts[path] = len(faces)
            except ImageError as error:
                errors.append(error)
            bar.update()
    return counts, errors


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
