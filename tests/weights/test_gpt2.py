"""Names in published files of GPT-2."""

import torch
from published_models import T, V, load_published, reference_and_model
from safetensors.torch import load_file, save_file


def rewrite(folder, change):
    """The folder's file with other names."""
    file = folder / "model.safetensors"
    tensors = {change(name): t.clone() for name, t in load_file(file).items()}
    save_file({name: t for name, t in tensors.items() if name}, file)


def test_names_of_the_hubs_gpt2(tmp_path):
    """`transformer.` left out, masks among the weights, a head that is tied."""
    reference, _, x = reference_and_model("gpt2", tmp_path)
    rewrite(tmp_path, lambda name: name.removeprefix("transformer."))
    tensors = load_file(tmp_path / "model.safetensors")
    assert "lm_head.weight" not in tensors
    masks = {f"h.{k}.attn.bias": torch.ones(1, 1, T, T).tril() for k in range(3)}
    save_file(tensors | masks, tmp_path / "model.safetensors")
    model = load_published(tmp_path, dict(vocab_size=V))
    torch.testing.assert_close(model(x), reference(x).logits, rtol=1e-4, atol=1e-4)
