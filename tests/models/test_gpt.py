"""GPT against its equations in float64 and, where it is installed, Hugging Face's GPT-2."""

import math

import pytest
import torch
import torch.nn.functional as F

from zoo.models.gpt import GPT


def perturbed(model, seed=0):
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model.double().eval()


def normalised(x, weights=None, name="", norm="layer"):
    """LayerNorm or RMSNorm, written out; learned scale and shift where there are any."""
    if norm == "layer":
        x = x - x.mean(-1, keepdim=True)
    eps = 1e-5 if norm == "layer" or weights else torch.finfo(x.dtype).eps
    x = x / (x.square().mean(-1, keepdim=True) + eps).sqrt()
    if weights is None:
        return x
    return x * weights[f"{name}.weight"] + weights.get(f"{name}.bias", 0.0)


def rotated(x):
    """Rotary positions by complex numbers: (B, H, T, E)."""
    half = x.shape[-1] // 2
    rates = 10_000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
    angles = torch.arange(x.shape[2], dtype=torch.float64)[:, None] * rates
    z = torch.complex(x[..., :half], x[..., half:]) * torch.polar(torch.ones_like(angles), angles)
    return torch.cat([z.real, z.imag], dim=-1)


def by_equations(w, tokens, depth, heads, kv_heads, rotary=False, norm="layer", qk_norm=False,
                 zero=False):  # fmt: skip
    """The logits, from the weights `w` alone."""
    x = F.one_hot(tokens, len(w["embedding.weight"])).double() @ w["embedding.weight"]
    batch, length, width = x.shape
    size = width // heads
    x = normalised(x, norm="rms") if zero else x
    x = x if rotary else x + w["position.weight"][:length]

    def linear(h, name):
        return h @ w[f"{name}.weight"].T + w.get(f"{name}.bias", 0.0)

    for k in range(depth):
        block = f"blocks.{k}"
        h = linear(normalised(x, w, f"{block}.attention_norm", norm), f"{block}.attention.qkv")
        h = h.view(batch, length, heads + 2 * kv_heads, size).transpose(1, 2)
        q, key, value = h.split([heads, kv_heads, kv_heads], dim=1)
        if qk_norm:
            q, key = normalised(q, norm=norm), normalised(key, norm=norm)
        if rotary:
            q, key = rotated(q), rotated(key)
        shared = [j // (heads // kv_heads) for j in range(heads)]
        scores = torch.einsum("bhte,bhse->bhts", q, key[:, shared]) / math.sqrt(size)
        future = torch.arange(length)[:, None] < torch.arange(length)
        weights = scores.masked_fill(future, -math.inf).softmax(-1)
        y = torch.einsum("bhts,bhse->bthe", weights, value[:, shared]).reshape(x.shape)
        x = x + linear(y, f"{block}.attention.out")
        h = linear(normalised(x, w, f"{block}.feed_forward_norm", norm), f"{block}.feed_forward.up")
        if zero:
            h = h.clamp(min=0).square()
        else:
            h = h / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (h + 0.044715 * h**3)))
        x = x + linear(h, f"{block}.feed_forward.down")
    return linear(normalised(x, w, "norm", norm), "head")


VARIANTS = {
    "gpt2": {},
    "grouped heads": {"kv_heads": 2},
    "modern": dict(
        positions="rotary", norm="rms", qk_norm=True, activation="relu2", bias=False, tie=False,
        init="zero", kv_heads=1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VARIANTS)
def test_equals_its_equations(name):
    options = VARIANTS[name]
    model = perturbed(GPT(11, 9, width=16, depth=2, heads=4, dropout=0.5, **options))
    tokens = torch.randint(11, (3, 7))
    expected = by_equations(
        model.state_dict(), tokens, 2, 4, options.get("kv_heads", 4), "positions" in options,
        options.get("norm", "layer"), options.get("qk_norm", False), "init" in options,
    )  # fmt: skip
    torch.testing.assert_close(model(tokens), expected, rtol=1e-5, atol=1e-6)


def test_equals_hugging_face():
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=11, n_positions=9, n_embd=16, n_layer=2, n_head=4, bos_token_id=0, eos_token_id=0
    )
    reference = transformers.GPT2LMHeadModel(config).double().eval()
    model = GPT(11, 9, width=16, depth=2, heads=4).double().eval()
    names = {
        "wte": "embedding", "wpe": "position", "ln_f": "norm", "h.": "blocks.",
        "ln_1": "attention_norm", "ln_2": "feed_forward_norm", "attn.c_attn": "attention.qkv",
        "attn.c_proj": "attention.out", "mlp.c_fc": "feed_forward.up",
        "mlp.c_proj": "feed_forward.down",
    }  # fmt: skip
    weights = {}
    for name, tensor in reference.transformer.state_dict().items():
        turn = tensor.dim() == 2 and ".c_" in name
        for theirs_part, ours_part in names.items():
            name = name.replace(theirs_part, ours_part)
        weights[name] = tensor.T if turn else tensor
    model.load_state_dict(weights | {"head.weight": weights["embedding.weight"]})
    tokens = torch.randint(11, (3, 9))
    torch.testing.assert_close(model(tokens), reference(tokens).logits)


