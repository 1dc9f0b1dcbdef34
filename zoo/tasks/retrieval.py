"""How well vectors of images and of captions find each other in a whole split.

Shapes: N images, G different captions, D width, K candidates.
"""

import torch
from torch import Tensor

CHANCE = "chance/"  # what a guess reaches, among the metrics
AMONG = (1, 5)
CHUNK = 1024  # rows of similarities in memory at once


def chances(same: Tensor) -> dict[str, Tensor]:
    """Sums over a batch of what equal vectors would reach, from whether caption and image belong
    together, (B, M)."""
    size = same.new_tensor(same.shape[1], dtype=torch.float32)
    return {
        f"{CHANCE}loss": len(same) * size.log(),
        f"{CHANCE}accuracy": same.sum() / size,
    }


def retrieval(rows: dict[str, Tensor], neighbours: int) -> dict[str, Tensor]:
    """Recall of captions for images, and of images for captions; accuracy among neighbours.

    An image counts as found if any of its captions is among the first k of the split's, each once;
    for a caption, any of its images among the first k of all is right. Those that are equally near
    come in random order, and what is returned is the expectation over it: vectors that are all
    equal reach what chance does (McSherry and Najork, 2008,
    https://doi.org/10.1007/978-3-540-78646-7_38).

    Args:
        rows: Of N samples `image` and `text` (N, D), `group` (N,), the number of the caption, and
            perhaps `place` (N,), by which captions are neighbours, and `picture` (N,), the same
            number for equal images.
        neighbours: K, the right caption among them.

    Returns:
        Scalars by name, and what chance reaches, as `chance/<name>`.
    """
    first, own = first_of_each(rows["group"])  # (G,), (N,)
    texts = rows["text"].double()[first]
    picture, which = first_of_each(rows.get("picture", torch.arange(len(own))))  # (P,), (N,)
    images = rows["image"].double()[picture]
    belongs = torch.zeros(len(picture), len(first), dtype=torch.bool)  # (P, G)
    belongs[which, own] = True
    captions_near, images_near = _near(images, texts, belongs), _near(texts, images, belongs.T)
    means: dict[str, Tensor] = {}
    captions_there, images_there = torch.tensor(len(first)), torch.tensor(len(picture))
    for k in AMONG:
        means[f"caption_recall_{k}"] = _found(captions_near, k).mean()
        means[f"{CHANCE}caption_recall_{k}"] = _chance(belongs.sum(1), captions_there, k).mean()
        means[f"image_recall_{k}"] = _found(images_near, k).mean()
        means[f"{CHANCE}image_recall_{k}"] = _chance(belongs.sum(0), images_there, k).mean()
    if "place" in rows and len(first) > 1:
        near = nearest(rows["place"][first], neighbours)[own]  # (N, K)
        means |= {
            "neighbour_accuracy": _right_among(images[which], texts, near).mean(),
            f"{CHANCE}neighbour_accuracy": torch.tensor(1 / near.shape[1]),
        }
    return means


def first_of_each(numbers: Tensor) -> tuple[Tensor, Tensor]:
    """Of the U different numbers among (N,): where each is first, (U,), in their order; and which
    of them each is, (N,)."""
    found, which = numbers.unique(return_inverse=True)
    first = torch.full((len(found),), len(numbers))
    return first.scatter_reduce(0, which, torch.arange(len(numbers)), "amin"), which


def nearest(place: Tensor, count: int) -> Tensor:
    """For each place (G,) the number of itself, then of those nearest to it: int64 (G, count) or
    all there are. Of two that are equally near, the lower comes first."""
    order = place.argsort(stable=True)
    near = []
    for own in torch.arange(len(place)).split(CHUNK):
        distance = (place[own, None] - place[order]).abs()
        distance = distance.masked_fill(own[:, None] == order, -1)
        near.append(order[distance.argsort(dim=1, stable=True)[:, :count]])
    return torch.cat(near)


def _right_among(images: Tensor, texts: Tensor, candidates: Tensor) -> Tensor:
    """Probability that the first of each image's candidates (N, K) is the nearest: (N,)."""
    right = []
    for some, chosen in zip(images.split(CHUNK), candidates.split(CHUNK)):
        logits = (some[:, None] * texts[chosen]).sum(2)  # (n, K)
        own = logits[:, :1]
        right.append((logits <= own).all(1) / (logits == own).sum(1).clamp(min=1).double())
    return torch.cat(right)


def _near(asked: Tensor, others: Tensor, belongs: Tensor) -> Tensor:
    """How many of the others are nearer to each than the nearest one that belongs to it, how many
    are as near as that one, and how many of these belong to it: int64 (3, A), from vectors (A, D),
    (O, D) and bool (A, O)."""
    numbers = []
    for some, right in zip(asked.split(CHUNK), belongs.split(CHUNK)):
        logits = some @ others.T
        best = logits.masked_fill(~right, -torch.inf).amax(1, keepdim=True)
        equal = logits == best
        numbers.append(torch.stack([x.sum(1) for x in (logits > best, equal, equal & right)]))
    return torch.cat(numbers, 1)


def _found(near: Tensor, k: int) -> Tensor:
    """Probability that one that belongs to each is among the first k, from `_near`: (A,)."""
    nearer, equal, right = near
    return _chance(right, equal, k - nearer)


def _chance(own: Tensor, total: Tensor, most: Tensor | int) -> Tensor:
    """Probability that a random choice of `most` of `total` has one of `own` right ones, (N,)."""
    own, total, k = torch.broadcast_tensors(own, total, torch.as_tensor(most))
    missed = torch.ones(own.shape, dtype=torch.float64)
    for drawn in range(max(AMONG)):
        share = (total - own - drawn).clamp(min=0) / (total - drawn).clamp(min=1)
        missed = torch.where(k > drawn, missed * share, missed)
    return torch.where(own > 0, 1 - missed, 0.0)
