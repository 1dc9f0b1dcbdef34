"""What a resumed run starts from: its own vocabulary, whatever a new run would get."""

from zoo.data.tokenizers import registry, words


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
    assert "warning" not in again.out and (first.path / "dataset.json").read_text() == before
