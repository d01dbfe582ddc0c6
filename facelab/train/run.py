"""One training from names: a recipe, a data set, a folder for what comes out."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from facelab import processes
from facelab.data.splits import training_part
from facelab.detect import make_detector
from facelab.detect.detection import Which
from facelab.device import resolve_device
from facelab.errors import FacelabError
from facelab.sources import Images, Opened, open_chips, open_faces
from facelab.train.checkpoint import Checkpoint
from facelab.train.loop import fit
from facelab.train.recipe import Recipe


def run_training(
    recipe: Recipe,
    data: str,
    out: Path | str,
    *,
    start_from: Path | str | None = None,
    images: Images = "auto",
    which: Which = "largest",
    turns: bool = False,
    device: str = "auto",
    precision: Literal["fp32", "bf16"] = "fp32",
    memory_gb: float = 2,
    workers: int = 0,
    show_progress: bool = False,
) -> tuple[Checkpoint, list[FacelabError]]:
    """Train a recipe on a data set, with what comes out in ``out``: ``training.pt``, ``training.csv``.

    ``data`` is a name or a path as :func:`facelab.sources.open_chips` takes them, with ``images``: in photographs,
    faces are detected and aligned first (``which`` of several, also on turned pictures with ``turns``). Images
    that it keeps for tests (held out, validation, test, queries) are left out. Under ``torchrun`` all its processes
    train one network together; the first one writes and shows progress. Other arguments as for
    :func:`facelab.train.fit`.

    Returns:
        The complete checkpoint, and an error for each file of ``data`` that was skipped.

    Raises:
        FacelabError: ``which="all"``, and see :func:`facelab.sources.open_chips` and :func:`facelab.train.fit`.
    """
    if which == "all":
        raise FacelabError("--which all: nobody knows who the faces of a group are; take largest or middle.")
    with processes.joined(resolve_device(device)) as own_device:
        show_progress = show_progress and processes.rank() == 0
        detector = make_detector("mtcnn", turns=True, device=device) if turns else None
        options: dict[str, Any] = {"images": images, "detector": detector, "which": which, "device": device}

        def prepare() -> Opened:
            opened = open_faces(data, show_progress=show_progress)
            opened = replace(opened, faces=training_part(opened.faces))
            return open_chips(opened, **options, show_progress=show_progress)

        opened = processes.first_before_others(prepare)
        faces = opened.faces
        checkpoint = fit(
            recipe,
            faces,
            device=own_device,
            precision=precision,
            checkpoint=Path(out) / "training.pt",
            start_from=start_from,
            memory_gb=memory_gb,
            workers=workers,
            tensorboard=True,
            show_progress=show_progress,
        )
    return checkpoint, opened.errors
