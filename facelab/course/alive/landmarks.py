"""Five landmarks to drag: a photograph, and what MTCNN says of it."""

import base64
from typing import Any

from facelab.align import template
from facelab.data import load_orl
from facelab.detect import MTCNN, largest

PHOTOGRAPH = 375  # of ORL: a tilted head that looks into the camera


def data() -> dict[str, Any]:
    """Return ``width``, ``height`` and ``grey`` (bytes in base64) of a photograph, its ``landmarks`` to one place, and
    the ``template``."""
    image = load_orl()[PHOTOGRAPH][0]
    face = largest(MTCNN(min_face=40).detect([image])[0])
    assert face is not None
    assert face.landmarks is not None
    height, width = image.shape[:2]
    return {
        "width": width,
        "height": height,
        "grey": base64.b64encode(image[:, :, 0].tobytes()).decode(),
        "landmarks": face.landmarks.round(1).astype(float).round(1).tolist(),
        "template": template().tolist(),
    }
