"""Names in published files of BERT."""

import pytest
import torch
import torch.nn.functional as F
from published_models import T, V, reference_and_model, transformers
from safetensors.torch import load_file

from zoo.errors import UserError
from zoo.registry import MODELS
from zoo.training.checkpoint import model_tensors
from zoo.weights.bert import BERT as FAMILY
from zoo.weights.load import load_weights
from zoo.weights.source import open_source


@pytest.mark.parametrize("trunk", [False, True])
def test_names_of_old_bert_files(tmp_path, trunk):
    """`gamma` and `beta`, next-sentence prediction, position numbers; torch.save."""
    reference, _, x = reference_and_model("bert", tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): t
        for name, t in tensors.items()
    }
    old |= {
        "bert.pooler.dense.weight": torch.zeros(48, 48),
        "cls.seq_relationship.weight": torch.zeros(2, 48),
        "bert.embeddings.position_ids": torch.arange(T)[None],
    }
    if trunk:
        old = {n.removeprefix("bert."): t for n, t in old.items() if n.startswith("bert.")}
    (tmp_path / "model.safetensors").unlink()
    torch.save(old, tmp_path / "pytorch_model.bin")
    source = open_source(str(tmp_path))
    model = MODELS.build({"name": "bert", **source.settings, "dropout": 0.0}, vocab_size=V).eval()
    if trunk:
        with pytest.raises(UserError, match="missing: transform.weight.*init.skip"):
            load_weights(model, source.tensors, "x", [], [])
        load_weights(model, source.tensors, "x", ["transform*", "head"], [])
        model.transform, model.transform_norm = torch.nn.Identity(), torch.nn.Identity()
        model.head = torch.nn.Identity()
        expected = F.gelu(reference.bert(x).last_hidden_state)
    else:
        load_weights(model, source.tensors, "x", [], [])
        expected = reference(x).logits
    torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-4)


BERT_DEFAULTS = dict(
    vocab_size=V, block_size=T, positions="learned", norm="layer", qk_norm=False, pre_norm=False,
    init="bert", tie=True,
)  # fmt: skip
SIZES = dict(width=16, depth=1, heads=2, token_types=2, dropout=0.0)


@pytest.mark.parametrize("activation", ["relu", "gelu_tanh", "relu2"])
def test_the_head_is_exported_with_its_activation(activation, tmp_path):
    torch.manual_seed(0)
    options = SIZES | {"activation": activation, "head_activation": activation}
    model = MODELS.build({"name": "bert", **options}, vocab_size=V, block_size=T).eval()
    settings = BERT_DEFAULTS | options
    config = transformers.BertConfig(**FAMILY.config(settings))
    reference = transformers.BertForMaskedLM(config).eval()
    tensors = FAMILY.to_published(model_tensors(model.state_dict()), settings)
    reference.load_state_dict(tensors, strict=False)
    reference.tie_weights()
    x = torch.randint(V, (2, T))
    torch.testing.assert_close(model(x), reference(x).logits, rtol=1e-4, atol=1e-5)


def test_a_head_of_another_activation_than_the_blocks_is_not_exported():
    for known in ({"head_activation": "gelu"}, {}):  # older runs do not name it
        misfits = FAMILY.misfits(BERT_DEFAULTS | SIZES | {"activation": "relu"} | known)
        assert misfits == [("model.head_activation=gelu", "model.head_activation=relu")]


def test_a_tagger_is_one_of_transformers_with_equal_logits(tmp_path):
    settings = BERT_DEFAULTS | SIZES | {"activation": "gelu", "head_activation": "gelu"}
    torch.manual_seed(0)
    model = MODELS.build({"name": "bert", **settings}, num_tags=3, pad_id=0).eval()
    settings |= {"num_tags": 3, "tag_names": ["O", "B-A", "I-A"], "pad_id": 0, "pool": "mean"}
    assert not FAMILY.misfits(settings)
    published = FAMILY.to_published(model_tensors(model.state_dict()), settings)
    config = FAMILY.config(settings)
    assert config["architectures"] == ["BertForTokenClassification"]
    assert config["id2label"] == {"0": "O", "1": "B-A", "2": "I-A"}
    reference = transformers.BertForTokenClassification(transformers.BertConfig(**config)).eval()
    assert not reference.load_state_dict(published, strict=False).unexpected_keys
    x = torch.randint(1, V, (4, T))
    torch.testing.assert_close(model(x), reference(x).logits, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    """A `BertForPreTraining` with random weights, its files and a batch of pairs with padding."""
    folder = tmp_path_factory.mktemp("pretrained")
    torch.manual_seed(0)
    sizes = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64)
    config = transformers.BertConfig(vocab_size=V, max_position_embeddings=T, **sizes)
    reference = transformers.BertForPreTraining(config).eval()
    with torch.no_grad():
        for p in reference.parameters():
            p += 0.1 * torch.randn_like(p)
    reference.save_pretrained(folder)
    tokens, types = torch.randint(1, V, (4, T)), torch.randint(2, (4, T)).sort(1).values
    tokens[0, -5:] = tokens[2, -1:] = 0
    return reference, folder, tokens, types


def both(model, tokens, types):
    return model(tokens, positions=torch.arange(tokens.numel()), types=types, pairs=True)


def test_the_head_for_pairs_loads_and_leaves(pretrained):
    reference, folder, tokens, types = pretrained
    source = open_source(str(folder))
    options = {"name": "bert", **source.settings, "dropout": 0.0}
    model = MODELS.build(options, vocab_size=V, pad_id=0, next_sentence=True).eval()
    load_weights(model, source.for_model(model.state_dict()), "x", [], [])
    logits, follows = both(model.double(), tokens, types)
    expected = reference.double()(tokens, (tokens != 0).long(), types)
    torch.testing.assert_close(follows, expected.seq_relationship_logits, rtol=1e-10, atol=1e-10)
    shown = expected.prediction_logits.flatten(0, 1)
    torch.testing.assert_close(logits, shown, rtol=1e-10, atol=1e-10)
    settings = options | {"next_sentence": True, "pad_id": 0, "vocab_size": V}
    assert FAMILY.config(settings)["architectures"] == ["BertForPreTraining"]
    published, stored = FAMILY.to_published(model.float().state_dict(), settings), reference.float()
    assert {"bert.pooler.dense.weight", "cls.seq_relationship.bias"} <= published.keys()
    assert all(torch.equal(tensor, stored.state_dict()[n]) for n, tensor in published.items())


def test_models_without_it_leave_it_out(pretrained):
    reference, folder, tokens, types = pretrained
    source = open_source(str(folder))
    assert source.extras.keys() == {
        f"pair.{part}.{kind}" for part in ("pooler", "head") for kind in ("weight", "bias")
    }
    model = MODELS.build({"name": "bert", **source.settings, "dropout": 0.0}, vocab_size=V).eval()
    report = load_weights(model, source.for_model(model.state_dict()), "x", [], [])
    assert not report.unexpected and not any("pair" in name for name in report.loaded)
    tensors = load_file(folder / "model.safetensors")
    del tensors["cls.seq_relationship.weight"]  # a trunk alone: half of the head is none of it
    assert FAMILY.extras(tensors) == {}
    model = MODELS.build({"name": "bert", **source.settings}, vocab_size=V, next_sentence=True)
    with pytest.raises(UserError, match="missing: pair.pooler.weight.*init.skip=.pair."):
        load_weights(model, source.tensors, "x", [], [])
