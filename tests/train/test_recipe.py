import pytest

from facelab.errors import FacelabError
from facelab.losses import ArcFace, Softmax
from facelab.train import Recipe


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
