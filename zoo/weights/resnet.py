"""ResNets' weights: torchvision's and timm's names, which are ours, and those of `transformers`."""

import re
from collections.abc import Iterator
from typing import Any

from zoo.weights.family import (
    Family,
    Link,
    Misfit,
    Settings,
    Tensors,
    count,
    labels,
    misfits,
    need,
)
from zoo.weights.fields import Fields, check_sizes

BLOCKS: dict[
    tuple[tuple[int, ...], bool], int
] = {  # blocks of each stage, bottlenecks or not: depth
    ((2, 2, 2, 2), False): 18,
    ((3, 4, 6, 3), False): 34,
    ((3, 4, 6, 3), True): 50,
    ((3, 4, 23, 3), True): 101,
    ((3, 8, 36, 3), True): 152,
}
LAYERS = {depth: blocks for (blocks, _), depth in BLOCKS.items()}
MARK = "embedder.embedder.convolution.weight"
PLAIN = re.compile(
    r"(tv_|ssl_|swsl_|gluon_)?resnet(18|34|50|101|152)(_v1b)?(\..*)?"
)  # timm's names
STATISTICS = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def keep_all(tensors: Tensors) -> Tensors:
    """All as they are."""
    return tensors


def settings_of_torchvision(tensors: Tensors, config: dict[str, Any]) -> Settings:
    """The depth by counting blocks, the stem by its kernel.

    Raises:
        ValueError: A depth that no model of ours has; a variant of timm's under the same names.
    """
    architecture = config.get("architecture")
    if architecture and not PLAIN.fullmatch(str(architecture)):
        raise ValueError(
            f"resnet: config.json has architecture={architecture}, expected resnet18, 34, 50, 101 "
            f"or 152 without variations"
        )
    stages = max(int(m[1]) for name in tensors if (m := re.match(r"layer(\d+)\.", name)))
    blocks = tuple(count(tensors, f"layer{k}.") for k in range(1, stages + 1))
    bottleneck = "layer1.0.conv3.weight" in tensors
    depth = BLOCKS.get((blocks, bottleneck))
    if depth is None and stages == 3 and len(set(blocks)) == 1 and not bottleneck:
        depth = 6 * blocks[0] + 2
    stem = need(tensors, "conv1.weight", "resnet")
    if depth is None or stem.shape[-1] not in (3, 7):
        raise ValueError(
            f"resnet: {blocks} blocks behind a stem of {tuple(stem.shape)} is no depth"
        )
    if "fc.weight" in tensors:
        check_sizes("resnet", config, {"num_classes": len(tensors["fc.weight"])})
    projections = any(".downsample." in name for name in tensors)
    return {
        "depth": depth,
        "width": len(stem),
        "stem": "large" if stem.shape[-1] == 7 else "small",
        "shortcut": "projection" if projections else "pad",
        "residual": True,
    }


def links_to_torchvision(settings: Settings) -> Iterator[Link]:
    """The names are the same."""
    yield from ()


def no_misfits(settings: Settings) -> list[Misfit]:
    """The names are ours, whatever the options."""
    return []


def clean(tensors: Tensors) -> Tensors:
    """A trunk alone lacks `resnet.`."""
    trunk = all(name.split(".")[0] in ("embedder", "encoder", "pooler") for name in tensors)
    return {f"resnet.{name}": t for name, t in tensors.items()} if trunk else tensors


def settings(tensors: Tensors, config: dict[str, Any]) -> Settings:
    """As torchvision's.

    Raises:
        ValueError: A depth or a variant that no model of ours has.
    """
    stage = "resnet.encoder.stages."
    stages = count(tensors, stage)
    blocks = tuple(count(tensors, f"{stage}{k}.layers.") for k in range(stages))
    bottleneck = f"{stage}0.layers.0.layer.2.convolution.weight" in tensors
    depth = BLOCKS.get((blocks, bottleneck))
    kind = "bottleneck" if bottleneck else "basic"
    stem = tensors["resnet.embedder.embedder.convolution.weight"]
    width = len(stem)
    sizes: dict[str, Any] = {"num_channels": stem.shape[1], "embedding_size": width}
    check_sizes("resnet", config, sizes | {"depths": blocks, "layer_type": kind})
    if depth is None:
        raise ValueError(
            f"resnet: layer_type={kind} with depths={list(blocks)} is no depth that we know"
        )
    widths = [width * (4 if bottleneck else 1) * 2**k for k in range(4)]
    if (found := _stage_widths(tensors, stage, bottleneck)) != widths:
        raise ValueError(
            f"resnet: hidden_sizes={found} with embedding_size={width}, expected {widths}"
        )
    check_sizes("resnet", config, {"hidden_sizes": widths})
    return {
        "depth": depth,
        "width": width,
        "stem": "large",
        "shortcut": "projection",
        "residual": True,
    }


