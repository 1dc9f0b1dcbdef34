"""Models of `transformers` with random weights, and ours with the same."""

import functools
from types import MethodType

import pytest
import torch

from zoo.registry import MODELS
from zoo.weights.load import load_weights
from zoo.weights.source import open_source

transformers = pytest.importorskip("transformers")
transformers.logging.set_verbosity_error()


V, T = 97, 24


def gpt2():
    config = transformers.GPT2Config(
        vocab_size=V, n_positions=T, n_embd=48, n_layer=3, n_head=4, bos_token_id=0, eos_token_id=0,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
    )  # fmt: skip
    return transformers.GPT2LMHeadModel(config)


def bert():
    config = transformers.BertConfig(
        vocab_size=V, hidden_size=48, num_hidden_layers=3, num_attention_heads=4,
        intermediate_size=192, max_position_embeddings=T, hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    return transformers.BertForMaskedLM(config)


def resnet(kind, sizes, depths):
    config = transformers.ResNetConfig(
        embedding_size=16, hidden_sizes=sizes, depths=depths, layer_type=kind, num_labels=5
    )
    return transformers.ResNetForImageClassification(config)


def llama(kind="Llama", **options):
    """One of the kin of Llama: queries in groups, so that no two sizes are alike."""
    sizes = dict(
        vocab_size=V, hidden_size=48, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, intermediate_size=88, max_position_embeddings=T,
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    config = getattr(transformers, f"{kind}Config")(**sizes | options)
    return getattr(transformers, f"{kind}ForCausalLM")(config)


LLAMA3 = dict(
    rope_type="llama3", rope_theta=500.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
    original_max_position_embeddings=16,
)  # fmt: skip
KIN = {  # of Llama: the class, and options
    "llama": ("Llama", dict(num_key_value_heads=4, rms_norm_eps=1e-5)),
    "llama3": ("Llama", dict(tie_word_embeddings=True, rope_parameters=LLAMA3)),
    "llama linear, biases": (
        "Llama",
        dict(
            attention_bias=True, mlp_bias=True, head_dim=16,
            rope_parameters=dict(rope_type="linear", factor=4.0, rope_theta=10_000.0),
        ),
    ),
    "mistral": ("Mistral", dict(sliding_window=7, head_dim=8)),
    "qwen2": ("Qwen2", dict(rope_parameters=dict(rope_type="default", rope_theta=1e6))),
    "qwen2 window": ("Qwen2", dict(use_sliding_window=True, sliding_window=5, max_window_layers=0)),
    "qwen3": ("Qwen3", dict(head_dim=20, tie_word_embeddings=True)),
}  # fmt: skip


MIXTURES = {  # of the kin of Llama, as above
    "mixtral": ("Mixtral", dict(intermediate_size=40, num_local_experts=5, sliding_window=9)),
    "qwen3 mixture": (
        "Qwen3Moe",
        dict(
            num_experts=6, num_experts_per_tok=3, moe_intermediate_size=40, head_dim=20,
            norm_topk_prob=True,
        ),
    ),
    "qwen3 mixture, weights as they are": (
        "Qwen3Moe",
        dict(num_experts=6, num_experts_per_tok=3, moe_intermediate_size=40, head_dim=20),
    ),
}  # fmt: skip
LATENT = dict(
    num_hidden_layers=2, num_key_value_heads=4, moe_intermediate_size=40, n_routed_experts=8,
    num_experts_per_tok=3, first_k_dense_replace=1, n_group=4, topk_group=2, n_shared_experts=2,
    kv_lora_rank=20, q_lora_rank=28, qk_rope_head_dim=8, qk_nope_head_dim=12, v_head_dim=10,
)  # fmt: skip
DEEPSEEK = {
    "deepseek": ("DeepseekV3", LATENT),
    "deepseek, no experts": ("DeepseekV3", LATENT | dict(first_k_dense_replace=2)),
    "deepseek, queries of x": (
        "DeepseekV3",
        LATENT | dict(q_lora_rank=None, first_k_dense_replace=0, n_group=1, topk_group=1,
                      norm_topk_prob=False, tie_word_embeddings=True),
    ),
}  # fmt: skip


def tokens():
    return torch.randint(V, (4, T))


def images():
    return torch.randn(4, 3, 48, 48)


CASES = {
    "gpt2": (gpt2, tokens, dict(vocab_size=V)),
    "bert": (bert, tokens, dict(vocab_size=V)),
    **{
        case: (functools.partial(llama, kind, **options), tokens, dict(vocab_size=V))
        for case, (kind, options) in (KIN | MIXTURES | DEEPSEEK).items()
    },
    "resnet18": (lambda: resnet("basic", [16, 32, 64, 128], [2, 2, 2, 2]), images, {}),
    "resnet50": (lambda: resnet("bottleneck", [64, 128, 256, 512], [3, 4, 6, 3]), images, {}),
}


def reference_and_model(case, folder):
    """A model of `transformers`, all weights random; ours with the same; inputs."""
    torch.manual_seed(0)
    make, inputs, facts = CASES[case]
    reference = make().eval()
    with torch.no_grad():
        for p in reference.parameters():
            p += 0.05 * torch.randn_like(p)
        for name, buffer in reference.named_buffers():
            if "running" in name or "correction" in name:
                buffer += 0.3 * torch.rand_like(buffer)
    reference.save_pretrained(folder)
    return reference, load_published(folder, facts), inputs()


def doubled(reference):
    """In float64, RMSNorm and routers too, which the reference computes in float32 at most."""

    def forward(self, x):
        variance = x.pow(2).mean(-1, keepdim=True)
        return self.weight * x * torch.rsqrt(variance + self.variance_epsilon)

    for module in reference.modules():
        if hasattr(module, "variance_epsilon"):
            module.forward = MethodType(forward, module)
        if type(module).__name__.endswith(("TopKRouter", "TopkRouter")):
            module.forward = functools.partial(in_double, module.forward)
    reference.config._experts_implementation = "eager"
    return reference.double()


def in_double(forward, x):
    """A function that casts to float32, without doing so."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("float", "float32"):
            patch.setattr(torch, name, torch.float64)
        patch.setattr(torch.Tensor, "float", torch.Tensor.double)
        return forward(x)


def load_published(folder, facts):
    source = open_source(str(folder))
    images = dict(input_shape=(3, 48, 48), num_classes=5) if source.model == "resnet" else {}
    dropout = {} if images else {"dropout": 0.0}
    model = MODELS.build({"name": source.model, **source.settings, **dropout}, **facts, **images)
    load_weights(model, source.tensors, str(folder), [], [])
    return model.eval()
