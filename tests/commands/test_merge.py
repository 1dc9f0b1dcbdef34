"""LoRA runs of one base as one run, from the command line."""

import json

import pytest
import torch
from safetensors.torch import load_file
from support import refused

from zoo.commands.compare import main as compare
from zoo.commands.evaluate import main as evaluate
from zoo.commands.export import main as export
from zoo.commands.merge import main as merge
from zoo.commands.predict import main as predict

SIZE = ("model=llama", "model.width=16", "model.depth=1", "model.heads=2", "task=causal_lm")
DATA = (
    "trainer.max_steps=4",
    "data=text",
    "data.tokenizer=byte",
    "data.block_size=8",
    "data.batch_size=2",
)


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "a.txt"
    path.write_text("to be, or not to be, that is the question. " * 20)
    return f"data.path={path}"


@pytest.fixture(scope="module")
def base(trained, text):
    return trained("base", *SIZE, *DATA, text)


@pytest.fixture(scope="module")
def runs(trained, text, base):
    """Two of other ranks and layers."""
    tuned = (*SIZE[::4], *DATA, text, f"init.from={base}", "adapter=lora", "optim.lr=0.1")
    first = trained("a", *tuned, "adapter.rank=2")
    return first, trained("b", *tuned, "adapter.rank=3", "adapter.targets=[qkv:v,down]", "seed=1")


def test_the_merged_run_is_the_sum(runs, base, command, train, tmp_path, text):
    first, second = runs
    out = tmp_path / "merged" / "ab"
    done = command(merge, f"adapters=[{first},{second}]", "weights=[0.5,-2]", f"out={out}")
    assert done.code == 0 and "rank 5" in done.out, done.err
    folders = {"a": first, "b": second, "merged": out}
    for name, run in folders.items():
        target = tmp_path / f"{name}_out"
        assert command(export, f"run={run}", "format=safetensors", f"out={target}").code == 0
    a, b, merged = (load_file(tmp_path / f"{n}_out" / "model.safetensors") for n in folders)
    start = load_file(next((base / "checkpoints").glob("best-*")) / "model.safetensors")
    for name, tensor in start.items():
        expected = tensor + 0.5 * (a[name] - tensor) - 2 * (b[name] - tensor)
        torch.testing.assert_close(merged[name], expected, rtol=1e-4, atol=1e-5)
    evaluated = json.loads(command(evaluate, f"run={out}", "json=true").out)
    assert evaluated["metrics"]["loss"] > 0
    said = command(predict, f"run={out}", "input=to be", "max_tokens=3", "json=true")
    assert said.code == 0, said.err
    compared = command(compare, str(out.parent), str(first))
    assert compared.code == 0 and "unfinished" not in compared.out, compared.err + compared.out
    again = command(merge, f"adapters=[{first},{out}]", f"out={tmp_path / 'mean'}")
    assert again.code == 0 and "0.5 x" in again.out, again.err
    went_on = train(*SIZE[::4], *DATA, text, f"init.from={base}", "adapter=lora",
                    f"init.adapter={out}", "trainer.max_steps=1")  # fmt: skip
    assert went_on.code == 0, went_on.err
    resumed = train(f"resume={out}")
    assert resumed.code == 2 and "merged into it, and it was not trained" in resumed.err


def test_what_cannot_be_merged(runs, base, command, tmp_path):
    first, second = runs
    out, other = f"out={tmp_path / 'new' / 'out'}", tmp_path / "other"
    assert command(export, f"run={first}", "format=safetensors", f"out={other}").code == 0
    for adapters, more, said in (
        ((first,), (), "expected two or more different folders"),
        ((first, first), (), "expected two or more different folders"),
        ((first, second), ("weights=[1]",), "expected 2 numbers, one for each adapter"),
        ((first, second), ("weights=[1,x]",), "expected 2 numbers"),
        ((first, second), ("optim.lr=1",), "runs are merged as they were trained"),
        ((first, second), (f"base={other}",), "holds an adapter of other weights"),
        ((base, first), (), "expected a run with adapter=lora, got adapter=none"),
        ((first, tmp_path / "none"), (), "there is no such folder"),
    ):
        listed = f"adapters=[{','.join(map(str, adapters))}]"
        assert said in refused(command(merge, listed, out, *more), tmp_path / "new")


def test_adapters_for_other_classes_get_no_wrong_names(trained, command, tmp_path):
    """Neither in a merge nor in predictions of another run."""
    data = ("data=text_csv", "data.text=text", "data.target=label", "data.block_size=8")
    size = ("model.width=8", "model.depth=1", "model.heads=2", "trainer.max_steps=1")
    common = ("model=gpt", "task=classification", *data, "data.tokenizer=byte", *size)

    def run(name, classes, *more):
        path = tmp_path / f"{name}.csv"
        rows = [f"{'xyz'[k % 3]}{k},{classes[k % 2]}\n" for k in range(40)]
        path.write_text("text,label\n" + "".join(rows))
        return trained(name, *common, f"data.path={path}", *more)

    start = run("start", ("bad", "good"))
    lora = f"init.from={start}", "adapter=lora"
    same, other = run("same", ("bad", "good"), *lora), run("other", ("old", "young"), *lora)
    said = "was trained to tell apart old, young, and the run bad, good"
    asked = command(predict, f"run={start}", "input=x1", f"adapters=[none,{same},{other}]")
    assert asked.code == 2 and said in asked.err and asked.out == ""
    assert asked.err.endswith(f"take run={other}\n")
    out = tmp_path / "out"
    merged = command(merge, f"adapters=[{same},{other}]", f"out={out}")
    assert merged.code == 2 and said in merged.err and not out.exists()
