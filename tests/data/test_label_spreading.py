"""Labels spread along a graph as the paper's closed form says, and to classes in their shares; a
classifier learns from those that spread among a VAE's codes."""

import json
import re

import numpy as np
import pytest
import torch

from zoo.data.label_spreading import (
    NEIGHBOURS,
    POWER,
    REACH,
    neighbour_graph,
    positions,
    spread_labels,
)
from zoo.errors import UserError
from zoo.runs.directory import find_runs

FEW = "data.train_size=5/class"
CLASSIFIER = ("model=mlp", "data=digits", "model.width=32", "optim.lr=1e-2", FEW)


def codes(samples=90, classes=3):
    """Points about the corners of a simplex, so noisy that some are nearer to another one."""
    generator = torch.Generator().manual_seed(3)
    labels = torch.arange(samples) % classes
    noise = torch.randn(samples, 6, generator=generator)
    return 2.0 * torch.eye(6)[labels] + 0.7 * noise, labels


def reference(x, known, labels, classes):
    """Zhou et al.: F = (I - alpha S)^-1 Y, dense, in float64; masses in the classes' shares."""
    x = x.double().numpy()
    x = x - x.mean(0)
    cosine = x @ x.T / np.linalg.norm(x, axis=1)[:, None] / np.linalg.norm(x, axis=1)
    np.fill_diagonal(cosine, -1)
    directed = np.zeros_like(cosine)
    for i, row in enumerate(cosine):
        nearest = np.argsort(row)[-NEIGHBOURS:]
        directed[i, nearest] = np.maximum(row[nearest], 0) ** POWER
    w = directed + directed.T
    s = w / np.sqrt(w.sum(0)) / np.sqrt(w.sum(1))[:, None]
    y = np.zeros((len(x), classes))
    y[known, labels] = 1
    f = np.linalg.solve(np.eye(len(x)) - REACH * s, y)
    shares = np.bincount(labels, minlength=classes) / len(labels)
    for _ in range(10):
        f = f / f.sum(1, keepdims=True)
        f = f * shares / f.mean(0)
    return s, f.argmax(1)


@pytest.mark.parametrize("known", [[0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 6, 9]])
def test_labels_are_those_of_the_closed_form(known):
    x, truth = codes()
    known = torch.tensor(known)
    graph, expected = reference(x, known.numpy(), truth[known].numpy(), 3)
    np.testing.assert_allclose(neighbour_graph(x).to_dense().numpy(), graph, atol=1e-5)
    found = spread_labels(x, known, truth[known], 3).numpy()
    assert (found == expected).mean() > 0.97  # ties aside


def test_most_labels_are_right():
    x, truth = codes()
    assert (spread_labels(x, torch.arange(6), truth[:6], 3) == truth).float().mean() > 0.85


def test_a_label_given_stays_though_all_neighbours_have_another():
    x, truth = codes()
    labels = truth.clone()
    labels[3] = (truth[3] + 1) % 3
    assert spread_labels(x, torch.arange(len(x)), labels, 3).equal(labels)


def test_a_class_without_a_label_gets_no_sample():
    x, truth = codes()
    assert set(spread_labels(x, torch.tensor([0, 1]), truth[:2], 4).tolist()) == {0, 1}


def test_samples_that_no_chain_of_neighbours_leads_to_have_the_label_of_the_nearest():
    generator = torch.Generator().manual_seed(0)
    corners = torch.tensor([[1.0, 0, 0], [-1, 0.3, 0], [0.1, -1, 0.5]])  # apart: no cosine above 0
    x = corners.repeat_interleave(30, 0) + 0.05 * torch.randn(90, 3, generator=generator)
    found = spread_labels(x, torch.tensor([0, 30]), torch.tensor([1, 2]), 3)
    assert found[:30].eq(1).all() and found[30:60].eq(2).all()
    assert found[60:].eq(1).all()  # none has the first class, of which no sample has a label


