"""A picture of labels."""

from previews import Previews

from zoo.tasks.plots.labels import MOST, label_plots


def test_the_labels_of_the_lowest_f1_are_drawn():
    row = {"average_precision": 0.5, "prevalence": 0.1}
    labels = {f"label {k}": row | {"f1": k / 30} for k in range(30)}
    labels["label 3"] = row | {"f1": 0.1, "average_precision": None}
    previews = Previews()
    label_plots(labels, previews)
    (axes,) = previews.full["labels"].axes
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert len(names) == MOST and names[0] == "label 0" and "label 29" not in names
    assert [bar.get_width() for bar in axes.patches] == sorted(
        bar.get_width() for bar in axes.patches
    )
