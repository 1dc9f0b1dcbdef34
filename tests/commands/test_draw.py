"""predict.py out=...: images drawn and restored, as one picture or as files to train on."""

import json

import pytest
import torch
from PIL import Image

import zoo
from zoo.commands.predict import main
from zoo.errors import UserError


@pytest.fixture
def predict(command, drawing_run):
    return lambda *arguments: command(main, f"run={drawing_run}", *arguments)


def pixels_of(path):
    return list(Image.open(path).get_flattened_data())


def test_a_grid_has_a_column_for_each_class(predict, tmp_path):
    out = tmp_path / "new" / "grid.png"
    done = predict("samples=20", f"out={out}", "seed=3")
    assert done.code == 0 and done.out == f"20 images in {out}\n"
    assert Image.open(out).size == ((10 * 9 + 1) * 8, (2 * 9 + 1) * 8)


def test_the_same_seed_draws_the_same_images(drawing_run):
    run = zoo.load(drawing_run)
    few, many = run.draw(7, seed=3), run.draw(300, seed=3)
    assert torch.equal(few.pixels, many.pixels[:7]) and len(many) == 300
    assert not torch.equal(few.pixels, run.draw(7, seed=4).pixels)
    assert few.classes == [str(k) for k in range(7)]
    assert run.draw(5, classes=["3", "1"]).classes == ["3", "1", "3", "1", "3"]
    assert run.draw(5, classes="8").classes == run.draw(5, classes=8).classes == ["8"] * 5
    with pytest.raises(UserError, match=r"samples=2.5: expected 1 to"):
        run.draw(2.5)
    state = torch.get_rng_state()
    assert few._repr_png_().startswith(b"\x89PNG") and run.draw().pixels.dtype == torch.uint8
    assert torch.equal(torch.get_rng_state(), state)


def test_options_are_those_of_the_task(predict, drawing_run, tmp_path):
    run = zoo.load(drawing_run)
    cold = run.draw(40, classes="3", temperature=0.0, pixels="mean").pixels
    assert torch.equal(cold, cold[:1].expand_as(cold))
    assert len(run.draw(40, classes="3", temperature=0.0).pixels.unique(dim=0)) == 40
    done = predict(
        "samples=4", f"out={tmp_path / 'a.png'}", "class=3", "temperature=0", "json=true"
    )
    (row,) = map(json.loads, done.out.splitlines())
    assert row == {"file": str(tmp_path / "a.png"), "samples": 4, "seed": 0, "classes": {"3": 4}}


def test_a_folder_can_be_trained_on(predict, train, tmp_path):
    out = tmp_path / "drawn"
    done = predict("samples=60", f"out={out}", "json=true")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [row["class"] for row in rows] == [str(k % 10) for k in range(60)]
    assert sorted(str(p) for p in out.rglob("*.png")) == sorted(row["file"] for row in rows)
    said = predict("samples=12", f"out={tmp_path / 'more'}").out
    data = said.partition("train on them: python train.py ")[2].split()
    result = train("model=mlp", *data, "data.path=" + str(out), "trainer=debug")
    assert result.code == 0 and "input 1x8x8, 10 classes" in result.out


def test_inputs_are_restored_and_judged(predict, tmp_path):
    folder, out = tmp_path / "drawn", tmp_path / "restored.png"
    predict("samples=3", f"out={folder}", "class=5")
    inputs = [f"input={path}" for path in sorted(folder.rglob("*.png"))]
    done = predict(*inputs, f"out={out}", "json=true")
    first, *rows = map(json.loads, done.out.splitlines())
    assert first == {"file": str(out)} and Image.open(out).size == ((3 * 9 + 1) * 8, 19 * 8)
    shown = torch.tensor(pixels_of(out)).view(19 * 8, -1)[::8, ::8]
    image = torch.tensor(pixels_of(inputs[1].removeprefix("input="))).view(8, 8)
    assert torch.equal(shown[1:9, 10:18], image)  # above each input, below what became of it
    below = shown[10:18].split(9, 1)[:3]  # what became of them, which a folder holds alone
    done = predict(*inputs, f"out={tmp_path / 'each'}")
    assert "3 images in " in done.out and "in the order of the inputs" in done.out
    files = sorted((tmp_path / "each").iterdir())
    for file, part in zip(files, below, strict=True):
        assert torch.equal(torch.tensor(pixels_of(file)).view(8, 8), part[:, 1:])
    assert [row["log_likelihood"] >= row["bound"] for row in rows] == [True] * 3
    assert all(row["probabilities"][row["class"]] == row["probability"] for row in rows)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["class=33", "out=x.png"], "unknown class '33'; did you mean '3'?"),
        (["samples=0", "out=x.png"], "samples=0: expected 1 to"),
        (["samples=few", "out=x.png"], "samples=few: expected a whole number"),
        (["class=3"], "out= is missing"),
        (["out="], "out= is missing"),
        (["out=x.jpg"], "expected a name ending in .png, or a folder"),
        (["out=x.png", "temperatur=1"], "did you mean 'temperature='?"),
        (["out=x.png", "temperature=-1"], "temperature: got -1, expected 0 or more"),
        (["out=x.png", "pixels=all"], "pixels: got 'all' (str), expected one of drawn, mean"),
        (["out=."], "out=. exists already"),
        ([], "input= is missing"),
        (["input=.", "class=3", "out=x.png"], "class=3 is for new images, and input= names some"),
        (["input=.", "samples=3", "out=x.png"], "samples=3 is for new images"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(given, said, predict, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = predict(*given)
    assert done.code == 2 and said in done.err and done.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_what_is_there_stays(predict, tmp_path):
    (tmp_path / "kept.png").write_text("mine")
    assert predict(f"out={tmp_path / 'kept.png'}").code == 2
    assert (tmp_path / "kept.png").read_text() == "mine"


def test_a_classifier_draws_nothing(command, digits_run):
    done = command(main, f"run={digits_run}", "samples=4", "out=x.png")
    assert done.code == 2 and "task=classification draws no images; give it an input" in done.err
    with pytest.raises(UserError, match="writes no images of an input"):
        zoo.load(digits_run).redraw(torch.zeros(8, 8))
