"""Adapters in PEFT's format, against PEFT itself."""

import copy

import pytest
import torch
import torch.nn.functional as F
from published_models import DEEPSEEK, llama
from torch import nn

from zoo.adapters.lora import lora, lora_layers
from zoo.errors import UserError
from zoo.kernels import cross_entropy
from zoo.models.gpt import GPT
from zoo.registry import MODELS
from zoo.training.checkpoint import trainable_state_dict
from zoo.weights.adapters import apply_adapter, family_of
from zoo.weights.load import load_weights
from zoo.weights.peft import dump, read_peft, write_peft
from zoo.weights.source import open_source

transformers = pytest.importorskip("transformers")
peft = pytest.importorskip("peft")
V, T = 61, 16
BASE = dict(rank=3, alpha=6.0, dropout=0.0, rslora=False, dora=False)


def reference_and_model(kind, folder, tie=True):
    torch.manual_seed(0)
    if kind == "gpt2":
        config = transformers.GPT2Config(
            vocab_size=V, n_positions=T, n_embd=32, n_layer=2, n_head=4, bos_token_id=0,
            eos_token_id=0, tie_word_embeddings=tie, resid_pdrop=0.0, embd_pdrop=0.0,
            attn_pdrop=0.0,
        )  # fmt: skip
        reference = transformers.GPT2LMHeadModel(config)
    elif kind == "llama":
        config = transformers.LlamaConfig(
            vocab_size=V, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, intermediate_size=56, max_position_embeddings=T, bos_token_id=0,
            eos_token_id=0, tie_word_embeddings=tie,
        )  # fmt: skip
        reference = transformers.LlamaForCausalLM(config)
    else:
        config = transformers.BertConfig(
            vocab_size=V, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
            intermediate_size=128, max_position_embeddings=T, hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )  # fmt: skip
        reference = transformers.BertForMaskedLM(config)
    reference.eval().save_pretrained(folder / "base")
    source = open_source(str(folder / "base"))
    options = {"name": source.model, **source.settings, "dropout": 0.0}
    model = MODELS.build(options, vocab_size=V)
    load_weights(model, source.tensors, "base", [], [])
    return reference, model.eval(), source.settings


CASES = [
    ("gpt2", ["attention.qkv", "attention.out"]),
    ("gpt2", ["qkv:qv", "up"]),
    ("gpt2", None),
    ("bert", ["qkv"]),
    ("bert", ["qkv:qv", "down"]),
    ("gpt2", ["embedding", "qkv"]),
    ("llama", None),
    ("llama", ["qkv:kv", "up:g"]),
]


@pytest.mark.parametrize("kinds", [(), ("rslora",), ("dora",)])
@pytest.mark.parametrize(("kind", "targets"), CASES)
def test_what_we_write_peft_reads(tmp_path, kind, targets, kinds):
    tie = "embedding" not in (targets or [])
    reference, model, settings = reference_and_model(kind, tmp_path, tie)
    options = BASE | dict.fromkeys(kinds, True) | {"targets": targets}
    plain = copy.deepcopy(model)
    lora(model, **options)
    for layer in lora_layers(model).values():
        nn.init.normal_(layer.lora_b, std=0.2)
        if layer.lora_magnitude is not None:
            layer.lora_magnitude.data *= 1 + torch.rand(len(layer.lora_magnitude))
    family = family_of(kind.removesuffix("2"), settings)
    assert family is not None and family.name == kind
    tensors, config = write_peft(model, options, family, settings, "base")
    dump(tmp_path, tensors, config)
    x = torch.randint(V, (2, T))
    expected = model(x)
    peft_model = peft.PeftModel.from_pretrained(reference, tmp_path).eval()
    torch.testing.assert_close(peft_model(x).logits, expected, rtol=1e-4, atol=1e-5)
    adapter = read_peft(tmp_path, family, settings)
    apply_adapter(plain, adapter, "here")
    torch.testing.assert_close(plain(x), expected, rtol=1e-5, atol=1e-6)
    again, repeated = write_peft(plain, adapter.options, family, settings, "base")
    assert repeated == config
    assert again.keys() == tensors.keys()
    assert all(torch.equal(again[name], tensors[name]) for name in tensors)  # to the bit


@pytest.mark.parametrize("use_dora", [False, True])
@pytest.mark.parametrize(
    ("kind", "modules"),
    [
        ("gpt2", ["c_attn", "c_fc"]),
        ("gpt2", ["wte"]),
        ("bert", ["query", "value"]),
        ("bert", ["key", "output.dense"]),
        ("llama", ["q_proj", "v_proj", "o_proj"]),
        ("llama", "all-linear"),
    ],
)
def test_what_peft_writes_we_read(tmp_path, kind, modules, use_dora):
    reference, model, settings = reference_and_model(kind, tmp_path, tie=modules != ["wte"])
    config = peft.LoraConfig(
        r=4, lora_alpha=8, target_modules=modules, fan_in_fan_out=kind == "gpt2",
        init_lora_weights=False, use_dora=use_dora,
    )  # fmt: skip
    peft_model = peft.get_peft_model(reference, config).eval()
    for name, parameter in peft_model.named_parameters():
        if "magnitude" in name:
            parameter.data *= 1 + torch.rand(parameter.shape)
    peft_model.save_pretrained(tmp_path / "adapter")
    family = family_of(kind.removesuffix("2"), settings)
    apply_adapter(model, read_peft(tmp_path / "adapter", family, settings), "adapter")
    x = torch.randint(V, (2, T))
    torch.testing.assert_close(model(x), peft_model(x).logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("use_dora", "steps"), [(False, 50), (True, 25)])
