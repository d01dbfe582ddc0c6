"""What went wrong, to look at."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from facelab.analyze.problems import Confusion, Failure, Pair
from facelab.data.faceset import FaceSet
from facelab.errors import FacelabError
from facelab.plots.style import new_figure, show_image, styled, with_caption


def _some(items: Sequence, what: str) -> None:
    if not len(items):
        raise FacelabError(f"there are no {what} to show.")


@styled
def pair_sheet(faces: FaceSet, pairs: Sequence[Pair]) -> Figure:
    """Show pairs of images, one pair per column, with the cosine of their embeddings and who is on them.

    Args:
        faces: the set that was embedded.
        pairs: from :func:`facelab.analyze.hard_pairs`, at least one.
    """
    _some(pairs, "pairs")
    figure, axes = new_figure(2, len(pairs), width=max(2.0, 1.15 * len(pairs)), height=2.9, dpi=72)
    names = faces.table["identity"].to_numpy()
    for column, pair in enumerate(pairs):
        for row, image in enumerate((pair.first, pair.second)):
            show_image(axes[row, column], faces[image][0])
            axes[row, column].set_title(names[image], fontsize=8, loc="center")
        axes[1, column].text(
            0.5, -0.03, f"{pair.score:.2f}", ha="center", va="top", transform=axes[1, column].transAxes
        )
    kind = "genuine" if names[pairs[0].first] == names[pairs[0].second] else "impostor"
    scores = [pair.score for pair in pairs]
    return with_caption(
        figure, f"{len(pairs)} {kind} pairs, one per column, with cosines from {min(scores):.2f} to {max(scores):.2f}."
    )


@styled
def failure_sheet(probes: FaceSet, failures: Sequence[Failure], gallery: FaceSet | None = None) -> Figure:
    """Show probes that are taken for somebody else, one per column: the probe, whom it is taken for, who it is.

    Args:
        probes: the images that were named or searched.
        failures: from :func:`facelab.analyze.failures` or :func:`facelab.analyze.wrong_names`, at least one.
        gallery: where the other images stand; among the probes if not given.
    """
    _some(failures, "failures")
    others = probes if gallery is None else gallery
    figure, axes = new_figure(3, len(failures), width=max(2.6, 1.15 * len(failures) + 0.6), height=4.0, dpi=72)
    for column, f in zip(axes.T, failures, strict=True):
        images = probes[f.probe][0], others[f.wrong][0], others[f.right][0]
        for panel, image, score in zip(column, images, (None, f.wrong_score, f.right_score), strict=True):
            show_image(panel, image, "" if score is None else f"{score:.2f}")
    for panel, name in zip(axes[:, 0], ("probe", "taken for", "is"), strict=True):
        panel.set_ylabel(name, fontsize=8)
    gaps = [f.wrong_score - (f.right_score or 0) for f in failures if f.wrong_score is not None]
    higher = f"; the wrong score is higher by {min(gaps):.2f} to {max(gaps):.2f}" if gaps else ""
    return with_caption(figure, f"{len(failures)} images that are taken for somebody else{higher}.")


@styled
def confusion_sheet(faces: FaceSet, confusions: Sequence[Confusion], *, images: int = 4) -> Figure:
    """Show confused identities, one pair per row: images of the one on the left, of the other on the right.

    Args:
        faces: the set that was embedded; its labels are those of ``confusions``.
        confusions: from :func:`facelab.analyze.confused_identities`, at least one.
        images: so many of each identity, the most frontal ones first where the table has a yaw.
    """
    _some(confusions, "confused identities")
    figure, axes = new_figure(
        len(confusions), 2 * images, width=2 * images * 0.95, height=1.05 * len(confusions) + 0.3, dpi=72
    )
    figure.by_row = True
    yaw = faces.table["yaw"].abs().to_numpy() if "yaw" in faces.table else np.zeros(len(faces))
    for row, confusion in enumerate(confusions):
        for side, label in enumerate((confusion.first, confusion.second)):
            rows = np.flatnonzero(faces.labels == label)
            rows = rows[np.argsort(yaw[rows], kind="stable")][:images]
            for column, image in enumerate(rows, side * images):
                show_image(axes[row, column], faces[int(image)][0])
            for column in range(side * images + len(rows), (side + 1) * images):
                axes[row, column].set_axis_off()
            axes[row, side * images].set_title(faces.identities[label], fontsize=8)
        axes[row, 0].text(
            -0.1, 0.5, f"{confusion.count} of\n{confusion.images}", ha="right", va="center", fontsize=8,
            transform=axes[row, 0].transAxes,
        )  # fmt: skip
    worst = confusions[0]
    return with_caption(
        figure,
        f"Most confused: {faces.identities[worst.first]} and {faces.identities[worst.second]}, {worst.count} of their "
        f"{worst.images} images lie nearer to the other.",
    )
