"""What happens during a training."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from facelab.plots.style import BLACK, BLUE, ORANGE, display_name, looks, new_figure, styled


@styled
def training_curves(histories: Mapping[str, Sequence[Mapping[str, float]]]) -> Figure:
    """Draw loss (left) and accuracy on the training images (right) over the epochs.

    The loss is drawn relative to its first epoch: the losses of different models have different units (scale, margin),
    and only their course can be compared.

    Args:
        histories: for each model the rows of :attr:`facelab.train.Checkpoint.history`.
    """
    figure, ((left, right),) = new_figure(1, 2)
    for (name, history), look in zip(histories.items(), looks(histories), strict=True):
        epochs = [row["epoch"] for row in history]
        style = {**look.of_line, "label": display_name(name)}
        left.plot(epochs, [row["loss"] / history[0]["loss"] for row in history], **style)
        right.plot(epochs, [row["accuracy"] for row in history], **style)
    left.set(title="loss, relative to epoch 1", xlabel="epoch", ylim=(0, None))
    right.set(title="accuracy on training images", xlabel="epoch", ylim=(0, 1.02))
    right.legend(loc="lower right")
    return figure


@styled
def angle_curves(traces: Mapping[str, np.ndarray], *, smooth: int = 15) -> Figure:
    """Draw the mean angle to the own class centre (solid) and to the nearest other one (dashed) during training.

    Below the crossing of the two, images are named rightly; the gap between them is what a margin is to widen.

    Args:
        traces: for each training (its title) one row per step: θ_y and θ_j in radians, shape (steps, 2).
        smooth: steps of the running mean.
    """
    figure, axes = new_figure(1, len(traces), width=3.2 * len(traces) + 0.4, height=3.0, sharey=True)
    kernel = np.ones(smooth) / smooth
    for panel, (title, trace) in zip(axes[0], traces.items(), strict=True):
        steps = np.arange(len(trace))[smooth - 1 :]
        curves = [np.convolve(column, kernel, mode="valid") for column in np.degrees(trace).T]
        panel.plot(steps, curves[0], color=BLUE, label="own centre")
        panel.plot(steps, curves[1], color=ORANGE, linestyle="--", label="nearest other centre")
        panel.set(title=title, xlabel="step")
    axes[0, 0].set(ylabel="mean angle (degrees)", ylim=(0, 180))
    axes[0, 0].set_yticks(range(0, 181, 30))
    axes[0, 0].legend(fontsize=8)
    return figure


@styled
def loss_steps(losses: Mapping[str, np.ndarray], *, level: float, level_name: str) -> Figure:
    """Draw the loss of several trainings over their steps, on a logarithmic scale, with a level to compare with.

    Args:
        losses: for each training its loss at each step.
        level: drawn as a horizontal line.
        level_name: what it is.
    """
    figure, ((panel,),) = new_figure(width=6.0, height=3.0)
    for (name, values), look in zip(losses.items(), looks(losses), strict=True):
        panel.plot(values, **look.of_line, label=display_name(name))
    panel.axhline(level, color=BLACK, linewidth=0.8, label=level_name)
    panel.set(xlabel="step", ylabel="loss", yscale="log")
    panel.legend(fontsize=8)
    return figure
