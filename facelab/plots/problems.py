"""Pictures of what went wrong."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from facelab.analyze.problems import Confusion, Failure, Pair
from facelab.data.faceset import FaceSet
from facelab.errors import FacelabError
from facelab.plots.identification import misidentified
from facelab.plots.style import new_figure, show_image, styled, with_caption


def _some(items: Sequence, what: str) -> None:
    if not len(items):
        raise FacelabError(f"there are no {what} to show.")


@styled
def pair_sheet(faces: FaceSet, pairs: Sequence[Pair]) -> Figure:
    """Show pairs of pictures, one pair per column, with the cosine of their embeddings and who is on them.

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
def failure_sheet(faces: FaceSet, failures: Sequence[Failure]) -> Figure:
    """Show failures, one per column: the probe, the picture it was matched to, and the best of its own identity.

    Args:
        faces: the set that was embedded.
        failures: from :func:`facelab.analyze.failures`, at least one.
    """
    _some(failures, "failures")
    rows = [(*(faces[i][0] for i in (f.probe, f.wrong, f.right)), f.wrong_score, f.right_score) for f in failures]
    gaps = [f.wrong_score - f.right_score for f in failures]
    return with_caption(
        misidentified(rows, ("probe", "matched\n(wrong)", "best of\nits own")),
        f"{len(failures)} pictures whose nearest picture shows somebody else; the wrong cosine is higher by "
        f"{min(gaps):.2f} to {max(gaps):.2f}.",
    )


@styled
def confusion_sheet(faces: FaceSet, confusions: Sequence[Confusion], *, pictures: int = 4) -> Figure:
    """Show confused identities, one pair per row: pictures of the one on the left, of the other on the right.

    Args:
        faces: the set that was embedded; its labels are those of ``confusions``.
        confusions: from :func:`facelab.analyze.confused_identities`, at least one.
        pictures: so many of each identity, the most frontal ones first where the table has a yaw.
    """
    _some(confusions, "confused identities")
    figure, axes = new_figure(
        len(confusions), 2 * pictures, width=2 * pictures * 0.95, height=1.05 * len(confusions) + 0.3, dpi=72
    )
    yaw = faces.table["yaw"].abs().to_numpy() if "yaw" in faces.table else np.zeros(len(faces))
    for row, confusion in enumerate(confusions):
        for side, label in enumerate((confusion.first, confusion.second)):
            rows = np.flatnonzero(faces.labels == label)
            rows = rows[np.argsort(yaw[rows], kind="stable")][:pictures]
            for column, image in enumerate(rows, side * pictures):
                show_image(axes[row, column], faces[int(image)][0])
            for column in range(side * pictures + len(rows), (side + 1) * pictures):
                axes[row, column].set_axis_off()
            axes[row, side * pictures].set_title(faces.identities[label], fontsize=8)
        axes[row, 0].text(
            -0.1, 0.5, f"{confusion.count} of\n{confusion.images}", ha="right", va="center", fontsize=8,
            transform=axes[row, 0].transAxes,
        )  # fmt: skip
    worst = confusions[0]
    return with_caption(
        figure,
        f"Most confused: {faces.identities[worst.first]} and {faces.identities[worst.second]}, {worst.count} of their "
        f"{worst.images} pictures lie nearer to the other.",
    )
