import json
import urllib.error
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from facelab.cli import app
from facelab.course.networks import course_recipe
from facelab.errors import FacelabError
from facelab.losses import LOSSES, ArcFace, MagFace, MarginLoss, Softmax, Triplet
from facelab.models import BACKBONES
from facelab.train import Checkpoint, Recipe, fit, presets
from facelab.train.recipe import LossRecipe
from facelab.train.run import run_training

OLD = json.loads(Path(__file__).with_name("old_recipes.json").read_text())  # dumps of commit 2c29f79, as in checkpoints


@pytest.mark.parametrize("name", OLD)
def test_an_old_recipe_is_read_and_written_as_before(name):
    """Field names, their order, and values: saved checkpoints hold them, and go on. They had fewer fields."""
    given, dump = OLD[name]["given"], OLD[name]["dump"]
    recipe = Recipe.parse(given)
    assert recipe.backbone == "resnet34"
    newer = {"backbone": True, "frozen": True, "loss": {"easy_margin", "sub_centres", "sigma", "plus"}}
    assert json.dumps(recipe.model_dump(exclude=newer)) == json.dumps(dump)
    assert Recipe.parse(dump) == recipe


def test_an_old_checkpoint_is_used_and_equals_the_default_backbone(toy_chips, tmp_path):
    recipe = Recipe.parse({"size": 32, "embedding_dim": 8, "epochs": 1, "batch_size": 12})
    state = fit(recipe, toy_chips, device="cpu", checkpoint=tmp_path / "a.pt")
    values = torch.load(tmp_path / "a.pt", weights_only=True)
    del values["recipe"]["backbone"]
    torch.save(values, tmp_path / "a.pt")
    written = (tmp_path / "a.pt").read_bytes()
    again = fit(recipe, toy_chips, device="cpu", checkpoint=tmp_path / "a.pt")
    assert (tmp_path / "a.pt").read_bytes() == written  # nothing was trained
    np.testing.assert_array_equal(again.embedder()(toy_chips), state.embedder()(toy_chips))
    with pytest.raises(FacelabError, match="backbone = resnet34, not resnet18"):
        fit(recipe.model_copy(update={"backbone": "resnet18"}), toy_chips, checkpoint=tmp_path / "a.pt")


@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_backbone_can_be_named_trained_and_used(toy_chips, backbone):
    recipe = Recipe.parse({"backbone": backbone, "size": 32, "embedding_dim": 8, "epochs": 1, "batch_size": 12})
    embeddings = fit(recipe, toy_chips, device="cpu").embedder()(toy_chips)
    assert embeddings.shape == (12, 8)


@pytest.mark.parametrize("name", OLD)
def test_what_a_recipe_changes_is_enough_to_make_it_again(name):
    recipe = Recipe.parse(OLD[name]["given"])
    assert Recipe.parse(recipe.changes()) == recipe
    assert Recipe().changes() == {}


def test_the_changes_of_a_loss_are_its_name_and_what_differs_from_its_class():
    assert Recipe.parse({"loss": {"name": "arcface", "margin": 0.5, "scale": 32}, "epochs": 20}).changes() == {
        "loss": {"name": "arcface", "scale": 32.0}
    }


def test_toml_round_trip(tmp_path):
    path = tmp_path / "arcface.toml"
    path.write_text('epochs = 3\n[loss]\nname = "arcface"\nmargin = 0.3\nscale = 16\n')
    recipe = Recipe.from_toml(path)
    assert (recipe.epochs, recipe.loss.margin, recipe.seed) == (3, 0.3, 0)
    assert Recipe.parse(recipe.model_dump()) == recipe


