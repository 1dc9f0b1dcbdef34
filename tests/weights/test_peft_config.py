"""Each field of PEFT's LoraConfig: the same logits as PEFT, or a line that names the field."""

import contextlib
import copy
import json

import pytest
import torch
from published_models import V, transformers
from safetensors.torch import load_file, save_file

from zoo.build import initialise
from zoo.config.run import InitConfig
from zoo.errors import UserError
from zoo.registry import MODELS
from zoo.training.checkpoint import model_tensors
from zoo.weights.adapters import apply_adapter
from zoo.weights.gpt2 import GPT2
from zoo.weights.load import load_weights
from zoo.weights.peft import read_peft
from zoo.weights.source import Source, open_source

peft = pytest.importorskip("peft")
BASE = dict(r=2, lora_alpha=6, target_modules=["c_attn"], fan_in_fan_out=True)
OTHER = {  # values where the type of the default tells none, or not all
    "task_type": ["CAUSAL_LM"], "auto_mapping": [{"base_model_class": "x"}], "r": [3],
    "peft_version": ["0.1"], "base_model_name_or_path": ["x/y"], "revision": ["abc"],
    "target_modules": [["c_fc"], ["c_attn", "attn.c_proj"], "all-linear"],
    "exclude_modules": [["h.0.attn.c_attn"]], "lora_alpha": [5], "lora_dropout": [0.5],
    "bias": ["all", "lora_only"], "modules_to_save": [["ln_f"], ["wte"], ["lm_head"]],
    "init_lora_weights": [False, "gaussian", "pissa", "olora", "orthogonal", "loftq"],
    "layers_to_transform": [[1]], "layers_pattern": ["h"], "rank_pattern": [{"c_attn": 3}],
    "alpha_pattern": [{"c_attn": 3}], "megatron_config": [{"a": 1}], "megatron_core": ["x"],
    "trainable_token_indices": [[1, 2]], "loftq_config": [{"loftq_bits": 4}],
    "alora_invocation_tokens": [[1]], "layer_replication": [[[0, 2], [1, 2]]],
    "target_parameters": [["c_fc.weight"]], "qalora_group_size": [8], "peft_type": ["IA3"],
    "ensure_weight_tying": [True], "use_dora": [True],
    "eva_config": [{"rho": 1.0}], "corda_config": [{"verbose": True}],
    "lora_ga_config": [{"scale": "unit"}],
}  # fmt: skip
NESTED = ("velora_config", "monteclora_config", "use_bdlora", "arrow_config", "kasa_config")
AFTERWARDS = ("peft_type", "peft_version", "megatron_config", "eva_config", "corda_config",
              "lora_ga_config", "loftq_config", *NESTED)  # fmt: skip


def cases():
    found = []
    for name, value in peft.LoraConfig().to_dict().items():
        others = OTHER.get(name, [{"a": 1}] if name in NESTED else [not value])
        found += [pytest.param(name, v, id=f"{name}-{v}"[:50]) for v in others]
    return found


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A GPT-2, and ours with the same weights."""
    folder = tmp_path_factory.mktemp("base")
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=V, n_positions=8, n_embd=24, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0
    )
    reference = transformers.GPT2LMHeadModel(config).eval()
    reference.save_pretrained(folder)
    source = open_source(str(folder))
    model = MODELS.build({"name": "gpt", **source.settings, "dropout": 0.0}, vocab_size=V)
    load_weights(model, source.tensors, "base", [], [])
    return reference, model.eval(), source.settings


def write_adapter(reference, folder, **options):
    torch.manual_seed(1)
    adapted = peft.get_peft_model(copy.deepcopy(reference), peft.LoraConfig(**BASE | options))
    with torch.no_grad():
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter += 0.3 * torch.randn_like(parameter)
    adapted.save_pretrained(folder)


def set_field(folder, name, value):
    file = folder / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {name: value}))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "value"), cases())
def test_a_field_is_used_or_of_no_effect_or_refused(name, value, base, tmp_path):
    reference, model, settings = base
    written = False
    if name not in AFTERWARDS:
        with contextlib.suppress(Exception):  # what PEFT does not do for this model
            write_adapter(reference, tmp_path, **{name: value})
            written = True
    if not written:
        write_adapter(reference, tmp_path)
        set_field(tmp_path, name, value)
    try:
        adapter = read_peft(tmp_path, GPT2, settings)
    except UserError as refused:
        assert name in str(refused)
        return
    model = copy.deepcopy(model)
    apply_adapter(model, adapter, "adapter")
    if not written:  # of no effect
        set_field(tmp_path, name, peft.LoraConfig().to_dict()[name])
    there = peft.PeftModel.from_pretrained(copy.deepcopy(reference), tmp_path).eval()
    x = torch.randint(V, (2, 8), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(model(x), there(x).logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "name", ["transformer.", "base_model.model.", "base_model.model.transformer."]
)
def test_names_of_a_trunk_and_without_prefixes(name, base, tmp_path):
    """Of an adapter for GPT2Model, or saved as a state_dict."""
    reference, model, settings = base
    write_adapter(reference, tmp_path)
    expected = read_peft(tmp_path, GPT2, settings).tensors
    file = tmp_path / "adapter_model.safetensors"
    stored = {
        n.replace("base_model.model.transformer.", name): t for n, t in load_file(file).items()
    }
    save_file({n.replace("_A.", "_A.default."): t for n, t in stored.items()}, file)
    found = read_peft(tmp_path, GPT2, settings).tensors
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.popitem(), "has only one of the matrices A and B"),
        (lambda t: t.update({n: u[:1] for n, u in t.items() if "_A" in n}), "is of rank 1, .* r=2"),
        (lambda t: t.update({"head.extra.weight": torch.ones(2)}), "has no 'head.extra.weight'"),
    ],
)
def test_tensors_that_are_no_whole_adapter(change, said, base, tmp_path):
    reference, _, settings = base
    write_adapter(reference, tmp_path)
    file = tmp_path / "adapter_model.safetensors"
    tensors = load_file(file)
    change(tensors)
    save_file({name: t.contiguous() for name, t in tensors.items()}, file)
    with pytest.raises(UserError, match=said):
        read_peft(tmp_path, GPT2, settings)


def test_a_field_that_nobody_knows_is_a_note(base, tmp_path):
    reference, _, settings = base
    write_adapter(reference, tmp_path)
    set_field(tmp_path, "of_tomorrow", 3)
    notes = read_peft(tmp_path, GPT2, settings).notes
    assert notes == ("adapter_config.json of the weights: not known, and not used: of_tomorrow",)


def test_training_goes_on_with_parts_that_were_trained_whole(base, tmp_path):
    reference, model, settings = base
    write_adapter(reference, tmp_path, modules_to_save=["ln_f"])
    adapter, model = read_peft(tmp_path, GPT2, settings), copy.deepcopy(model)
    tensors = model_tensors(model.state_dict())
    source = Source(tmp_path, "gpt", settings, tensors, None, adapter.tensors)
    options = {"name": "lora", **adapter.options}
    initialise(model, InitConfig(from_="base", adapter=str(tmp_path)), options, source)
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert trained == adapter.tensors.keys() and "norm.weight" in trained
    assert torch.equal(model.norm.weight, adapter.tensors["norm.weight"])
