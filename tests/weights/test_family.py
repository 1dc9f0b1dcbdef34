"""Published weights against `transformers`' own models: logits, one step, unknown models."""

import json

import pytest
import torch
import torch.nn.functional as F
from published_models import CASES, doubled, gpt2, load_published, reference_and_model
from safetensors.torch import save_file

from zoo.errors import UserError
from zoo.kernels import cross_entropy
from zoo.optim.optimizers import adamw
from zoo.weights.source import open_source

every_case = pytest.mark.parametrize("case", CASES)


@every_case
def test_logits_equal_the_references(case, tmp_path):
    reference, model, x = reference_and_model(case, tmp_path)
    with torch.no_grad():
        torch.testing.assert_close(model(x), reference(x).logits, rtol=1e-4, atol=1e-4)
        reference, model = doubled(reference), model.double()
        x = x if x.dtype == torch.int64 else x.double()
        torch.testing.assert_close(model(x), reference(x).logits, rtol=1e-10, atol=1e-10)


@every_case
def test_one_step_gives_the_same_weights(case, tmp_path):
    reference, model, x = reference_and_model(case, tmp_path)
    model, reference = model.double().train(), doubled(reference).train()
    x = x if x.dtype == torch.int64 else x.double()
    if hasattr(model, "new_cache"):
        target = x[:, 1:].flatten()
        loss = F.cross_entropy(reference(x[:, :-1]).logits.flatten(0, 1), target)
        own = cross_entropy(model(x[:, :-1]).flatten(0, 1), target) / len(target)
    elif case == "bert":
        labels = torch.where(torch.rand(x.shape) < 0.15, x, -100)
        loss = F.cross_entropy(reference(x).logits.flatten(0, 1), labels.flatten())
        at = (labels.flatten() != -100).nonzero()[:, 0]
        own = F.cross_entropy(model(x, positions=at), x.flatten()[at])
    else:
        target = torch.arange(4)
        loss = F.cross_entropy(reference(x).logits, target)
        own = F.cross_entropy(model(x), target)
    torch.testing.assert_close(own, loss, rtol=1e-9, atol=0.0)
    for network, objective in ((reference, loss), (model, own)):
        optimizer = adamw(network, lr=1e-3, eps=1e-6)  # alike for gradients next to zero
        objective.backward()
        optimizer.step()
    reference.save_pretrained(tmp_path / "after")
    after = load_published(tmp_path / "after", CASES[case][2]).double().state_dict()
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(tensor.float(), after[name].float(), rtol=0.0, atol=1e-6)


def test_weights_of_an_unknown_architecture(tmp_path):
    save_file({"w": torch.zeros(2)}, tmp_path / "model.safetensors")
    with pytest.raises(
        UserError, match="no known architecture .* gpt2, bert, deepseek, llama, resnet"
    ):
        open_source(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({"layer_norm_epsilon": 0.5}))
    reference = gpt2()
    save_file(
        {n: t.clone() for n, t in reference.transformer.state_dict().items()},
        tmp_path / "model.safetensors",
    )
    with pytest.raises(UserError, match="layer_norm_epsilon=0.5 .expected 1e-05"):
        open_source(str(tmp_path))
