"""facelab data: what there is, what lies on disk, whether it is sound, and copies of it."""

import hashlib
import json

import cv2
import fsspec
import layouts
import numpy as np
import pandas as pd
import pytest
import torchvision
from datasets import load_dataset

from facelab.cli import app
from facelab.convert import describe_rows, load_face_shards, write_faces_as_shards
from facelab.data import FaceSet, load_folder
from facelab.data.checksums import PUBLISHED, check_published
from facelab.data.images import write_image
from facelab.errors import FacelabError
from facelab.reports.check import channels, check_faces, look, near_duplicates, overlap, survey, thumbnail
from facelab.sources import SOURCES, open_faces
from facelab.synth.shards import shard_name


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        app(["data", *map(str, arguments)])
    return stop.value.code


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "300")


def test_list_and_info(orl, tmp_path, capsys):
    assert run("list") == 0
    assert len(capsys.readouterr().out.splitlines()) == len(SOURCES)
    assert run("info", "celeba") == 0
    said = capsys.readouterr().out
    assert "facelab data info celeba PATH" in said
    assert "non-commercial research only" in said
    path = layouts.write(layouts.celeba(orl), tmp_path / "CelebA.zip")
    for arguments in (["celeba", path], [path], [f"celeba:{path}"]):
        assert run("info", *arguments) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert "images │ 12" in said
        assert "3 to 3, median 3" in said
        assert "train 4, validation 4, test 4" in said
        assert "identity_CelebA.txt │ published checksum differs" in said
    path = layouts.write(layouts.lfw(orl) | {"pairs.txt": layouts.lfw_pairs()}, tmp_path / "lfw.tgz")
    assert run("info", "lfw", path) == 0
    assert "4 genuine, 4 impostor, in 2 folds" in " ".join(capsys.readouterr().out.split())


@pytest.mark.filterwarnings("always:.*MS-Celeb")
def test_withdrawn_sets_say_so_before_they_are_read(orl, tmp_path, capsys):
    path = layouts.write(layouts.rfw(orl), tmp_path / "rfw")
    (path / "test/txts/Asian/Asian_pairs.txt").write_bytes(b"damaged")
    assert run("info", "rfw-asian", path) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert said.index("MS-Celeb-1M, which Microsoft took back") < said.index("Asian_pairs.txt line 1")


def test_names_that_are_wrong(orl, tmp_path, capsys):
    path = layouts.write(layouts.lfw(orl), tmp_path / "x")
    assert run("info", "celeba", path) == 2
    assert "holds no identity_CelebA.txt" in capsys.readouterr().err
    assert run("info", "nobody", path) == 2
    assert "there is no data set 'nobody:" in capsys.readouterr().err
    assert run("convert", "celeba", "--out", tmp_path / "out") == 2
    assert "celeba is read from disk; say where it is: celeba:PATH" in capsys.readouterr().err


def test_published_checksums_are_those_of_torchvision(tmp_path):
    theirs = {name: md5 for _, md5, name in torchvision.datasets.CelebA.file_list}
    lfw = torchvision.datasets.lfw._LFW
    theirs |= {name: md5 for _, name, md5 in lfw.file_dict.values()} | lfw.checksums
    assert PUBLISHED.items() <= theirs.items()
    layouts.write({"pairs.txt": b"10\t300\n", "mine.txt": b"", "a/1.jpg": b""}, tmp_path / "x")
    assert check_published(tmp_path / "x") == {"pairs.txt": "differs", "mine.txt": "unknown"}


def test_a_checksum_that_matches(tmp_path, monkeypatch):
    monkeypatch.setitem(PUBLISHED, "pairs.txt", hashlib.md5(b"10\t300\n").hexdigest())
    for form in ("x", "x.zip"):
        path = layouts.write({"lists/pairs.txt": b"10\t300\n"}, tmp_path / form)
        assert check_published(path)["lists/pairs.txt"] == "matches"


# Shards


