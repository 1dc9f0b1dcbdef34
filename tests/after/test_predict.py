"""scripts/predict.py: images, folders, tables and a single row; and what is wrong with them."""

import json

import numpy
import pytest
from PIL import Image

from zoo.data.bundled import bundled
from zoo.prediction import main


@pytest.fixture(scope="session")
def photos(tmp_path_factory, data_root):
    """The first twelve digits as PNG files, named by what they show."""
    folder = tmp_path_factory.mktemp("photos")
    digits = bundled("digits", str(data_root))
    for k in range(12):
        pixels = (digits.input[k].view(8, 8) * 255 / 16).round().byte().numpy()
        Image.fromarray(pixels).save(folder / f"{k:02d}-is-{int(digits.target[k])}.png")
    return folder


def lines(done):
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def test_a_folder_of_images_as_json(digits_run, photos, command):
    rows = lines(command(main, f"run={digits_run}", f"input={photos}", "json=true"))
    assert [row["input"] for row in rows] == sorted(str(p) for p in photos.iterdir())
    right = sum(row["input"].endswith(f"-is-{row['class']}.png") for row in rows)
    assert right >= 9
    for row in rows:
        assert list(row["probabilities"]) == [str(k) for k in range(10)]
        assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert row["probability"] == row["probabilities"][row["class"]]


def test_a_single_image_says_what_it_would_say_in_the_folder(digits_run, photos, command):
    rows = lines(command(main, f"run={digits_run}", f"input={photos}", "json=true"))
    (one,) = lines(command(main, f"run={digits_run}", f"input={rows[3]['input']}", "json=true"))
    assert one["class"] == rows[3]["class"]
    assert one["probability"] == pytest.approx(rows[3]["probability"], rel=1e-5)


def test_the_table_names_the_runners_up(digits_run, photos, command):
    rows = lines(command(main, f"run={digits_run}", f"input={photos}", "json=true"))
    done = command(main, f"run={digits_run}", f"input={photos}", "top=2")
    heading, first = done.out.splitlines()[:2]
    assert heading.split() == ["input", "class", "probability", "then"]
    second = sorted(rows[0]["probabilities"].values())[-2]
    assert first.split()[-4:-2] == [rows[0]["class"], f"{rows[0]['probability']:.1%}"]
    assert first.endswith(f" {second:.1%}")
    alone = command(main, f"run={digits_run}", f"input={photos}", "top=1").out
    assert alone.splitlines()[0].split() == ["input", "class", "probability"]


def test_images_of_another_size_and_colour_are_fitted(digits_run, photos, tmp_path, command):
    small = Image.open(sorted(photos.iterdir())[0])
    small.convert("RGB").resize((80, 80), Image.Resampling.NEAREST).save(tmp_path / "big.png")
    (row,) = lines(command(main, f"run={digits_run}", f"input={tmp_path / 'big.png'}", "json=true"))
    (original,) = lines(
        command(main, f"run={digits_run}", f"input={sorted(photos.iterdir())[0]}", "json=true")
    )
    assert row["class"] == original["class"]


def test_dark_on_light_gets_a_warning_that_leaves_json_alone(digits_run, tmp_path, command):
    Image.fromarray(numpy.full((8, 8), 250, numpy.uint8)).save(tmp_path / "white.png")
    done = command(main, f"run={digits_run}", f"input={tmp_path / 'white.png'}", "json=true")
    assert len(lines(done)) == 1
    assert "unlike the training data" in done.err


def test_inputs_like_the_training_get_no_warning(digits_run, photos, rain_run, command):
    assert command(main, f"run={digits_run}", f"input={photos}").err == ""
    row = "input=temperature=30,humidity=90"
    assert command(main, f"run={rain_run}", row).err == ""
    assert "unlike" in command(main, f"run={rain_run}", "input=temperature=303,humidity=90").err


def test_a_row_of_a_table(rain_run, command):
    (hot,) = lines(
        command(main, f"run={rain_run}", "input=temperature=32,humidity=95", "json=true")
    )
    (clear,) = lines(
        command(main, f"run={rain_run}", "input=temperature=32,humidity=20", "json=true")
    )
    assert (hot["class"], clear["class"]) == ("rain", "dry")


def test_a_table_of_numbers_gives_values(price_run, table, command):
    rows = lines(command(main, f"run={price_run}", f"input={table}", "json=true"))
    assert len(rows) == 120 and rows[0]["input"] == f"{table}:2"
    prices = [float(line.split(",")[2]) for line in table.read_text().splitlines()[1:]]
    errors = [abs(row["value"] - price) for row, price in zip(rows, prices, strict=True)]
    spread = max(prices) - min(prices)
    assert sum(errors) / len(errors) < 0.2 * spread
    done = command(main, f"run={price_run}", f"input={table}")
    assert done.out.splitlines()[0].split() == ["input", "value"]


def test_the_target_column_need_not_be_there(price_run, tmp_path, command):
    file = tmp_path / "ask.csv"
    file.write_text("garden,area,colour\nyes,50,red\nno,50,blue\n")
    with_garden, without = lines(command(main, f"run={price_run}", f"input={file}", "json=true"))
    assert with_garden["value"] > without["value"]


def test_more_inputs_than_fit_into_one_batch(rain_run, tmp_path, command):
    file = tmp_path / "many.csv"
    rows = [f"{k % 40 - 5},{k % 85 + 15}" for k in range(600)]
    file.write_text("temperature,humidity\n" + "\n".join(rows) + "\n")
    answers = lines(command(main, f"run={rain_run}", f"input={file}", "json=true"))
    assert [row["input"] for row in answers] == [f"{file}:{k + 2}" for k in range(600)]
    row = f"input=temperature={550 % 40 - 5},humidity={550 % 85 + 15}"
    (late,) = lines(command(main, f"run={rain_run}", row, "json=true"))
    assert answers[550]["probability"] == pytest.approx(late["probability"], rel=1e-5)


def test_mistakes_get_one_line(digits_run, rain_run, price_run, photos, tmp_path, refused):
    (tmp_path / "broken.png").write_bytes(b"no image")
    (tmp_path / "empty").mkdir()
    (tmp_path / "part.csv").write_text("temperatur,humidity\n1,2\n")
    (tmp_path / "word.csv").write_text("temperature,humidity\nwarm,2\n")
    cases = [
        (digits_run, tmp_path / "broken.pgn", f"did you mean '{tmp_path / 'broken.png'}'?"),
        (digits_run, tmp_path / "broken.png", "not an image that Pillow knows"),
        (digits_run, tmp_path / "empty", "no images in this folder"),
        (digits_run, tmp_path / "part.csv", "not an image that Pillow knows"),
        (rain_run, tmp_path / "part.csv", "did you rename it to 'temperatur'?"),
        (rain_run, tmp_path / "word.csv", "line 2: 'warm' in the column 'temperature'"),
        (rain_run, "temperature=3", "the column 'humidity'"),
        (rain_run, tmp_path, "this is a folder; expected a CSV file"),
        (rain_run, sorted(photos.iterdir())[0], "not UTF-8"),
    ]
    for run, given, words in cases:
        assert words in refused(main, f"run={run}", f"input={given}")
    assert "top=0: expected" in refused(main, f"run={rain_run}", "input=x", "top=0")
    assert "predicts as it was trained" in refused(main, f"run={rain_run}", "input=x", "data=csv")
    assert refused(main, f"run={rain_run}").startswith("input= is missing")
