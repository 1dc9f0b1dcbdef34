"""Sentence vectors: as `transformers` gives them, of weights and of runs; and what is refused."""

import json
import shutil

import numpy
import pytest
import torch
import torch.nn.functional as F
import transformers

from zoo.commands.predict import main

WORDS = [
    "the",
    "cat",
    "sat",
    "on",
    "a",
    "mat",
    "while",
    "dogs",
    "ran",
    "far",
    "away",
    ";",
    "it",
    "rained",
]
TEXTS = ["the cat", "the cat sat on a mat while dogs ran away", "Rained? it", "a", "mats on mat"]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "##s", "?", *WORDS]


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A folder with random weights and a vocabulary of word pieces; 12 tokens are read."""
    folder = tmp_path_factory.mktemp("published")
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    tokenizer = transformers.BertTokenizer(str(folder / "vocab.txt"), model_max_length=12)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(VOCABULARY), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=12,
    )  # fmt: skip
    network = transformers.BertModel(config).eval()
    with torch.no_grad():
        for p in network.parameters():
            p += 0.1 * torch.randn_like(p)
    network.save_pretrained(folder)
    return folder, network, tokenizer


def expected(published, pool):
    """All in one batch, the shorter ones padded; those of more than 12 tokens are cut."""
    _, network, tokenizer = published
    batch = tokenizer(TEXTS, padding=True, truncation=True, return_tensors="pt")
    assert not batch["attention_mask"].all()
    with torch.no_grad():
        x = network(**batch).last_hidden_state
    mask = batch["attention_mask"][..., None]
    return x[:, 0] if pool == "cls" else (x * mask).sum(1) / mask.sum(1)


def embedded(command, *options, texts=TEXTS):
    done = command(main, *options, *[f"input={text}" for text in texts], "json=true")
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


@pytest.mark.parametrize("pool", ["mean", "cls"])
def test_published_weights_answer_as_in_transformers(published, command, pool):
    rows = embedded(command, f"init.from={published[0]}", f"embed={pool}")
    vectors = expected(published, pool)
    assert [row["input"] for row in rows] == TEXTS
    torch.testing.assert_close(
        torch.tensor([row["vector"] for row in rows]), vectors, rtol=1e-5, atol=1e-5
    )
    near = F.cosine_similarity(vectors, vectors[:1])
    assert [row["cosine"] for row in rows] == pytest.approx(near.tolist(), abs=1e-5)


def test_a_table_a_file_and_what_the_weights_state(published, command, tmp_path):
    folder = tmp_path / "copy"
    folder.mkdir()
    for file in published[0].iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    modules = [{"path": "", "type": "x.Transformer"}, {"path": "p", "type": "x.Pooling"}]
    modules += [{"path": "n", "type": "x.Normalize"}]
    (folder / "p").mkdir()
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "p" / "config.json").write_text(json.dumps({"pooling_mode": "cls"}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 4}))
    inputs = [f"input={text}" for text in TEXTS]
    done = command(main, f"init.from={folder}", "embed=cls", *inputs[:2])
    heading, first, second = done.out.splitlines()
    assert heading.split() == ["input", "cosine", "vector", "of", "16"] and " 1.0000 " in first
    assert second.startswith(TEXTS[1])
    assert "mat while dogs ran away' has 12 tokens; the first 4 are read" in done.err
    assert "no token of its own" not in done.err
    empty = command(main, f"init.from={folder}", "embed=mean", inputs[0], "input= ")
    assert "warning: ' ' has no token of its own: its vector says nothing" in empty.err
    one = command(main, f"init.from={folder}", "embed=mean", inputs[0])
    assert "was trained with embed=cls" in one.err and "cosine" not in one.out
    file = tmp_path / "vectors.npz"
    done = command(main, f"init.from={folder}", "embed=cls", *inputs[::2], f"out={file}")
    assert done.out == f"{file}: 3 vectors of 16 numbers\n"
    written = numpy.load(file)
    assert written["texts"].tolist() == TEXTS[::2] and written["vectors"].dtype == numpy.float32
    assert numpy.linalg.norm(written["vectors"], axis=1) == pytest.approx(1, abs=1e-6)
    reference = F.normalize(expected(published, "cls"), dim=1)[0].numpy()
    assert written["vectors"][0] == pytest.approx(reference, abs=1e-5)


def test_a_prompt_is_lower_cased_with_its_text(published, command, tmp_path):
    """As by sentence-transformers, where the vocabulary alone is of small letters."""
    folder = tmp_path / "copy"
    shutil.copytree(published[0], folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    written = {
        "tokenizer_config": settings | {"do_lower_case": False},
        "modules": [{"path": "", "type": "x.Transformer"}],
        "sentence_bert_config": {"do_lower_case": True},
        "config_sentence_transformers": {"prompts": {"a": "The "}, "default_prompt_name": "a"},
    }
    for name, content in written.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    (row,) = embedded(command, f"init.from={folder}", "embed=mean", texts=["Cat"])
    assert row["vector"] == pytest.approx(expected(published, "mean")[0].tolist(), abs=1e-5)


def test_a_run_that_starts_from_the_weights(published, command, trained, tmp_path, refused):
    (tmp_path / "text.txt").write_text("the cat sat on a mat ; it rained " * 300)
    run = trained(
        "embedding", "model=bert", "task=masked_lm", "data=text", f"init.from={published[0]}",
        f"data.path={tmp_path / 'text.txt'}", f"data.root={tmp_path}", "data.block_size=12",
        "init.skip=[head,transform,transform_norm]", "optim.lr=0", "optim.weight_decay=0",
        "trainer.max_steps=1", "trainer.eval_steps=1", "data.mask_token=true",
    )  # fmt: skip
    rows = embedded(command, f"run={run}", "embed=mean")
    vectors = torch.tensor([row["vector"] for row in rows])
    torch.testing.assert_close(vectors, expected(published, "mean"), rtol=1e-5, atol=1e-5)
    line = refused(main, f"run={run}", "embed=max", "input=a")
    assert line.startswith("unknown embed 'max'") and "cls" in line
    line = refused(main, f"run={run}", f"init.from={published[0]}", "embed=mean", "input=a")
    assert line.startswith("embed= needs run= or init.from=, one of both")
    for out, message in (("v.txt", "ends with .npz"), (tmp_path / "v.npz", "exists already")):
        (tmp_path / "v.npz").touch()
        assert message in refused(main, f"run={run}", "embed=mean", f"out={out}", "input=a")
    assert "has no token" not in command(main, f"run={run}", "embed=mean", "input=").out


def test_what_gives_no_vectors_is_refused(published, digits_run, refused, tmp_path):
    line = refused(main, f"run={digits_run}", "embed=mean", "input=a")
    assert line == "embed= needs a run of model=bert; this one is of model=mlp"
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((published[0] / name).read_bytes())
    line = refused(main, f"init.from={tmp_path}", "embed=mean", "input=a")
    assert line.endswith("no tokenizer beside the weights, which texts need")