def test_shards_hold_the_set_as_it_is(orl, tmp_path, capsys):
    path = layouts.write(layouts.celeba(orl), tmp_path / "CelebA.zip")
    for said in ("12 images written", "0 images written in 0.0 s; 12 were there already"):
        assert run("convert", "celeba", path, "--out", tmp_path / "shards", "--per-shard", 5, "--workers", 1) == 0
        assert said in capsys.readouterr().out
    before, opened = open_faces(path).faces, open_faces(tmp_path / "shards")
    after = opened.faces
    assert opened.source.name == "shards"
    assert after.name == "celeba"
    for row in range(12):
        assert after.images.encoded(row) == before.images.encoded(row)
        np.testing.assert_array_equal(after[row][0], before[row][0])
        np.testing.assert_array_equal(after.table["landmarks"][row], before.table["landmarks"][row])
    for column in ("identity", "file", "split", "smiling"):
        assert after.table[column].tolist() == before.table[column].tolist()
    theirs = load_dataset("parquet", data_files=str(tmp_path / "shards" / "*.parquet"), cache_dir=str(tmp_path / "hf"))
    np.testing.assert_array_equal(np.asarray(theirs["train"][7]["image"]), before[7][0])
    (tmp_path / "shards" / shard_name(1)).write_bytes(b"PAR1")
    assert run("convert", "celeba", path, "--out", tmp_path / "shards", "--per-shard", 5, "--workers", 1) == 0
    assert "5 images written" in capsys.readouterr().out
    np.testing.assert_array_equal(load_face_shards(tmp_path / "shards")[7][0], before[7][0])
    (tmp_path / "shards" / shard_name(1)).unlink()
    with pytest.raises(FacelabError, match=r"no whole shard-00001\.parquet: run the same facelab data convert again"):
        open_faces(tmp_path / "shards")


def test_shards_of_another_set_are_not_mixed_in(orl, toy_chips, tmp_path, capsys):
    path = layouts.write(layouts.celeba500(orl), tmp_path / "c.zip")
    assert run("convert", "celeba500", path, "--out", tmp_path / "s", "--workers", 1) == 0
    assert run("convert", "orl", "--form", "shards", "--out", tmp_path / "s", "--workers", 1) == 2
    assert "holds another set" in capsys.readouterr().err
    assert run("convert", "orl", "--out", tmp_path / "f", "--workers", 1) == 2
    assert "--workers would do nothing: a folder is written by one process" in capsys.readouterr().err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("x")
    with pytest.raises(FacelabError, match="holds other files, such as notes"):
        write_faces_as_shards(toy_chips, tmp_path / "mine")
    write_faces_as_shards(toy_chips, tmp_path / "toy")
    split = FaceSet(toy_chips.name, toy_chips.images, toy_chips.table.assign(split="test"))
    before, after = describe_rows(toy_chips, 5), describe_rows(split, 5)
    assert before.rows != after.rows
    assert describe_rows(FaceSet(split.name, split.images, split.table.assign(split="train")), 5).rows != after.rows
    with pytest.raises(FacelabError, match="holds another set"):
        write_faces_as_shards(split, tmp_path / "toy")


def test_any_address_and_many_processes_give_the_same_shards(toy_chips, tmp_path):
    write_faces_as_shards(toy_chips, "memory://faces/toy", per_shard=5)
    write_faces_as_shards(toy_chips, tmp_path / "two", per_shard=5, workers=2)
    files = fsspec.filesystem("memory")
    for k in range(3):
        assert files.cat_file(f"/faces/toy/{shard_name(k)}") == (tmp_path / "two" / shard_name(k)).read_bytes()
    opened = open_faces("memory://faces/toy")
    np.testing.assert_array_equal(opened.faces.array(), toy_chips.array())  # numbers are kept as PNG
    assert opened.faces.table["identity"].tolist() == toy_chips.table["identity"].tolist()


@pytest.mark.slow
def test_a_dask_cluster_gives_the_same_shards(toy_chips, tmp_path):
    from dask.distributed import LocalCluster

    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        write_faces_as_shards(toy_chips, tmp_path / "dask", per_shard=5, workers=None, backend="dask", address=address)
    write_faces_as_shards(toy_chips, tmp_path / "here", per_shard=5)
    for k in range(3):
        name = shard_name(k)
        assert (tmp_path / "dask" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()


def test_names_that_are_not_utf8_are_written_with_their_bytes(toy_chips, tmp_path):
    names = {"identity": ["Jos\udce9"] * 12, "file": [f"Jos\udce9/{k}.png" for k in range(12)]}
    table = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in names.items()})
    faces = FaceSet("x", toy_chips.images, table)
    write_faces_as_shards(faces, tmp_path / "s")
    assert survey(faces)[1] == ("identities", "1")
    assert check_faces(faces, tmp_path / "c", detector=None, least=13).few == {"Jos\udce9": 12}
    assert load_face_shards(tmp_path / "s").identities == ["Jos\\xe9"]


