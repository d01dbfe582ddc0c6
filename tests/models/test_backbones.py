"""Each backbone against what is published of it."""

import pytest
import torch
from torch import nn

from facelab.errors import FacelabError
from facelab.models import BACKBONES, make_backbone


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def outputs(network, size):
    """Return (layer, its output) for each layer that has weights; on the device "meta" nothing is computed."""
    found = []
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            layer.register_forward_hook(lambda layer, _, output: found.append((layer, output)))
    network.eval()(torch.zeros(1, 3, size, size, device="meta"))
    return found


def on_meta(name, embedding_dim, **options):
    with torch.device("meta"):
        return make_backbone(name, embedding_dim, **options)


@pytest.mark.parametrize("size", [32, 45, 64])
@pytest.mark.parametrize("name", BACKBONES)
def test_chips_of_the_recipe_s_size_become_embeddings(name, size):
    network = make_backbone(name, 16, size=size, dropout=0.1)
    embeddings = network(torch.randn(3, 3, size, size, generator=torch.Generator().manual_seed(0)))
    assert embeddings.shape == (3, 16)
    torch.testing.assert_close(embeddings.mean(dim=0), torch.zeros(16), atol=1e-4, rtol=0)  # it ends in a BN
    assert [layer.p for layer in network.modules() if isinstance(layer, nn.Dropout)] == [0.1]


@pytest.mark.parametrize(
    ("name", "embedding_dim", "millions"),
    [
        ("resnet18", 1000, 11.69),  # torchvision's with its classifier of 1000 classes, without its 1000 biases
        ("resnet34", 1000, 21.80),
        ("resnet50", 1000, 25.56),
        ("iresnet50", 512, 43.59),  # InsightFace
    ],
)
def test_number_of_parameters_is_the_published_one(name, embedding_dim, millions):
    assert parameters(on_meta(name, embedding_dim)) / 1e6 == pytest.approx(millions, abs=0.006)


def test_mobilefacenet_has_the_published_parameters_and_multiply_adds():
    """Chen et al., 2018, table 2: 0.99 M, in a model whose batch normalisation is folded into a bias; 221 M MAdds."""
    network = on_meta("mobilefacenet", 128)
    folded = parameters(network)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            folded -= layer.num_features  # scale and shift become one bias
        if isinstance(layer, nn.BatchNorm1d):
            folded += layer.num_features  # it had none
    assert round(folded / 1e6, 2) == 0.99
    multiply_adds = sum(layer.weight[0].numel() * output.numel() for layer, output in outputs(network, 112))
    assert round(multiply_adds / 1e6) == 221


def test_mobilefacenet_is_the_table_of_the_paper_row_by_row():
    """Chen et al., 2018, table 1, unrolled by hand: (channels, width) after each convolution that is not depthwise."""
    rows = [(64, 56)]
    rows += [(128, 56), (64, 28), *[(128, 28), (64, 28)] * 4]
    rows += [(256, 28), (128, 14)]
    rows += [(256, 14), (128, 14)] * 6
    rows += [(512, 14), (128, 7)]
    rows += [(256, 7), (128, 7)] * 2
    rows += [(512, 7)]
    found = outputs(on_meta("mobilefacenet", 128), 112)
    dense = [output for layer, output in found if isinstance(layer, nn.Conv2d) and layer.groups == 1]
    assert [(output.shape[1], output.shape[2]) for output in dense] == rows
    whole_map, linear = found[-2:]
    assert (whole_map[0].kernel_size, whole_map[0].groups, whole_map[1].shape[1:]) == ((7, 7), 512, (512, 1, 1))
    assert linear[1].shape == (1, 128)


def test_iresnet50_has_the_layers_of_the_published_one_under_their_names():
    """3 + 4 + 14 + 3 blocks, each halves the map at its first; so that weights of InsightFace's iresnet50 load."""
    network = on_meta("iresnet50", 512)
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    for stage, (blocks, channels) in enumerate(((3, 64), (4, 128), (14, 256), (3, 512)), start=1):
        assert shapes[f"layer{stage}.{blocks - 1}.conv2.weight"] == (channels, channels, 3, 3)
        assert f"layer{stage}.{blocks}.conv2.weight" not in shapes
        assert shapes[f"layer{stage}.0.downsample.0.weight"] == (channels, max(64, channels // 2), 1, 1)
        assert f"layer{stage}.1.downsample.0.weight" not in shapes
    first = ["bn1", "conv1", "bn2", "prelu", "conv2", "bn3"]
    assert [name for name, _ in network.layer1[1].named_children() if name != "downsample"] == first
    assert shapes["fc.weight"] == (512, 512 * 7 * 7)
    assert shapes["features.bias"] == (512,)
    widths = [output.shape[2] for layer, output in outputs(network, 112) if getattr(layer, "stride", 0) == (2, 2)]
    assert widths == [56, 56, 28, 28, 14, 14, 7, 7]  # each with its shortcut


def test_iresnet50_adds_block_and_shortcut_without_an_activation_after():
    block = make_backbone("iresnet50", 8, size=32).layer1[1].eval()
    x = torch.randn(2, 64, 8, 8, generator=torch.Generator().manual_seed(0))
    nn.init.zeros_(block.bn3.weight)
    assert torch.equal(block(x), x)
    nn.init.ones_(block.bn3.weight)
    hidden = nn.functional.conv2d(x / (1 + 1e-5) ** 0.5, block.conv1.weight, padding=1) / (1 + 1e-5) ** 0.5
    hidden = torch.where(hidden > 0, hidden, 0.25 * hidden)
    expected = x + nn.functional.conv2d(hidden, block.conv2.weight, padding=1) / (1 + 1e-5) ** 0.5
    torch.testing.assert_close(block(x), expected, atol=1e-4, rtol=1e-4)


def test_bad_names_and_missing_weights_are_named():
    with pytest.raises(FacelabError, match="'resnet35': choose one of resnet18, resnet34"):
        make_backbone("resnet35", 8)
    with pytest.raises(FacelabError, match="mobilefacenet' has no ImageNet weights"):
        make_backbone("mobilefacenet", 8, pretrained=True)
