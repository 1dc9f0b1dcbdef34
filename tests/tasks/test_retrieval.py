"""Recalls and the accuracy among neighbours, against counting one by one."""

import pytest
import torch
import torch.nn.functional as F

from zoo.tasks.retrieval import CHANCE, chances, nearest, retrieval


def rows_of(number=40, groups=15, noise=1.0):
    """Images near their captions; several of a caption, in any order."""
    generator = torch.Generator().manual_seed(0)
    own = torch.cat(
        [torch.arange(groups), torch.randint(groups, (number - groups,), generator=generator)]
    )
    own = own[torch.randperm(number, generator=generator)]
    vectors = F.normalize(torch.randn(groups, 6, generator=generator), dim=1)
    images = vectors[own] + noise * torch.randn(number, 6, generator=generator)
    numbers = 7 * torch.randperm(groups, generator=generator) + 3  # of captions, in no order
    places = torch.randint(100, (groups,), generator=generator)
    return {
        "image": F.normalize(images, dim=1),
        "text": vectors[own],
        "group": numbers[own],
        "place": places[own],
    }


def counted(rows, k):
    """Recalls at k and the accuracy among four neighbours, without tensors of all."""
    captions = {int(g): (t, int(p)) for g, t, p in zip(rows["group"], rows["text"], rows["place"])}
    found = right = 0
    for image, group in zip(rows["image"], rows["group"].tolist()):
        scores = {g: float(image.double() @ t.double()) for g, (t, _) in captions.items()}
        found += sum(s >= scores[group] for s in scores.values()) <= k
        place = captions[group][1]
        order = sorted(captions, key=lambda g: (abs(captions[g][1] - place), captions[g][1]))
        near = [g for g in order if g != group][:3]
        right += all(scores[g] < scores[group] for g in near)
    seen = 0
    for group, (text, _) in captions.items():
        scores = (rows["image"].double() @ text.double()).tolist()
        best = sorted(range(len(scores)), key=lambda i: -scores[i])[:k]
        seen += any(int(rows["group"][i]) == group for i in best)
    return found / len(rows["group"]), seen / len(captions), right / len(rows["group"])


@pytest.mark.parametrize("k", [1, 5])
def test_equal_to_counting(k, monkeypatch):
    rows = rows_of()
    rows["place"] = rows["group"] * 3  # no two captions at one place
    caption, image, right = counted(rows, k)
    for chunk in (1024, 7):
        monkeypatch.setattr("zoo.tasks.retrieval.CHUNK", chunk)
        means = retrieval(rows, 4)
        assert float(means[f"caption_recall_{k}"]) == pytest.approx(caption)
        assert float(means[f"image_recall_{k}"]) == pytest.approx(image)
        assert float(means["neighbour_accuracy"]) == pytest.approx(right)
    assert 0.2 < right < 1 and 0.1 < caption < 1


def test_equal_vectors_are_no_better_than_chance():
    rows = rows_of()
    rows["image"] = torch.ones_like(rows["image"])
    rows["text"] = torch.ones_like(rows["text"])
    means = retrieval(rows, 4)
    for name in [name for name in means if not name.startswith(CHANCE)]:
        assert float(means[name]) == pytest.approx(float(means[CHANCE + name]))


@pytest.mark.parametrize("levels", [1.0, 0.5])
def test_equally_near_ones_come_in_random_order(levels):
    """As in the mean over many orders: vectors of few values, with tiny differences at random."""
    rows = rows_of()
    rows["text"], rows["image"] = (
        (rows[name] / levels).round()[:, :2] for name in ("text", "image")
    )
    expected, sums, tries = retrieval(rows, 4), {}, 300
    generator = torch.Generator().manual_seed(2)
    for _ in range(tries):
        texts = 1e-4 * torch.rand(120, 2, generator=generator)[rows["group"]]
        images = torch.rand(40, 2, generator=generator) - 0.5
        apart = rows | {  # their products are a small difference of each pair
            "text": torch.cat([rows["text"], texts], 1),
            "image": torch.cat([rows["image"], images], 1),
        }
        for name, value in retrieval(apart, 4).items():
            sums[name] = sums.get(name, 0) + float(value) / tries
    for name, value in expected.items():
        assert float(value) == pytest.approx(sums[name], abs=0.03), name


def test_chance_is_what_random_vectors_reach():
    rows, sums = rows_of(), {}
    generator = torch.Generator().manual_seed(1)
    for _ in range(300):
        rows["image"] = torch.randn(40, 6, generator=generator)
        texts = torch.randn(120, 6, generator=generator)
        rows["text"] = texts[rows["group"]]
        for name, value in retrieval(rows, 4).items():
            sums[name] = sums.get(name, 0) + float(value) / 300
    for name in ("caption_recall_1", "caption_recall_5", "image_recall_1", "image_recall_5"):
        assert sums[name] == pytest.approx(sums[CHANCE + name], abs=0.02)
    assert sums["neighbour_accuracy"] == pytest.approx(0.25, abs=0.02)


def test_the_nearest_are_the_nearest():
    place = torch.tensor([10, 0, 11, 30, 13, 12])
    near = nearest(place, 3)
    assert near[:, 0].tolist() == list(range(6))
    assert near[0].tolist() == [0, 2, 5] and near[3].tolist() == [3, 4, 5]
    assert near[5].tolist()[1:] == [2, 4]  # as near as each other, the lower first
    assert nearest(place, 99).shape == (6, 6)


def test_without_an_order_there_are_no_neighbours():
    rows = rows_of()
    del rows["place"]
    assert not any("neighbour" in name for name in retrieval(rows, 4))


def test_chance_in_a_batch():
    same = torch.eye(4, dtype=torch.bool)
    sums = chances(same)
    assert float(sums[f"{CHANCE}loss"]) == pytest.approx(4 * torch.tensor(4.0).log().item())
    assert float(sums[f"{CHANCE}accuracy"]) == 1.0


def test_an_image_with_several_captions_is_one_image():
    """It is found for each of them, and any of them for it; it is no other image than itself."""
    generator = torch.Generator().manual_seed(0)
    vectors = F.normalize(torch.randn(6, 8, generator=generator), dim=1)
    picture = torch.arange(6).repeat_interleave(3)
    texts = F.normalize(vectors[picture] + 0.2 * torch.randn(18, 8, generator=generator), dim=1)
    rows = {"image": vectors[picture], "text": texts, "group": torch.arange(18)}
    apart, together = retrieval(rows, 4), retrieval(rows | {"picture": picture + 40}, 4)
    assert float(apart["image_recall_1"]) == pytest.approx(1 / 3)  # of three equal ones
    assert apart["caption_recall_1"] < 0.5
    assert together["image_recall_1"] > 0.9 and together["caption_recall_1"] > 0.9
    assert float(together[f"{CHANCE}image_recall_1"]) == pytest.approx(1 / 6)
    assert float(together[f"{CHANCE}caption_recall_1"]) == pytest.approx(3 / 18)
