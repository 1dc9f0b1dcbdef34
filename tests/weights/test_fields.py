"""Each field of a published config: the same logits as `transformers`, or a line that names it."""

import json

import pytest
import torch
from published_models import V, transformers
from safetensors.torch import load_file, save_file

from zoo.errors import UserError
from zoo.registry import MODELS
from zoo.weights.fields import WITHOUT_EFFECT
from zoo.weights.load import load_weights
from zoo.weights.source import FAMILIES, open_source

T = 8
SIZES = dict(
    vocab_size=V, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
    max_position_embeddings=T, bos_token_id=0, eos_token_id=0,
)  # fmt: skip
EXPERTS = dict(num_experts_per_tok=2, moe_intermediate_size=8)
BASES = {
    "gpt2": (
        transformers.GPT2Config, transformers.GPT2LMHeadModel,
        dict(
            vocab_size=V, n_positions=T, n_embd=24, n_layer=2, n_head=2, bos_token_id=0,
            eos_token_id=0, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
        ),
    ),
    "bert": (
        transformers.BertConfig, transformers.BertForMaskedLM,
        dict(
            vocab_size=V, hidden_size=24, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=96, max_position_embeddings=T, hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        ),
    ),
    "mamba": (
        transformers.MambaConfig, transformers.MambaForCausalLM,
        dict(vocab_size=V, hidden_size=16, num_hidden_layers=2, state_size=4),
    ),
    "llama": (
        transformers.LlamaConfig, transformers.LlamaForCausalLM,
        SIZES | dict(num_key_value_heads=1),
    ),
    "mixtral": (
        transformers.MixtralConfig, transformers.MixtralForCausalLM,
        SIZES | dict(num_key_value_heads=1, num_local_experts=4),
    ),
    "qwen3_moe": (
        transformers.Qwen3MoeConfig, transformers.Qwen3MoeForCausalLM,
        SIZES | EXPERTS | dict(num_key_value_heads=1, num_experts=4, head_dim=8),
    ),
    "deepseek": (
        transformers.DeepseekV3Config, transformers.DeepseekV3ForCausalLM,
        SIZES | EXPERTS | dict(
            num_key_value_heads=2, n_routed_experts=8, n_group=4, topk_group=2, kv_lora_rank=8,
            first_k_dense_replace=1, q_lora_rank=12, qk_rope_head_dim=4, qk_nope_head_dim=6,
            v_head_dim=10,
        ),
    ),
    "resnet": (
        transformers.ResNetConfig, transformers.ResNetForImageClassification,
        dict(
            embedding_size=4, hidden_sizes=[4, 8, 16, 32], depths=[2, 2, 2, 2], layer_type="basic",
            num_labels=5,
        ),
    ),
}  # fmt: skip
OTHER = {  # another value than the default's, where its type does not tell one
    "n_head": [4], "n_layer": [3], "n_embd": [32], "n_inner": [96, 50], "vocab_size": [101],
    "n_positions": [16], "num_attention_heads": [4], "num_hidden_layers": [1], "hidden_size": [32],
    "intermediate_size": [52], "max_position_embeddings": [16], "type_vocab_size": [1, 3],
    "activation_function": ["gelu", "relu", "gelu_pytorch_tanh", "gelu_fast", "gelu_accurate",
                            "gelu_python", "relu2", "silu", "tanh"],
    "hidden_act": ["gelu_new", "relu", "gelu_pytorch_tanh", "relu2", "silu", "quick_gelu"],
    "layer_norm_epsilon": [1e-3], "layer_norm_eps": [1e-5], "initializer_range": [0.5],
    "chunk_size_feed_forward": [2], "dtype": ["float16"], "problem_type": ["regression"],
    "id2label": [{k: f"c{k}" for k in range(3)}], "label2id": [{"a": 0, "b": 1}],
    "architectures": [["Another"]], "summary_type": ["mean"], "summary_activation": ["tanh"],
    "num_channels": [1], "embedding_size": [8], "hidden_sizes": [[4, 8, 16, 40]],
    "depths": [[3, 4, 6, 3], [1, 1, 1, 1]], "layer_type": ["bottleneck"],
    "out_features": [["stage2"]], "out_indices": [[2]], "stage_names": [["a"]],
    "pad_token_id": [5], "bos_token_id": [1], "eos_token_id": [2], "classifier_dropout": [0.3],
    "state_size": [8], "expand": [3], "conv_kernel": [3], "time_step_rank": [2, "auto"],
    "time_step_init_scheme": ["constant"], "layer_types": [["full_attention"] * 2],
    "num_key_value_heads": [2], "head_dim": [12], "sliding_window": [4],
    "rope_parameters": [{"rope_type": "default", "rope_theta": 50.0}],
    "num_local_experts": [5], "num_experts_per_tok": [1, 3], "moe_intermediate_size": [12],
    "decoder_sparse_step": [2], "mlp_only_layers": [[0]], "first_k_dense_replace": [0, 2],
    "n_group": [2], "topk_group": [1, 4], "n_routed_experts": [12], "n_shared_experts": [2],
    "kv_lora_rank": [12], "q_lora_rank": [None, 8], "qk_rope_head_dim": [6],
    "qk_nope_head_dim": [8], "v_head_dim": [6], "num_nextn_predict_layers": [2],
    "pretraining_tp": [2],
    "model_type": ["roberta"], "transformers_version": ["4.1.0"], "_name_or_path": ["x/y"],
}  # fmt: skip
DERIVED = {"deepseek": ("head_dim",)}  # of other fields: the reference knows no other value
FIRST = ("gpt2", "bert", "mamba", "resnet")
AFTERWARDS = ("model_type", "transformers_version", "_name_or_path", "stage_names", "label2id",
              "architectures", "return_dict", "output_attentions", "add_cross_attention",
              "dtype")  # fmt: skip


