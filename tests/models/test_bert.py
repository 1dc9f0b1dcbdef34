"""BERT against torch's own encoder and Hugging Face's; padding, segments, logits where asked."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from zoo.errors import UserError
from zoo.models.bert import BERT
from zoo.registry import MODELS

SIZES = dict(vocab_size=31, block_size=12, width=16, depth=3, heads=4)
TOKENS = torch.randint(1, 31, (5, 12), generator=torch.Generator().manual_seed(0))


def bert(**options):
    """A BERT in float64, its weights far enough from zero to matter."""
    torch.manual_seed(1)
    model = BERT(**SIZES | options).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model


def torch_encoder(model, pre_norm):
    """torch.nn.TransformerEncoder with the model's weights."""
    layer = nn.TransformerEncoderLayer(
        16, 4, 64, 0.0, "gelu", layer_norm_eps=1e-12, batch_first=True, norm_first=pre_norm
    )
    encoder = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False).double().eval()
    names = {
        "self_attn.in_proj_": "attention.qkv.",
        "self_attn.out_proj.": "attention.out.",
        "linear1.": "feed_forward.up.",
        "linear2.": "feed_forward.down.",
        "norm1.": "attention_norm.",
        "norm2.": "feed_forward_norm.",
    }
    for reference, block in zip(encoder.layers, model.blocks, strict=True):
        state = block.state_dict()
        for layer_name, block_name in names.items():
            for kind in ("weight", "bias"):
                reference.get_parameter(layer_name + kind).data = state[block_name + kind]
    return encoder


def normalised(x, norm):
    return F.layer_norm(x, (16,), norm.weight, norm.bias, 1e-12)


@pytest.mark.parametrize("pre_norm", [False, True])
@pytest.mark.parametrize("padded", [False, True])
def test_agrees_with_the_equations_in_float64(pre_norm, padded):
    model = bert(pre_norm=pre_norm, pad_id=0 if padded else None)
    tokens = TOKENS.clone()
    if padded:
        tokens[0, 7:] = tokens[3, 2:] = 0
    x = model.embedding.weight[tokens] + model.position.weight + model.token_type.weight[0]
    x = normalised(x, model.embedding_norm)
    x = torch_encoder(model, pre_norm)(x, src_key_padding_mask=(tokens == 0) if padded else None)
    x = normalised(x, model.norm) if pre_norm else x
    x = F.gelu(x @ model.transform.weight.T + model.transform.bias)
    expected = normalised(x, model.transform_norm) @ model.embedding.weight.T + model.head.bias
    actual = model(tokens)
    mask = tokens != 0
    torch.testing.assert_close(actual[mask], expected[mask], rtol=1e-10, atol=1e-10)


def from_hugging_face(state):
    """Hugging Face's names to ours; query, key and value in one matrix."""
    renamed = {
        "embedding.weight": state["bert.embeddings.word_embeddings.weight"],
        "position.weight": state["bert.embeddings.position_embeddings.weight"],
        "token_type.weight": state["bert.embeddings.token_type_embeddings.weight"],
        "head.weight": state["bert.embeddings.word_embeddings.weight"],
        "head.bias": state["cls.predictions.bias"],
    }
    parts = {
        "attention.out": "attention.output.dense",
        "attention_norm": "attention.output.LayerNorm",
        "feed_forward.up": "intermediate.dense",
        "feed_forward.down": "output.dense",
        "feed_forward_norm": "output.LayerNorm",
    }
    for kind in ("weight", "bias"):
        renamed[f"embedding_norm.{kind}"] = state[f"bert.embeddings.LayerNorm.{kind}"]
        renamed[f"transform.{kind}"] = state[f"cls.predictions.transform.dense.{kind}"]
        renamed[f"transform_norm.{kind}"] = state[f"cls.predictions.transform.LayerNorm.{kind}"]
        for k in range(SIZES["depth"]):
            layer = f"bert.encoder.layer.{k}."
            three = [f"{layer}attention.self.{n}.{kind}" for n in ("query", "key", "value")]
            renamed[f"blocks.{k}.attention.qkv.{kind}"] = torch.cat([state[n] for n in three])
            for our_name, published_name in parts.items():
                renamed[f"blocks.{k}.{our_name}.{kind}"] = state[f"{layer}{published_name}.{kind}"]
    return renamed


