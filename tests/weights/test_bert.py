"""Names in published files of BERT."""

import pytest
import torch
import torch.nn.functional as F
from published_models import T, V, reference_and_model
from safetensors.torch import load_file

from zoo.errors import UserError
from zoo.registry import MODELS
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
