import urllib.error
import weakref
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torchvision.models import resnet34 as torchvision_resnet34

from facelab.data import FaceSet
from facelab.errors import FacelabError
from facelab.models import Embedder, resnet34, to_input

CHIPS = np.random.default_rng(0).integers(0, 256, (7, 40, 40, 3), dtype=np.uint8)


def test_input_is_in_minus_one_to_one_and_resized():
    chips = torch.tensor([0, 255], dtype=torch.uint8)[:, None, None, None].expand(2, 16, 16, 3)
    for size in (16, 8, 24):
        x = to_input(chips, size)
        assert x.shape == (2, 3, size, size)
        torch.testing.assert_close(x[0], torch.full_like(x[0], -1))
        torch.testing.assert_close(x[1], torch.full_like(x[1], 1))
    with pytest.raises(FacelabError, match=r"\(2, 3, 8, 8\)"):
        to_input(x[:, :, :8, :8], 8)


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.uint16, np.int64, bool])
def test_chips_of_another_kind_are_refused_by_all_who_take_chips(kind):
    """As 0 to 255, pixels in [0, 1] are all black: all people are alike."""
    chips = CHIPS.astype(kind)
    with pytest.raises(FacelabError, match=rf"torch\.{np.dtype(kind)}.*expected uint8.*to_rgb8"):
        Embedder(nn.Flatten(), size=40, device="cpu")(chips)
    with pytest.raises(FacelabError, match="to_rgb8"):
        FaceSet("floats", chips, pd.DataFrame({"identity": ["a"] * 7}))


@pytest.mark.parametrize("shape", [(40, 34), (34, 40), (33, 40)])
def test_chips_that_are_not_square_get_margins_and_keep_their_proportions(shape):
    """Chips of SphereFace, 112 x 96, are those of ArcFace without 8 columns on each side; nobody stretches them."""
    top, left = (40 - shape[0]) // 2, (40 - shape[1]) // 2
    cut = CHIPS[:, top : top + shape[0], left : left + shape[1]]
    whole = np.zeros_like(CHIPS)
    whole[:, top : top + shape[0], left : left + shape[1]] = cut
    embed, table = Embedder(nn.Flatten(), size=20, device="cpu"), pd.DataFrame({"identity": ["a"] * 7})
    with pytest.warns(UserWarning, match=rf"chips of {shape[1]} x {shape[0]} pixels are not square.*40 x 40"):
        np.testing.assert_allclose(embed(cut), embed(whole), atol=1e-6)
    with pytest.warns(UserWarning, match="not square"):
        small = FaceSet("cut", list(cut), table).resized(20).array()
    np.testing.assert_array_equal(small, FaceSet("whole", whole, table).resized(20).array())


@pytest.mark.parametrize(("size", "dim"), [(64, 128), (112, 512)])
def test_network_maps_chips_to_embeddings(size, dim):
    network = resnet34(dim)
    assert network(torch.zeros(2, 3, size, size)).shape == (2, dim)


