"""The script that takes the documentation's screenshots: what it needs, and its messages."""

import io
import re

from support import ROOT

from docs.tools import screenshots, terminal


def test_it_takes_all_that_the_page_shows():
    page = (ROOT / "docs" / "tensorboard.md").read_text()
    assert set(re.findall(r"images/(\w+)\.png", page)) == screenshots.PICTURES.keys()
    for screenshot in screenshots.PICTURES.values():
        assert screenshot.folder.partition("/")[0] in screenshots.COMMANDS
    page = (ROOT / "docs" / "training.md").read_text()
    assert set(re.findall(r"images/(terminal_\w+)\.png", page)) == terminal.PICTURES.keys()
    for name in screenshots.NAMES:
        image = ROOT / "docs" / "images" / f"{name}.png"
        assert image.stat().st_size < 150_000, "256 colours are enough: compress"


def test_the_newest_run_is_taken(tmp_path):
    for name, date in (("mlp_digits", "1"), ("cnn_digits", "1"), ("cnn_digits", "2")):
        (tmp_path / name / date).mkdir(parents=True)
    (tmp_path / "mlp_digits" / "1" / "sweep.json").touch()
    sweep = screenshots.newest(tmp_path, screenshots.SWEEP)
    assert screenshots.folder(sweep) == tmp_path / "mlp_digits" / "1"
    (tmp_path / "cnn_digits" / "2" / "result.json").touch()
    run = screenshots.newest(tmp_path, "cnn_digits/*/result.json")
    assert screenshots.folder(run) == tmp_path / "cnn_digits"


def test_mistakes(tmp_path, capsys):
    for arguments, said in (
        ((f"runs={tmp_path}",), "it is written by: python train.py experiment=cnn_digits"),
        ((f"runs={tmp_path}", "only=scalar"), "only=scalar: expected one of tensorboard, sweep"),
        (("runs=x", "browsr=x"), "did you mean 'browser='?"),
    ):
        assert screenshots.main([*arguments]) == 2 and said in capsys.readouterr().err
    (tmp_path / "cnn_digits" / "1").mkdir(parents=True)
    (tmp_path / "cnn_digits" / "1" / "result.json").touch()
    arguments = [f"runs={tmp_path}", "only=tensorboard", "browser=no-such-browser"]
    assert screenshots.main(arguments) == 2 and "no Chromium or Chrome" in capsys.readouterr().err


def test_images_are_small(tmp_path):
    from PIL import Image

    png = io.BytesIO()
    Image.effect_mandelbrot((300, 200), (-2, -1, 1, 1), 50).convert("RGB").save(png, "PNG")
    screenshots.compress(png.getvalue(), tmp_path / "one.png")
    image = Image.open(tmp_path / "one.png")
    assert image.size == (300, 200) and len(image.getcolors()) <= 256
