"""All detectors by name."""

import importlib
import inspect
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from facelab.detect.detection import Detection
from facelab.errors import FacelabError

_CLASSES = {
    "mtcnn": ("facelab.detect.mtcnn", "MTCNN"),
    "centerface": ("facelab.detect.centerface", "CenterFace"),
    "yunet": ("facelab.detect.yunet", "YuNet"),
    "cascade": ("facelab.detect.cascade", "Cascade"),
}


class Detector(Protocol):
    """Anything that finds faces."""

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Detection]]:
        """Return the faces of each image, best score first; images are RGB, see :meth:`facelab.detect.MTCNN.detect`."""
        ...


def detectors() -> tuple[str, ...]:
    """Return the names that :func:`make_detector` knows."""
    return tuple(_CLASSES)


def make_detector(name: str, **options: Any) -> Detector:
    """Return the detector of this name.

    Args:
        name: ``"mtcnn"``, ``"centerface"``, ``"yunet"`` or ``"cascade"``.
        options: arguments of its class; all take ``min_face`` and ``max_faces``. An option that is None is left out.

    Raises:
        FacelabError: an unknown name or option, or a package or model file that the detector needs is missing.
    """
    if name not in _CLASSES:
        raise FacelabError(f"detector {name!r}: choose one of {', '.join(_CLASSES)}.")
    module, attribute = _CLASSES[name]
    detector = getattr(importlib.import_module(module), attribute)
    options = {key: value for key, value in options.items() if value is not None}
    known = inspect.signature(detector).parameters
    for option in options:
        if option not in known:
            raise FacelabError(f"detector {name!r} takes no option {option!r}; it takes {', '.join(known)}.")
    return detector(**options)
