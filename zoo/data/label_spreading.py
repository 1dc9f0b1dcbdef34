"""Label spreading: few labels reach many samples, from neighbour to neighbour.

Zhou et al., 2004, "Learning with local and global consistency" (NIPS 16), on a graph of the nearest
neighbours among the codes that a network makes of the samples, as Iscen et al., 2019,
arXiv:1904.04717; each class gets the share that it has of the labels (class mass normalisation, Zhu
et al., 2003). `data.spread_labels=true`.
Shapes: N samples, D numbers of a code, M labels, K classes, J neighbours.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.data.dataset import Dataset, TensorSource
from zoo.errors import UserError
from zoo.phrases import plural

NEIGHBOURS = 10  # J
POWER = 3  # of the cosine of two codes: the weight of an edge
REACH = 0.99  # alpha: how much of a sample's label is its neighbours'
STEPS = 500  # after which 0.7 % of the labels' way is left
CHUNK = 1_000  # samples at once


def with_spread_labels(dataset: Dataset, few: Dataset, codes: Callable[[Tensor], Tensor]) -> None:
    """Give the training samples the labels that spread to them from a few; in place.

    Args:
        dataset: Images, with all training samples; their labels are replaced.
        few: The same data with some of these training samples alone.
        codes: Standardised images (B, C, H, W) to what tells neighbours, (B, D).

    Raises:
        UserError: The data is no images in memory with a class each.
    """
    train, labelled = dataset.splits["train"], few.splits["train"]
    in_memory = isinstance(train, TensorSource) and isinstance(labelled, TensorSource)
    if not in_memory or not {"pixel_mean", "class_counts"} <= dataset.facts.keys():
        raise UserError(
            "data.spread_labels=true is for images with one class each that fit in memory, as "
            "data=digits or data=mnist; leave it out"
        )
    images, hidden = train.columns["input"], train.columns["target"]
    known = positions(images, labelled.columns["input"])
    parts = images.split(CHUNK)
    found = torch.cat([codes(dataset.encoding.prepare({"input": x})["input"]) for x in parts])
    classes = dataset.facts["num_classes"]
    labels = spread_labels(found.cpu(), known, labelled.columns["target"], classes)
    others = torch.ones(len(labels), dtype=torch.bool)
    others[known] = False
    right = int((labels == hidden)[others].sum())
    train.columns["target"] = labels
    dataset.facts["class_counts"] = torch.bincount(labels, minlength=classes).tolist()
    dataset.notes += few.altered.get("train", [])
    dataset.notes.append(
        f"data.spread_labels=true: the labels of {plural(len(known), 'training image')} spread to "
        f"{int(others.sum()):,} others, of which {right:,} get the right one (training does not "
        f"know which)"
    )


def positions(samples: Tensor, chosen: Tensor) -> Tensor:
    """Where each of M chosen samples stands among all N, int64 (M,).

    Raises:
        UserError: One is not there.
    """
    places: dict[bytes, list[int]] = {}
    for k, row in enumerate(samples.flatten(1).numpy()):
        places.setdefault(row.tobytes(), []).append(k)
    try:  # equal samples stand in several places
        found = [places[row.tobytes()].pop(0) for row in chosen.flatten(1).numpy()]
    except (KeyError, IndexError):
        raise UserError(
            "data.spread_labels=true: trainer.max_samples leaves out images whose labels spread; "
            "leave it out"
        ) from None
    return torch.tensor(found)


def spread_labels(codes: Tensor, known: Tensor, labels: Tensor, classes: int) -> Tensor:
    """The label of each sample, int64 (N,).

    Args:
        codes: (N, D).
        known: The samples with a label, int64 (M,).
        labels: Of these, int64 (M,), each class once or more.
        classes: K.
    """
    graph, directions = neighbour_graph(codes), about_the_mean(codes)
    start = codes.new_zeros(len(codes), classes)
    start[known, labels] = 1.0
    mass = start  # (N, K): what reaches each sample of each class, F in the paper
    for _ in range(STEPS):
        mass = REACH * (graph @ mass) + (1 - REACH) * start
    alone = mass.sum(1) == 0  # no chain of neighbours leads to a label: the nearest one counts
    shares = torch.bincount(labels, minlength=classes) / len(labels)
    for _ in range(10):
        mass = mass / mass.sum(1, keepdim=True).clamp(min=1e-12)
        mass = mass * (shares / mass.mean(0).clamp(min=1e-12))
    found = mass.argmax(1)
    found[alone] = labels[(directions[alone] @ directions[known].T).argmax(1)]
    found[known] = labels
    return found


def about_the_mean(codes: Tensor) -> Tensor:
    """Directions of codes (N, D) from their mean, of length 1: products of two are cosines."""
    return F.normalize(codes - codes.mean(0), dim=1)


def neighbour_graph(codes: Tensor) -> Tensor:
    """The normalised adjacency matrix D^-1/2 W D^-1/2 of the paper, sparse (N, N).

    Two samples are linked where one is among the nearest J of the other, by the cosine of their
    codes about the mean.

    Args:
        codes: (N, D).
    """
    directions, size = about_the_mean(codes), len(codes)
    number = min(NEIGHBOURS, size - 1)
    weights, others = [], []
    for first in range(0, size, CHUNK):
        cosines = directions[first : first + CHUNK] @ directions.T
        cosines[torch.arange(len(cosines)), torch.arange(first, first + len(cosines))] = -1.0
        nearest, which = cosines.topk(number, dim=1)
        weights.append(nearest.clamp(min=0) ** POWER)
        others.append(which)
    rows = torch.arange(size).repeat_interleave(number)
    columns, values = torch.cat(others).flatten(), torch.cat(weights).flatten()
    both = torch.cat([torch.stack([rows, columns]), torch.stack([columns, rows])], dim=1)
    graph = torch.sparse_coo_tensor(both, values.repeat(2), (size, size), check_invariants=False)
    graph = graph.coalesce()
    (rows, columns), values = graph.indices(), graph.values()
    degree = codes.new_zeros(size).index_add_(0, rows, values).clamp(min=1e-12).rsqrt()
    values = degree[rows] * values * degree[columns]
    links = torch.stack([rows, columns])
    return torch.sparse_coo_tensor(
        links, values, (size, size), is_coalesced=True, check_invariants=False
    )
