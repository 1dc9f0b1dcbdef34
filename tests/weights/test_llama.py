"""Published forms of Llama's kin: names, files, fields; and the way back, bit for bit."""

import json
import re

import pytest
import torch
from exports import exported
from published_models import KIN, MIXTURES, T, V, llama, load_published, reference_and_model
from safetensors.torch import load_file, save_file

from zoo.adapters.lora import fold
from zoo.errors import UserError
from zoo.layers.linear import Linear
from zoo.restore import restore
from zoo.weights.hf_folder import write_json
from zoo.weights.llama import LLAMA
from zoo.weights.source import open_source


def rewrite(folder, change=lambda tensors: tensors, **fields):
    """The folder's weights and config with something else in them."""
    file, place = folder / "model.safetensors", folder / "config.json"
    save_file({n: t.clone() for n, t in change(load_file(file)).items()}, file)
    config = json.loads(place.read_text()) | fields
    place.write_text(json.dumps({k: v for k, v in config.items() if v != "absent"}))


def refusal(folder):
    with pytest.raises(UserError) as found:
        open_source(str(folder))
    assert "\n" not in str(found.value)
    return str(found.value)


@pytest.mark.parametrize("case", [*KIN, *MIXTURES])
def test_the_way_back_is_bit_for_bit(case, tmp_path):
    """Tensors and config that `transformers` opens: equal logits, the same tensors."""
    import transformers

    reference, model, x = reference_and_model(case, tmp_path)
    source = open_source(str(tmp_path))
    settings = source.settings | {"vocab_size": V}
    assert LLAMA.misfits(settings) == []
    tensors = LLAMA.to_published(dict(source.tensors), settings)
    stored = load_file(tmp_path / "model.safetensors")
    assert tensors.keys() == stored.keys()
    assert all(torch.equal(tensors[name], t) for name, t in stored.items())
    out = tmp_path / "out"
    out.mkdir()
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    write_json(out / "config.json", LLAMA.config(settings))
    again = transformers.AutoModelForCausalLM.from_pretrained(out)
    assert type(again) is type(reference)
    torch.testing.assert_close(again(x).logits, reference(x).logits, rtol=0, atol=0)
    assert open_source(str(out)).settings == source.settings


@pytest.mark.parametrize("form", ["trunk", "buffers", "head twice", "old fields", "no context"])
def test_forms_that_are_published(form, tmp_path):
    tied = form in ("trunk", "head twice")
    torch.manual_seed(0)
    reference = llama(tie_word_embeddings=tied).eval()
    reference.save_pretrained(tmp_path)
    name = "model.embed_tokens.weight"
    if form == "trunk":
        rewrite(tmp_path, lambda old: {n.removeprefix("model."): t for n, t in old.items()})
    elif form == "buffers":
        buffer = {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(6)}
        rewrite(tmp_path, lambda old: old | buffer)
    elif form == "head twice":
        rewrite(tmp_path, lambda old: old | {"lm_head.weight": old[name]})
    elif form == "old fields":
        rewrite(tmp_path, rope_parameters="absent", rope_theta=10000.0, rope_scaling=None)
    else:
        rewrite(tmp_path, max_position_embeddings="absent", num_key_value_heads="absent")
    model = load_published(tmp_path, dict(vocab_size=V))
    x = torch.randint(V, (2, T))
    torch.testing.assert_close(model(x), reference(x).logits, rtol=1e-4, atol=1e-4)
    assert (model.head.weight is model.embedding.weight) == tied


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"model_type": "gemma"}, "model_type=gemma .expected llama or mistral or .* or mixtral"),
        ({"hidden_act": "gelu"}, "hidden_act=gelu"),
        ({"num_attention_heads": "absent"}, "need their config.json beside them"),
        ({"num_attention_heads": 5}, "num_attention_heads=5 divides no queries of 48"),
        ({"head_dim": 7}, "head_dim=7, and the tensors have 12"),
        ({"attention_bias": True}, "attention_bias=true, and the tensors have false"),
        ({"mlp_bias": True}, "mlp_bias=true, and the tensors have false"),
        ({"rope_scaling": {"type": "yarn"}, "rope_parameters": None}, "by yarn"),
        ({"rope_parameters": {"rope_type": "dynamic"}}, "scales rotary positions by dynamic"),
        (
            {"rope_parameters": {"full_attention": {"rope_theta": 1e6}}},
            "rotary positions for full_attention, expected one for all",
        ),
        ({"quantization_config": {"bits": 4}}, "quantization_config"),
        (
            dict(model_type="qwen2", use_sliding_window=True, sliding_window=4, layer_types=[
                "full_attention", "sliding_attention", "full_attention"]),
            "gives 1 of 3 blocks a sliding window, expected all or none",
        ),
    ],
)  # fmt: skip
def test_configs_that_are_refused(fields, said, tmp_path):
    llama().save_pretrained(tmp_path)
    rewrite(tmp_path, **fields)
    assert re.search(said, refusal(tmp_path))


