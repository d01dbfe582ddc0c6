"""One training from names: a recipe, a data set, a folder for what comes out."""

from pathlib import Path
from typing import Literal

from facelab import processes
from facelab.data import FaceSet, load_folder, load_orl
from facelab.device import resolve_device
from facelab.errors import FacelabError
from facelab.synth import PRESETS, load_synthfaces
from facelab.train.checkpoint import Checkpoint
from facelab.train.loop import fit
from facelab.train.recipe import Recipe


def load_faces(name: str, *, device: str = "auto", show_progress: bool = False) -> tuple[FaceSet, list[FacelabError]]:
    """Return chips to train on, and an error for each file that was skipped.

    Args:
        name: ``"synthfaces-mini"`` or another name of SynthFaces (identities that are held out for tests are left out),
            ``"orl"`` (its photographs, detected and aligned), or a folder: of SynthFaces, or of chips with one
            sub-folder per identity, as ``facelab align`` makes.
        device: of the detector.
        show_progress: show a bar while chips are rendered or aligned.

    Raises:
        FacelabError: there is no such set, or the images of the folder differ in size.
    """
    if name == "orl":
        from facelab.align import make_chips
        from facelab.detect import MTCNN

        return make_chips(load_orl(), MTCNN(device=device), missing="default", show_progress=show_progress)[0], []
    if name in PRESETS or list(Path(name).glob("*.parquet")):
        faces = load_synthfaces(name, show_progress=show_progress)
        return faces.select((faces.table["split"] != "held-out").to_numpy()), []
    if not Path(name).is_dir():
        raise FacelabError(f"there is no data set {name!r}: give orl, {', '.join(PRESETS)}, or a folder.")
    faces, errors = load_folder(name)
    shapes = sorted({faces[i][0].shape for i in range(len(faces))})
    if len(shapes) > 1:
        raise FacelabError(
            f"{name} holds images of {len(shapes)} sizes, such as {shapes[:2]}; make chips first: "
            f"facelab align {name} --out CHIPS"
        )
    return faces, list(errors)


def run_training(
    recipe: Recipe,
    data: str,
    out: Path | str,
    *,
    device: str = "auto",
    precision: Literal["fp32", "bf16"] = "fp32",
    memory_gb: float = 2,
    workers: int = 0,
    show_progress: bool = False,
) -> tuple[Checkpoint, list[FacelabError]]:
    """Train a recipe on a data set, with what comes out in ``out``: ``training.pt``, ``training.csv``.

    Under ``torchrun`` all its processes train one network together; the first one writes and shows progress. Arguments
    as for :func:`load_faces` and :func:`facelab.train.fit`.

    Returns:
        The complete checkpoint, and an error for each file of ``data`` that was skipped.
    """
    with processes.joined(resolve_device(device)) as own_device:
        show_progress = show_progress and processes.rank() == 0
        faces, errors = processes.first_before_others(
            lambda: load_faces(data, device=device, show_progress=show_progress)
        )
        checkpoint = fit(
            recipe,
            faces,
            device=own_device,
            precision=precision,
            checkpoint=Path(out) / "training.pt",
            memory_gb=memory_gb,
            workers=workers,
            tensorboard=True,
            show_progress=show_progress,
        )
    return checkpoint, errors
