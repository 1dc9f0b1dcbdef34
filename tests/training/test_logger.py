"""metrics.jsonl and TensorBoard hold the same numbers, each once."""

import pytest
from killed import age, curves

from zoo.runs.directory import RunDirectory
from zoo.training.logger import Logger


@pytest.fixture
def run(tmp_path):
    return RunDirectory.create(tmp_path, "toy")


def write(logger, steps):
    for step in steps:
        logger.metrics(step, "train", {"loss": 1 / step, "lr": 0.1, "grad_norm": 2.0})
        logger.metrics(step, "val", {"loss": 2 / step})


def test_the_same_numbers_in_both(run):
    logger = Logger(run)
    write(logger, [1, 2, 3])
    logger.clock(3, {"samples_per_second": 7.0})
    logger.close()
    points = curves(run.path)
    assert points["train/loss"] == {1: [1.0], 2: [0.5], 3: [pytest.approx(1 / 3)]}
    assert points["val/loss"][2] == [1.0] and points["train/samples_per_second"] == {3: [7.0]}
    assert set(points) == {
        "train/loss", "val/loss", "train/lr", "train/grad_norm", "train/samples_per_second",
    }  # fmt: skip
    rows = list(run.metrics())
    assert rows[0] == {"step": 1, "split": "train", "loss": 1.0, "lr": 0.1, "grad_norm": 2.0}
    assert len(rows) == 6 and len(list(run.metrics("val"))) == 3


def test_resuming_drops_later_rows_and_keeps_earlier_ones(run):
    logger = Logger(run)
    write(logger, [1, 2])
    offset = logger.offset()
    write(logger, [3, 4])
    logger.metrics(2, "test", {"loss": 9.0})  # after the checkpoint of step 2
    logger.close()
    age(run.path)

    again = Logger(run, step=2, offset=offset)
    assert [row["step"] for row in run.metrics()] == [1, 1, 2, 2]
    again.metrics(3, "train", {"loss": 0.25})
    assert again.offset() == run.metrics_file.stat().st_size
    again.close()
    points = curves(run.path)
    assert points["train/loss"] == {1: [1.0], 2: [0.5], 3: [0.25]}
    assert points["val/loss"] == {1: [2.0], 2: [1.0]} and "test/loss" not in points


def test_beginning_again_drops_everything(run):
    logger = Logger(run)
    write(logger, [1, 2])
    logger.close()
    age(run.path)
    Logger(run).close()
    assert run.metrics_file.read_text() == "" and curves(run.path) == {}


def test_half_a_line_is_dropped(run):
    logger = Logger(run)
    write(logger, [1])
    offset = logger.offset()
    logger.close()
    with run.metrics_file.open("a") as file:
        file.write('{"step": 2, "spl')
    Logger(run, step=1, offset=offset).close()
    assert [row["step"] for row in run.metrics()] == [1, 1]


def test_a_text_goes_to_both(run):
    logger = Logger(run, step=7)
    logger.text("samples/greedy", "one\ntwo")
    logger.close()
    assert (run.previews / "samples_greedy-000007.txt").read_text() == "one\ntwo"


def test_tensorboard_gets_the_card_and_the_folder_also_the_full_picture(run):
    from matplotlib.figure import Figure
    from PIL import Image
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logger = Logger(run, step=7)
    logger.figure(
        "plots/a", Figure(figsize=(3, 2), dpi=200), Figure(figsize=(5, 5)), "What is seen."
    )
    logger.figure("b", Figure(figsize=(3, 2)))
    logger.close()
    sizes = {path.name: Image.open(path).size for path in run.previews.iterdir()}
    assert sizes == {
        "plots_a-000007.png": (600, 400),
        "plots_a_full-000007.png": (500, 500),
        "b-000007.png": (300, 200),
    }
    card, full = (Image.open(run.previews / f"plots_{n}-000007.png") for n in ("a", "a_full"))
    assert card.text == full.text == {"Description": "What is seen."}
    events = EventAccumulator(str(run.path))
    events.Reload()
    assert events.Tags()["images"] == ["plots/a", "b"]
    (sent,) = events.Images("plots/a")
    assert (sent.width, sent.height) == (600, 400)
    assert events.summary_metadata["plots/a"].summary_description == "What is seen."
