"""Published forms of DeepSeek-V3: the way back, its cache, fields."""

import json
import re

import pytest
import torch
from published_models import DEEPSEEK, V, doubled, llama, reference_and_model
from safetensors.torch import load_file, save_file

from zoo.build import initialise
from zoo.config.run import InitConfig
from zoo.errors import UserError
from zoo.layers.mixture import Mixture
from zoo.registry import MODELS
from zoo.weights.deepseek import DEEPSEEK as FAMILY
from zoo.weights.frozen import frozen_format
from zoo.weights.hf_folder import write_json
from zoo.weights.source import open_source


@pytest.mark.parametrize("case", DEEPSEEK)
def test_the_way_back_is_bit_for_bit(case, tmp_path):
    import transformers

    reference, _, x = reference_and_model(case, tmp_path)
    source = open_source(str(tmp_path))
    settings = source.settings | {"vocab_size": V}
    assert FAMILY.misfits(settings) == []
    tensors = FAMILY.to_published(dict(source.tensors), settings)
    stored = load_file(tmp_path / "model.safetensors")
    assert tensors.keys() == stored.keys()
    assert all(torch.equal(tensors[name], t) for name, t in stored.items())
    out = tmp_path / "out"
    out.mkdir()
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    write_json(out / "config.json", FAMILY.config(settings))
    again = transformers.AutoModelForCausalLM.from_pretrained(out).eval()
    assert type(again) is type(reference)
    torch.testing.assert_close(again(x).logits, reference(x).logits, rtol=0, atol=0)
    assert open_source(str(out)).settings == source.settings


@torch.no_grad()
def test_a_token_at_a_time_equals_the_reference(tmp_path):
    """By the cache, with keys and values absorbed."""
    reference, model, x = reference_and_model("deepseek", tmp_path)
    reference, model = doubled(reference), model.double()
    cache = model.new_cache(len(x))
    parts = [model(part, cache=cache) for part in (x[:, :5], *x[:, 5:].split(1, 1))]
    torch.testing.assert_close(torch.cat(parts, 1), reference(x).logits, rtol=1e-10, atol=1e-10)


def test_forms_that_are_published(tmp_path):
    """Blocks that predict further tokens, which are not used."""
    kind, options = DEEPSEEK["deepseek"]
    llama(kind, **options).save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    further = {f"model.layers.2.{n}.weight": torch.ones(2) for n in ("eh_proj", "enorm")}
    save_file(load_file(file) | further, file)
    source = open_source(str(tmp_path))
    assert source.settings["depth"] == 2 and not any("enorm" in name for name in source.tensors)


@torch.no_grad()
def test_in_16_bits_experts_are_chosen_as_before(tmp_path):
    """Their biases are large numbers that differ by little, as in the published weights."""
    kind, options = DEEPSEEK["deepseek"]
    llama(kind, **options).to(torch.bfloat16).save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    biases = {n: t for n, t in load_file(file).items() if n.endswith("e_score_correction_bias")}
    biases = {n: 14.3 + 0.001 * torch.arange(len(t)).flip(0) for n, t in biases.items()}
    assert biases
    save_file(load_file(file) | biases, file)
    source = open_source(str(tmp_path))
    init = InitConfig(from_=str(tmp_path), dtype="bf16")
    with frozen_format(init):
        model = MODELS.build({"name": "deepseek", **source.settings}, vocab_size=V)
    initialise(model, init, {"name": "lora"}, source)
    layer = next(m for m in model.modules() if isinstance(m, Mixture))
    assert layer.bias.dtype == layer.router.weight.dtype == torch.float32
    assert torch.equal(layer.bias, next(iter(biases.values())))
    assert model.head.weight.dtype == torch.bfloat16
    model(torch.randint(0, V, (2, 7)))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"scoring_func": "softmax"}, "scoring_func=softmax .expected sigmoid"),
        ({"rope_interleave": False}, "rope_interleave=false"),
        ({"num_experts_per_tok": 9}, "num_experts_per_tok=9, expected 1 to 8"),
        ({"num_attention_heads": None}, "need their config.json beside them"),
        ({"num_attention_heads": 7}, "num_attention_heads=7 divides no queries of 80"),
        ({"kv_lora_rank": 21}, "kv_lora_rank=21, and the tensors have 20"),
        ({"q_lora_rank": 21}, "q_lora_rank=21, and the tensors have 28"),
        ({"head_dim": 20}, "head_dim=20, and the tensors have 8"),
        ({"rope_parameters": {"rope_type": "yarn", "factor": 4}}, "rotary positions by yarn"),
        (
            {"rope_parameters": {"rope_type": "linear", "factor": 4.0}},
            "scales rotary positions, which is not supported",
        ),
    ],
)
def test_configs_that_are_refused(fields, said, tmp_path):
    kind, options = DEEPSEEK["deepseek"]
    llama(kind, **options).save_pretrained(tmp_path)
    place = tmp_path / "config.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | fields))
    with pytest.raises(UserError) as found:
        open_source(str(tmp_path))
    assert re.search(said, str(found.value)) and "\n" not in str(found.value)


def test_options_that_the_architecture_has_not():
    mixture = dict(score="softmax", balance="loss", shared=0)
    options = dict(width=16, depth=2, mixture=mixture)
    for experts in (dict(dense_blocks=2), dict(dense_blocks=1, mixture=None)):
        assert FAMILY.misfits(options | experts) == [], "it has no experts"
    assert dict(FAMILY.misfits(options | dict(dense_blocks=1))) == {
        "model.mixture.score=softmax": "model.mixture.score=sigmoid",
        "model.mixture.balance=loss": "model.mixture.balance=bias",
        "model.mixture.shared=0": "model.mixture.shared=1",
    }
