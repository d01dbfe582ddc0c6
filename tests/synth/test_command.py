import cv2
import pytest

from facelab.cli import app

pytestmark = pytest.mark.slow


def run(*arguments):
    with pytest.raises(SystemExit) as stopped:
        app(list(arguments))
    return stopped.value.code


def test_makes_a_set_and_a_contact_sheet(tmp_path, capsys):
    sheet = tmp_path / "sheet.png"
    few = ("synth", "--identities", "2", "--images", "3", "--size", "32", "--workers", "1")
    assert run(*few, "--out", str(tmp_path / "set"), "--preview", str(sheet)) == 0
    assert "6 pictures rendered" in capsys.readouterr().out
    assert cv2.imread(str(sheet)).shape == (2 * 34 + 2, 3 * 34 + 2, 3)
    assert run(*few, "--out", str(tmp_path / "set")) == 0
    assert "0 pictures rendered" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["synth"], "choose one"),
        (["synth", "--identities", "3"], "choose one"),
        (["synth", "synthfaces-mini", "--identities", "3", "--images", "2"], "choose one"),
        (["synth", "synthfaces-9000"], "no preset 'synthfaces-9000'"),
        (["synth", "--identities", "0", "--images", "2"], "identities=0; give 1 or more"),
        (["synth", "--photographs", "0"], "photographs=0"),
        (["synth", "--identities", "1", "--images", "1", "--device", "abacus"], "device 'abacus' cannot render here"),
    ],
)
def test_mistakes_are_one_clear_line(arguments, message, capsys, tmp_path):
    assert run(*arguments, "--out", str(tmp_path / "set")) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "set").exists()  # the folder is free for the next try


def test_photographs_have_a_contact_sheet_too(tmp_path):
    from facelab.synth.dataset import make
    from facelab.synth.photographs import PhotographRecipe
    from facelab.synth.preview import write_preview

    make(PhotographRecipe(1, width=160, height=120, smallest=24, largest=60), tmp_path / "set")
    write_preview(tmp_path / "set", tmp_path / "sheet.jpg")
    assert cv2.imread(str(tmp_path / "sheet.jpg")).shape[:2] == (124, 164)


def test_the_default_folder_is_named_by_what_was_asked_for(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path))
    shown = []
    for options in (("--size", "32", "--seed", "3"), ("--seed", "3", "--size", "32")):
        assert run("synth", "--identities", "1", "--images", "1", *options, "--held-out", "0") == 0
        shown.append(capsys.readouterr().out.replace("\n", "").strip())
    assert all(text.endswith("/1x1-seed-3-size-32") for text in shown)
    assert shown[0].startswith("1 picture rendered")
    assert shown[1].startswith("0 pictures rendered")