def test_equal_samples_stand_in_places_of_their_own():
    images = torch.tensor([[3], [1], [3], [2]], dtype=torch.uint8)
    assert positions(images, images[[0, 2, 3]]).tolist() == [0, 2, 3]
    with pytest.raises(UserError, match="trainer.max_samples leaves out images"):
        positions(images[:3], images[3:])


@pytest.fixture(scope="module")
def codes_run(trained, data_root):
    """A small VAE that has seen digits, without their labels."""
    settings = ("model.width=128", "trainer.max_steps=600", "trainer.eval_steps=600")
    return trained("codes", "experiment=vae_codes_digits", f"data.root={data_root}", *settings)


def accuracy(run):
    return json.loads((run.path / "result.json").read_text())["test"]["accuracy"]


def test_all_images_are_learnt_from(train, codes_run):
    steps = ("trainer.max_steps=60", "trainer.eval_steps=60", "seed=0")
    spread = "data.spread_labels=true", f"teacher.from={codes_run}"
    many, few = train(*CLASSIFIER, *spread, *steps), train(*CLASSIFIER, *steps)
    assert many.code == few.code == 0
    found = re.search(r"50 training images spread to (\S+) others, of which (\S+) get", many.out)
    others, right = (int(number.replace(",", "")) for number in found.groups())
    assert others > 1000 and right > 0.75 * others and accuracy(many) > accuracy(few) + 0.02
    assert "1,258 train" in many.out and "50 train" in few.out


def test_noise_is_of_the_labels_that_are_known(train, codes_run):
    spread = "data.spread_labels=true", f"teacher.from={codes_run}", "data.label_noise=0.2"
    done = train(*CLASSIFIER, *spread, "trainer.max_steps=1")
    assert "data.label_noise=0.2: 10 of 50 training labels are replaced" in done.out
    everything = train(*CLASSIFIER, *spread[:2], "data.train_size=1258", "trainer.max_steps=1")
    assert "1,258 training images spread to 0 others, of which 0 get" in everything.out


def test_a_resumed_run_learns_from_the_same_labels(train, codes_run):
    settings = (
        *CLASSIFIER,
        "schedule=constant",
        "data.spread_labels=true",
        f"teacher.from={codes_run}",
    )
    saved = "trainer.max_steps=4", "trainer.save_steps=2", "trainer.eval_steps=4"
    first = train(*settings, *saved, "seed=1")
    last = sorted(first.path.glob("checkpoints/last-*"))[-1]
    weights = {file.name: file.read_bytes() for file in last.glob("*.safetensors")}
    again = train(*settings, *saved, "seed=1", "trainer.max_steps=2")
    resumed = train(f"resume={again.path}", "trainer.max_steps=4")
    assert resumed.code == 0 and weights
    last = sorted(again.path.glob("checkpoints/last-*"))[-1]
    assert {file.name: file.read_bytes() for file in last.glob("*.safetensors")} == weights
    assert len(list(find_runs(train.outputs))) == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ((), "data.spread_labels=true spreads labels among the codes of another trained network"),
        (("data.train_size=null",), "set data.train_size=, e.g. 5/class"),
    ],
)
def test_what_is_missing_is_said(mistake, settings, message):
    assert message in mistake(*CLASSIFIER, "data.spread_labels=true", *settings)


def test_what_gives_no_codes_is_refused(mistake, digits_run, drawing_run, codes_run):
    spread = "data.spread_labels=true"
    for run, name in ((digits_run, "MLP"), (drawing_run, "VAE")):
        said = mistake(*CLASSIFIER, spread, f"teacher.from={run}")
        assert f"({name}) gives no codes of images without a class; train one with" in said
    said = mistake(
        "model=mlp", "data=rain", "data.train_size=50", spread, f"teacher.from={codes_run}"
    )
    assert "takes images of shape (1, 8, 8), got" in said