def test_loss_curves_are_pefts(tmp_path, use_dora, steps):
    """From the same low-rank matrices on the same batches, in float64."""
    reference, model, _ = reference_and_model("gpt2", tmp_path)
    reference, model = reference.double(), model.double()
    config = peft.LoraConfig(
        r=4, lora_alpha=8, target_modules=["c_attn"], fan_in_fan_out=True, use_dora=use_dora
    )
    peft_model = peft.get_peft_model(reference, config, autocast_adapter_dtype=False)
    lora(model, rank=4, alpha=8.0, targets=["qkv"], dora=use_dora)
    with torch.no_grad():
        for k, block in enumerate(model.blocks):
            layer = peft_model.base_model.model.transformer.h[k].attn.c_attn
            block.attention.qkv.lora_a.copy_(layer.lora_A["default"].weight)
    generator = torch.Generator().manual_seed(1)
    batches = torch.randint(V, (steps, 4, T + 1), generator=generator) // 3
    curves = []
    for network in (peft_model, model):
        trained = [p for p in network.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=1e-2, weight_decay=0.01)
        losses = []
        for batch in batches:
            x, y = batch[:, :-1], batch[:, 1:].flatten()
            if network is model:
                loss = cross_entropy(network(x).flatten(0, 1), y) / len(y)
            else:
                loss = F.cross_entropy(network(input_ids=x).logits.flatten(0, 1), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        curves.append(torch.tensor(losses))
    assert curves[0][0] - curves[0][-1] > 0.02  # the loss fell
    torch.testing.assert_close(curves[0], curves[1], rtol=0.0, atol=1e-9)


def test_a_model_that_no_family_knows_keeps_our_names(tmp_path):
    torch.manual_seed(0)
    options = dict(width=16, depth=1, heads=2, positions="rotary", qk_norm=True)
    model = GPT(V, T, **options)
    assert family_of("gpt", options) is None
    other = copy.deepcopy(model)
    lora(model, targets=["qkv"], rank=3, alpha=6.0)
    nn.init.normal_(model.blocks[0].attention.qkv.lora_b)
    dump(tmp_path, *write_peft(model, BASE | {"targets": ["qkv"]}, None, options, "base"))
    wrapped = peft.PeftModel.from_pretrained(copy.deepcopy(other), tmp_path)
    x = torch.randint(V, (2, T))
    torch.testing.assert_close(wrapped(x), model(x))
    apply_adapter(other, read_peft(tmp_path, None, options), "here")
    assert torch.equal(other(x), model(x))
    assert trainable_state_dict(other).keys() == trainable_state_dict(model).keys()


def test_adapters_that_do_not_fit(tmp_path):
    _, model, settings = reference_and_model("gpt2", tmp_path)
    family = family_of("gpt", settings)
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "IA3"}')
    with pytest.raises(UserError, match="has peft_type=IA3 .expected LORA"):
        read_peft(tmp_path, family, settings)
    lora(model, targets=["out"], rank=3, alpha=6.0)
    tensors, config = write_peft(model, BASE | {"targets": ["out"]}, family, settings, "base")
    other = {name.replace("h.1.", "h.7."): tensor for name, tensor in tensors.items()}
    dump(tmp_path, other, config)
    with pytest.raises(UserError, match="the model has no 'transformer.h.7.attn.c_proj'"):
        read_peft(tmp_path, family, settings)


@pytest.mark.parametrize(
    ("case", "fits", "lost"),
    [
        ("deepseek", ["attention.*", "router"], "mlp.up_proj"),
        ("mamba", ["up", "select"], "mixer.dt_proj"),
    ],
)
def test_layers_that_peft_would_leave_out_are_refused(tmp_path, case, fits, lost):
    torch.manual_seed(0)
    if case == "mamba":
        config = transformers.MambaConfig(
            vocab_size=V, hidden_size=16, num_hidden_layers=2, state_size=4, bos_token_id=0,
            eos_token_id=0,
        )  # fmt: skip
        reference = transformers.MambaForCausalLM(config)
    else:
        reference = llama(*DEEPSEEK[case][:1], **DEEPSEEK[case][1] | {"vocab_size": V})
    reference.eval().save_pretrained(tmp_path / "base")
    source = open_source(str(tmp_path / "base"))
    plain = MODELS.build({"name": source.model, **source.settings}, vocab_size=V)
    load_weights(plain, source.tensors, "base", [], [])
    family, x = family_of(source.model, source.settings), torch.randint(V, (2, T))
    for targets in (fits, None):
        options = BASE | {"targets": targets}
        model = lora(copy.deepcopy(plain), **options).eval()
        for layer in lora_layers(model).values():
            nn.init.normal_(layer.lora_b, std=0.2)
        if targets is None:
            with pytest.raises(UserError, match=f"the adapter of '.*{lost}' would have no effect"):
                write_peft(model, options, family, source.settings, "base")
            continue
        dump(tmp_path, *write_peft(model, options, family, source.settings, "base"))
        theirs = peft.PeftModel.from_pretrained(reference, tmp_path).eval()
        torch.testing.assert_close(theirs(x).logits, model(x), rtol=1e-4, atol=1e-5)
        assert not torch.allclose(model(x), plain.eval()(x), atol=1e-2)
