"""Published weights against `transformers`' own models: logits, one step, names, words."""

import json

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from zoo.errors import UserError
from zoo.kernels import cross_entropy
from zoo.optim.optimizers import adamw
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


def tokens():
    return torch.randint(V, (4, T))


def images():
    return torch.randn(4, 3, 48, 48)


CASES = {
    "gpt2": (gpt2, tokens, dict(vocab_size=V)),
    "bert": (bert, tokens, dict(vocab_size=V)),
    "resnet18": (lambda: resnet("basic", [16, 32, 64, 128], [2, 2, 2, 2]), images, {}),
    "resnet50": (lambda: resnet("bottleneck", [64, 128, 256, 512], [3, 4, 6, 3]), images, {}),
}
every_case = pytest.mark.parametrize("case", CASES)


def both(case, folder):
    """Their model with random weights everywhere, ours loaded from what theirs wrote."""
    torch.manual_seed(0)
    make, inputs, facts = CASES[case]
    theirs = make().eval()
    with torch.no_grad():
        for p in theirs.parameters():
            p += 0.05 * torch.randn_like(p)
        for name, buffer in theirs.named_buffers():
            if "running" in name:
                buffer += 0.3 * torch.rand_like(buffer)
    theirs.save_pretrained(folder)
    return theirs, ours_of(folder, facts), inputs()


def ours_of(folder, facts):
    source = open_source(str(folder))
    images = dict(input_shape=(3, 48, 48), num_classes=5) if source.model == "resnet" else {}
    dropout = {} if images else {"dropout": 0.0}
    model = MODELS.build({"name": source.model, **source.settings, **dropout}, **facts, **images)
    load_weights(model, source.tensors, str(folder), [], [])
    return model.eval()


@every_case
def test_logits_are_theirs(case, tmp_path):
    theirs, ours, x = both(case, tmp_path)
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x).logits, rtol=1e-4, atol=1e-4)
        theirs, ours = theirs.double(), ours.double()
        x = x if x.dtype == torch.int64 else x.double()
        torch.testing.assert_close(ours(x), theirs(x).logits, rtol=1e-10, atol=1e-10)


@every_case
def test_one_step_gives_the_same_weights(case, tmp_path):
    theirs, ours, x = both(case, tmp_path)
    ours, theirs = ours.double().train(), theirs.double().train()
    x = x if x.dtype == torch.int64 else x.double()
    if case == "gpt2":
        target = x[:, 1:].flatten()
        loss = F.cross_entropy(theirs(x[:, :-1]).logits.flatten(0, 1), target)
        own = cross_entropy(ours(x[:, :-1]).flatten(0, 1), target) / len(target)
    elif case == "bert":
        labels = torch.where(torch.rand(x.shape) < 0.15, x, -100)
        loss = F.cross_entropy(theirs(x).logits.flatten(0, 1), labels.flatten())
        at = (labels.flatten() != -100).nonzero()[:, 0]
        own = F.cross_entropy(ours(x, positions=at), x.flatten()[at])
    else:
        target = torch.arange(4)
        loss = F.cross_entropy(theirs(x).logits, target)
        own = F.cross_entropy(ours(x), target)
    torch.testing.assert_close(own, loss, rtol=1e-9, atol=0.0)
    for model, one in ((theirs, loss), (ours, own)):
        optimizer = adamw(model, lr=1e-3, eps=1e-6)  # alike for gradients next to zero
        one.backward()
        optimizer.step()
    theirs.save_pretrained(tmp_path / "after")
    after = ours_of(tmp_path / "after", CASES[case][2]).double().state_dict()
    for name, tensor in ours.state_dict().items():
        torch.testing.assert_close(tensor.float(), after[name].float(), rtol=0.0, atol=1e-6)


def rewrite(folder, change):
    """The folder's file with other names."""
    file = folder / "model.safetensors"
    tensors = {change(name): t.clone() for name, t in load_file(file).items()}
    save_file({name: t for name, t in tensors.items() if name}, file)


def test_names_of_the_hubs_gpt2(tmp_path):
    """`transformer.` left out, masks among the weights, a head that is tied."""
    theirs, _, x = both("gpt2", tmp_path)
    rewrite(tmp_path, lambda name: name.removeprefix("transformer."))
    tensors = load_file(tmp_path / "model.safetensors")
    assert "lm_head.weight" not in tensors
    masks = {f"h.{k}.attn.bias": torch.ones(1, 1, T, T).tril() for k in range(3)}
    save_file(tensors | masks, tmp_path / "model.safetensors")
    ours = ours_of(tmp_path, dict(vocab_size=V))
    torch.testing.assert_close(ours(x), theirs(x).logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("trunk", [False, True])
def test_names_of_old_bert_files(tmp_path, trunk):
    """`gamma` and `beta`, next-sentence prediction, position numbers; torch.save."""
    theirs, _, x = both("bert", tmp_path)
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
        expected = F.gelu(theirs.bert(x).last_hidden_state)
    else:
        load_weights(model, source.tensors, "x", [], [])
        expected = theirs(x).logits
    torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-4)


def test_torchvisions_and_timms_names_are_ours(tmp_path):
    torch.manual_seed(0)
    model = MODELS.build({"name": "resnet", "depth": 18}, input_shape=(3, 48, 48), num_classes=5)
    tensors = {n: t for n, t in model.state_dict().items() if "num_batches" not in n}  # old files
    torch.save(tensors, tmp_path / "resnet18-f37072fd.pth")
    source = open_source(str(tmp_path / "resnet18-f37072fd.pth"))
    assert source.settings["depth"] == 18 and source.settings["stem"] == "large"
    other = MODELS.build(
        {"name": "resnet", **source.settings}, input_shape=(3, 48, 48), num_classes=5
    )
    report = load_weights(other, source.tensors, "x", [], [])
    assert len(report.loaded) == len(tensors)


def test_weights_of_an_unknown_architecture(tmp_path):
    save_file({"w": torch.zeros(2)}, tmp_path / "model.safetensors")
    with pytest.raises(UserError, match="no known architecture .* gpt2, bert, resnet"):
        open_source(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({"layer_norm_epsilon": 0.5}))
    theirs = gpt2()
    save_file(
        {n: t.clone() for n, t in theirs.transformer.state_dict().items()},
        tmp_path / "model.safetensors",
    )
    with pytest.raises(UserError, match="layer_norm_epsilon=0.5, expected 1e-05"):
        open_source(str(tmp_path))
