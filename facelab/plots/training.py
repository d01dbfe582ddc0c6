"""What happens during a training."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from facelab.plots.style import CYCLE, display_name, new_figure, styled


@styled
def training_curves(histories: Mapping[str, Sequence[Mapping[str, float]]]) -> Figure:
    """Draw loss (left) and accuracy on the training images (right) over the epochs.

    The loss is drawn relative to its first epoch: the losses of different models have different units (scale, margin),
    and only their course can be compared.

    Args:
        histories: for each model the rows of :attr:`facelab.train.Checkpoint.history`.
    """
    figure, ((left, right),) = new_figure(1, 2)
    for (name, history), colour, line in zip(histories.items(), CYCLE, ("-", "--", "-.", ":") * 2, strict=False):
        epochs = [row["epoch"] for row in history]
        style = {"color": colour, "linestyle": line, "label": display_name(name)}
        left.plot(epochs, [row["loss"] / history[0]["loss"] for row in history], **style)
        right.plot(epochs, [row["accuracy"] for row in history], **style)
    left.set(title="loss, relative to epoch 1", xlabel="epoch", ylim=(0, None))
    right.set(title="accuracy on training images", xlabel="epoch", ylim=(0, 1.02))
    right.legend(loc="lower right")
    return figure