# Checks


def harmed(orl, tmp_path):
    """Write a folder with every fault that a check looks for; return it."""
    for row in range(24):
        image = (orl[row][0] * np.array([1.0, 0.8, 0.6])).astype(np.uint8)
        part = "train" if row % 10 < 5 else "test"
        identity = f"{part}-{orl.table['identity'][row]}"
        write_image(tmp_path / "set" / identity / f"{row}.png", image)
    first = tmp_path / "set" / "train-s01" / "0.png"
    (tmp_path / "set" / "test-s02" / "copy.png").write_bytes(first.read_bytes())
    image = cv2.imread(str(tmp_path / "set" / "train-s02" / "11.png"))
    small = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(tmp_path / "set" / "train-s02" / "small.jpg"), small, [cv2.IMWRITE_JPEG_QUALITY, 60])
    write_image(
        tmp_path / "set" / "alone" / "wall.png", np.tile(np.arange(92, dtype=np.uint8) * 2, (112, 1))[:, :, None]
    )
    return tmp_path / "set"


def test_a_check_finds_every_fault(orl, tmp_path, capsys):
    folder = harmed(orl, tmp_path)
    (folder / "alone" / "broken.jpg").write_bytes(b"<html>")
    assert run("check", folder, "--out", tmp_path / "out", "--workers", 1) == 1  # a file was left out
    said = " ".join(capsys.readouterr().out.split())
    found = json.loads((tmp_path / "out" / "check.json").read_text())
    assert [sorted(group) for group in found["exact"]] == [["test-s02/copy.png", "train-s01/0.png"]]
    assert [sorted(group) for group in found["near"]] == [["train-s02/11.png", "train-s02/small.jpg"]]
    assert [sorted(group) for group in found["crossing"]["identities"]] == [["test-s02/copy.png", "train-s01/0.png"]]
    assert "alone/wall.png" in found["faceless"]
    assert len(found["faceless"]) < 6
    assert found["few"] == {"alone": 1}
    assert any("broken.jpg" in error for error in found["left_out"])
    assert found["channels"]["the set"].startswith("red, green, blue: of 26 coloured pictures, 0 have")
    assert "nearly the same picture" in said


def test_a_check_that_was_stopped_goes_on(orl, tmp_path, monkeypatch):
    monkeypatch.setattr("facelab.reports.check.BLOCK", 4)
    faces = orl.select(range(12))
    seen = []
    options = {"detector": None}
    monkeypatch.setattr("facelab.reports.check.thumbnail", lambda image: seen.append(1) or thumbnail(image))
    whole = check_faces(faces, tmp_path / "out", **options)
    assert len(seen) == 12
    (tmp_path / "out" / shard_name(1)).unlink()
    again = check_faces(faces, tmp_path / "out", **options)
    assert len(seen) == 16
    assert vars(again) == vars(whole)
    with pytest.raises(FacelabError, match="holds another set"):
        check_faces(orl.select(range(1, 13)), tmp_path / "out", **options)


def test_leaks_between_splits_and_files_that_cannot_be_read(orl, tmp_path):
    files = layouts.celeba500(orl)
    imgs = "celeba_train_500/celebA_imgs/"
    files[f"{imgs}000004.jpg"] = files[f"{imgs}000000.jpg"]  # of the test split: a picture that is trained on
    files[f"{imgs}000100.jpg"] = b"<html>"
    faces = open_faces(layouts.write(files, tmp_path / "c.zip")).faces
    found = check_faces(faces, "memory://check/leaks", detector=None)
    assert found.crossing["splits"] == [[f"{imgs}000000.jpg", f"{imgs}000004.jpg"]]
    assert found.shared == {"test and train": 6, "test and validation": 6, "train and validation": 6}
    assert list(found.bad) == [f"{imgs}000100.jpg"]
    assert "is a web page" in found.bad[f"{imgs}000100.jpg"]
    assert found.channels["the set"].startswith("not known: of 0 coloured pictures")
    assert found.faceless is None


