"""``facelab gallery``, from the command line, with a network of the package and toy chips."""

import json

import numpy as np
import pytest

from facelab.cli import app
from facelab.data.images import write_image
from facelab.embeddings import write_embedding_shards
from facelab.search import open_gallery
from facelab.sources import open_pictures

NETWORK = "synthfaces-arcface"


def run(capsys, *arguments) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        app(["gallery", *map(str, arguments)])
    said = capsys.readouterr()
    return stopped.value.code, " ".join(said.out.split()), said.err.strip()


@pytest.fixture
def chips(toy_chips, tmp_path):
    """A folder of the identities a, b, c with four chips each."""
    for row, name in enumerate(toy_chips.table["identity"]):
        write_image(tmp_path / "chips" / name / f"{row}.png", toy_chips[row][0])
    return tmp_path / "chips"


@pytest.fixture
def made(tmp_path, chips, capsys):
    """A gallery with a and b enrolled."""
    path = tmp_path / "faces.db"
    assert run(capsys, "create", path, "--network", NETWORK)[0] == 0
    for name in "ab":
        pictures = sorted((chips / name).iterdir())
        enrol = ("enrol", path, *pictures[:3], "--network", NETWORK, "--identity", name, "--images", "chips")
        code, said, _ = run(capsys, *enrol)
        assert (code, "1 identity enrolled from 3 pictures" in said) == (0, True)
    return path


def test_enrol_search_erase_and_the_log_of_it(made, chips, tmp_path, capsys):
    code, said, _ = run(capsys, "list", made)
    assert code == 0
    assert "a: 1 template b: 1 template 2 identities, 2 templates; 128 dimensions" in said

    probe = ("search", made, chips, "--network", NETWORK, "--images", "chips")
    code, said, _ = run(capsys, *probe, "--top", 1)
    assert code == 0
    assert "No threshold was given, so no decision is made" in said
    assert "12 faces searched for" in said

    report = tmp_path / "results.json"
    point = {"threshold": 0.9999, "asked": 0.01, "far": {"value": 0.01, "low": 0.005, "high": 0.02, "n": 4000}}
    report.write_text(json.dumps({"operating_point": point, "data": {"name": "toys"}}))
    code, said, _ = run(capsys, *probe, "--threshold-from", report, "--searches-a-day", 50)
    assert code == 0
    assert "nobody known" in said
    assert "A match is a cosine of 1.000 or more. The threshold was chosen" in said
    assert "on toys. There it lets 1.00% (95 % interval 0.50% to 2.00%) of the pairs of two people through" in said
    assert "50 searches a day by strangers, each of 2 templates: about 1 false matches a day" in said

    code, said, _ = run(capsys, "erase", made, "a")
    assert code == 0
    assert "a: 1 template erased. In the log their name is erased-" in said
    assert "The bytes are gone: faces.db was written anew without them" in said
    receipt = next(word for word in said.split() if word.startswith("erased-"))
    code, said, _ = run(capsys, "audit", made, "--identity", receipt)
    assert code == 0
    assert f"enrolled {receipt}" in said
    assert f"found {receipt} at rank 1, cosine" in said
    assert f"erased {receipt}, 1 template" in said
    assert run(capsys, "audit", made, "--last", 2)[1].endswith("2 lines of 28")
    code, _, error = run(capsys, "erase", made, "a")
    assert (code, error.startswith("facelab: nobody called 'a' is in")) == (2, True)


def test_a_search_with_the_enrolled_picture_finds_its_identity(made, chips, capsys):
    picture = sorted((chips / "b").iterdir())[0]
    code, said, _ = run(capsys, "search", made, picture, "--network", NETWORK, "--images", "chips", "--top", 1)
    assert code == 0
    with open_gallery(made) as gallery:
        last = gallery.audit()[-1]
    assert (last.identity, last.number) == ("b", 1)
    assert f"{last.score:.3f}" in said


def test_a_folder_of_embeddings_is_enrolled_without_the_network(chips, tmp_path, capsys):
    write_embedding_shards(NETWORK, open_pictures([chips]), str(tmp_path / "shards"), images="chips", device="cpu")
    for path, source in (("one.db", tmp_path / "shards"), ("two.db", chips)):
        assert run(capsys, "create", tmp_path / path, "--network", NETWORK)[0] == 0
        more = () if path == "one.db" else ("--network", NETWORK, "--images", "chips")
        code, said, _ = run(capsys, "enrol", tmp_path / path, source, *more)
        assert code == 0
        assert "3 identities enrolled from 12 pictures" in said
    probe = np.random.default_rng(0).normal(size=(1, 128))
    answers = []
    for path in ("one.db", "two.db"):
        with open_gallery(tmp_path / path) as gallery:
            fingerprint = gallery.fingerprint
        with open_gallery(tmp_path / path, fingerprint=fingerprint) as gallery:
            answers.append([(match.identity, round(match.score, 4)) for match in gallery.search(probe, 3)[0]])
    assert answers[0] == answers[1]
    code, _, error = run(capsys, "enrol", tmp_path / "one.db", tmp_path / "shards", "--network", NETWORK)
    assert (code, "--network would do nothing" in error) == (2, True)


def test_another_networks_gallery_is_refused_before_anything_is_embedded(made, chips, capsys):
    other = "synthfaces-cross-entropy"
    for verb in ("enrol", "search"):
        code, _, error = run(capsys, verb, made, chips, "--network", other, "--images", "chips")
        assert code == 2
        assert "holds embeddings of the network" in error
    assert open_gallery(made).identities() == {"a": 1, "b": 1}


def test_nobody_is_enrolled_whose_name_is_not_known(made, chips, capsys):
    pictures = sorted((chips / "c").iterdir())
    code, _, error = run(capsys, "enrol", made, *pictures, "--network", NETWORK, "--images", "chips")
    assert code == 2
    assert "it is not known who is on these pictures" in error
    code, _, error = run(capsys, "enrol", made, *pictures)
    assert (code, "say which network embeds the pictures" in error) == (2, True)


def test_flip_is_the_gallerys(chips, tmp_path, capsys):
    path = tmp_path / "flip.db"
    assert run(capsys, "create", path, "--network", NETWORK, "--flip")[0] == 0
    assert run(capsys, "enrol", path, chips, "--network", NETWORK, "--images", "chips")[0] == 0
    with open_gallery(path) as gallery:
        assert gallery.flip
        assert len(gallery.identities()) == 3
    report = tmp_path / "results.json"
    report.write_text(json.dumps({"threshold": 0.5, "flip": False}))
    arguments = ("search", path, chips, "--network", NETWORK, "--images", "chips", "--threshold-from", report)
    code, _, error = run(capsys, *arguments)
    assert (code, "without --flip, and this run is with" in error) == (2, True)
