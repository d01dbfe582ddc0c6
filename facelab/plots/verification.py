"""Scores of genuine and impostor pairs."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from facelab.evaluate import Scores, auc, roc
from facelab.plots.style import BLACK, BLUE, CYCLE, ORANGE, display_name, new_figure, styled


@styled
def score_histograms(scores: Mapping[str, Scores], *, far: float = 0.01) -> Figure:
    """Draw the scores of genuine and impostor pairs, one panel per model, with the threshold at which FAR <= ``far``.

    Each histogram has area 1, so that the few genuine pairs are seen beside the many impostor pairs.
    """
    figure, axes = new_figure(1, len(scores), width=3.4 * len(scores) + 0.6, height=3.0)
    for panel, (name, pairs) in zip(axes[0], scores.items(), strict=True):
        bins = np.linspace(min(0.0, pairs.values.min()), 1, 50)
        for kind, mask, colour in (("impostor", ~pairs.genuine, ORANGE), ("genuine", pairs.genuine, BLUE)):
            panel.hist(pairs.values[mask], bins=bins, density=True, color=colour, alpha=0.55, label=f"{kind} pairs")
            panel.hist(pairs.values[mask], bins=bins, density=True, color=colour, histtype="step", linewidth=1.2)
        curve = roc(pairs)
        accepted = np.flatnonzero(curve.far <= far)[-1]
        threshold = curve.threshold[accepted]
        if np.isfinite(threshold):
            label = f"threshold for FAR ≤ {far:.0%}"
            panel.axvline(threshold, color=BLACK, linestyle="--", linewidth=1, label=label)
        title = f"{display_name(name)}: TAR {curve.tar[accepted]:.2f} at FAR ≤ {far:.0%}"
        panel.set(title=title, xlabel="cosine similarity", yticks=[])
    axes[0, 0].set_ylabel("density")
    axes[0, 0].legend(fontsize=8)
    return figure


@styled
def roc_curves(scores: Mapping[str, Scores]) -> Figure:
    """Draw TAR over FAR (logarithmic) for each model. Higher is better; the useful end is on the left."""
    figure, ((panel,),) = new_figure(width=5.0, height=3.6)
    for (name, pairs), colour, line in zip(scores.items(), CYCLE, ("-", "--", "-.", ":") * 2, strict=False):
        curve = roc(pairs)
        label = f"{display_name(name)} (AUC {auc(curve):.3f})"
        panel.step(curve.far, curve.tar, where="post", color=colour, linestyle=line, label=label)
    lowest = min(1 / (~pairs.genuine).sum() for pairs in scores.values())
    panel.set(xscale="log", xlim=(lowest, 1), ylim=(0, 1.02), xlabel="false accept rate (FAR)")
    panel.set_ylabel("true accept rate (TAR)")
    panel.legend(loc="lower right")
    return figure
