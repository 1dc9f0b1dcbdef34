"""Every picture that a task draws can be read on a card of TensorBoard."""

import pytest
import torch
from matplotlib.text import Text
from test_every_model import OTHERS, make
from test_every_task import NAMES

from zoo.figures import render
from zoo.registry import MODELS, TASKS
from zoo.tasks.plots.card import HEIGHT, WIDTH, fit, width_of
from zoo.training.evaluate import means as divide_sums

LEAST = 8  # pixels of height that letters need
ENGLISH = ["ankle boot", "T-shirt_$x_1$", "sandal", "concurrency"]
CHINESE = ["高跟短靴与雨靴", "套头衫_$x_1$", "凉鞋", "并发控制"]
CASES = [(name, ENGLISH) for name in (*MODELS.names(), *sorted(OTHERS))]
CASES += [(NAMES[task], CHINESE) for task in TASKS.names()]


class Cards:
    """Keeps the cards that a task writes, and what is said about them."""

    def __init__(self):
        self.figures, self.captions = {}, {}

    def figure(self, tag, figure, full=None, caption=""):
        self.figures[tag], self.captions[tag] = figure, caption

    def text(self, tag, text):
        pass


class Named:
    """A tokenizer with other names of its tokens."""

    def __init__(self, tokenizer, names):
        self.tokenizer, self.names = tokenizer, names

    def __getattr__(self, name):
        return getattr(self.tokenizer, name)

    def token(self, number):
        return self.names[number % len(self.names)]


def preview(name, names):
    """What the task of a case writes, with these names for classes, features and tokens."""
    case = make(name)
    task, batch = case.task, case.example.batch
    for holder in (task, getattr(task, "neighbours", None)):
        if hasattr(holder, "class_names"):
            number = len(holder.class_names)
            holder.class_names = [f"{names[k % 4]}{k}" for k in range(number)]
        if hasattr(holder, "tokenizer"):
            holder.tokenizer = Named(holder.tokenizer, names)
    if hasattr(task, "feature_names") and batch["input"].dim() == 2:
        task.feature_names = [f"{names[k % 4]}{k}" for k in range(batch["input"].shape[1])]
    previews = Cards()
    with torch.no_grad():
        output = task.step(case.model.eval(), batch)
        sums = {"loss": output.loss_sum, "count": output.count} | output.sums
        task.preview(case.model, batch, divide_sums([sums]), previews)
    return previews


@pytest.mark.parametrize(
    ("name", "names"), CASES, ids=[f"{name}-{names[2]}" for name, names in CASES]
)
def test_letters_on_a_card_are_high_enough_and_inside_it(name, names):
    previews = preview(name, names)
    for tag, figure in previews.figures.items():
        check(tag, figure)
        assert previews.captions[tag].endswith("."), f"{tag} has no caption"


def check(tag, figure):
    """A card is WIDTH pixels wide and HEIGHT high, and what is higher is shown smaller."""
    _, note = render(figure)
    width, height = figure.get_size_inches() * figure.dpi
    scale = min(WIDTH / width, HEIGHT / height)
    texts = [text for text in figure.findobj(Text) if text.get_text().strip()]
    outside = {id(label) for axes in figure.axes for label in undrawn(axes)}
    assert texts, tag
    for text in (text for text in texts if id(text) not in outside):
        high = text.get_fontsize() / 72 * figure.dpi * scale
        assert high >= LEAST, f"{tag}: '{text.get_text()}' is {high:.1f} pixels high"
        if note is None:  # codes instead of characters are longer
            box = text.get_window_extent()
            inside = box.x0 > -4 and box.x1 < width + 4 and box.y0 > -4 and box.y1 < height + 4
            assert inside, f"{tag}: '{text.get_text()}' is cut off, {box}"


def undrawn(axes):
    """Labels of ticks that are beyond the ends of an axis, or of an axis that is off."""
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if not axes.axison or not low <= tick.get_loc() <= high:
                yield from (tick.label1, tick.label2)


def test_texts_are_cut_to_a_width():
    assert fit("short", 100) == "short" and fit("a  b\nc", 100) == "a b c"
    for text in ("a rather long name of a class", "一个相当长的类别名称一个相当长的"):
        cut = fit(text, 60)
        assert cut.endswith("…") and 40 < width_of(cut) <= 60
    assert fit("word", 1) == "w…"
