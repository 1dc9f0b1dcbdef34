"""What a resumed run starts from: its own vocabulary, columns and classes, whatever data has."""

import pytest
import torch

from zoo.data.build import build_dataset
from zoo.data.tokenizers import registry, words
from zoo.restore import restore


def test_parts_of_weights_that_there_are_not(mistake):
    for option in ("init.skip=[head]", "init.resize=[head]"):
        assert "no effect without init.from=" in mistake("model=mlp", "data=rain", option)


def test_a_run_goes_on_with_the_vocabulary_of_its_time(train, tmp_path, monkeypatch):
    """Words were once cut at every combining mark: those of Hindi are many more now."""
    text = tmp_path / "hindi.txt"
    text.write_text("हिन्दी भाषा में किताब और शब्द हैं\n" * 60, encoding="utf-8")
    with monkeypatch.context() as older:
        older.setattr(words, "RULE", 1)
        older.setattr(registry, "RULE", 1)
        first = train(
            "model=word2vec", "model.width=4", "task=skip_gram", "task.sample=0",
            "data=text", f"data.path={text}",
            "data.tokenizer=word", "data.block_size=16", "data.batch_size=8", "trainer.max_steps=2",
            "trainer.eval_steps=1", "trainer.precision=fp32",
        )  # fmt: skip
    assert first.code == 0, first.err
    before = (first.path / "dataset.json").read_text()
    assert '"rule"' not in before
    again = train(f"resume={first.path}", "trainer.max_steps=3")
    assert again.code == 0, again.err
    assert "data changed" not in again.out and (first.path / "dataset.json").read_text() == before


@pytest.fixture
def resumed(train, tmp_path):
    """Train on a table, change it, resume; gives the run and what the resume said."""
    path = tmp_path / "t.csv"
    rows = "".join(f"{k * 0.37:.2f},{50 - k},{'pq'[k % 2]}\n" for k in range(60))
    path.write_text("a,b,y\n" + rows)
    settings = ("model.width=2", "trainer.max_steps=2", "trainer.precision=fp32")
    first = train("model=mlp", "data=csv", f"data.path={path}", "data.target=y", *settings)

    def change(old, new, count=-1):
        path.write_text(("a,b,y\n" + rows).replace(old, new, count))
        return first.path, train(f"resume={first.path}", "trainer.max_steps=3")

    return change


def test_columns_are_known_by_name_and_scale(resumed):
    run, done = resumed("a,b,y\n", "b,a,y\n")
    assert done.code == 0 and "warning: the data changed" in done.out
    restored = restore(run)
    data = build_dataset(restored.config.data, restored.encoding.to_json())
    assert restored.encoding.feature_names == ["a", "b"]
    first = data.splits["all"].fetch(torch.tensor([0]))["input"]
    assert torch.equal(first, restored.read(["b=0,a=50"])[1]["input"])
    run, done = resumed(".", "")  # in hundredths: standardised anew it would be the same
    assert done.code == 0 and "warning: the data changed" in done.out


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("b,y\n", "c,y\n", "the column 'b' that the run was trained on is missing"),
        ("p\n", "z\n", "the data has 2 classes (q, z), the run was trained on 2 (p, q)"),
    ],
)
def test_other_columns_and_classes_are_refused(resumed, old, new, said):
    done = resumed(old, new)[1]
    assert done.code == 2 and said in done.err


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("data=digits", "data=digits is taken as its file says, without the recipe's "
                        "data.augment.shift=1; to keep them, type them"),
        ("optim=sgd optim.lr=0.1", "optim=sgd is taken as its file says, without the recipe's "
                                   "optim.weight_decay=0.05; to keep them, type them"),
        ("data=digits data.augment={shift:0}", None),
        ("data.augment.shift=0 optim.lr=0.1", None),  # the group itself is the recipe's
    ],
)  # fmt: skip
def test_a_choice_says_what_of_the_recipe_it_leaves_out(train, typed, said):
    done = train("experiment=cnn_digits", "model.width=2", "trainer.max_steps=1", *typed.split())
    assert done.code == 0, done.err
    out = " ".join(done.out.split())
    assert ("is taken as its file says" in out) == (said is not None)
    assert said is None or f"note {said}" in out
