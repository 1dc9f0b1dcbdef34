"""Pictures: importance finds what matters, axes say what they should, files are made."""

import itertools
import random

import pytest
from support import write_run

from zoo.compare.importance import importance, too_few
from zoo.compare.main import main
from zoo.compare.scale import scale


def forest(score, **values):
    """Importance on a full grid of values."""
    grid = list(itertools.product(*values.values()))
    scales = [scale(name, column) for name, column in zip(values, zip(*grid))]
    return importance(scales, [score(*point) for point in grid])


def test_the_setting_that_matters_is_found():
    found = forest(
        lambda lr, width, act: -abs(lr) + 0.1 * width, lr=[-2, -1, 0, 1, 2], width=[0, 1, 2],
        act=["relu", "gelu"],
    )  # fmt: skip
    assert list(found.total) == ["lr", "width", "act"]
    assert found.alone["lr"] > 0.8 and found.total["act"] < 0.02 and found.fit > 0.5


def test_settings_that_matter_only_together_are_told_from_those_alone():
    found = forest(lambda a, b, c: float(a == b), a=[0, 1, 2, 3], b=[0, 1, 2, 3], c=[0, 1])
    assert found.total["a"] > 3 * found.alone["a"] and found.total["a"] > 0.4
    assert found.total["c"] < 0.1


def test_shares_are_those_of_an_analysis_of_variance():
    """On a grid with additive effects: the variance of each effect over that of all."""
    found = forest(lambda a, b: 3.0 * a + 1.0 * b, a=list(range(8)), b=list(range(8)))
    assert found.alone["a"] == pytest.approx(0.9, abs=0.05)
    assert found.alone["b"] == pytest.approx(0.1, abs=0.05)


def test_noise_fits_nothing():
    rng = random.Random(0)
    found = forest(lambda *point: rng.random(), a=list(range(6)), b=list(range(6)))
    assert found.fit < 0.3


def test_too_few_runs_are_refused_in_a_line():
    assert "fewer than two settings" in too_few(100, 1)
    assert "7 combinations of 2 settings tell too little; 8 are needed" in too_few(7, 2)
    assert "16 are needed" in too_few(15, 8) and too_few(16, 8) is None


def test_rates_stand_on_a_logarithmic_axis_and_shares_on_an_even_one():
    rates = scale("lr", [1e-3, 1e-2, 1e-1])
    assert rates.kind == "log" and rates.positions == pytest.approx([0, 0.5, 1])
    assert [text for _, text in rates.ticks] == ["0.001", "0.01", "0.1"]
    shares = scale("dropout", [k / 100 for k in range(1, 51)])
    assert shares.kind == "linear" and len(shares.ticks) < 9
    assert scale("width", [8, 16]).kind == "linear"


def test_words_are_spelled_and_what_is_lacking_stands_apart():
    words = scale("act", ["relu", "gelu", "relu"])
    assert words.kind == "words" and words.ticks == [(0, "gelu"), (1, "relu")]
    assert [text for _, text in scale("bias", [True, False]).ticks] == ["false", "true"]
    clip = scale("clip", [None, 1.0, 2.0])
    assert clip.positions[0] == 0 and clip.positions[1] > 0.1 and clip.ticks[0] == (0, "null")


@pytest.fixture
def runs(tmp_path):
    for lr, width, seed in itertools.product((0.1, 0.01, 0.001), (8, 16, 32), (0, 1)):
        path = tmp_path / "runs" / f"{lr}-{width}-{seed}"
        score = 0.9 - lr + seed / 100
        settings = dict(optim__lr=lr, model__width=width, seed=seed)
        write_run(path, score, score, **settings, losses=[0.9, 0.5 + lr])
    return tmp_path / "runs"


def test_files_are_made_for_eyes_and_for_tensorboard(runs, capsys):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for _ in range(2):  # a second time replaces them
        assert main([str(runs), "--plot", "--metric", "val/accuracy"]) == 0
    out = capsys.readouterr().out
    place = runs / "compare"
    names = {path.name for path in place.glob("*.png")}
    assert names == {"parallel.png", "importance.png"} and str(place / "parallel.png") in out
    assert "curves: the runs have no metrics.jsonl" in out, "no accuracy was reported"
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in place.glob("*.png"))
    events = EventAccumulator(str(place), size_guidance={"images": 0})
    events.Reload()
    assert events.Tags()["images"] == ["compare/importance", "compare/parallel"]
    (image,) = events.Images("compare/parallel")
    assert image.encoded_image_string == (place / "parallel.png").read_bytes()
    assert image.width > image.height > 100
    assert main([str(runs)]) == 0 and "not ranked" not in capsys.readouterr().out


def test_curves_and_machine_readable_output_stay_apart(runs, tmp_path, capsys):
    for path in runs.iterdir():
        file = path / "metrics.jsonl"
        file.write_text(file.read_text().replace("loss", "accuracy"))
    write_run(runs / "other", 0.1, experiment="other")
    assert main([str(runs), "--plot", "--csv"]) == 0
    printed = capsys.readouterr()
    assert "picture" not in printed.out and printed.err.count("picture") == 3
    assert (runs / "compare" / "curves.png").is_file()
