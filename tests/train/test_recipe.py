import pytest
import torch

from facelab.errors import FacelabError
from facelab.losses import ArcFace, CentreLoss, MagFace, MarginLoss, Softmax, Triplet
from facelab.train import Recipe
from facelab.train.recipe import LOSSES, LossRecipe


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
        ({"loss": {"name": ["arcface"]}}, "loss.name", "arcface"),
        ({"loss": {"name": "arcface", "m1": 2}}, "loss", "arcface takes no m1; it takes margin, scale, detach_margin"),
        ({"loss": {"name": "cross_entropy", "scale": 2}}, "loss", "cross_entropy takes no scale; it takes no arg"),
        ({"loss": {"name": "normface", "margin_warmup": 0.1}}, "loss", "normface takes no margin_warmup"),
        ({"loss": {"name": "triplet", "detach_margin": True}}, "loss", "triplet takes no detach_margin"),
        ({"loss": {"name": "triplet", "mining": "easy"}}, "loss.mining", "easy"),
        ({"loss": {"name": "arcface", "margin": 3.0}}, "loss", "margin=3.0"),
        ({"loss": {"name": "magface", "margins": [0.8, 0.45]}}, "loss", "margins=0.45"),
        ({"loss": "arcface"}, "loss", "arcface"),
    ],
)
def test_a_wrong_field_or_value_is_one_clear_line(values, field, value):
    with pytest.raises(FacelabError) as error:
        Recipe.parse(values, source="mine.toml")
    message = str(error.value)
    assert "\n" not in message
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
    assert type(loss) is LOSSES[name]
    assert isinstance(loss, CentreLoss) == (name != "triplet")
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
