import numpy as np
import pytest
import torch

from facelab.analyze import neural_collapse
from facelab.errors import FacelabError
from facelab.losses import ArcFace, Softmax, Triplet
from facelab.train import EmbeddingWatch, Recipe, fit


def test_watch_collects_the_steps_and_normalises_for_angles():
    torch.manual_seed(0)
    x, labels = torch.randn(8, 6), torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])
    for loss in (ArcFace(4, 6), Softmax(4, 6)):
        watch = EmbeddingWatch(neural_collapse, every=2)
        for step in range(5):
            half = slice(0, 4) if step % 2 == 0 else slice(4, 8)
            watch(step, x[half], labels[half], loss)
        assert watch.steps == [2, 4]  # the fifth step waits for the sixth
        w, v = loss.centres.detach().numpy(), x.numpy()
        if isinstance(loss, ArcFace):
            w, v = (a / np.linalg.norm(a, axis=1, keepdims=True) for a in (w, v))
        assert watch.history[1] == neural_collapse(v, labels.numpy(), w)


@pytest.mark.slow
def test_watch_during_a_training(toy_chips):
    recipe = Recipe.parse({"size": 32, "embedding_dim": 8, "epochs": 3, "batch_size": 6})
    watch = EmbeddingWatch(neural_collapse, every=2)
    fit(recipe, toy_chips, device="cpu", watch=watch)
    assert watch.steps == [2, 4, 6]
    assert all(np.isfinite(list(vars(row).values())).all() for row in watch.history)


def test_a_loss_without_centres_is_refused():
    watch = EmbeddingWatch(neural_collapse, every=1)
    with pytest.raises(FacelabError, match="Triplet has no class centres"):
        watch(0, torch.eye(2), torch.tensor([0, 1]), Triplet())