def test_has_hugging_faces_logits_with_its_weights():
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=31,
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=12,
    )
    reference = transformers.BertForMaskedLM(config).double().eval()
    with torch.no_grad():
        for parameter in reference.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    model = BERT(**SIZES, pad_id=0).double().eval()
    model.load_state_dict(from_hugging_face(reference.state_dict()))
    tokens, types = TOKENS.clone(), (torch.arange(12) > 6).long().expand(5, 12)
    tokens[0, 7:] = 0
    seen = tokens != 0
    with torch.no_grad():
        expected = reference(tokens, attention_mask=seen.long(), token_type_ids=types).logits
        actual = model(tokens, types=types)
    torch.testing.assert_close(actual[seen], expected[seen], rtol=0, atol=1e-10)


def test_gives_logits_only_at_given_positions():
    model = bert()
    at = torch.tensor([59, 0, 13, 13])
    everywhere = model(TOKENS).flatten(0, 1)
    torch.testing.assert_close(model(TOKENS, positions=at), everywhere[at], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary"])
@pytest.mark.parametrize("norm", ["layer", "rms"])
def test_sees_both_sides_and_their_order(positions, norm):
    model = bert(positions=positions, norm=norm, pre_norm=True, qk_norm=True, token_types=0)
    here = model(TOKENS)[:, 5]
    for position in (0, 11):
        other = TOKENS.clone()
        other[:, position] = 1 + other[:, position] % 30
        assert (model(other)[:, 5] - here).abs().amax(1).min() > 1e-6
    swapped = TOKENS.clone()
    swapped[:, [1, 9]] = TOKENS[:, [9, 1]]
    moved = (model(swapped)[:, 5] - here).abs().amax(1)
    assert moved[TOKENS[:, 1] != TOKENS[:, 9]].min() > 1e-6


@pytest.mark.parametrize("pool", ["mean", "first"])
def test_a_classifier_does_not_see_padding(pool):
    model = bert(num_outputs=3, pad_id=0, pool=pool)
    padded = TOKENS.clone()
    padded[:, 7:] = 0
    alone = model(TOKENS[:, :7])
    assert alone.shape == (5, 3)
    torch.testing.assert_close(model(padded), alone, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_text_of_padding_alone_is_no_nan(precision):
    model = bert(num_outputs=3, pad_id=0).float()
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
        assert torch.isfinite(model(torch.zeros(2, 12, dtype=torch.int64))).all()


def test_what_a_classifier_reads_differs():
    mean, first = (bert(num_outputs=3, pool=pool) for pool in ("mean", "first"))
    assert not torch.allclose(mean(TOKENS), first(TOKENS))


def test_zero_initialisation_gives_uniform_predictions():
    model = BERT(**SIZES, init="zero", tie=False, pre_norm=True)
    assert model(TOKENS).abs().max() == 0
    with pytest.raises(UserError, match="tie=false"):
        MODELS.build({"name": "bert", **SIZES, "init": "zero"})


def test_refuses_more_tokens_than_it_has_places_for():
    with pytest.raises(ValueError, match="13 tokens, expected at most 12"):
        bert()(torch.ones(1, 13, dtype=torch.int64))


def test_pairs_have_two_segments():
    with pytest.raises(ValueError, match="token_types=1: pairs have two segments; expected 2, or"):
        BERT(9, 12, width=8, depth=1, heads=2, token_types=1, next_sentence=True)


def test_a_head_that_compares_the_means_of_both_passages():
    model = bert(next_sentence=True, pair_pool="passages", pad_id=0)
    tokens, types = TOKENS.clone(), (torch.arange(12) > 4).long().repeat(5, 1)
    tokens[1, 9:], tokens[2, 1:] = 0, 0  # padding; a second passage that is padding alone
    positions = torch.tensor([3, 14, 58])
    logits, answers = model(tokens, positions=positions, types=types, pairs=True)
    x = model.token_vectors(tokens, tokens != 0, types)  # (B, T, D)
    torch.testing.assert_close(logits, model(tokens, positions=positions, types=types))
    for row, length in enumerate((12, 9, 1, 12, 12)):
        u = x[row, : min(5, length)].mean(0)
        v = x[row, 5:length].mean(0) if length > 5 else torch.zeros(16, dtype=torch.float64)
        features = torch.cat([x[row, 0], u * v, (u - v).abs()])
        expected = model.pair.head(torch.tanh(model.pair.pooler(features)))
        torch.testing.assert_close(answers[row], expected)
