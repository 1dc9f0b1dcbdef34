"""Previews in tests: a writer that keeps what tasks write, and classifiers to draw."""

import torch

from zoo.figures import render
from zoo.tasks.classification import Classification
from zoo.training.evaluate import evaluate
from zoo.training.precision import Precision
from zoo.training.runtime import Runtime

RUNTIME = Runtime(torch.device("cpu"))


class Previews:
    """Figures and texts by tag. Figures are rendered: what cannot be drawn fails here."""

    def __init__(self):
        self.figures, self.full, self.captions, self.texts = {}, {}, {}, {}

    def figure(self, tag, figure, full=None, caption=""):
        for drawn in (figure, full):
            assert drawn is None or render(drawn)[0][:4] == b"\x89PNG"
        self.figures[tag], self.full[tag], self.captions[tag] = figure, full, caption

    def text(self, tag, text):
        self.texts[tag] = text


def drawn(task, model, inputs, target):
    """What a task's preview of one batch writes."""
    torch.manual_seed(0)
    batch = {"input": inputs, "target": target}
    totals = evaluate(model, task, [batch], Precision("fp32", RUNTIME.device), RUNTIME)
    previews = Previews()
    model.eval()
    with torch.no_grad():
        task.preview(model, batch, totals, previews)
    return previews


def classifier(classes, **facts):
    """A classification of classes `kind 0`, `kind 1`, ..."""
    return Classification(classes, [f"kind {k}" for k in range(classes)], [1] * classes, **facts)
