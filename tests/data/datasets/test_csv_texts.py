"""A run on a table with a column of free text: trained, evaluated, predicted, weighed."""

import json

import pytest

from zoo.commands.evaluate import main as evaluate
from zoo.commands.predict import main as predict

GOOD = ("fast and friendly support", "a great product, well made", "works well, great value")
BAD = ("slow and rude support", "a broken product, badly made", "never works, poor value")


@pytest.fixture(scope="module")
def run(trained, tmp_path_factory):
    """The class is in the text alone: the number and the shop say nothing."""
    path = tmp_path_factory.mktemp("reviews") / "reviews.csv"
    lines = []
    for i in range(120):
        kind = (i * 7 // 3) % 2
        lines.append(
            f'{i * 13 % 10},{"AB"[i * 5 % 3 % 2]},"{(BAD, GOOD)[kind][i % 3]}, no. {i}",{kind}'
        )
    path.write_text("\n".join(["stars,shop,review,good", *lines]) + "\n")
    return trained("reviews", "model=mlp", "model.width=8", "data=csv", f"data.path={path}",
                   "data.target=good", "optim.lr=2e-2", "trainer.max_steps=80")  # fmt: skip


def test_a_run_learns_from_the_text_and_predicts_by_it(run, command):
    assert json.loads((run / "result.json").read_text())["test"]["accuracy"] > 0.95
    log = (run / "train.log").read_text()
    assert "  review  text      120 texts, 6 words each; TF-IDF (data.max_words)\n" in log
    for review, kind in (("great, works well", "1"), ("rude and badly made", "0")):
        row = json.dumps({"stars": 3, "shop": "A", "review": review})
        answer = json.loads(command(predict, f"run={run}", f"input={row}", "json=true").out)
        assert answer["class"] == kind
    assert (
        "the run knows no word of the text ('zzz')"
        in command(predict, f"run={run}", "input=stars=3,shop=A,review=zzz").err
    )


def test_all_words_of_a_text_are_one_column(run, command):
    done = command(evaluate, f"run={run}", "importance=true", "json=true")
    columns = json.loads(done.out)["importance"]["columns"]
    assert set(columns) == {"stars", "shop", "review"} and next(iter(columns)) == "review"
    assert columns["review"]["mean"] > 0.2
