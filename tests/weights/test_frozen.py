"""Weights in few bits: built without values, tables as exact as ever; runs with such a base."""

import json

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from zoo.adapters.low_rank import LoRAQuantised
from zoo.build import build_model
from zoo.commands.evaluate import main as evaluate
from zoo.commands.export import main as export
from zoo.commands.predict import main as predict
from zoo.config import compose
from zoo.config.run import InitConfig
from zoo.errors import UserError
from zoo.models.llama import Llama
from zoo.models.rnn import RNN
from zoo.restore import restore
from zoo.weights.frozen import frozen_format

SIZES = dict(vocab_size=9, block_size=8, width=8, depth=1, heads=2)


def test_no_random_numbers_are_drawn():
    state = torch.get_rng_state()
    with frozen_format(InitConfig(dtype="bf16")):
        model = Llama(**SIZES)
    assert torch.equal(torch.get_rng_state(), state)
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert torch.equal(model.rotary.cos, Llama(**SIZES).rotary.cos), "of float32"
    assert torch.equal(model.norm.weight, torch.ones(8))
    assert torch.get_default_dtype() == torch.float32


def test_models_that_begin_orthogonal_are_built_in_16_bits():
    with frozen_format(InitConfig(dtype="bf16")):
        model = RNN(vocab_size=9, width=8, depth=1)
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("facts", [{}, {"vocab_size": 9}], ids=["images", "with captions"])
def test_images_and_tables_are_refused(facts):
    """Layers in 16 bits take no 32-bit numbers."""
    config = compose.load(["model=mlp", "init.from=outputs", "init.dtype=bf16", "adapter=lora"])
    facts = {"input_shape": (1, 8, 8), "num_outputs": 2} | facts
    with pytest.raises(UserError, match="init.dtype=bf16 is for models that read text alone"):
        build_model(config, facts, None, None)


def test_without_it_nothing_changes():
    torch.manual_seed(0)
    expected = nn.Linear(3, 3).weight
    torch.manual_seed(0)
    with frozen_format(InitConfig()):
        assert torch.equal(nn.Linear(3, 3).weight, expected)


RUN = (
    "model=llama", "task=causal_lm", "model.width=16", "model.depth=2", "model.heads=4",
    "model.kv_heads=2", "data=text", "data.tokenizer=byte", "data.block_size=16",
    "data.batch_size=2", "trainer.eval_steps=2", "optim.lr=0.1",
)  # fmt: skip


def test_a_run_on_a_base_in_8_bits(train, tmp_path, capsys):
    """It goes on to the bit, is evaluated and predicts as it was trained, and leaves unpacked."""
    pytest.importorskip("torchao")
    (tmp_path / "a.txt").write_text("to be, or not to be, that is the question. " * 40)
    run = (*RUN, f"data.path={tmp_path / 'a.txt'}", "trainer.max_steps=4")
    base = train(*run)
    assert base.code == 0, base.err
    options = (f"init.from={base.path}", "init.quantize=int8")
    for more, said in (
        ((), "init.quantize=int8 is for the frozen weights of adapter=lora, got adapter=none"),
        (("adapter=head",), "for the frozen weights of adapter=lora, got adapter=head"),
        (("adapter=lora", "init.skip=[head]"), "frozen weights, and head.weight is initialised"),
    ):
        refused = train(*run, *options, *more)
        assert refused.code == 2 and said in refused.err and refused.path is None
    options += ("adapter=lora", "schedule=constant")
    whole = train(*run, *options)
    assert whole.code == 0 and "relative error 0." in whole.out, whole.err
    half = train(*run, *options, "trainer.max_steps=2")
    assert train(f"resume={half.path}", "trainer.max_steps=4").code == 0
    results = [json.loads((r.path / "result.json").read_text()) for r in (base, whole, half)]
    assert results[1]["test"] == results[2]["test"] != results[0]["test"]
    trained = results[1]["trained"]
    assert results[1]["parameters"] == results[0]["parameters"] + trained > trained > 0
    restored = restore(whole.path)
    layer = restored.model.blocks[0].attention.qkv
    assert isinstance(layer, LoRAQuantised) and layer.lora_b.any()
    capsys.readouterr()
    assert evaluate([f"run={whole.path}", "json=true"]) == 0
    evaluated = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert evaluated["metrics"]["loss"] == pytest.approx(results[1]["test"]["loss"])
    words = ["input=to be", "max_tokens=5", "temperature=0", "json=true"]
    assert predict([f"run={whole.path}", *words]) == 0
    assert "in full" not in capsys.readouterr().err
    assert predict([f"run={base.path}", *words, f"adapters=[{whole.path}]"]) == 0
    warned = capsys.readouterr().err
    assert "trained on a base in int8, and is put on one in full precision" in warned
    assert export([f"run={whole.path}", "format=safetensors", f"out={tmp_path / 'out'}"]) == 0
    tensors = load_file(tmp_path / "out" / "model.safetensors")
    name = "blocks.0.attention.qkv.weight"
    torch.testing.assert_close(tensors[name], layer.updated())