def other_values(name, value):
    if name in OTHER:
        return OTHER[name]
    return [not value if isinstance(value, bool | None) else value * 0.5]


def cases():
    """Fields without effect in any architecture are tried with the first ones."""
    return [
        pytest.param(family, name, other, id=f"{family}-{name}-{other}"[:60])
        for family, (config, _, base) in BASES.items()
        for name, value in config(**base).to_dict().items()
        if family in FIRST or name not in (*WITHOUT_EFFECT, *DERIVED.get(family, ()))
        for other in other_values(name, value)
    ]


def reference(family, folder, **changed):
    config, model, base = BASES[family]
    torch.manual_seed(0)
    net = model(config(**base | changed)).eval()
    with torch.no_grad():
        for p in net.parameters():
            p += 0.2 * torch.randn_like(p)
    net.save_pretrained(folder)
    return net


def set_field(folder, name, value):
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {name: value}))


def ours(folder, net):
    """Our model with the weights of a folder, and inputs for both."""
    torch.manual_seed(1)
    source = open_source(str(folder))
    config = net.config
    if source.model == "resnet":
        x = torch.randn(2, config.num_channels, 40, 40)
        facts = dict(input_shape=x.shape[1:], num_classes=config.num_labels)
    else:
        x, facts = torch.randint(config.vocab_size, (2, T)), dict(vocab_size=config.vocab_size)
    settings = source.settings | ({} if source.model == "resnet" else {"dropout": 0.0})
    model = MODELS.build({"name": source.model, **settings}, **facts)
    load_weights(model, source.tensors, "x", [], [])
    return model.eval(), x


@pytest.mark.parametrize(("family", "name", "value"), cases())
def test_a_field_is_used_or_of_no_effect_or_refused(family, name, value, tmp_path):
    late = name in AFTERWARDS
    net = reference(family, tmp_path, **({} if late else {name: value}))
    if late:
        set_field(tmp_path, name, value)
    try:
        model, x = ours(tmp_path, net)
    except UserError as refused:
        assert f"{name}=" in str(refused)
        return
    with torch.no_grad():
        expected = net(x, return_dict=True).logits
        torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("family", "name", "value"),
    [
        ("bert", "position_embedding_type", "relative_key"),
        ("gpt2", "quantization_config", {"bits": 4}),
        ("gpt2", "auto_map", {"AutoModel": "x.Y"}),
        ("bert", "pruned_heads", {"0": [1]}),
        ("gpt2", "n_layer", 3),
        ("gpt2", "vocab_size", V + 1),
        ("bert", "max_position_embeddings", 512),
        ("resnet", "layer_type", "bottleneck"),
        ("gpt2", "scale_attn_weights", 0),
        ("gpt2", "n_head", "2"),
        ("bert", "num_attention_heads", -1),
        ("bert", "hidden_act", ["gelu"]),
        ("gpt2", "n_embd", {}),
    ],
)
def test_a_config_that_is_not_of_these_tensors(family, name, value, tmp_path):
    reference(family, tmp_path)
    set_field(tmp_path, name, value)
    with pytest.raises(UserError, match=f"{name}="):
        open_source(str(tmp_path))


def test_all_fields_that_do_not_fit_are_named_at_once(tmp_path):
    reference("bert", tmp_path, is_decoder=True, layer_norm_eps=1e-3)
    with pytest.raises(UserError, match="layer_norm_eps=0.001 .*is_decoder=true .expected false"):
        open_source(str(tmp_path))