def test_head_centres_and_scales_each_dimension():
    network = resnet34(16).train()
    embeddings = network(torch.randn(32, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(embeddings.mean(dim=0), torch.zeros(16), atol=1e-4, rtol=0)
    torch.testing.assert_close(embeddings.var(dim=0, unbiased=False), torch.ones(16), atol=1e-2, rtol=0)
    assert not any(isinstance(module, nn.BatchNorm1d) for module in resnet34(16, batch_norm=False).modules())


def test_pretrained_weights_are_loaded_from_torch_home(tmp_path, monkeypatch):
    """A file of the layout that torchvision downloads, made here from a random network."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None, raising=False)
    original = torchvision_resnet34()
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    torch.save(original.state_dict(), tmp_path / "hub" / "checkpoints" / "resnet34-b627a593.pth")
    loaded = resnet34(8, pretrained=True)[0]
    for name, tensor in loaded.state_dict().items():
        torch.testing.assert_close(tensor, original.state_dict()[name])


def test_pretrained_weights_offline_are_a_clear_error(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def offline(*args, **kwargs):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr("torch.hub.urlopen", offline)
    with pytest.raises(FacelabError, match="pretrained=False"):
        resnet34(8, pretrained=True)


@pytest.fixture(scope="module")
def embedder():
    torch.manual_seed(0)
    return Embedder(resnet34(8), size=32)


def test_embeddings_have_length_one_or_their_own(embedder):
    embeddings = embedder(CHIPS)
    assert embeddings.shape == (7, 8)
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-6)
    raw = embedder(CHIPS, normalize=False)
    np.testing.assert_allclose(raw / np.linalg.norm(raw, axis=1, keepdims=True), embeddings, atol=1e-6)


def test_batch_size_does_not_matter(embedder):
    small = Embedder(embedder.network, size=32, batch_size=2)
    np.testing.assert_allclose(small(CHIPS), embedder(CHIPS), atol=1e-5)


def test_a_face_set_gives_what_its_array_gives(embedder, toy_chips):
    np.testing.assert_array_equal(embedder(toy_chips), embedder(toy_chips.array()))


class Counted(np.ndarray):
    """An image that is counted while it lives."""


class Reader(Sequence):
    """Makes each image when it is asked for, and knows how many of them were alive at once."""

    def __init__(self, sizes):
        self.sizes, self.alive, self.most = sizes, 0, 0

    def __len__(self):
        return len(self.sizes)

    def __getitem__(self, index):
        image = np.full((self.sizes[index],) * 2 + (3,), index, np.uint8).view(Counted)
        self.alive += 1
        self.most = max(self.most, self.alive)
        weakref.finalize(image, self._gone)
        return image

    def _gone(self):
        self.alive -= 1


def face_set(images):
    return FaceSet("read", images, pd.DataFrame({"identity": ["a"] * len(images)}))


def test_a_face_set_is_read_batch_by_batch(embedder):
    """Not more images are held than two batches; the embeddings are those of the whole array, bit for bit."""
    reader = Reader([32] * 50)
    small = Embedder(embedder.network, size=32, batch_size=4)
    embeddings = small(face_set(reader))
    assert reader.most <= 8
    images = np.stack([np.asarray(reader[i]) for i in range(50)])
    np.testing.assert_array_equal(embeddings, small(images))
    with torch.inference_mode():  # as it was written before: all chips in one array, cut into batches
        whole = torch.cat([small.network(to_input(torch.from_numpy(images[i : i + 4]), 32)) for i in range(0, 50, 4)])
    np.testing.assert_array_equal(embeddings, nn.functional.normalize(whole).numpy())


@pytest.mark.parametrize("odd", [2, 9])
def test_an_image_of_another_size_is_named_also_in_a_later_batch(embedder, odd):
    sizes = [32] * 12
    sizes[odd] = 40
    with pytest.raises(FacelabError, match=rf"'read': image {odd} has the shape \(40, 40, 3\), image 0 \(32, 32, 3\)"):
        Embedder(embedder.network, size=32, batch_size=4)(face_set(Reader(sizes)))


def test_evaluation_mode_is_kept(embedder):
    before = embedder(CHIPS)
    embedder.network.train()
    np.testing.assert_array_equal(embedder(CHIPS), before)


def test_nothing_to_embed_and_nan_are_errors(embedder):
    with pytest.raises(FacelabError, match="no chips"):
        embedder(CHIPS[:0])
    broken = resnet34(8)
    nn.init.constant_(broken[2].weight, float("nan"))
    with pytest.raises(FacelabError, match="chip 0 is not finite"):
        Embedder(broken, size=32)(CHIPS)


def test_flip_adds_the_embedding_of_the_mirrored_chip():
    torch.manual_seed(0)
    network, chips = resnet34(16), np.random.default_rng(0).integers(0, 256, (3, 40, 40, 3), dtype=np.uint8)
    plain, flip = (Embedder(network, size=32, device="cpu", batch_size=2, flip=flip) for flip in (False, True))
    total = plain(chips, normalize=False) + plain(chips[:, :, ::-1], normalize=False)
    np.testing.assert_allclose(flip(chips, normalize=False), total, atol=1e-5)
    np.testing.assert_allclose(flip(chips), total / np.linalg.norm(total, axis=1, keepdims=True), atol=1e-5)
    np.testing.assert_allclose(flip(chips), flip(chips[:, :, ::-1]), atol=1e-5)  # a mirror image has the same one