@pytest.mark.parametrize(
    ("values", "field", "value"),
    [
        ({"epochs": 0}, "epochs", "0"),
        ({"epoch": 3}, "epoch", "3"),
        ({"loss": {"name": "arkface"}}, "loss.name", "arkface"),
        ({"loss": {"name": "arcface", "scale": -1}}, "loss.scale", "-1"),
        ({"learning_rate": "fast"}, "learning_rate", "fast"),
        ({"epochs": True}, "epochs", "True: a number is wanted"),
        ({"epochs": "3"}, "epochs", "'3': a number is wanted"),
        ({"loss": {"name": "arcface", "scale_warmup": ["1", 0.2]}}, "loss.scale_warmup", "a number is wanted"),
        ({"augment": 1}, "augment", "1: true or false is wanted"),
        ({"loss": {"name": ["arcface"]}}, "loss.name", "arcface"),
        ({"loss": {"name": "arcface", "m1": 2}}, "loss", "arcface takes no m1; it takes margin, scale, detach_margin"),
        ({"loss": {"name": "cross_entropy", "scale": 2}}, "loss", "cross_entropy takes no scale; it takes no arg"),
        ({"loss": {"name": "normface", "margin_warmup": 0.1}}, "loss", "normface takes no margin_warmup"),
        ({"loss": {"name": "triplet", "detach_margin": True}}, "loss", "triplet takes no detach_margin"),
        ({"loss": {"name": "triplet", "mining": "easy"}}, "loss.mining", "easy"),
        ({"loss": {"name": "arcface", "margin": 3.0}}, "loss", "margin=3.0"),
        ({"loss": {"name": "magface", "margins": [0.8, 0.45]}}, "loss", "margins=0.45"),
        ({"loss": "arcface"}, "loss", "arcface"),
        ({"backbone": "resnet35"}, "backbone", "resnet35"),
        ({"backbone": "iresnet50", "pretrained": True}, "iresnet50", "no ImageNet weights"),
    ],
)
def test_a_wrong_field_or_value_is_one_clear_line(values, field, value):
    with pytest.raises(FacelabError) as error:
        Recipe.parse(values, source="mine.toml")
    message = str(error.value)
    assert "\n" not in message
    assert ": :" not in message
    for part in ("mine.toml", field, value):
        assert part in message


def test_missing_or_broken_file_is_named(tmp_path):
    with pytest.raises(FacelabError, match=r"none\.toml"):
        Recipe.from_toml(tmp_path / "none.toml")
    (tmp_path / "broken.toml").write_text("epochs = ")
    with pytest.raises(FacelabError, match=r"broken\.toml is not valid TOML"):
        Recipe.from_toml(tmp_path / "broken.toml")


def test_loss_is_built_as_the_recipe_says():
    arcface = Recipe.parse({"embedding_dim": 8, "loss": {"name": "arcface", "margin": 0.2, "scale": 10}}).build_loss(5)
    assert isinstance(arcface, ArcFace)
    assert (arcface.margin, arcface.scale, arcface.centres.shape) == (0.2, 10, (5, 8))
    assert isinstance(Recipe().build_loss(5), Softmax)


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_can_be_named_and_its_recipe_says_all_its_arguments(name):
    recipe = Recipe.parse({"embedding_dim": 8, "loss": {"name": name}})
    loss = recipe.build_loss(5)
    assert type(loss) is LOSSES[name].loss_class
    assert Recipe.parse(recipe.model_dump()) == recipe
    given = recipe.loss.model_dump(exclude_none=True, exclude={"name"})
    assert ("margin_warmup" in given) == isinstance(loss, MarginLoss)
    assert all(getattr(loss, argument) == value for argument, value in given.items() if argument != "margin_warmup")


def test_a_recipe_of_toml_values_builds_the_loss(tmp_path):
    path = tmp_path / "magface.toml"
    path.write_text('[loss]\nname = "magface"\nlengths = [5, 50]\nmargin_warmup = 0.2\n')
    loss = Recipe.from_toml(path).build_loss(5)
    assert isinstance(loss, MagFace)
    assert loss.lengths == (5.0, 50.0)
    assert isinstance(Recipe.parse({"loss": {"name": "triplet", "mining": "batch-hard"}}).build_loss(5), Triplet)


def test_checking_a_recipe_draws_no_random_numbers():
    state = torch.get_rng_state()
    LossRecipe(name="arcface")
    assert torch.equal(torch.get_rng_state(), state)


