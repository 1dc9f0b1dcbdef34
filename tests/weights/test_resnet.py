"""Files of torchvision's ResNets: the same names and, where it is installed, the same logits."""

import importlib.util

import pytest
import torch

from zoo.models.resnet import ResNet
from zoo.registry import MODELS
from zoo.weights.load import load_weights
from zoo.weights.source import open_source


@pytest.fixture(scope="module")
def models():
    """torchvision.models; with a CPU build of torch its compiled operators are declared first."""
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed")
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision.models

    yield torchvision.models
    del library


@pytest.mark.parametrize("depth", [18, 50])
def test_logits_are_torchvisions(models, tmp_path, depth):
    torch.manual_seed(0)
    reference = getattr(models, f"resnet{depth}")(num_classes=7).eval()
    for name, buffer in reference.named_buffers():
        if "running" in name:
            buffer += 0.3 * torch.rand_like(buffer)
    torch.save(reference.state_dict(), tmp_path / "weights.pth")
    source = open_source(str(tmp_path / "weights.pth"))
    assert source.settings["depth"] == depth
    model = ResNet((3, 64, 64), 7, **source.settings).eval()
    load_weights(model, source.tensors, "torchvision", [], [])
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(model(x), reference(x), rtol=1e-4, atol=1e-4)
        x, model, reference = x.double(), model.double(), reference.double()
        torch.testing.assert_close(model(x), reference(x), rtol=1e-10, atol=1e-10)


def test_files_of_torchvision_and_timm_are_read(tmp_path):
    torch.manual_seed(0)
    model = MODELS.build({"name": "resnet", "depth": 18}, input_shape=(3, 48, 48), num_classes=5)
    tensors = {n: t for n, t in model.state_dict().items() if "num_batches" not in n}  # old files
    torch.save(tensors, tmp_path / "resnet18-f37072fd.pth")
    source = open_source(str(tmp_path / "resnet18-f37072fd.pth"))
    assert source.settings["depth"] == 18 and source.settings["stem"] == "large"
    other = MODELS.build(
        {"name": "resnet", **source.settings}, input_shape=(3, 48, 48), num_classes=5
    )
    report = load_weights(other, source.tensors, "x", [], [])
    assert len(report.loaded) == len(tensors)