def _stage_widths(tensors: Tensors, stage: str, bottleneck: bool) -> list[int]:
    last = "2" if bottleneck else "1"  # convolution of a block
    names = [f"{stage}{k}.layers.0.layer.{last}.convolution.weight" for k in range(4)]
    return [len(tensors[name]) for name in names]


def links(settings: Settings) -> Iterator[Link]:
    """Our names and those of `transformers`."""
    depth = settings["depth"]
    yield from _pair("conv1", "bn1", "resnet.embedder.embedder")
    for k, blocks in enumerate(LAYERS[depth]):
        for n in range(blocks):
            block, published = f"layer{k + 1}.{n}", f"resnet.encoder.stages.{k}.layers.{n}"
            for c in range(3 if depth >= 50 else 2):
                names = f"{block}.conv{c + 1}", f"{block}.bn{c + 1}"
                yield from _pair(*names, f"{published}.layer.{c}")
            if n == 0:
                names = f"{block}.downsample.0", f"{block}.downsample.1"
                yield from _pair(*names, f"{published}.shortcut")
    for kind in ("weight", "bias"):
        yield Link(f"fc.{kind}", (f"classifier.1.{kind}",))


def _pair(convolution: str, norm: str, published: str) -> Iterator[Link]:
    yield Link(f"{convolution}.weight", (f"{published}.convolution.weight",))
    for kind in STATISTICS:
        yield Link(f"{norm}.{kind}", (f"{published}.normalization.{kind}",))


def cannot_express(settings: Settings) -> list[Misfit]:
    """Options without a counterpart: nets for small images, and without residual connections."""
    return misfits(
        settings,
        depth=[18, *LAYERS],
        stem=["large", None],
        shortcut=["projection", None],
        residual=True,
    )


def config(settings: Settings) -> dict[str, Any]:
    """config.json of a `ResNetForImageClassification`."""
    depth = settings["depth"]
    width = settings.get("width") or 64
    wider = 4 if depth >= 50 else 1
    return {
        "model_type": "resnet",
        "architectures": ["ResNetForImageClassification"],
        "num_channels": settings["input_shape"][0],
        "embedding_size": width,
        "hidden_sizes": [width * wider * 2**k for k in range(4)],
        "depths": list(LAYERS[depth]),
        "layer_type": "bottleneck" if depth >= 50 else "basic",
        "hidden_act": "relu",
        "downsample_in_first_stage": False,
    } | labels(settings)


RESNET = Family(
    "resnet",
    "resnet",
    clean,
    (f"resnet.{MARK}", MARK),
    Fields(
        family="resnet",
        types=("resnet",),
        used=("num_channels", "embedding_size", "hidden_sizes", "depths", "layer_type"),
        fixed={
            "hidden_act": ("relu",),
            "downsample_in_first_stage": (False,),
            "downsample_in_bottleneck": (False,),
        },
        without_effect=("out_features", "out_indices", "stage_names"),
    ),
    settings,
    links,
    cannot_express,
    config,
)
TORCHVISION = Family(
    "torchvision",
    "resnet",
    keep_all,
    ("layer1.0.conv1.weight",),
    Fields(
        family="resnet",
        types=("resnet",),
        used=("architecture", "num_classes"),
        fixed={"global_pool": ("avg",), "model_args": ()},
        without_effect=("num_features", "pretrained_cfg", "library_name"),
    ),
    settings_of_torchvision,
    links_to_torchvision,
    no_misfits,
    None,
)