def test_swapped_folders_are_told_by_the_colour_of_skin():
    generator = np.random.default_rng(0)
    red, blue = generator.normal(150, 20, 60), generator.normal(110, 20, 60)
    files = [f"{'swapped' if row >= 30 else 'right'}/{row}.jpg" for row in range(60)]
    assert channels(files, red, blue)["the set"].startswith("red, green, blue")
    one, two = np.where(np.arange(60) >= 30, blue, red), np.where(np.arange(60) >= 30, red, blue)
    said = channels(files, one, two)
    assert said["the set"].startswith("mixed: of ")
    assert said["swapped/"].startswith("red and blue are swapped: of 27 coloured")
    assert "right/" not in said
    assert channels(files, blue, red)["the set"].startswith("red and blue are swapped")
    assert channels(files, red, red)["the set"].startswith("not known: of 0 coloured")


def test_near_duplicates_are_those_that_a_slow_loop_finds(orl):
    images = [orl[row][0] for row in range(40)]
    copies = [
        cv2.resize(images[3], (46, 56), interpolation=cv2.INTER_AREA),
        np.clip(images[7].astype(int) + 30, 0, 255),
    ]
    images += [copy.astype(np.uint8) for copy in copies]
    thumbnails = np.stack([thumbnail(image) for image in images])
    correlation = np.corrcoef(thumbnails)
    expected = [[i, j] for i in range(42) for j in range(i + 1, 42) if correlation[i, j] >= 0.997]
    assert near_duplicates(thumbnails) == expected == [[3, 40], [7, 41]]
    # 3 and 40 are compared, 7 and 41 are not
    assert near_duplicates(thumbnails, within=np.arange(42) % 37) == [[3, 40]]
    flat = np.stack([thumbnail(np.full((8, 8, 3), grey, np.uint8)) for grey in (0, 90, 255)])
    assert near_duplicates(flat) == []


@pytest.mark.parametrize("change", ["shifted", "cropped", "mirrored"])
def test_copies_that_were_moved_are_found_at_a_second_look(orl, change):
    images = [orl[row][0] for row in range(1, 60, 7)]
    for image in images[:]:
        copy = {"shifted": np.roll(image, 1, (0, 1)), "cropped": image[3:-3, 3:-3], "mirrored": image[:, ::-1]}[change]
        data = cv2.imencode(".jpg", np.ascontiguousarray(copy * 0.9).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 60])
        images.append(cv2.imdecode(data[1], cv2.IMREAD_COLOR))
    thumbnails, looks = (np.stack([make(image) for image in images]) for make in (thumbnail, look))
    pairs = [[row, row + 9] for row in range(9)]
    assert near_duplicates(thumbnails) == []
    assert near_duplicates(thumbnails, looks) == ([] if change == "mirrored" else pairs)


def test_overlap_undoes_a_shift_and_says_that_two_people_differ(orl):
    image, other = orl[0][0], orl[10][0]
    one, two = look(image[2:, 3:]), look(image[:-2, :-3])
    assert overlap(one, two) > 0.99 > 0.95 > np.corrcoef(one.ravel(), two.ravel())[0, 1]
    assert overlap(look(image), look(other)) < 0.9
    flat = np.full((64, 64), 90, np.uint8)
    assert overlap(flat, flat) == -1 == overlap(look(image), flat)


def test_a_copy_of_a_folder_reads_as_it(orl, tmp_path, capsys):
    path = layouts.write(layouts.lfw(orl) | {"pairs.txt": layouts.lfw_pairs()}, tmp_path / "lfw")
    assert run("convert", "lfw", path, "--form", "folder", "--out", tmp_path / "copy") == 0
    assert "8 pairs in" in capsys.readouterr().out
    faces, _ = load_folder(tmp_path / "copy")
    before = open_faces(path).faces
    assert faces.identities == before.identities
