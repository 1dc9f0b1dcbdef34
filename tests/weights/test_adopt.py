"""`init.from` and adapters from the command line: what is taken over, kept, and said."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from zoo.config.compose import load
from zoo.errors import UserError
from zoo.restore import restore
from zoo.runs.rank import measured
from zoo.runs.records import Record
from zoo.weights.adopt import merge_source_config
from zoo.weights.source import Source, open_source

TEXT = (
    "the quick brown fox jumps over the lazy dog. pack my box with five dozen liquor jugs.\n" * 60
)
SMALL = (
    "model=gpt", "task=causal_lm", "data=text", "data.block_size=16", "data.batch_size=4",
    "trainer.max_steps=4", "trainer.eval_steps=2", "trainer.precision=fp32",
    "model.positions=rotary",
)  # fmt: skip
SIZE = ("model.width=16", "model.depth=2", "model.heads=2")


@pytest.fixture
def text(tmp_path):
    (tmp_path / "a.txt").write_text(TEXT)
    (tmp_path / "b.txt").write_text(TEXT.upper())
    return tmp_path


@pytest.fixture
def base(train, text):
    """A run of two blocks, and the options to continue from it."""
    done = train(*SMALL, *SIZE, f"data.path={text / 'a.txt'}", "data.tokenizer=char")
    assert done.code == 0, done.err
    return done.path


@pytest.fixture
def refuse(train):
    """What a refuse is answered with: one line, and no new run."""

    def say(*options):
        answer = train(*options)
        assert answer.code == 2 and answer.path is None, answer.out
        assert answer.err.startswith("error: ") and answer.err.count("\n") == 1, answer.err
        return answer.err

    return say


def weights(run, name="last"):
    folder = sorted((run / "checkpoints").glob(f"{name}-*"))[-1]
    return load_file(folder / "model.safetensors")


def test_sizes_and_tokenizer_come_with_the_weights(train, text, base):
    done = train(
        *SMALL, f"data.path={text / 'a.txt'}", f"init.from={base}", "trainer.max_steps=1",
        "optim.lr=0", "data.vocab_size=77",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "loaded" in done.out and str(base) in done.out
    assert "data.vocab_size=77 has no effect: the tokenizer of the weights" in done.out
    before, after = weights(base, "best"), weights(done.path)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_losses_in_the_tokens_of_other_weights_are_not_compared(train, text, base):
    other = train(*SMALL, *SIZE, f"data.path={text / 'a.txt'}", "data.tokenizer=byte")
    runs = []
    for weights_from in (base, base, other.path):
        options = (f"data.path={text / 'a.txt'}", f"init.from={weights_from}", f"seed={len(runs)}")
        runs.append(Record.read(train(*SMALL, *options, "data.split_seed=0").path))
    first, second, third = (measured(run, "val/loss") for run in runs)
    assert first == second != third and third[-1].startswith("tokenizer=byte-")


def test_what_is_typed_wins(refuse, text, base):
    said = refuse(*SMALL, "model.width=32", f"data.path={text / 'a.txt'}", f"init.from={base}")
    assert "reshaped: embedding.weight" in said and "leave its sizes" in said
    assert "init.skip" not in said and "init.resize" not in said
    said = refuse(*SMALL, "data.tokenizer=byte", f"data.path={text / 'a.txt'}", f"init.from={base}")
    assert "reshaped: embedding.weight" in said and "for 256x16" in said
    assert "init.skip=[embedding]" in said and "init.resize" not in said  # other tokens


def test_parts_left_out_and_resized(train, text, base):
    options = (*SMALL, f"data.path={text / 'a.txt'}", f"init.from={base}", "data.tokenizer=byte")
    done = train(*options, "init.skip=[embedding,head]", "trainer.max_steps=1", "optim.lr=0")
    assert done.code == 0, done.err
    assert "skipped" in done.out
    before, after = weights(base, "best"), weights(done.path)
    name = "blocks.1.feed_forward.up.weight"
    assert torch.equal(before[name], after[name])
    done = train(*options, "init.resize=[embedding]", "trainer.max_steps=1", "optim.lr=0")
    rows = len(before["embedding.weight"])
    assert done.code == 0 and "resized" in done.out
    assert torch.equal(weights(done.path)["embedding.weight"][:rows], before["embedding.weight"])


def test_weights_of_another_model(refuse, text, base):
    said = refuse(
        "model=bert", "task=masked_lm", "data=text", "data.mask_token=true",
        f"data.path={text / 'a.txt'}", f"init.from={base}",
    )  # fmt: skip
    assert "holds weights of model=gpt, and the run trains model=bert" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("adapter=lora",), "there are none: set init.from="),
        (("init.from=/no/where",), "there is no such file or folder"),
        (("adapter=lorra",), "did you mean 'lora'"),
        (("adapter=lora", "adapter.rang=3"), "did you mean 'adapter.rank'"),
    ],
)
def test_mistakes_before_anything_is_read(mistake, options, said):
    assert said in mistake("experiment=mlp_rain", *options)


def test_a_pattern_that_matches_nothing(refuse, text, base):
    options = (*SMALL, f"data.path={text / 'a.txt'}", f"init.from={base}")
    assert "init.skip: 'haed' matches no parameter" in refuse(*options, "init.skip=[haed]")
    said = refuse(*options, "adapter=lora", "adapter.targets=[query]")
    assert "'query' matches no layer" in said and "attention.qkv" in said


@pytest.fixture
def adapted(train, text, base):
    done = train(
        *SMALL, f"data.path={text / 'a.txt'}", f"init.from={base}", "adapter=lora",
        "adapter.rank=2", "optim.lr=0.05",
    )  # fmt: skip
    assert done.code == 0, done.err
    return done


def test_checkpoints_hold_the_adapter_alone(adapted, base):
    assert "trained (" in adapted.out
    names = weights(adapted.path).keys()
    assert names and all(".lora_" in name for name in names)
    result = json.loads((adapted.path / "result.json").read_text())
    assert result["trained"] == sum(t.numel() for t in weights(adapted.path).values())
    assert result["parameters"] > 7 * result["trained"]
    state = json.loads(next((adapted.path / "checkpoints").glob("last-*/state.json")).read_text())
    assert state["base"] == open_source(str(base)).sha256


def test_it_can_be_restored_and_changes_the_answer(adapted, base):
    first, second = restore(base), restore(adapted.path)
    tokens = torch.arange(12).view(1, 12)
    assert not torch.equal(first.model(tokens), second.model(tokens))
    assert second.encoding.tokenizer.to_json() == first.encoding.tokenizer.to_json()


def test_an_adapter_continues_from_another(train, text, base, adapted):
    """With its rank and targets, whatever the recipe says; on its own base alone."""
    options = (*SMALL, f"data.path={text / 'a.txt'}", "adapter=lora", "optim.lr=0")
    done = train(*options, f"init.from={base}", f"init.adapter={adapted.path}")
    assert done.code == 0, done.err
    before, after = weights(adapted.path, "best"), weights(done.path)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    other = train(*SMALL, *SIZE, f"data.path={text / 'a.txt'}", "data.tokenizer=char", "seed=1")
    wrong = train(*options, f"init.from={other.path}", f"init.adapter={adapted.path}")
    assert wrong.code == 2 and "holds an adapter of other weights" in wrong.err


def test_parts_of_an_option_that_are_typed_win_over_the_weights():
    """The others are those of the weights."""
    chosen = ["model=deepseek", "task=causal_lm", "data=text", "init.from=x"]
    typed = ["model.mixture.balance_rate=0.5", "model.mixture.scale=1.5"]
    config = load([*chosen, *typed])
    own = {"experts": 4, "scale": 2.5, "balance_rate": None, "groups": 2}
    source = Source(Path("x"), "deepseek", {"width": 16, "mixture": own}, {}, None)
    keys = [one.split("=")[0] for one in (*chosen, *typed)]
    merged = merge_source_config(config, source, keys).model
    assert merged["mixture"] == own | {"balance_rate": 0.5, "scale": 1.5}
    assert merge_source_config(config, source, keys[:4]).model["mixture"] == own


def test_a_head_that_would_be_lost_is_not_tied():
    source = Source(Path("x"), "gpt", {"width": 16, "tie": False}, {}, None)
    chosen = ["model=gpt", "task=causal_lm", "data=text", "init.from=x", "model.tie=true"]
    keys = [one.split("=")[0] for one in chosen]
    with pytest.raises(UserError, match="model.tie=true: the weights of init.from=x have a head"):
        merge_source_config(load(chosen), source, keys)
    assert merge_source_config(load([*chosen, "init.skip=[head]"]), source, keys).model["tie"]
    assert not merge_source_config(load(chosen[:4]), source, keys[:4]).model["tie"]


def test_columns_and_classes_that_mean_another_thing_are_said(train, tmp_path):
    def table(name, columns, classes, shift=0.0):
        lines = [
            f"{k % 7 + shift},{k % 5},{classes[k % 2]}" if columns == "x,y" else
            f"{k % 5},{k % 7},{classes[k % 2]}" for k in range(80)
        ]  # fmt: skip
        (tmp_path / name).write_text("\n".join([f"{columns},kind", *lines]) + "\n")
        return f"data.path={tmp_path / name}"

    chosen = ["model=mlp", "task=classification", "data=csv", "data.target=kind"]
    chosen += ["model.width=8", "model.depth=1", "data.batch_size=8", "trainer.max_steps=2"]
    first = train(*chosen, table("a.csv", "x,y", ["cat", "dog"]))
    start = f"init.from={first.path}"
    cases = [
        (table("b.csv", "y,x", ["cat", "dog"]), "feature 1 of the weights of init.from= is 'x', h"),
        (table("c.csv", "x,y", ["bird", "cat"]), "output 1 of the weights of init.from= means 'c"),
        (table("d.csv", "x,y", ["cat", "dog"], 100.0), "'x' has the mean 10"),
        (table("e.csv", "x,y", ["cat", "dog"]), ""),
    ]
    for path, said in cases:
        out = " ".join(train(*chosen, path, start).out.split())
        assert said in out and (said or "init.from=" not in out), out
    again = train(*chosen, cases[0][0], start, "data.columns=[x,y]")
    assert "init.from=" not in " ".join(again.out.split())
    again = train(*chosen, cases[1][0], start, "init.skip=[head]")
    assert "means 'cat'" not in " ".join(again.out.split())


def test_adapters_change_places_at_prediction(train, text, base, adapted, capsys):
    from zoo.commands.predict import main

    other = train(
        *SMALL, f"data.path={text / 'a.txt'}", f"init.from={base}", "adapter=lora",
        "adapter.targets=[out]", "optim.lr=0.2", "seed=1",
    )  # fmt: skip
    options = ["input=the quick", "temperature=0", "max_tokens=30", "json=true"]

    def said(run, *more):
        capsys.readouterr()
        assert main([f"run={run}", *options, *more]) == 0
        return [json.loads(line)["text"] for line in capsys.readouterr().out.splitlines()]

    alone = [said(base)[0], said(adapted.path)[0], said(other.path)[0]]
    assert len(set(alone)) > 1
    together = f"adapters=[none,{adapted.path},{other.path}]"
    assert said(base, together) == alone == said(adapted.path, together)
    assert main([f"run={other.path}", "input=x", "adapters=[nowhere]"]) == 2
    assert "adapter=nowhere: there is no such folder" in capsys.readouterr().err


def test_the_base_is_the_run_that_was_taken(train, text, base, monkeypatch):
    """Named by the folder of its runs: a newer one, or another folder, changes nothing later."""
    monkeypatch.chdir(base.parent.parent)
    options = (*SMALL, f"data.path={text / 'a.txt'}")
    done = train(*options, f"init.from={base.parent.name}", "adapter=lora")
    assert done.code == 0, done.err
    newer = train(*options, *SIZE, "data.tokenizer=char", "seed=1")
    assert newer.path.parent == base.parent and newer.path.name > base.name
    monkeypatch.chdir(text)
    assert restore(done.path).config.init.from_ == str(base.resolve())


def test_a_stopped_run_resumes_to_the_same_end(train, text, base):
    options = (
        *SMALL, f"data.path={text / 'a.txt'}", f"init.from={base}", "adapter=lora",
        "adapter.dropout=0.1", "optim.lr=0.05", "trainer.save_steps=2", "schedule=constant",
    )  # fmt: skip
    whole = train(*options)
    half = train(*options, "trainer.max_steps=2")
    resumed = train(f"resume={half.path}", "trainer.max_steps=4")
    assert resumed.code == 0, resumed.err
    before, after = weights(whole.path), weights(half.path)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_two_ranks_adapt_as_one_process_does(train, text, base):
    bits = {}
    for devices in (1, 2):
        folder = text / str(devices)
        done = train(
            *SMALL, f"data.path={text / 'a.txt'}", f"init.from={base}", "adapter=lora",
            "optim.lr=0.05", f"trainer.devices={devices}", f"output_dir={folder}",
        )  # fmt: skip
        assert done.code == 0, done.err
        (path,) = folder.glob("*/*")
        bits[devices] = weights(path)
    assert bits[1].keys() == bits[2].keys() and all("lora" in name for name in bits[1])
    assert any(tensor.abs().max() > 0 for name, tensor in bits[1].items() if "lora_b" in name)
    for name, tensor in bits[1].items():
        torch.testing.assert_close(tensor, bits[2][name], rtol=1e-3, atol=1e-4)


def test_on_another_base_it_is_refused(train, text, base, adapted, capsys):
    config = adapted.path / "config.yaml"
    other = train(*SMALL, *SIZE, f"data.path={text / 'a.txt'}", "data.tokenizer=char", "seed=1")
    config.write_text(config.read_text().replace(str(base), str(other.path)))
    again = train(f"resume={adapted.path}", "trainer.max_steps=6")
    assert again.code == 2 and "holds an adapter of other weights" in again.err


def test_a_run_that_starts_from_weights_resumes_without_them(train, text, base):
    done = train(*SMALL, f"data.path={text / 'a.txt'}", f"init.from={base}")
    base.rename(base.with_name("elsewhere"))
    again = train(f"resume={done.path}", "trainer.max_steps=6")
    assert again.code == 0, again.err


def test_an_adapter_is_no_base(refuse, text, adapted):
    said = refuse(*SMALL, f"data.path={text / 'a.txt'}", f"init.from={adapted.path}")
    assert "holds an adapter without its base" in said and "scripts/export.py" in said


def test_blocks_longer_than_the_positions(train, refuse, text):
    learned = [o for o in SMALL if "positions" not in o]
    done = train(*learned, *SIZE, f"data.path={text / 'a.txt'}")
    options = (*learned, f"data.path={text / 'a.txt'}", f"init.from={done.path}")
    said = refuse(*options, "data.block_size=32")
    assert "data.block_size=32: the weights of init.from have 16 positions" in said
    longer = train(*options, "data.block_size=32", "init.resize=[position]")
    assert longer.code == 0, longer.err


def test_the_model_is_as_deep_as_the_layers_that_it_takes(train, text, base, refuse):
    more = (*SMALL, f"data.path={text / 'a.txt'}", "trainer.max_steps=1", "optim.lr=0")
    done = train(*more, f"init.from={base}", "init.layers=[1]")
    assert done.code == 0, done.err
    known, own = weights(base, "best"), weights(done.path)
    assert torch.equal(own["blocks.0.attention.out.weight"], known["blocks.1.attention.out.weight"])
    assert restore(done.path, "last").model.depth == 1
    assert "init.layers: 2 is none of" in refuse(*more, f"init.from={base}", "init.layers=[2]")
    assert "no effect without init.from=" in refuse(*more, "init.layers=[0]")
