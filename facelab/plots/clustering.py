"""Clusters found without labels."""

from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

from facelab.analyze.clustering import ClusteringScores
from facelab.plots.style import BLACK, display_name, looks, new_figure, styled, with_caption


@styled
def clustering_curves(scores: Mapping[str, Mapping[float, ClusteringScores]]) -> Figure:
    """Draw pairwise F (left) and the number of clusters found (right) over the threshold of the clustering.

    Args:
        scores: for each model and threshold (cosine) the outcome of :func:`facelab.analyze.clustering_scores`.
    """
    figure, ((left, right),) = new_figure(1, 2)
    said = []
    for (name, rows), look in zip(scores.items(), looks(scores), strict=True):
        thresholds = sorted(rows)
        style = {**look.of_line, "marker": look.marker, "markersize": 4, "label": display_name(name)}
        left.plot(thresholds, [rows[t].f for t in thresholds], **style)
        right.plot(thresholds, [rows[t].clusters for t in thresholds], **style)
        best = max(thresholds, key=lambda t, rows=rows: rows[t].f)  # type: ignore[misc]
        found = rows[best]
        said.append(f"{display_name(name)}: best F {found.f:.2f} at cosine {best:.2f}, with {found.clusters} clusters")
    right.axhline(found.identities, color=BLACK, linestyle="--", linewidth=1, label="identities in truth")
    left.set(title="pairwise F", xlabel="threshold (cosine)", ylim=(0, 1.02))
    right.set(title="clusters found", xlabel="threshold (cosine)", yscale="log")
    right.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    right.yaxis.set_major_formatter(ScalarFormatter())
    right.yaxis.set_minor_formatter(NullFormatter())
    right.legend(fontsize=8)
    return with_caption(figure, "; ".join(said) + f"; in truth there are {found.identities} identities.")
