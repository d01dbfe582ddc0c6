"""All detectors by name."""

import importlib
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from facelab.detect.detection import Detection
from facelab.errors import FacelabError


@dataclass(frozen=True)
class _Row:
    path: str  # module and class, imported when a detector is made
    title: str  # in figures and tables


_DETECTORS = {
    "mtcnn": _Row("facelab.detect.mtcnn:MTCNN", "MTCNN"),
    "centerface": _Row("facelab.detect.centerface:CenterFace", "CenterFace"),
    "yunet": _Row("facelab.detect.yunet:YuNet", "YuNet"),
    "cascade": _Row("facelab.detect.cascade:Cascade", "LBP cascade"),
}


class Detector(Protocol):
    """Anything that finds faces."""

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Detection]]:
        """Return the faces of each image, best score first; images are RGB, see :meth:`facelab.detect.MTCNN.detect`."""
        ...


def detectors() -> tuple[str, ...]:
    """Return the names that :func:`make_detector` knows."""
    return tuple(_DETECTORS)


def detector_title(name: str) -> str:
    """Return how a detector is called in figures and tables; a name that is none stays as it is."""
    return _DETECTORS[name].title if name in _DETECTORS else name


def make_detector(name: str, *, turns: bool = False, **options: Any) -> Detector:
    """Return the detector of this name.

    Args:
        name: one of :func:`detectors`.
        turns: look at turned pictures too, see :class:`facelab.detect.QuarterTurns`.
        options: arguments of its class; all take ``min_face`` and ``max_faces``. An option that is None is left out. A
            detector that computes on the CPU only can be told so: ``device`` ``"auto"`` or ``"cpu"``.

    Raises:
        FacelabError: an unknown name or option, or a package or model file that the detector needs is missing.
    """
    if name not in _DETECTORS:
        raise FacelabError(f"detector {name!r}: choose one of {', '.join(_DETECTORS)}.")
    module, attribute = _DETECTORS[name].path.split(":")
    detector = getattr(importlib.import_module(module), attribute)
    options = {key: value for key, value in options.items() if value is not None}
    known = inspect.signature(detector).parameters
    if "device" not in known and str(options.get("device")) in ("auto", "cpu"):
        del options["device"]
    for option in options:
        if option not in known:
            raise FacelabError(f"detector {name!r} takes no option {option!r}; it takes {', '.join(known)}.")
    if turns:
        from facelab.detect.turns import QuarterTurns

        return QuarterTurns(detector(**options))
    return detector(**options)
