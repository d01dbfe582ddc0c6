import tracemalloc
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import DataLoader

from facelab.data import FaceSet, ImageFiles
from facelab.data.images import write_image
from facelab.errors import FacelabError

IMAGES = np.arange(6 * 2 * 2 * 3, dtype=np.uint8).reshape(6, 2, 2, 3)
TABLE = pd.DataFrame({"identity": list("bbaacc"), "yaw": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]})


def test_labels_are_positions_in_sorted_identities():
    faces = FaceSet("six", IMAGES, TABLE)
    assert faces.identities == ["a", "b", "c"]
    assert faces.labels.tolist() == [1, 1, 0, 0, 2, 2]
    assert faces.labels.dtype == np.int64
    image, label = faces[4]
    np.testing.assert_array_equal(image, IMAGES[4])
    assert label == 2


def test_select_by_mask_and_position_keeps_images_and_attributes_together():
    faces = FaceSet("six", IMAGES, TABLE)
    some = faces.select(faces.table["yaw"] > 0.15).select([3, 0])
    assert some.table["yaw"].tolist() == [0.5, 0.2]
    np.testing.assert_array_equal(some.array(), IMAGES[[5, 2]])
    assert len(faces.select([])) == 0


def test_images_are_decoded_lazily(tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(6)]
    faces = FaceSet("files", ImageFiles(paths), TABLE)  # no file exists yet
    write_image(paths[3], IMAGES[3])
    np.testing.assert_array_equal(faces.select([3])[0][0], IMAGES[3])


def test_is_a_pytorch_dataset():
    chips, labels = next(iter(DataLoader(FaceSet("six", IMAGES, TABLE), batch_size=4)))
    assert chips.shape == (4, 2, 2, 3)
    assert chips.dtype == torch.uint8
    assert labels.dtype == torch.int64


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pd.DataFrame({"name": ["a"]}), "no column 'identity'"),
        (pd.DataFrame({"identity": ["a", None]}), "row 1 has no identity"),
        (pd.DataFrame({"identity": ["a"]}, index=[6]), "6 images"),
        (pd.DataFrame({"identity": list("abc")}, index=[4, 2, 4]), "2 rows of the table stand for image 4"),
    ],
)
def test_bad_table_is_named(table, message):
    with pytest.raises(FacelabError, match=message):
        FaceSet("six", IMAGES, table)


@pytest.mark.parametrize("rows", [[6], [-7], [True, False], [3, 3]])
def test_bad_selection_is_an_error(rows):
    with pytest.raises(FacelabError, match="six"):
        FaceSet("six", IMAGES, TABLE).select(rows)


def test_array_of_unequal_sizes_is_an_error():
    faces = FaceSet("mixed", [IMAGES[0], IMAGES[1, :1]], pd.DataFrame({"identity": ["a", "a"]}))
    with pytest.raises(FacelabError, match="align them first"):
        faces.array()


class Decoded(Sequence):
    """120 pictures that are made when they are asked for, 0.1 MB each."""

    def __len__(self) -> int:
        return 120

    def __getitem__(self, index: int) -> np.ndarray:
        return np.full((200, 200, 3), index, np.uint8)


def test_pictures_are_held_in_memory_once():
    faces = FaceSet("decoded", Decoded(), pd.DataFrame({"identity": ["a"] * 120}))
    tracemalloc.start()
    array = faces.array()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert array[:, 7, 7, 1].tolist() == list(range(120))
    assert peak < 1.1 * array.nbytes


def test_the_array_of_a_selection_is_a_copy():
    images = IMAGES.copy()
    some = FaceSet("six", images, TABLE).select([4, 1])
    some.array()[:] = 0
    np.testing.assert_array_equal(images, IMAGES)


def test_resized_decodes_every_image_once_and_keeps_who_is_on_it():
    images = [np.full((40 + i, 60, 3), 10 * i, np.uint8) for i in range(4)]
    faces = FaceSet("four", images, pd.DataFrame({"identity": list("abca")})).select([3, 1])
    with pytest.warns(UserWarning, match=r"60 x 4[13] pixels are not square: black margins make them 60 x 60"):
        small = faces.resized(32)
    assert small.array().shape == (2, 32, 32, 3)
    assert small.array()[:, 16, 0, 0].tolist() == [30, 10]
    assert small.array()[:, 0, 0, 0].tolist() == [0, 0]  # nothing is stretched
    assert small.table["identity"].tolist() == ["a", "b"]


@pytest.mark.parametrize("identities", [np.arange(6), np.arange(6) / 2, ["a", "b", "c", "d", "e", 7]])
def test_identities_are_text(identities):
    with pytest.raises(FacelabError, match=r"identities are text: .*astype\(str\)"):
        FaceSet("six", IMAGES, pd.DataFrame({"identity": identities}))


@pytest.mark.parametrize(
    "images", [IMAGES / 255, IMAGES.astype(np.uint16) * 257, IMAGES > 100, IMAGES[..., 0], IMAGES.astype(np.int64)]
)
def test_images_are_rgb_of_8_bits_and_nothing_else_is_taken_for_them(images):
    for given in (images, list(images)):
        with pytest.raises(FacelabError, match=rf"{images.dtype} and shape.*to_rgb8"):
            FaceSet("six", given, TABLE)[0]