@pytest.mark.parametrize(
    "case", ["llama", "mistral", "qwen2", "qwen2 window", "qwen3", "mixtral", "qwen3 mixture"]
)
def test_what_a_config_does_not_state_is_as_in_transformers(case, tmp_path):
    import transformers

    kind, options = (KIN | MIXTURES)[case]
    llama(kind, **options).save_pretrained(tmp_path)
    gone = ("rms_norm_eps", "rope_parameters", "norm_topk_prob", "tie_word_embeddings")
    rewrite(tmp_path, **dict.fromkeys([*gone, "sliding_window"], "absent"))
    theirs = transformers.AutoConfig.from_pretrained(tmp_path)
    ours = open_source(str(tmp_path)).settings
    assert ours["eps"] == theirs.rms_norm_eps
    assert ours["rope_base"] == theirs.rope_parameters["rope_theta"]
    assert ours["window"] == getattr(theirs, "sliding_window", None)
    if kind == "Qwen3Moe":
        assert ours["mixture"]["normalise"] == theirs.norm_topk_prob


def test_without_its_config(tmp_path):
    llama().save_pretrained(tmp_path)
    (tmp_path / "config.json").unlink()
    assert "need their config.json beside them" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("options", "kind", "has"),
    [
        (dict(bias="all", window=4), "mistral", "model.bias=all"),
        (dict(bias="mlp", qk_norm=True), "qwen3", "model.bias=mlp"),
    ],
)
def test_options_that_no_architecture_has_together(options, kind, has):
    sizes = dict(width=16, heads=4, depth=1, vocab_size=9, block_size=8, tie=False)
    settings = sizes | dict(bias="none", window=None, qk_norm=False) | options
    assert LLAMA.misfits(settings)[0][0] == has
    assert LLAMA.config(settings)["model_type"] == kind


RUN = (
    "model=llama", "task=causal_lm", "model.width=16", "model.depth=2", "model.heads=4",
    "model.kv_heads=2", "data=text", "data.tokenizer=byte", "data.block_size=16",
    "data.batch_size=2", "trainer.max_steps=2", "trainer.eval_steps=2", "optim.lr=0.1",
)  # fmt: skip


def test_frozen_weights_in_16_bits(train, tmp_path, capsys):
    """An adapter on them is trained in 32, restored, merged and written in 16; predictions keep
    what the merge rounds off, and the export says how much that is."""
    (tmp_path / "a.txt").write_text("to be, or not to be, that is the question. " * 40)
    place = f"data.path={tmp_path / 'a.txt'}"
    base = train(*RUN, place)
    assert base.code == 0, base.err
    for precision, rate in (("fp32", 0.1), ("bf16", 1e-4)):
        done = train(
            *RUN, place, f"init.from={base.path}", "init.dtype=bf16", "adapter=lora",
            f"trainer.precision={precision}", f"optim.lr={rate}",
        )  # fmt: skip
        assert done.code == 0, done.err
    restored = restore(done.path)
    kinds = {n: t.dtype for n, t in restored.model.state_dict().items()}
    assert all((torch.float32 if ".lora_" in n else torch.bfloat16) == k for n, k in kinds.items())
    assert restored.model.rotary.cos.dtype == torch.float32
    assert any(n.endswith("lora_b") and t.any() for n, t in restored.model.state_dict().items())
    tokens = torch.arange(12).view(1, 12)
    adapted = restored.model(tokens)
    assert fold(restored.model) == 0 and torch.equal(restored.model(tokens), adapted)
    rounding = fold(restored.model, unpack=True)
    assert 0.05 < rounding < 2
    said = exported(done.path, "hf", tmp_path / "hf", capsys)
    assert f"a relative error of {rounding:.0%} of it. predict.py and format=peft keep" in said
    assert type(restored.model.blocks[0].attention.qkv) is Linear
    assert restored.model.blocks[0].attention.qkv.weight.dtype == torch.bfloat16
    for options, said in (
        ((), "init.dtype=bf16 is for the frozen weights of adapter=lora, got adapter=none"),
        (("adapter=lora", "init.skip=[head]"), "frozen weights, and head.weight is initialised"),
    ):
        done = train(*RUN, place, f"init.from={base.path}", "init.dtype=bf16", *options)
        assert done.code == 2 and said in done.err