@pytest.mark.parametrize("family", BASES)
def test_a_field_that_nobody_knows_is_a_note(family, tmp_path):
    reference(family, tmp_path)
    for name, value in (("of_tomorrow", 4), ("off", False), ("empty", {}), ("none", None)):
        set_field(tmp_path, name, value)
    note = "config.json of the weights: not known, and not used: of_tomorrow"
    assert open_source(str(tmp_path)).notes[0] == note


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("head", ["none", "same", "other"])
@pytest.mark.parametrize("family", ["gpt2", "bert", "mamba", "llama", "deepseek"])
def test_head_and_embedding(family, head, tied, tmp_path):
    """One matrix or two, as `transformers` understands the file."""
    reference(family, tmp_path, tie_word_embeddings=tied)
    file = tmp_path / "model.safetensors"
    tensors = load_file(file)
    embedding, output = {
        "gpt2": ("transformer.wte.weight", "lm_head.weight"),
        "mamba": ("backbone.embeddings.weight", "lm_head.weight"),
        "bert": ("bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"),
    }.get(family, ("model.embed_tokens.weight", "lm_head.weight"))
    tensors.pop(output, None)
    if head != "none":
        factor = 1 if head == "same" else 2
        tensors[output] = factor * tensors[embedding]
    save_file(tensors, file, metadata={"format": "pt"})
    net = BASES[family][1].from_pretrained(tmp_path).eval()
    if head == "none" and not tied:
        with pytest.raises(UserError, match="missing: head.weight"):
            ours(tmp_path, net)
        return
    model, x = ours(tmp_path, net)
    with torch.no_grad():
        torch.testing.assert_close(model(x), net(x).logits, rtol=1e-4, atol=1e-4)
    assert (model.head.weight is model.embedding.weight) == (tied and head != "other")


PUBLISHED = {  # fields beside those that give sizes, of files on the Hub
    "gpt2": """
        {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_ctx": 1024,
         "activation_function": "gelu_new", "layer_norm_epsilon": 1e-05, "attn_pdrop": 0.1,
         "summary_activation": null, "summary_first_dropout": 0.1, "summary_type": "cls_index",
         "summary_proj_to_labels": true, "summary_use_proj": true, "n_inner": null,
         "task_specific_params": {"text-generation": {"do_sample": true, "max_length": 50}},
         "output_past": true, "gradient_checkpointing": false, "_num_labels": 1,
         "tokenizer_class": "BertTokenizer", "scale_attn_weights": true, "use_cache": true,
         "reorder_and_upcast_attn": false, "torch_dtype": "float32", "transformers_version": "4.2"}
    """,
    "bert": """
        {"architectures": ["BertForMaskedLM"], "directionality": "bidi", "hidden_act": "gelu",
         "pooler_fc_size": 768, "pooler_num_attention_heads": 12, "pooler_num_fc_layers": 3,
         "pooler_size_per_head": 128, "pooler_type": "first_token_transform",
         "gradient_checkpointing": false, "layer_norm_eps": 1e-12, "classifier_dropout": null,
         "position_embedding_type": "absolute", "problem_type": "single_label_classification",
         "id2label": {"0": "NEG", "1": "POS"}, "label2id": {"NEG": 0}, "model_type": "bert",
         "pad_token_id": 0, "_name_or_path": "nreimers/MiniLM-L6-H384-uncased", "pruned_heads": {}}
    """,
    "resnet": """
        {"architectures": ["ResNetForImageClassification"], "hidden_act": "relu",
         "downsample_in_first_stage": false, "model_type": "resnet", "torch_dtype": "float32",
         "id2label": {"0": "tench"}, "label2id": {"tench": 0}, "out_features": ["stage4"]}
    """,
    "mamba": """
        {"architectures": ["MambaForCausalLM"], "bos_token_id": 0, "conv_kernel": 4,
         "d_inner": 1536, "d_model": 768, "eos_token_id": 0, "expand": 2, "fused_add_norm": true,
         "hidden_act": "silu", "hidden_size": 768, "initializer_range": 0.1,
         "intermediate_size": 1536, "layer_norm_epsilon": 1e-05, "model_type": "mamba",
         "n_layer": 24, "num_hidden_layers": 24, "pad_token_id": 0, "pad_vocab_size_multiple": 8,
         "rescale_prenorm_residual": false, "residual_in_fp32": true, "rms_norm": true,
         "ssm_cfg": {}, "state_size": 16, "time_step_floor": 0.0001, "time_step_max": 0.1,
         "time_step_init_scheme": "random", "time_step_min": 0.001, "time_step_rank": 48,
         "time_step_scale": 1.0, "torch_dtype": "float32", "use_bias": false, "use_cache": true,
         "use_conv_bias": true, "vocab_size": 50280}
    """,
    "torchvision": """
        {"architecture": "resnet18", "num_classes": 1000, "num_features": 512,
         "global_pool": "avg", "model_args": {}, "pretrained_cfg": {"tag": "a1_in1k"}}
    """,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_files_of_the_hub_have_no_field_to_note(name):
    (family,) = (family for family in FAMILIES if family.name == name)
    _, notes = family.fields.check(json.loads(PUBLISHED[name]))
    assert notes == []
