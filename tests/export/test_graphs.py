"""What leaves Python computes what it did there: by plain onnxruntime, beside PyTorch and OpenCV."""

import subprocess
import sys

import numpy as np
import onnxruntime
import pytest
import torch

from facelab.align import align_batch
from facelab.detect.mtcnn_nets import ONet, PNet, RNet, load_pretrained
from facelab.export import export_alignment, export_mtcnn
from facelab.models import Embedder, pretrained
from facelab.models.onnx import OnnxEmbedder
from facelab.train import open_network

SIZES = [(112, 112), (64, 64), (112, 96), (97, 112), (33, 48), (200, 200), (1, 1)]
# A program of somebody who has the file, NumPy and onnxruntime, and no facelab.
PLAIN = """
import sys
import numpy as np
import onnxruntime

class NoFacelab:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("facelab", "torch"):
            raise ImportError(name)

sys.meta_path.insert(0, NoFacelab())
session = onnxruntime.InferenceSession(sys.argv[1])
chips = np.load(sys.argv[2])
embedding, norm = session.run(None, {"chips": chips})
one, _ = session.run(["embedding", "norm"], {"chips": chips[:1]})
np.savez(sys.argv[3], embedding=embedding, norm=norm, one=one)
print(sorted(session.get_modelmeta().custom_metadata_map))
"""


@pytest.fixture(scope="module")
def in_torch() -> Embedder:
    return pretrained("synthfaces-arcface", device="cpu")


def test_embeddings_of_real_chips_in_a_program_without_facelab(exported, chips, in_torch, tmp_path):
    np.save(tmp_path / "chips.npy", chips)
    command = [sys.executable, "-c", PLAIN, exported, tmp_path / "chips.npy", tmp_path / "out.npz"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    out, raw = np.load(tmp_path / "out.npz"), in_torch(chips, normalize=False)
    np.testing.assert_allclose(out["embedding"], in_torch(chips), atol=1e-5, rtol=0)
    np.testing.assert_allclose(out["norm"], np.linalg.norm(raw, axis=1), rtol=1e-5)
    np.testing.assert_allclose(out["one"], out["embedding"][:1], atol=1e-5, rtol=0)
    for key in ("network", "recipe", "data", "licence", "threshold", "fingerprint", "facelab"):
        assert repr(key) in said


@pytest.mark.filterwarnings("ignore:chips of .* are not square")
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_any_size_any_kind(exported, in_torch, size):
    pixels = np.random.default_rng(0).integers(0, 256, (3, *size, 3), dtype=np.uint8)
    ours, theirs = OnnxEmbedder(exported, batch_size=2), in_torch
    np.testing.assert_allclose(ours(pixels), theirs(pixels), atol=1e-5, rtol=0)
    np.testing.assert_allclose(ours(pixels, normalize=False), theirs(pixels, normalize=False), atol=1e-4, rtol=0)
    mirrored = pretrained("synthfaces-arcface", device="cpu", flip=True)
    ours = OnnxEmbedder(exported, flip=True)
    np.testing.assert_allclose(ours(pixels, normalize=False), mirrored(pixels, normalize=False), atol=1e-4, rtol=0)


def test_the_graph_pads_by_itself_as_preprocessing_does(exported, in_torch):
    pixels = np.random.default_rng(1).integers(0, 256, (2, 96, 75, 3), dtype=np.uint8)
    with pytest.warns(UserWarning, match="not square"):
        expected = in_torch(pixels)
    found, _ = onnxruntime.InferenceSession(exported).run(None, {"chips": pixels})
    np.testing.assert_allclose(found, expected, atol=1e-5, rtol=0)


def test_the_file_is_the_network(exported):
    file, source = open_network(exported), open_network("synthfaces-arcface")
    for name in ("recipe", "fingerprint", "trained_on", "step", "total_steps"):
        assert getattr(file, name) == getattr(source, name)
    assert file.knows(["p00000", "p00500"], "synthfaces-500").tolist() == [True, False]


def test_nothing_of_this_machine_is_in_the_file(exported):
    content = exported.read_bytes()
    for trace in (b"stack_trace", b"site-packages", str(exported.parent).encode(), __file__.encode()):
        assert trace not in content


def test_alignment(tmp_path, orl, mtcnn):
    export_alignment(tmp_path / "align.onnx", 112)
    session = onnxruntime.InferenceSession(tmp_path / "align.onnx")
    for number, turns in ((0, 1), (123, 3)):
        photograph = np.ascontiguousarray(orl[number][0])
        points = mtcnn.detect([photograph])[0][0].landmarks
        landmarks = np.stack([points * 0.9 ** (turn + number % 2) + 4 * turn for turn in range(turns)])
        found = session.run(None, {"image": photograph, "landmarks": landmarks.astype(np.float32)})[0]
        expected = align_batch([photograph] * turns, landmarks)
        assert (found.shape, found.dtype) == (expected.shape, np.uint8)
        difference = np.abs(found.astype(int) - expected)
        assert difference.max() <= 1
        assert difference.mean() < 0.01
    empty = session.run(None, {"image": photograph, "landmarks": np.zeros((0, 5, 2), np.float32)})[0]
    assert empty.shape == (0, 112, 112, 3)


def test_mtcnn(tmp_path):
    export_mtcnn(tmp_path)
    random = np.random.default_rng(0)
    for network, sizes in ((PNet(), [(12, 12), (37, 90)]), (RNet(), [(24, 24)]), (ONet(), [(48, 48)])):
        load_pretrained(network)
        session = onnxruntime.InferenceSession(tmp_path / f"{type(network).__name__.lower()}.onnx")
        for number, size in zip((1, 5, 0), sizes * 3, strict=False):
            pixels = random.uniform(0, 255, (number, *size, 3)).astype(np.float32)
            if not number and isinstance(network, PNet):
                continue
            expected = network((torch.from_numpy(pixels).permute(0, 3, 1, 2) - 127.5) / 128)
            for ours, theirs in zip(session.run(None, {"pixels": pixels}), expected, strict=True):
                np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-5)
