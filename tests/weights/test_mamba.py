"""Published weights of Mamba against `transformers`: in parallel and step by step, in and out."""

import json

import pytest
import torch
import torch.nn.functional as F
from published_models import V, load_published, transformers
from safetensors.torch import load_file, save_file
from transformers.models.mamba import modeling_mamba

from zoo.errors import UserError
from zoo.kernels import cross_entropy
from zoo.optim.optimizers import adamw
from zoo.weights.mamba import MAMBA
from zoo.weights.source import open_source

T = 11
FACTS = dict(vocab_size=V)
SIZES = dict(vocab_size=V, hidden_size=24, num_hidden_layers=2, state_size=5)


def make(**options):
    """With random weights, biases, rates."""
    torch.manual_seed(0)
    net = transformers.MambaForCausalLM(transformers.MambaConfig(**SIZES | options)).eval()
    with torch.no_grad():
        for p in net.parameters():
            p += 0.1 * torch.randn_like(p)
    return net


def saved(folder, **options):
    """The reference and ours."""
    net = make(**options)
    net.save_pretrained(folder)
    return net, load_published(folder, FACTS)


@pytest.fixture
def unrounded(monkeypatch):
    """In float64 the reference rounds to float32 at places: not here."""
    wide = lambda x: x if x.dtype == torch.float64 else x.to(torch.float32)  # noqa: E731
    norm = lambda self, x: F.rms_norm(x, x.shape[-1:], self.weight, 1e-5)  # noqa: E731
    monkeypatch.setattr(torch.Tensor, "float", wide)
    monkeypatch.setattr(modeling_mamba.MambaRMSNorm, "forward", norm)


@pytest.fixture
def tokens():
    torch.manual_seed(1)
    return torch.randint(V, (3, T))


def close(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    "options", [{}, dict(expand=3, conv_kernel=2, time_step_rank=7, tie_word_embeddings=False)]
)
def test_logits_equal_the_references_in_parallel_and_step_by_step(
    options, tokens, tmp_path, unrounded
):
    net, model = saved(tmp_path, residual_in_fp32=False, **options)
    net, model = net.double(), model.double()
    with torch.no_grad():
        expected = net(tokens).logits
        close(model(tokens), expected)
        cache = model.new_cache(len(tokens))
        close(torch.cat([model(t, cache) for t in tokens.split(1, dim=1)], dim=1), expected)
        cache = model.new_cache(len(tokens))
        close(torch.cat([model(t, cache) for t in tokens.split((6, 1, 4), 1)], dim=1), expected)
        theirs = net(tokens[:, :6], use_cache=True)
        steps, past = [theirs.logits], theirs.cache_params
        rest = tokens[:, 6:].split(1, dim=1)
        steps += [net(token, cache_params=past, use_cache=True).logits for token in rest]
        close(torch.cat(steps, dim=1), model(tokens))


def test_one_step_gives_the_same_weights(tokens, tmp_path, unrounded):
    net, model = saved(tmp_path, residual_in_fp32=False)
    net, model, target = net.double().train(), model.double().train(), tokens[:, 1:].flatten()
    loss = F.cross_entropy(net(tokens[:, :-1]).logits.flatten(0, 1), target)
    own = cross_entropy(model(tokens[:, :-1]).flatten(0, 1), target) / len(target)
    close(own, loss)
    for network, objective in ((net, loss), (model, own)):
        optimizer = adamw(network, lr=1e-3, weight_decay=0.0, eps=1e-6)
        objective.backward()
        optimizer.step()
    net.save_pretrained(tmp_path / "after")
    after = load_published(tmp_path / "after", FACTS).double().state_dict()
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(tensor, after[name], rtol=0.0, atol=1e-6)


@pytest.mark.parametrize("tied", [True, False])
def test_weights_come_in_and_go_out_bit_for_bit(tied, tmp_path):
    saved(tmp_path, tie_word_embeddings=tied)
    original, source = load_file(tmp_path / "model.safetensors"), open_source(str(tmp_path))
    settings = source.settings | FACTS
    written = MAMBA.to_published(source.tensors, settings)
    assert written.keys() == original.keys()
    assert all(torch.equal(written[name], tensor) for name, tensor in original.items())
    config = json.loads((tmp_path / "config.json").read_text())
    own = MAMBA.config(settings)
    assert {k: config[k] for k in own if k != "residual_in_fp32"} | {
        "residual_in_fp32": True
    } == own


def as_the_authors(net, folder):
    """Names, a padded vocabulary and a config of their own."""
    tensors = {n.replace("embeddings", "embedding"): t for n, t in net.state_dict().items()}
    torch.save(
        {name: tensor.clone() for name, tensor in tensors.items()}, folder / "pytorch_model.bin"
    )
    config = {
        "d_model": 24, "n_layer": 2, "vocab_size": V - 3, "ssm_cfg": {}, "rms_norm": True,
        "residual_in_fp32": True, "fused_add_norm": True, "pad_vocab_size_multiple": V,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))


def test_the_authors_own_files(tokens, tmp_path):
    net = make()
    as_the_authors(net, tmp_path)
    with torch.no_grad():
        expected = net(tokens).logits
        torch.testing.assert_close(load_published(tmp_path, FACTS)(tokens), expected)
    assert open_source(str(tmp_path)).notes == (
        "no tokenizer beside the weights: its ids must be those of the data's own",
    )


@pytest.mark.parametrize("change, said", [
    ({"model_type": "mamba2"}, "model_type=mamba2 .expected mamba"),
    ({"ssm_cfg": {"layer": "Mamba2"}}, "ssm_cfg="),
    ({"use_bias": True}, "use_bias=true .expected false"),
    ({"d_model": 48}, "hidden_size=48, and the tensors have 24"),
    ({"state_size": 4}, "state_size=4, and the tensors have 5"),
])  # fmt: skip
def test_what_our_model_is_not_is_refused(change, said, tmp_path):
    as_the_authors(make(), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(UserError, match=said):
        open_source(str(tmp_path))


def test_weights_without_a_part_are_refused(tmp_path):
    saved(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    gone = "backbone.layers.0.mixer.x_proj.weight"
    save_file({n: t for n, t in tensors.items() if n != gone}, tmp_path / "model.safetensors")
    with pytest.raises(UserError, match=f"mamba: the weights have no {gone}"):
        open_source(str(tmp_path))
