"""A GPT of ours as a Llama: logits in `transformers`."""

import pytest
import torch
from published_models import V, transformers
from safetensors.torch import save_file

from zoo.models.gpt import GPT
from zoo.training.checkpoint import untied
from zoo.weights.gpt_llama import GPT_LLAMA
from zoo.weights.hf_folder import write_json

SETTINGS = dict(
    vocab_size=V, block_size=16, width=24, depth=2, heads=4, kv_heads=2, positions="rotary",
    norm="rms", activation="swiglu", qk_norm=False, bias=False, tie=True, init="gpt2", dropout=0.0,
)  # fmt: skip


@pytest.mark.parametrize(
    "options", [{}, dict(bias=True, kv_heads=None), dict(init="zero", tie=False)]
)
def test_it_is_a_llama(options, tmp_path):
    settings = SETTINGS | options
    torch.manual_seed(0)
    model = GPT(**settings).eval()
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.2)
    assert GPT_LLAMA.misfits(settings) == []
    tensors = untied(model.state_dict())
    save_file(
        GPT_LLAMA.to_published(tensors, settings),
        tmp_path / "model.safetensors",
        metadata={"format": "pt"},
    )
    write_json(tmp_path / "config.json", GPT_LLAMA.config(settings))
    theirs = transformers.LlamaForCausalLM.from_pretrained(tmp_path)
    x = torch.randint(V, (3, 16))
    with torch.no_grad():
        torch.testing.assert_close(theirs(x).logits, model(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("option", "value"),
    [("positions", "learned"), ("norm", "layer"), ("activation", "gelu"), ("qk_norm", True)],
)
def test_what_no_llama_has(option, value):
    ((has, needs),) = GPT_LLAMA.misfits(SETTINGS | {option: value})
    assert has.startswith(f"model.{option}=") and needs.startswith(f"model.{option}=")
