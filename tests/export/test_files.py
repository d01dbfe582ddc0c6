"""A file from anywhere: read if facelab export wrote it, told in a line if not; nothing in it reaches out."""

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from facelab.errors import FacelabError
from facelab.models.onnx import OnnxEmbedder, read_onnx, sha256, with_metadata
from facelab.train import open_network


def changed(path, tmp_path, change, *, honest: bool = True):
    """Return a file that differs; an honest one has the checksum of what it holds."""
    model = onnx.load(path)
    texts = {line.key: json.loads(line.value) for line in model.metadata_props if line.key != "sha256"}
    if not honest:
        change(model, texts)
        (tmp_path / "changed.onnx").write_bytes(model.SerializeToString())
        return tmp_path / "changed.onnx"
    model.ClearField("metadata_props")
    change(model, texts)
    (tmp_path / "changed.onnx").write_bytes(with_metadata(model, texts))
    return tmp_path / "changed.onnx"


def refused(path) -> str:
    with pytest.raises(FacelabError) as error:
        open_network(path).embedder("cpu")
    assert len(str(error.value).splitlines()) == 1
    assert str(path) in str(error.value)
    return str(error.value)


def test_what_is_no_file_of_ours(tmp_path, exported):
    path = tmp_path / "net.onnx"
    assert "cannot read" in refused(path)
    path.write_bytes(b"")
    assert "is empty" in refused(path)
    for content in (b"not ONNX at all", bytes(1000), exported.read_bytes()[:-1000]):
        path.write_bytes(content)
        refused(path)
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "foreign",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    model = helper.make_model(graph)
    path.write_bytes(model.SerializeToString())
    assert "its metadata holds no recipe and fingerprint" in refused(path)
    source = open_network(exported)
    known = {"recipe": source.recipe.model_dump(), "fingerprint": "x", "trained_on": [], "step": 1, "total_steps": 1}
    path.write_bytes(with_metadata(model, known))
    assert "another graph" in refused(path)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.9, 0.999])
def test_one_changed_bit_is_seen(tmp_path, exported, share):
    content = bytearray(exported.read_bytes())
    content[int(share * len(content))] ^= 4
    (tmp_path / "net.onnx").write_bytes(content)
    refused(tmp_path / "net.onnx")


def test_a_changed_weight_or_metadata_is_seen(tmp_path, exported):
    def rename(model, texts):
        next(line for line in model.metadata_props if line.key == "fingerprint").value = '"another"'

    assert "was changed after" in refused(changed(exported, tmp_path, rename, honest=False))


@pytest.mark.parametrize("name", ["recipe", "fingerprint", "trained_on", "step"])
def test_metadata_of_another_kind(tmp_path, exported, name):
    for wrong in (None, 3.5, {"a": []}):
        refused(changed(exported, tmp_path, lambda model, texts, wrong=wrong: texts.update({name: wrong})))


def test_a_recipe_of_another_network(tmp_path, exported):
    path = changed(exported, tmp_path, lambda model, texts: texts["recipe"].update(embedding_dim=64))
    assert "another graph" in refused(path)


def external(tensor: TensorProto, place: str) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", place), ("offset", "0"), ("length", "4")):
        tensor.external_data.add(key=key, value=value)


@pytest.mark.parametrize("place", ["secret.bin", "../secret.bin", "/etc/hostname", "*/_ORT_MEM_ADDR_/*"])
@pytest.mark.parametrize("where", ["weight", "constant", "sparse"])
def test_data_in_another_file_is_not_read(tmp_path, exported, place, where):
    (tmp_path / "secret.bin").write_bytes(b"4 bytes and more")

    def lead_out(model, texts):
        if where == "weight":
            external(model.graph.initializer[0], place)
            return
        tensor = helper.make_tensor("value", TensorProto.FLOAT, [1], [0.0])
        external(tensor, place)
        if where == "constant":
            model.graph.node.append(helper.make_node("Constant", [], ["c"], value=tensor))
        else:
            model.graph.sparse_initializer.add(values=tensor, dims=[1])

    assert "refers to data in another file" in refused(changed(exported, tmp_path, lead_out))


def test_other_operators_and_inner_graphs_are_refused(tmp_path, exported):
    def ask(model, texts):
        model.graph.node.append(helper.make_node("EPContext", [], ["c"], domain="com.microsoft", ep_cache_context="a"))

    assert "com.microsoft.EPContext" in refused(changed(exported, tmp_path, ask))

    def nest(model, texts):
        tensor = helper.make_tensor("value", TensorProto.FLOAT, [1], [0.0])
        external(tensor, "secret.bin")
        inner = helper.make_graph([helper.make_node("Constant", [], ["c"], value=tensor)], "inner", [], [])
        model.graph.node.append(helper.make_node("If", ["x"], ["c"], then_branch=inner, else_branch=inner))

    assert "graphs in its graph" in refused(changed(exported, tmp_path, nest))

    def function(model, texts):
        model.functions.add(name="f", domain="")

    assert "graphs in its graph" in refused(changed(exported, tmp_path, function))


def test_arguments(exported, chips):
    embed = OnnxEmbedder(exported)
    with pytest.raises(FacelabError, match="computed on the CPU"):
        OnnxEmbedder(exported, device="cuda")
    with pytest.raises(FacelabError, match="expected uint8"):
        embed(chips.astype(np.float32))
    with pytest.raises(FacelabError, match="no chips"):
        embed(chips[:0])


def test_the_checksum_is_of_the_file_without_it(exported):
    model = onnx.load(exported)
    line = model.metadata_props.pop()
    assert (line.key, line.value) == ("sha256", sha256(model))
    assert read_onnx(exported).metadata["precision"] == "fp32"
