"""The features of a classifier: what its output layer reads, as points for TensorBoard's projector.

Shapes: N samples, K classes, D features, C channels, H and W height and width.
"""

import colorsys
import time
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.naming import HEADS
from zoo.tasks.capabilities import Points

SIDE, FRAME = 24, 2  # pixels of a thumbnail, and of the frame in its class's colour
PART, SECONDS = 50, 1.0  # samples computed at a time, until so much time is over
MOST_FEATURES = 200  # of more, the projector itself takes random projections
HUES = 10


def class_points(
    model: nn.Module, samples: Tensor, target: Tensor, names: Sequence[str]
) -> Points | None:
    """The features of samples; None if the model has no output layer of a usual name.

    Args:
        model: In evaluation mode; (N, ...) to logits (N, K).
        samples: (N, ...); images (N, C, H, W) become thumbnails.
        target: Int64 (N,).
        names: Of the K classes.
    """
    heads = [m for n, m in model.named_modules() if n.rpartition(".")[2] in HEADS]
    if not heads:
        return None
    features: list[Tensor] = []
    logits: list[Tensor] = []
    hook = heads[0].register_forward_pre_hook(lambda module, inputs: features.append(inputs[0]))
    try:
        start = time.perf_counter()
        for part in samples.split(PART):
            logits.append(model(part))
            if time.perf_counter() - start > SECONDS:
                break
    finally:
        hook.remove()
    vectors = torch.cat(features).float().flatten(1).cpu()
    if not bool(vectors.isfinite().all()):
        return None
    number, name = len(vectors), "features"
    if vectors.shape[1] > MOST_FEATURES:
        centred = vectors - vectors.mean(0)
        vectors = torch.linalg.svd(centred, full_matrices=False)[2][:MOST_FEATURES] @ centred.mT
        vectors, name = vectors.mT, "principal components of features"
    predicted, target = torch.cat(logits).argmax(1).tolist(), target[:number].cpu()
    columns = {  # the page shows the first that has more than numbers, or else the first
        "class": [names[k] for k in target.tolist()],
        "predicted": [names[k] for k in predicted],
        "correct": ["1" if p == t else "0" for p, t in zip(predicted, target.tolist())],
    }
    images = thumbnails(samples[:number], target, len(names)) if samples.dim() == 4 else None
    return Points(name, vectors, columns, images)


def thumbnails(samples: Tensor, target: Tensor, classes: int) -> Tensor:
    """Images of any range (N, C, H, W) as uint8 (N, S, S, 3), framed in the colours of classes:
    TensorBoard's page shows none before a colour is chosen there."""
    samples = samples.detach().float().cpu()
    low, high = samples.amin((1, 2, 3), keepdim=True), samples.amax((1, 2, 3), keepdim=True)
    samples = (samples - low) / (high - low).clamp(min=1e-12)
    if samples.shape[1] != 3:
        samples = samples.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    mode = "area" if max(samples.shape[2:]) > SIDE else "nearest"
    inner = F.interpolate(samples, size=(SIDE, SIDE), mode=mode)
    number = min(classes, HUES)
    hues = [colorsys.hsv_to_rgb(k / number, 1 - 0.4 * (k % 2), 1.0) for k in range(number)]
    frames = torch.tensor(hues)[target % number]  # (N, 3)
    size = SIDE + 2 * FRAME
    framed = frames[:, :, None, None].repeat(1, 1, size, size)
    framed[:, :, FRAME:-FRAME, FRAME:-FRAME] = inner
    return (255 * framed).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()
