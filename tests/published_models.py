"""Models of `transformers` with random weights, and ours with the same."""

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


def reference_and_model(case, folder):
    """A model of `transformers`, all weights random; ours with the same; inputs."""
    torch.manual_seed(0)
    make, inputs, facts = CASES[case]
    reference = make().eval()
    with torch.no_grad():
        for p in reference.parameters():
            p += 0.05 * torch.randn_like(p)
        for name, buffer in reference.named_buffers():
            if "running" in name:
                buffer += 0.3 * torch.rand_like(buffer)
    reference.save_pretrained(folder)
    return reference, load_published(folder, facts), inputs()


def load_published(folder, facts):
    source = open_source(str(folder))
    images = dict(input_shape=(3, 48, 48), num_classes=5) if source.model == "resnet" else {}
    dropout = {} if images else {"dropout": 0.0}
    model = MODELS.build({"name": source.model, **source.settings, **dropout}, **facts, **images)
    load_weights(model, source.tensors, str(folder), [], [])
    return model.eval()
