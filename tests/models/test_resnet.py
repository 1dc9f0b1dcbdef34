"""ResNet against the paper's sizes, a definition of its blocks, and another implementation."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from zoo.errors import UserError
from zoo.models.resnet import Basic, Bottleneck, ResNet


def parameters(depth, shape=(3, 32, 32), classes=10, **options):
    with torch.device("meta"):
        return sum(p.numel() for p in ResNet(shape, classes, depth, **options).parameters())


@pytest.mark.parametrize(
    ("depth", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7)]
)
def test_small_images_sizes_are_those_of_the_paper(depth, millions):
    assert parameters(depth) / 1e6 == pytest.approx(millions, rel=0.03)  # table 6, rounded


@pytest.mark.parametrize(
    ("depth", "count"),
    [(18, 11_689_512), (34, 21_797_672), (50, 25_557_032), (101, 44_549_160), (152, 60_192_808)],
)
def test_photographs_sizes_are_those_published(depth, count):
    assert parameters(depth, (3, 224, 224), 1000) == count


def test_names_are_torchvisions():
    with torch.device("meta"):
        names = set(ResNet((3, 224, 224), 1000, 50).state_dict())
    assert len(names) == 320
    assert {
        "conv1.weight", "bn1.running_var", "layer1.0.downsample.0.weight", "fc.bias",
        "layer1.0.downsample.1.num_batches_tracked", "layer3.5.conv3.weight", "layer4.2.bn3.bias",
    } <= names  # fmt: skip


@pytest.mark.parametrize("shortcut", ["pad", "projection", None])
@pytest.mark.parametrize("kind", [Basic, Bottleneck])
def test_a_block_is_its_equation(kind, shortcut):
    torch.manual_seed(0)
    block = kind(4, 6, 2, shortcut).double().eval()
    for norm in (m for m in block.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
        nn.init.normal_(norm.weight)
    x = torch.randn(2, 4, 8, 8, dtype=torch.float64)

    def normed(h, n):
        norm = getattr(block, f"bn{n}")
        mean, scale = norm.running_mean, norm.weight / (norm.running_var + 1e-5).sqrt()
        return (h - mean[:, None, None]) * scale[:, None, None] + norm.bias[:, None, None]

    convolutions = [block.conv1, block.conv2, *([block.conv3] if kind is Bottleneck else [])]
    h = x
    for n, convolution in enumerate(convolutions, start=1):
        strided = n == len(convolutions) - 1
        stride = 2 if (strided if kind is Bottleneck else n == 1) else 1
        weight = convolution.weight
        h = normed(F.conv2d(h, weight, stride=stride, padding=weight.shape[-1] // 2), n)
        h = h.relu() if n < len(convolutions) else h
    if shortcut == "pad":
        around = torch.zeros_like(h)
        before = (h.shape[1] - 4) // 2
        around[:, before : before + 4] = x[:, :, ::2, ::2]
        h = h + around
    elif shortcut == "projection":
        h = h + block.downsample(x)
    torch.testing.assert_close(block(x), h.relu())


def test_without_skip_connections_a_block_is_its_convolutions():
    model = ResNet((3, 32, 32), 10, 20, residual=False)
    assert not any("downsample" in name for name, _ in model.named_modules())
    for block in (m for m in model.modules() if isinstance(m, Basic)):
        nn.init.zeros_(block.bn2.weight)
        nn.init.zeros_(block.bn2.bias)
    features = model.layer1(torch.randn(2, 16, 8, 8))
    assert (features == 0).all()


@pytest.mark.parametrize(
    ("options", "side"), [({}, 8), ({"depth": 18}, 1), ({"depth": 18, "stem": "small"}, 4)]
)
def test_the_stem_decides_the_size(options, side):
    model = ResNet((3, 32, 32), 10, **{"width": 4} | options)
    sizes = []
    last = getattr(model, model.stages[-1])
    last.register_forward_hook(lambda module, given, output: sizes.append(output.shape[-1]))
    model(torch.randn(2, 3, 32, 32))
    assert sizes == [side]


@pytest.mark.parametrize("depth", [19, 2, 51])
def test_an_impossible_depth(depth):
    with pytest.raises(UserError, match=f"model.depth={depth}: expected one of 18, .* 110"):
        ResNet((3, 32, 32), 10, depth)


def test_a_table_is_refused():
    with pytest.raises(UserError, match="needs images of shape"):
        ResNet((30,), 2)