def test_presets_are_recipes():
    assert presets() == ["celeba500", "gpu", "laptop", "quick"]
    recipes = {name: Recipe.from_toml(name) for name in presets()}
    original = recipes["celeba500"]
    assert (original.size, original.optimizer, original.learning_rate) == (160, "adamw", 1e-4)
    assert original.pretrained == "if-available"
    assert course_recipe() == recipes["quick"]


def test_settings_change_a_recipe(tmp_path):
    recipe = Recipe.from_toml("quick", ["loss.name=arcface", "loss.margin=0.3", "augment=false", "seed = 4"])
    assert (recipe.loss.name, recipe.loss.margin, recipe.augment, recipe.seed) == ("arcface", 0.3, False, 4)
    assert Recipe.from_toml("quick", ["loss.name='magface'", "loss.lengths=[5, 50]"]).loss.lengths == (5, 50)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("epochs", "FIELD=VALUE"),
        ("=3", "FIELD=VALUE"),
        ("epochs=many", "epochs = 'many'"),
        ("loss.margn=0.3", "loss.margn"),
        ("epochs.loss=3", "epochs is a value"),
        ("images_per_identity=5", "batch_size = 64"),
        ("optimizer=adam", "optimizer = 'adam'"),
        ("loss.scale_warmup=[8, 0.1]", "cross_entropy takes no scale_warmup"),
    ],
)
def test_a_wrong_setting_is_one_clear_line(setting, message):
    with pytest.raises(FacelabError) as error:
        Recipe.from_toml("quick", [setting])
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_command_line_trains_a_folder_and_goes_on(tmp_path, toy_chips, capsys):
    for i, (image, label) in enumerate(toy_chips):
        folder = tmp_path / "chips" / toy_chips.identities[label]
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{i}.png"), image)
    command = ["train", "quick", "--data", str(tmp_path / "chips"), "--out", str(tmp_path / "out"), "--device", "cpu"]
    command += ["--images", "chips"]  # no face can be seen on these toys
    command += ["--set", "epochs=2", "--set", "size=32", "--set", "batch_size=6", "--seed", "7"]
    with pytest.raises(SystemExit) as stop:
        app(command)
    assert stop.value.code == 0
    assert "3 identities, 2 epochs" in " ".join(capsys.readouterr().out.split())
    checkpoint = Checkpoint.load(tmp_path / "out" / "training.pt")
    assert checkpoint.recipe.seed == 7
    assert (tmp_path / "out" / "training.csv").read_text().startswith("epoch,loss,accuracy")
    with pytest.raises(SystemExit) as stop:
        app([*command[:-1], "8"])  # another seed is another training
    assert stop.value.code == 2
    assert "seed = 7, not 8" in " ".join(capsys.readouterr().err.split())


def test_a_data_set_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(FacelabError, match=r"'nobody'.*orl, synthfaces-mini"):
        run_training(Recipe.from_toml("quick"), "nobody", tmp_path, device="cpu")


def test_imagenet_weights_are_used_if_available(toy_chips, tmp_path, monkeypatch):
    def offline(*args, **kwargs):
        raise urllib.error.URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None, raising=False)
    monkeypatch.setattr("torch.hub.urlopen", offline)
    recipe = Recipe.from_toml("celeba500", ["size=32", "epochs=1", "batch_size=12"])
    with pytest.warns(RuntimeWarning, match="random weights"):
        checkpoint = fit(recipe, toy_chips, checkpoint=tmp_path / "a.pt")
    assert checkpoint.recipe.pretrained is False
    assert fit(recipe, toy_chips, checkpoint=tmp_path / "a.pt").step == checkpoint.step
    with pytest.raises(FacelabError, match="pretrained=False"):
        fit(recipe.model_copy(update={"pretrained": True}), toy_chips)


def test_a_field_that_is_not_known_is_answered_with_the_nearest_name_or_with_all():
    with pytest.raises(FacelabError, match=r"loss.nam = 'arcface': there is no such field; perhaps name is meant\.$"):
        Recipe.from_toml("quick", ["loss.nam=arcface"])
    with pytest.raises(FacelabError, match=r"lr = 0.1: there is no such field; there are: loss, backbone, .*, seed\.$"):
        Recipe.from_toml("quick", ["lr=0.1"])