def test_sizes_are_those_of_gpt2():
    with torch.device("meta"):
        model = GPT(50_257, 1024, width=768, depth=12, heads=12)
    assert sum(p.numel() for p in model.parameters()) == 124_439_808
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters()}
    assert shapes["blocks.0.attention.qkv.weight"] == (3 * 768, 768)
    assert shapes["blocks.11.feed_forward.up.weight"] == (4 * 768, 768)
    assert shapes["position.weight"] == (1024, 768)


def test_initialisation_is_gpt2s():
    torch.manual_seed(0)
    model = GPT(300, 64, width=128, depth=8, heads=4)
    deviations = {name: p.std().item() for name, p in model.named_parameters() if p.dim() == 2}
    for name, deviation in deviations.items():
        closing = name.endswith(("out.weight", "down.weight"))
        assert deviation == pytest.approx(0.02 / 4 if closing else 0.02, rel=0.05), name
    loss = F.cross_entropy(model(torch.randint(300, (4, 64))).flatten(0, 1), torch.arange(256))
    assert float(loss.detach()) == pytest.approx(math.log(300), rel=0.05)


def test_zero_initialisation_gives_uniform_predictions_and_blocks_that_add_nothing():
    model = GPT(30, 8, width=16, depth=2, heads=2, tie=False, init="zero")
    tokens = torch.randint(30, (2, 8))
    assert (model(tokens) == 0).all()
    model.head = torch.nn.Identity()
    before = model(tokens)
    for block in model.blocks:
        block.attention.qkv.weight.data.normal_()
        block.feed_forward.up.weight.data.normal_()
    assert torch.equal(model(tokens), before)
    with pytest.raises(ValueError, match="tie=false"):
        GPT(30, 8, width=16, depth=2, heads=2, init="zero")


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary"])
def test_attends_to_earlier_tokens_only_and_to_their_order(positions):
    model = perturbed(GPT(11, 9, width=16, depth=2, heads=2, positions=positions))
    tokens = torch.randint(11, (2, 9))
    logits = model(tokens)
    changed = tokens.clone()
    changed[:, 5:] = (changed[:, 5:] + 1) % 11
    other = model(changed)
    torch.testing.assert_close(other[:, :5], logits[:, :5])
    assert not torch.isclose(other[:, 5:], logits[:, 5:]).all(-1).any()
    swapped = tokens[:, [1, 0, 2, 3, 4, 5, 6, 7, 8]]
    swapped[:, 0] = (tokens[:, 0] + 1) % 11  # never the same text
    tokens[:, 1] = swapped[:, 0]
    assert not torch.isclose(model(tokens)[:, 8], model(swapped)[:, 8]).all()


def test_last_only_and_sequences_that_do_not_fit():
    model = perturbed(GPT(11, 9, width=16, depth=2, heads=2))
    tokens = torch.randint(11, (2, 9))
    torch.testing.assert_close(model(tokens, last_only=True), model(tokens)[:, -1:])
    with pytest.raises(ValueError, match="10 tokens, expected at most 9"):
        model(torch.zeros(1, 10, dtype=torch.int64))
    cache = model.new_cache(2)
    model(tokens, cache)
    with pytest.raises(ValueError, match="10 tokens, expected at most 9"):
        model(tokens[:, :1], cache)


def test_tied_weights_are_shared():
    tied, apart = (GPT(11, 9, width=16, depth=1, heads=2, tie=tie) for tie in (True, False))
    assert tied.head.weight is tied.embedding.weight
    count = [sum(p.numel() for p in model.parameters()) for model in (tied, apart)]
    assert count[1] - count[0] == 11 * 16 and tied.head.bias is None


def test_a_classifier_reads_the_last_token_that_is_not_padding():
    model = perturbed(GPT(11, 9, width=16, depth=2, heads=2, num_outputs=3, pad_id=0))
    text = torch.tensor([[4, 7, 1, 5]])
    padded = F.pad(text, (0, 5))
    torch.testing.assert_close(model(padded), model(text))
    assert model(padded).shape == (1, 3) and model.head.bias is not None
    longer = padded.clone()
    longer[0, 4] = 2
    assert not torch.isclose(model(longer), model(text)).any()
