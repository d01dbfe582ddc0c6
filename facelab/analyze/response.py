"""How far an embedding moves when one factor of the image moves and all others stay."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from facelab.evaluate.bootstrap import mean_by_identity
from facelab.evaluate.checks import unit
from facelab.evaluate.estimate import Estimate

if TYPE_CHECKING:
    from facelab.synth.vary import Sweep


@dataclass(frozen=True, eq=False)
class Response:
    """How far embeddings move; angles in radians.

    Attributes:
        factor, unit, values: as in :class:`facelab.synth.vary.Sweep`.
        moved: mean angle to the same person's image at the reference, one Estimate for each value.
        between: mean angle between different people at the reference: the ruler to read ``moved`` by.
    """

    factor: str
    unit: str
    values: np.ndarray
    moved: list[Estimate]
    between: float


def response(embed: Callable[[np.ndarray], np.ndarray], swept: "Sweep") -> Response:
    """Measure how far embeddings move when one factor does.

    Args:
        embed: from chips (n, size, size, 3) to embeddings (n, d), such as :class:`facelab.models.Embedder`.
        swept: from :func:`facelab.synth.vary.sweep`.

    Returns:
        Angles with 95 % intervals over the people, Student's, within 0 and pi. At the reference nobody moves, by
        definition: 0 to 0.

    Raises:
        FacelabError: an embedding without direction.
    """
    people, number = swept.images.shape[:2]
    embeddings = unit(embed(swept.images.reshape(-1, *swept.images.shape[2:]))).reshape(people, number, -1)
    start = embeddings[:, swept.reference]
    angles = np.arccos(np.clip(np.einsum("pvd,pd->pv", embeddings, start), -1, 1))
    between = np.arccos(np.clip(start @ start.T, -1, 1))[np.triu_indices(people, k=1)]
    means = [mean_by_identity(angles[:, v], np.arange(people), share=False) for v in range(number)]
    moved = [replace(mean, low=max(mean.low, 0.0), high=min(mean.high, np.pi)) for mean in means]
    return Response(swept.factor, swept.unit, swept.values, moved, float(between.mean()))


def responses(embed: Callable[[np.ndarray], np.ndarray], sweeps: Sequence["Sweep"]) -> dict[str, Response]:
    """Measure several sweeps; by name of the factor."""
    return {swept.factor: response(embed, swept) for swept in sweeps}
