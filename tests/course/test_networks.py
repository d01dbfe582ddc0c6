"""The networks that chapters share."""

import pytest
import torch

from facelab.course import networks
from facelab.course.networks import CourseFaces, course_model, course_recipe, keep
from facelab.train import fit
from facelab.train import loop as loop_module

pytestmark = pytest.mark.slow


def test_a_network_that_a_chapter_has_trained_is_not_trained_again(toy_chips, tmp_path, monkeypatch):
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path))
    monkeypatch.setattr(networks, "course_faces", lambda: CourseFaces(toy_chips, toy_chips, toy_chips))
    short = course_recipe("arcface").model_copy(update={"epochs": 1})
    monkeypatch.setattr(networks, "course_recipe", lambda loss, seed: short)
    trained = fit(short, toy_chips, device="cpu")
    keep(trained)
    monkeypatch.setattr(loop_module, "load_batches", None)  # whoever trains needs it
    found = course_model("arcface")
    assert all(torch.equal(found.network[name], trained.network[name]) for name in trained.network)
