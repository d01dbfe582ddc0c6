"""One table of losses: a row is enough for a loss to be trained, exported, and named in figures."""

import importlib.util
import pkgutil
import sys

import pytest
import torch
from torch.nn import functional

from facelab import losses
from facelab.errors import FacelabError
from facelab.losses import LOSSES, ClassifierLoss
from facelab.losses.registry import NamedLoss
from facelab.plots.style import display_name
from facelab.train import fit, recipe


class LabelSmoothing(ClassifierLoss):
    """A loss that facelab does not have."""

    def __init__(self, num_identities: int, embedding_dim: int, *, smoothing: float = 0.1, scale: float = 1.0):
        super().__init__(num_identities, embedding_dim)
        self.smoothing, self.scale = smoothing, scale

    def logits(self, embeddings):
        return self.scale * embeddings @ self.centres.T

    def value(self, embeddings, labels):
        return functional.cross_entropy(self.logits(embeddings), labels, label_smoothing=self.smoothing)


@pytest.fixture
def new_recipe(monkeypatch):
    """The class of recipes as a facelab has it whose table holds one loss more."""
    monkeypatch.setitem(LOSSES, "smooth", NamedLoss("label smoothing", LabelSmoothing))
    spec = importlib.util.spec_from_file_location("facelab_with_one_loss_more", recipe.__file__)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module.Recipe


@pytest.mark.slow
def test_a_loss_that_has_a_row_can_be_named_trained_and_shown(new_recipe, toy_chips):
    values = {"size": 32, "embedding_dim": 8, "epochs": 12, "batch_size": 12, "learning_rate": 0.05, "augment": False}
    chosen = new_recipe.parse({**values, "loss": {"name": "smooth", "smoothing": 0.2}})
    assert chosen.build_loss(3).smoothing == 0.2
    assert new_recipe.parse(chosen.model_dump()) == chosen
    with pytest.raises(FacelabError, match="smooth takes no margin; it takes smoothing, scale"):
        new_recipe.parse({"loss": {"name": "smooth", "margin": 0.2}})
    trained = fit(chosen, toy_chips, device="cpu")
    assert trained.history[-1]["loss"] < 0.9 * trained.history[0]["loss"]
    assert display_name("smooth") == "label smoothing"


def test_every_loss_has_a_title_of_its_own_and_is_exported():
    titles = [display_name(name) for name in LOSSES]
    assert len(set(titles)) == len(LOSSES)
    assert set(titles) & set(LOSSES) == {"triplet"}  # its name is a word
    for row in LOSSES.values():
        assert getattr(losses, row.loss_class.__name__) is row.loss_class
        assert row.loss_class.__name__ in losses.__all__


def test_every_file_of_a_loss_is_in_the_table():
    """A loss without a row cannot be named by anybody."""
    shared = {"base", "partial_fc", "registry"}
    files = {module.name for module in pkgutil.iter_modules(losses.__path__)} - shared
    assert {row.loss_class.__module__.removeprefix("facelab.losses.") for row in LOSSES.values()} == files


@pytest.mark.parametrize("name", LOSSES)
def test_a_row_builds_its_loss_with_its_arguments(name):
    row = LOSSES[name]
    defaults = {argument: parameter.default for argument, parameter in row.arguments.items()}
    loss = row.build(5, 8, **defaults)
    assert type(loss) is row.loss_class
    assert all(getattr(loss, argument) == value for argument, value in defaults.items())
    assert torch.isfinite(loss(torch.randn(6, 8), torch.arange(6) % 3))
