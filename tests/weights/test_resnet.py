"""Files of torchvision's ResNets: the same names and, where it is installed, the same logits."""

import importlib.util
import json

import pytest
import torch
from safetensors.torch import save_file

from zoo.errors import UserError
from zoo.models.resnet import ResNet
from zoo.registry import MODELS
from zoo.weights.adopt import pixel_notes
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


TIMM = {
    "architecture": "resnet18", "num_classes": 4, "num_features": 32, "global_pool": "avg",
    "pretrained_cfg": {"tag": "a1_in1k", "mean": [0.485, 0.456, 0.406],
                       "std": [0.229, 0.224, 0.225], "crop_pct": 0.95},
}  # fmt: skip


def write_timm(folder, **changed):
    torch.manual_seed(0)
    tensors = ResNet((3, 8, 8), 4, 18, width=4).state_dict()
    save_file({n: t.contiguous() for n, t in tensors.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(TIMM | changed))


def test_a_repository_of_timms(tmp_path):
    write_timm(tmp_path)
    source = open_source(str(tmp_path))
    assert source.settings["depth"] == 18 and source.notes == ()
    assert pixel_notes({"normalize": "imagenet"}, source) == ()
    (note,) = pixel_notes({"normalize": "fitted"}, source)
    assert "expect images of mean 0.485, 0.456, 0.406" in note
    assert note.endswith("set data.normalize=imagenet")
    write_timm(tmp_path, pretrained_cfg={"mean": [0.5] * 3, "std": [0.5] * 3})
    (note,) = pixel_notes({"normalize": "imagenet"}, open_source(str(tmp_path)))
    assert note.endswith("the data normalises them by its own")


def test_the_preprocessor_of_transformers(tmp_path):
    write_timm(tmp_path, pretrained_cfg={})
    content = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "do_normalize": True}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(content))
    assert open_source(str(tmp_path)).pixels == ([0.5] * 3, [0.5] * 3)
    content["do_normalize"] = False
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(content))
    assert open_source(str(tmp_path)).pixels is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("architecture", "resnetaa50"),  # the names and shapes of resnet50
        ("architecture", "resnetblur18"),
        ("architecture", "wide_resnet50_2"),
        ("num_classes", 1000),
        ("global_pool", "max"),
        ("model_args", {"output_stride": 8}),
        ("model_type", "regnet"),
    ],
)
def test_variants_of_timms_are_refused(name, value, tmp_path):
    write_timm(tmp_path, **{name: value})
    with pytest.raises(UserError, match=f"{name}="):
        open_source(str(tmp_path))


@pytest.mark.parametrize("name", ["resnet18.a1_in1k", "tv_resnet18", "gluon_resnet18_v1b"])
def test_names_of_timms_plain_resnets(name, tmp_path):
    write_timm(tmp_path, architecture=name)
    assert open_source(str(tmp_path)).settings["depth"] == 18
