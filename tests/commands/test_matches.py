"""Captions for an image, images for a caption, classes by prompts; by commands and in Python."""

import json

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from sample_glyphs import few_glyphs

import zoo
from zoo.commands import evaluate, export, predict
from zoo.data.datasets import glyphs

CANDIDATES = "[latin small letter a,digit one,latin capital letter m]"


@pytest.fixture(scope="module")
def run(trained, tmp_path_factory):
    """A few steps of a small model on the letters of one font."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(glyphs, "load_glyphs", few_glyphs)
        yield trained(
            "clip", "model=clip", "data=glyphs", "task=contrastive", "model.image=mlp",
            "model.image.width=64", "model.text=rnn", "model.text.width=32", "model.text.depth=1",
            "model.text.pool=mean", "model.text.dropout=0", "data.val_fraction=0.05",
            "data.test_fraction=0.1", "optim.lr=1e-2", "trainer.max_steps=60",
            f"data.root={tmp_path_factory.mktemp('root')}",
        )  # fmt: skip


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Four characters as files, named by their code points."""
    folder, few = tmp_path_factory.mktemp("pictures"), few_glyphs("", 24)
    for code in map(ord, "aM1g"):
        image = few.images[int((few.codes == code).nonzero()[0]), 0]
        Image.fromarray(image.numpy()).save(folder / f"{code:04x}.png")
    return folder


def rows_of(done):
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def test_captions_are_ranked_for_each_image(run, pictures, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    asked = (f"run={run}", f"input={pictures}", f"candidates={CANDIDATES}")
    rows = rows_of(command(predict.main, *asked, "json=true"))
    assert [row["input"] for row in rows] == sorted(map(str, pictures.iterdir()))
    for row in rows:
        assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert row["probability"] == max(row["probabilities"].values())
    best = {row["input"][-8:-4]: row["caption"] for row in rows}
    assert best["004d"] == "latin capital letter m" and best["0061"] == "latin small letter a"
    table = command(predict.main, f"run={run}", f"input={pictures / '004d.png'}", *asked[2:]).out
    assert table.split()[1:4] == ["caption", "probability", "alternatives"]
    assert " ".join(table.split()).count("latin capital letter m") == 1  # no alternative to itself
    alone = zoo.load(run).predict(
        str(pictures / "0061.png"), candidates=CANDIDATES[1:-1].split(",")
    )
    assert alone[0]["probabilities"] == pytest.approx(rows[2]["probabilities"], abs=1e-5)


def test_what_is_cut_off_a_caption_is_said(run, pictures, command):
    long = "letter m " + "small " * 30
    asked = (f"run={run}", f"input={pictures / '004d.png'}", f"candidates=[digit one,{long}]")
    done = command(predict.main, *asked)
    assert done.code == 0 and "'letter m small" in done.err
    assert "of its 32 tokens the first" in done.err and done.err.count("as in training") == 1


def test_images_are_ranked_for_a_caption(run, pictures, command):
    asked = ("input=latin capital letter m", f"images={pictures}", "json=true")
    rows = rows_of(command(predict.main, f"run={run}", *asked, "top=4"))
    assert rows[0]["image"] == str(pictures / "004d.png") and len(rows) == 4
    cosines = [row["cosine"] for row in rows]
    assert cosines == sorted(cosines, reverse=True) and -1 <= cosines[-1] <= cosines[0] <= 1
    assert len(rows_of(command(predict.main, f"run={run}", *asked, "top=2"))) == 2


def test_weights_are_exported_and_a_graph_is_refused(run, command, tmp_path):
    done = command(export.main, f"run={run}", "format=onnx", f"out={tmp_path / 'graph'}")
    assert done.code == 2 and "cannot be exported as a graph: it has two" in done.err
    assert not (tmp_path / "graph").exists()
    done = command(export.main, f"run={run}", "format=safetensors", f"out={tmp_path / 'weights'}")
    assert done.code == 0, done.err
    weights = load_file(tmp_path / "weights" / "model.safetensors")
    model = zoo.load(run).model
    assert torch.equal(weights["log_scale"], model.log_scale.detach())


def test_prompts_classify_without_training(run, command, monkeypatch, tmp_path):
    monkeypatch.setattr(glyphs, "load_glyphs", few_glyphs)
    asked = (
        f"run={run}",
        "split=all",
        f"data.root={tmp_path}",
        "prompts=[capital letter,small letter]",
    )
    outcome = json.loads(command(evaluate.main, *asked, "json=true").out)
    assert outcome["metrics"]["prompt_accuracy"] > 0.8
    assert outcome["baseline"]["metrics"]["prompt_accuracy"] < 0.6
    counts = {text: row["images"] for text, row in outcome["details"]["prompts"].items()}
    assert counts["capital letter"] > 90 and counts["small letter"] > 90
    printed = command(evaluate.main, *asked).out
    assert "prompt_accuracy" in printed and "capital letter" in printed.split("prompt  ")[-1]


MISTAKES = {
    (): "give candidates='[first caption, second caption]' to rank captions",
    ("candidates=[a,b]", "images=x"): "give candidates=",
    ("candidates=[digit one]",): "candidates=['digit one']: expected two captions or more",
    ("candidates=[digit one,quux]",): "candidates: the run's vocabulary knows no word of 'quux'",
    ("candidates=[digit one,'']",): "candidates: an empty caption",
    ("candidates=digit",): "candidates: got 'digit' (str), expected a list of str",
    ("candidate=[a,b]",): "unknown option 'candidate=[a,b]'; did you mean 'candidates='?",
    ("images=nowhere",): "nowhere: no such file or folder",
}


@pytest.mark.parametrize("options", MISTAKES)
def test_a_mistake_is_one_line(run, command, options, pictures):
    given = "digit one" if options == ("images=nowhere",) else pictures
    done = command(predict.main, f"run={run}", f"input={given}", *options)
    assert done.code == 2 and done.err.count("\n") == 1 and MISTAKES[options] in done.err


def test_unknown_words_of_a_caption_are_named(run, command, pictures):
    asked = (f"input={pictures}", "candidates=[latin letter quux,digit one]")
    done = command(predict.main, f"run={run}", *asked)
    assert done.code == 0
    assert "'latin letter quux': the run's vocabulary lacks 'quux'" in done.err


def test_prompts_that_are_none(run, digits_run, command):
    done = command(evaluate.main, f"run={run}", "prompts=[capital letter]")
    assert done.code == 2 and "expected two captions or more" in done.err
    done = command(evaluate.main, f"run={digits_run}", "prompts=[a,b]")
    assert done.code == 2 and "this one has task=classification" in done.err
