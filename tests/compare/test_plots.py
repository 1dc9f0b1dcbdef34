"""Plots: the files that are written."""

import itertools

import pytest
from support import write_run

from zoo.compare import plots
from zoo.compare.main import main


@pytest.fixture
def runs(tmp_path):
    for lr, width, seed in itertools.product((0.1, 0.01, 0.001), (8, 16, 32), (0, 1)):
        path = tmp_path / "runs" / f"{lr}-{width}-{seed}"
        score = 0.9 - lr + seed / 100
        settings = {"optim__lr": lr, "model__width": width, "seed": seed}
        write_run(path, score, score, **settings, losses=[0.9, 0.5 + lr])
    return tmp_path / "runs"


def test_plots_are_written_as_png_and_for_tensorboard(runs, capsys):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for _ in range(2):  # a second time replaces them
        assert main([str(runs), "--plot", "--metric", "val/accuracy"]) == 0
    out = capsys.readouterr().out
    folder = runs / "compare"
    names = {path.name for path in folder.glob("*.png")}
    assert names == {"parallel.png", "importance.png"} and str(folder / "parallel.png") in out
    assert "curves: the runs have no metrics.jsonl" in out, "no accuracy was reported"
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in folder.glob("*.png"))
    events = EventAccumulator(str(folder), size_guidance={"images": 0})
    events.Reload()
    assert events.Tags()["images"] == ["compare/importance", "compare/parallel"]
    (image,) = events.Images("compare/parallel")
    assert image.encoded_image_string == (folder / "parallel.png").read_bytes()
    assert image.width > image.height > 100
    assert main([str(runs)]) == 0 and "not ranked" not in capsys.readouterr().out


def test_the_list_of_plots_is_not_part_of_machine_readable_output(runs, tmp_path, capsys):
    for path in runs.iterdir():
        file = path / "metrics.jsonl"
        file.write_text(file.read_text().replace("loss", "accuracy"))
    write_run(runs / "other", 0.1, experiment="other")
    assert main([str(runs), "--plot", "--csv"]) == 0
    printed = capsys.readouterr()
    assert "plot " not in printed.out and printed.err.count("plot ") == 3
    assert (runs / "compare" / "curves.png").is_file()


def test_a_plot_that_cannot_be_drawn_is_a_note_and_the_others_are_drawn(runs, capsys, monkeypatch):
    def fail(*_):
        raise ValueError("Axis limits cannot be NaN\nor Inf")

    monkeypatch.setattr(plots, "draw_parallel", fail)
    write_run(runs / "odd", 0.5, model__width=1e39, name="a$_{")
    assert main([str(runs), "--plot"]) == 0
    printed = "".join(capsys.readouterr())
    assert "coordinates: not drawn (ValueError: Axis limits cannot be NaN or Inf)" in printed
    assert [path.name for path in (runs / "compare").glob("*.png")] == ["importance.png"]
