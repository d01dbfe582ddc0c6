import numpy as np
import pytest
import torch

from facelab.analyze import variability_collapse
from facelab.losses import ArcFace, NormFace, Softmax, Triplet
from facelab.train import EmbeddingWatch, Recipe, fit


def test_watch_collects_the_steps_and_normalises_unless_lengths_count():
    torch.manual_seed(0)
    x, labels = torch.randn(8, 6), torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])
    for loss in (ArcFace(4, 6), NormFace(4, 6), Triplet(), Softmax(4, 6)):
        watch = EmbeddingWatch(variability_collapse, every=2)
        for step in range(5):
            half = slice(0, 4) if step % 2 == 0 else slice(4, 8)
            watch(step, x[half], labels[half], loss)
        assert watch.steps == [2, 4]  # the fifth step waits for the sixth
        v = x.numpy()
        if not isinstance(loss, Softmax):
            v = v / np.linalg.norm(v, axis=1, keepdims=True)
        assert watch.history[1] == variability_collapse(v, labels.numpy())


@pytest.mark.slow
def test_watch_during_a_training(toy_chips):
    recipe = Recipe.parse({"size": 32, "embedding_dim": 8, "epochs": 3, "batch_size": 6})
    watch = EmbeddingWatch(variability_collapse, every=2)
    fit(recipe, toy_chips, device="cpu", watch=watch)
    assert watch.steps == [2, 4, 6]
    assert np.isfinite(watch.history).all()
