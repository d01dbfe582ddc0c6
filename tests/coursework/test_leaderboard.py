"""The leaderboard: it measures what the evaluation measures; hostile files are refused, each with its reason."""

import csv
import io
import json
import zipfile

import numpy as np
import pytest

from facelab.cli import app
from facelab.coursework import leaderboard as lb
from facelab.data import load_orl
from facelab.errors import FacelabError
from facelab.evaluate import pair_scores, verification

PEOPLE = np.random.default_rng(0).normal(size=(40, 64)).repeat(10, axis=0)


def embeddings(noise: float, seed: int = 1) -> np.ndarray:
    return PEOPLE + noise * np.random.default_rng(seed).normal(size=PEOPLE.shape)


def archive(**parts: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in parts.items():
            z.writestr(f"{name}.npy", data)
    return file.getvalue()


def npy(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


@pytest.fixture
def dist(tmp_path):
    (tmp_path / "dist" / "grader").mkdir(parents=True)
    return tmp_path / "dist"


def test_people_are_divided_once():
    order = np.random.default_rng(0).permutation(40) + 1
    named = [f"s{number:02d}" for number in order]
    assert set(lb.PUBLIC) == set(named[:10])
    assert set(lb.PRIVATE) == set(named[10:20])
    assert set(lb.DEVELOPMENT) == set(named[20:])
    assert len(lb.DEVELOPMENT) == len(lb.TEST) == 20
    assert load_orl().table["identity"].tolist() == lb.IDENTITIES.tolist()


def test_scores_are_those_of_the_evaluation(tmp_path, dist):
    x = embeddings(1.2)
    lb.write_entry(tmp_path / "in" / "ann" / "entry.npz", x)
    board = lb.make_board(dist, lb.find_entries(tmp_path / "in"), {lb.BASELINE: embeddings(1.6)}, replicates=50)
    (row,) = board.rows
    rows = np.isin(lb.IDENTITIES, lb.PUBLIC)
    found = verification(x[rows], lb.IDENTITIES[rows], replicates=50)
    assert row.tar.value == pytest.approx(found["tar_at_far_0.01"].value, abs=0.005)
    assert row.auc.value == pytest.approx(found["auc"].value, abs=1e-4)
    assert row.tar.low < row.tar.value < row.tar.high
    assert row.difference.difference.value == pytest.approx(row.tar.value - board.baselines[lb.BASELINE].tar.value)
    assert board.baselines[lb.BASELINE].difference.difference.value == 0


def test_what_is_no_entry_is_refused(tmp_path):
    good = embeddings(1.0).astype(np.float32)
    nan, short, collapsed = good.copy(), good[:399], np.ones_like(good)
    nan[7, 3] = np.nan
    zero = good.copy()
    zero[5] = 0
    bomb = io.BytesIO()
    np.lib.format.write_array_header_1_0(bomb, {"descr": "<f8", "fortran_order": False, "shape": (10**9, 10**4)})
    cut = npy(good)[:-40]
    long = npy(good) + b"0" * 40
    hostile = {
        "not finite": archive(embeddings=npy(nan)),
        "(399, 64)": archive(embeddings=npy(short)),
        "are the same": archive(embeddings=npy(collapsed)),
        "row 5 has the length 0": archive(embeddings=npy(zero)),
        "(1000000000, 10000)": archive(embeddings=bomb.getvalue() + b"\0" * 1000),
        "type object": archive(embeddings=npy(np.array([{"a": 1}] * 400, dtype=object))),
        "type complex64": archive(embeddings=npy(good.astype(np.complex64))),
        "no .npz file": b"not a zip at all",
        "nothing else": archive(embeddings=npy(good), labels=npy(np.arange(400))),
        "holds another number": archive(embeddings=cut),
        "holds another number ": archive(embeddings=long),
        "no file that write_entry made": archive(embeddings=b"\x93NUMPY\x01\x00"),
        "(400,)": archive(embeddings=npy(good[:, 0])),
        "d from 2 to 4096": archive(embeddings=npy(np.ones((400, 1), np.float32))),
        "row 0 has the length": archive(embeddings=npy(np.full((400, 3), 1e300))),
    }
    for reason, data in hostile.items():
        path = tmp_path / "entry.npz"
        path.write_bytes(data)
        entry = lb.read_entry(path)
        assert entry.embeddings is None or entry.refused
        assert reason.strip() in entry.refused
    (tmp_path / "link.npz").symlink_to(path)
    assert "link" in lb.read_entry(tmp_path / "link.npz").refused
    assert "cannot read" in lb.read_entry(tmp_path / "nothing.npz").refused


def test_labels_in_the_place_of_embeddings_are_set_aside(tmp_path):
    names = np.eye(40)[np.repeat(np.arange(40), 10)]
    path = tmp_path / "entry.npz"
    path.write_bytes(archive(embeddings=npy(names + 1e-4 * np.random.default_rng(0).normal(size=names.shape))))
    entry = lb.read_entry(path)
    assert "tells a label" in entry.refused
    assert any("40 dimensions" in note for note in entry.notes)
    assert any("read the code" in note for note in entry.notes)
    with pytest.raises(FacelabError, match="tells a label"):
        lb.write_entry(tmp_path / "own.npz", names)
    assert not (tmp_path / "own.npz").exists()
    assert not lb.read_entry(_written(tmp_path, embeddings(1.6))).notes  # an honest one


def _written(folder, values):
    lb.write_entry(folder / "honest.npz", values)
    return folder / "honest.npz"


def test_equal_cosines_are_ties():
    twice = np.repeat(np.eye(4), 100, axis=0) + 1e-9 * np.random.default_rng(0).normal(size=(400, 4))
    assert set(lb.scores_of(twice, lb.TEST).values) <= {0.0, 1.0}
    assert len(set(pair_scores(twice, lb.IDENTITIES).values)) > 10  # without rounding they are told apart by noise


def test_a_board_names_nobody_and_remembers_what_it_measured(tmp_path, dist):
    folder, base = tmp_path / "in", {lb.BASELINE: embeddings(1.6)}
    good = lb.write_entry(folder / "Ann Lee" / "entry.npz", embeddings(1.0))
    lb.write_entry(folder / "Bob" / "entry.npz", embeddings(1.0))  # the same file
    poor = lb.write_entry(folder / "Cem.npz", embeddings(4.0))
    (folder / "Xun").mkdir()
    (folder / "Xun" / "entry.npz").write_bytes(b"=cmd()")
    entries = lb.find_entries(folder)
    assert [entry.student for entry in entries] == ["Ann Lee", "Bob", "Cem", "Xun"]
    assert all("the same file" in entry.notes[-1] for entry in entries[:2])
    board = lb.make_board(dist, entries, base, replicates=100)
    assert [(row.rank, row.entry.name) for row in board.rows] == [(1, good), (2, poor)]
    assert board.rows[0].against_baseline == "higher"
    assert board.rows[1].against_baseline == "lower"
    assert (board.rows[0].tie, board.rows[1].tie) == (True, False)
    assert (board.tried, board.opened, board.people) == (2, 0, lb.PUBLIC)
    assert [entry.student for entry in board.aside] == ["Xun"]
    for name in ("board.html", "board.csv"):
        lb.write_board(board, tmp_path / name)
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert good in text
        assert poor in text
        assert not any(student in text for student in ("Ann", "Bob", "Cem", "Xun", "cmd"))
    table = list(csv.DictReader(io.StringIO((tmp_path / "board.csv").read_text(encoding="utf-8"))))
    assert [row["rank"] for row in table] == ["1", "2", ""]
    again = lb.make_board(dist, entries, base, replicates=100)
    lb.write_board(again, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "board.csv").read_bytes()
    assert again.tried == 2
    last = lb.make_board(dist, entries, base, final=True, replicates=100)
    assert (last.tried, last.opened, last.people) == (2, 2, lb.TEST)
    assert set(json.loads((dist / "grader" / "board.json").read_text())["private"]) == {good, poor}
    assert any("private half so far" in sentence for sentence in lb.sentences(last))


def test_more_entries_more_luck(dist):
    base = {lb.BASELINE: embeddings(1.6)}
    entries = [lb.Entry(f"n{k}", f"entry-{k}", lb._checked(embeddings(1.6, k))) for k in range(2, 6)]
    two, four = (lb.make_board(dist, entries[:k], base, replicates=50).luck() for k in (2, 4))
    assert 0 < two < four < 0.5


def test_command(tmp_path, dist, capsys):
    np.savez(lb._kept(dist), **{lb.BASELINE: embeddings(1.6)})  # as a first run leaves them
    folder, out = tmp_path / "in", tmp_path / "out" / "board.csv"
    name = lb.write_entry(folder / "ann" / "entry.npz", embeddings(1.0))
    app_exits(["coursework", "leaderboard", str(dist), str(folder), "--out", str(out)])
    assert f"ann: {name}" in capsys.readouterr().out
    assert out.exists()
    with pytest.raises(SystemExit):
        app(["coursework", "leaderboard", str(dist), str(tmp_path / "nobody")])
    assert "no folder" in capsys.readouterr().err


def app_exits(arguments):
    with pytest.raises(SystemExit) as stop:
        app(arguments)
    assert stop.value.code == 0


def test_binary_patterns_see_order_not_brightness():
    chip = np.random.default_rng(0).integers(0, 200, (112, 112))
    found = lb.binary_patterns(chip)
    assert found.shape == (4 * 4 * 256,)
    assert np.linalg.norm(found) == pytest.approx(4)  # each of 16 cells has the length 1
    np.testing.assert_array_equal(found, lb.binary_patterns(2 * chip + 30))
    assert not np.array_equal(found, lb.binary_patterns(chip.T))
    flat = lb.binary_patterns(np.full((112, 112), 9))
    assert np.flatnonzero(flat).tolist() == [256 * k + 255 for k in range(16)]  # all neighbours are as bright
