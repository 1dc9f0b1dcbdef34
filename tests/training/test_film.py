"""A film of a run: few frames, evenly spread, small; a resumed run goes on with those of before."""

import io
import json
import shutil

import numpy
import pytest
from PIL import Image

from zoo.training.film import MOST, Film, films_of


def frame(step):
    """A picture whose brightness is the step's."""
    file = io.BytesIO()
    Image.new("RGB", (60, 40), (step % 256,) * 3).save(file, "PNG")
    return file.getvalue()


def play(film, steps):
    for step in steps:
        if film.wants(step):
            film.add(step, frame(step))


def test_of_many_validations_few_are_shown_evenly(tmp_path):
    film = Film(tmp_path / "surface_film")
    play(film, range(5, 5 * 130, 5))
    steps = list(film.frames())
    gaps = {after - before for before, after in zip(steps, steps[1:])}
    assert MOST // 2 <= len(steps) <= MOST and len(gaps) == 1 and steps[0] == 5
    assert 5 * 129 - steps[-1] < gaps.pop()


def test_the_last_validation_may_come_a_little_early(tmp_path):
    film = Film(tmp_path / "surface_film")
    play(film, [110, 220, 330, 433])
    assert list(film.frames()) == [110, 220, 330, 433]
    assert not film.wants(433) and not film.wants(400)


def test_the_film_has_the_frames_in_order_and_ends_with_a_rest(tmp_path):
    film = Film(tmp_path / "surface_film")
    play(film, [200, 20, 100])
    assert list(film.frames()) == [200]  # no way back
    film.cut(0)
    play(film, [20, 100, 200])
    film.write()
    shown = Image.open(tmp_path / "surface_film.gif")
    brightness, seconds = [], []
    for k in range(shown.n_frames):
        shown.seek(k)
        seconds.append(shown.info["duration"])
        brightness.append(int(numpy.asarray(shown.convert("L"))[-1, -1]))
    assert shown.size == (300, 200) and seconds == [250, 250, 2000]
    assert brightness == pytest.approx([20, 100, 200], abs=4)


def surfaces(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run), {"images": 0})
    events.Reload()
    return [image.step for image in events.Images("decision_surface_film")]


def test_a_resumed_run_goes_on_with_the_frames_of_before(train, with_previews, tmp_path):
    """Interrupted after a frame that its checkpoint does not know, which is drawn again."""
    settings = ("experiment=mlp_rain", "trainer.eval_steps=10", "trainer.device=cpu")
    done = train(*settings, "trainer.max_steps=30", "model.width=4")
    run = shutil.copytree(done.path, tmp_path / "copy" / done.path.name)
    (film,) = films_of(run / "previews")
    assert list(film.frames()) == [10, 20, 30]
    size = (run / "previews" / "decision_surface_film.gif").stat().st_size
    assert size / 3 * MOST < 500_000
    film.add(40, frame(40))
    assert train(f"resume={run}", "trainer.max_steps=50").code == 0
    assert list(film.frames()) == [10, 20, 30, 40, 50]
    assert surfaces(run) == [10, 20, 30, 40, 50]
    shown = Image.open(run / "previews" / "decision_surface_film.gif")
    assert shown.n_frames == 5
    assert numpy.asarray(Image.open(film.frames()[40]).convert("L"))[-1, -1] == 255  # drawn anew


def test_a_frame_is_of_the_weights_that_were_evaluated(train, with_previews):
    """With averaged weights the title of a frame, drawn from them, agrees with the metrics."""
    from zoo.training.logger import Logger

    drawn = {}
    original = Logger.frame

    def watch(self, tag, draw, caption=""):
        drawn[self.step] = draw().texts[0].get_text()
        original(self, tag, draw, caption)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Logger, "frame", watch)
        done = train(
            "experiment=mlp_rain", "trainer.eval_steps=10", "trainer.max_steps=20",
            "trainer.ema=0.9", "trainer.device=cpu", "optim.lr=0.3",
        )  # fmt: skip
    rows = [json.loads(line) for line in (done.path / "metrics.jsonl").read_text().splitlines()]
    for row in (row for row in rows if row["split"] == "val"):
        correct, total = drawn[row["step"]].split(" samples")[0].split(" of ")
        assert int(correct) / int(total) == pytest.approx(row["accuracy"])


def test_other_data_has_no_film(train, with_previews):
    done = train("experiment=mlp_breast_cancer", "trainer.max_steps=4", "trainer.eval_steps=2")
    assert not list(films_of(done.path / "previews"))
